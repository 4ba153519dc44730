//! Declared objects in the store: as the file says, and never twice.

mod reconcile;
mod service_tokens;

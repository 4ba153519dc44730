//! Ending sessions: at once, everywhere, with everything that is open.

mod keys;
mod replicas;
mod store_gone;
mod streams;

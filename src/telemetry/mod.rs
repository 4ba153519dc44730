//! Logs, metrics and request ids.

pub mod request_id;

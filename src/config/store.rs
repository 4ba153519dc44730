//! `[store]`: where the gateway keeps what it must remember.

use std::time::Duration;

use secrecy::SecretString;

/// The store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:///path`, `sqlite::memory:` or `postgres://…`. Secret, for it may hold a password.
    pub url: SecretString,
    /// How long live sessions go on while the store cannot be reached.
    pub grace: Duration,
}

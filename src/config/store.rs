//! `[store]`: where the gateway keeps what it must remember.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::bounds::Bounds;
use super::secret;
use super::tree::{Keys, Node};

/// The store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:///path`, `sqlite::memory:` or `postgres://…`. Secret, for it may hold a password.
    pub url: SecretString,
    /// How long live sessions go on while the store cannot be reached.
    pub grace: Duration,
}

pub(super) const KEYS: Keys = Keys {
    known: &["url", "grace"],
    refused: &[],
};
const URL: &str = "write sqlite:///var/lib/vestibule/vestibule.db or postgres://user@host/database";

/// Long enough to mend a database, short enough that a session ended meanwhile is not open for a day.
const GRACE: Bounds = Bounds {
    least: Duration::ZERO,
    most: Duration::from_hours(24),
    said: "0 to 24h",
};
const DEFAULT_GRACE: Duration = Duration::from_mins(15);

pub(super) fn read(node: &Node<'_>) -> Option<StoreConfig> {
    let table = node.table(&KEYS)?;
    let url = table.need("url", URL).and_then(|node| url(&node));
    let grace = table
        .node("grace")
        .map_or(Some(DEFAULT_GRACE), |node| Some(GRACE.parse(&node)?.length()));
    Some(StoreConfig {
        url: url?,
        grace: grace?,
    })
}

fn url(node: &Node<'_>) -> Option<SecretString> {
    let secret = match node.as_text() {
        // An address without a password is no secret: nothing to warn about.
        Some(literal) if !has_password(literal) => SecretString::from(literal),
        _ => secret::text(node)?,
    };
    match refused(secret.expose_secret()) {
        None => Some(secret),
        Some(reason) => {
            node.fault(reason, URL);
            None
        }
    }
}

fn has_password(url: &str) -> bool {
    url.parse::<Url>().is_ok_and(|url| url.password().is_some())
}

/// Why a store cannot be there. Never repeats the address, which may hold a password.
fn refused(url: &str) -> Option<&'static str> {
    if url == "sqlite::memory:" {
        return None;
    }
    if let Some(path) = url.strip_prefix("sqlite://") {
        return (!path.starts_with('/') || path.len() < 2)
            .then_some("the SQLite file must be an absolute path");
    }
    match url.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => url
            .host_str()
            .is_none_or(str::is_empty)
            .then_some("the PostgreSQL address names no host"),
        Ok(_) => Some("the store is SQLite or PostgreSQL"),
        Err(_) => Some("this is no store's address"),
    }
}

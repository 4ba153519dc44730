//! What can go wrong in the store, by what a caller does about it.

use std::error::Error;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or answered that it cannot work now: callers answer 503. The next call tries
    /// anew; nothing has to be restarted.
    #[error("the store is unavailable: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// A newer release has changed the schema beyond what this one can read.
    #[error("the store has schema {found}, which needs a newer release: this one knows schema {known}")]
    Schema {
        /// The number of the schema in the database.
        found: i64,
        /// The newest schema of this release.
        known: i64,
    },
    /// A row holds what this release cannot read.
    #[error("the store's table {table} holds an unreadable {column} in row {row}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column in it.
        column: &'static str,
        /// The row's key, as far as it may be shown.
        row: String,
    },
    /// Another gateway reads the directory by now: what this one still had to write was not written.
    #[error("another gateway has taken over the reading of the directory")]
    LeaseLost,
    /// The directory may not tell anything, or may not any more: its provider was changed or deleted.
    #[error("the provider's settings were changed meanwhile, or it was deleted")]
    NotTold,
    /// What should be new exists already.
    #[error("{0} exists already")]
    Conflict(&'static str),
}

impl StoreError {
    /// Whether the transaction only stood in the way of another and may succeed if it is tried again: a lock timeout,
    /// a deadlock or a serialisation failure of PostgreSQL (its appendix A).
    pub(super) fn contended(&self) -> bool {
        let Self::Unavailable(source) = self else {
            return false;
        };
        let Some(sqlx::Error::Database(error)) = source.downcast_ref::<sqlx::Error>() else {
            return false;
        };
        matches!(error.code().as_deref(), Some("55P03" | "40P01" | "40001"))
    }

    /// Names what exists already, where that is the reason.
    pub(super) fn or_conflict(error: sqlx::Error, what: &'static str) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Conflict(what),
            _ => error.into(),
        }
    }
}

/// Everything the database says besides an answer means that it cannot work now: lost connections, timeouts, a full
/// disk, a server in recovery. Rows that cannot be read never come this way; see `row`.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

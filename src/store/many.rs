//! Statements about many rows at once.
//!
//! sqlx `Any` binds no lists, and a placeholder for each value would make another statement of each number of values, up
//! to limits in which the databases differ. So a list goes as one text, `$1`: a JSON array with an array for each row.
//! Each database takes it apart by a function of its own name; `value ->> 0` is the first cell of a row in both.

use serde::Serialize;
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use super::{Backend, Store, StoreError};

/// Rows in one statement: many enough that statements no longer count, few enough that each is over in milliseconds and
/// that little is held twice.
pub(super) const AT_ONCE: usize = 500;

/// A statement about a list of rows, in both spellings.
#[derive(Debug)]
pub(super) struct OfMany {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// A statement, cut where the list stands: `of_many!("… IN (SELECT value ->> 0 FROM ", LIST, ") …")`.
/// `… LIST, ")", FOR UPDATE` takes the rows' locks besides; SQLite has one writer, which is lock enough.
macro_rules! of_many {
    ($before:expr, LIST, $after:literal) => {
        $crate::store::many::OfMany {
            sqlite: concat!($before, "json_each($1)", $after),
            postgres: concat!($before, "json_array_elements(CAST($1 AS json))", $after),
        }
    };
    ($before:expr, LIST, $after:literal, FOR UPDATE) => {
        $crate::store::many::OfMany {
            sqlite: concat!($before, "json_each($1)", $after),
            postgres: concat!(
                $before,
                "json_array_elements(CAST($1 AS json))",
                $after,
                " FOR UPDATE"
            ),
        }
    };
}
pub(super) use of_many;

impl Store {
    /// The statement about these rows, whose tuples are the rows' cells; further values are bound from `$2` on. Texts
    /// must be what both databases can hold ([`super::row::storable`]).
    pub(super) fn of_many<R: Serialize>(
        &self,
        statement: &OfMany,
        rows: &[R],
    ) -> Result<Query<'static, Any, AnyArguments>, StoreError> {
        let list = serde_json::to_string(rows).map_err(|error| StoreError::Unavailable(error.into()))?;
        let sql = match self.inner.backend {
            Backend::Sqlite => statement.sqlite,
            Backend::Postgres => statement.postgres,
        };
        Ok(sqlx::query(sql).bind(list))
    }
}

//! Reading a row: every cell into its type, and a cell that cannot be read named by table, column and row.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row as _, Type};

use super::StoreError;

/// A row of a table.
pub(super) struct Cells<'r> {
    row: &'r AnyRow,
    table: &'static str,
    key: &'static str,
}

impl<'r> Cells<'r> {
    /// A row of `table`, whose column `key` names it in an error.
    pub(super) fn new(row: &'r AnyRow, table: &'static str, key: &'static str) -> Self {
        Self { row, table, key }
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.cell(column)
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.cell(column)
    }

    pub(super) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.cell(column)
    }

    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.cell(column)
    }

    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.cell(column)
    }

    pub(super) fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.cell(column)
    }

    /// A truth value: 0 or 1 (`Any` cannot read SQLite's BOOLEAN).
    pub(super) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(super) fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|_| self.corrupt(column))
    }

    pub(super) fn maybe_parsed<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?
            .map(|text| text.parse().map_err(|_| self.corrupt(column)))
            .transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|_| self.corrupt(column))
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?
            .map(|text| serde_json::from_str(&text).map_err(|_| self.corrupt(column)))
            .transpose()
    }

    fn cell<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: for<'a> Decode<'a, Any> + Type<Any>,
    {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    /// Says that a cell holds what should not be there.
    pub(super) fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            row: self.shown_key(),
        }
    }

    /// Enough of the key to find the row; a session's key is not for logs in full.
    fn shown_key(&self) -> String {
        if let Ok(number) = self.row.try_get::<i64, _>(self.key) {
            return number.to_string();
        }
        let key: String = self.row.try_get(self.key).unwrap_or_default();
        key.chars().take(8).collect()
    }
}

/// Text as both databases can hold it: PostgreSQL has no NUL in TEXT. For labels; what must come back equal is kept
/// as JSON, which escapes it.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A pattern of `LIKE … ESCAPE '!'` for what has this within, for columns that are kept folded.
pub(super) fn pattern_within(part: &str) -> String {
    format!("%{}", pattern_of_beginning(part))
}

/// The same for what begins so.
pub(super) fn pattern_of_beginning(part: &str) -> String {
    let escaped = escaped(&part.to_lowercase());
    format!("{escaped}%")
}

/// [`storable`] for what may be missing.
pub(super) fn maybe_storable(text: Option<&str>) -> Option<String> {
    text.map(storable)
}

/// A pattern for `LOWER(column) LIKE … ESCAPE '!'` that finds what contains a text. SQLite lowers ASCII letters only, so
/// does this.
pub(super) fn containing(text: &str) -> String {
    format!("%{}%", escaped(&text.to_ascii_lowercase()))
}

/// A text that stands for itself in a pattern.
fn escaped(text: &str) -> String {
    storable(text)
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_its_text_as_it_is() {
        assert_eq!(containing("Wiki_50%!"), "%wiki!_50!%!!%");
    }

    #[test]
    fn a_label_loses_only_what_postgresql_cannot_hold() {
        assert_eq!(storable("Zoë\0 \u{1F600}\n"), "Zoë\u{fffd} \u{1F600}\n");
    }
}

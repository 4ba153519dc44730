//! Many rows in one cell.
//!
//! Each row that is read is handed from the thread of its connection to who asked, and each of its cells is made into a
//! value twice: for a page of 25 rows that is several times the database's own work. So where lists are read a page at
//! a time, the database writes the rows into one text, cell after cell: the length of a cell in characters, a space
//! and the cell, or the space alone where it is null.

use std::str::FromStr;

use sqlx::any::AnyRow;

use super::StoreError;
use super::row::Cells;

/// What stands before the rest of a question for rows in one cell, where the rest is not known beforehand;
/// [`PACKED_END`] stands behind it. One function writes a whole row: of what `||` strings together, each step would copy
/// all before it. (PostgreSQL gives a function a hundred arguments, which is thirty-three columns.)
macro_rules! packed_rows {
    ([$first:literal $(, $column:literal)*]) => {
        concat!(
            "SELECT STRING_AGG(line, '') AS lines FROM (SELECT CONCAT(LENGTH(CAST(", $first, " AS TEXT)), ' ', ", $first,
            $(", LENGTH(CAST(", $column, " AS TEXT)), ' ', ", $column,)*
            ") AS line "
        )
    };
}
pub(super) use packed_rows;

/// What stands behind a question that [`packed_rows!`] begins.
pub(super) const PACKED_END: &str = ") AS page";

/// A question for all rows that the rest keeps, in one cell.
macro_rules! packed {
    ($columns:tt $($rest:expr),+) => {
        concat!($crate::store::packed::packed_rows!($columns), $($rest,)+ ") AS page")
    };
}
pub(super) use packed;

/// The cells of such a text, one after the other.
pub(super) struct Packed {
    text: String,
    /// Where the next one begins.
    next: usize,
    table: &'static str,
}

impl Packed {
    /// The rows of a table in the answer to [`packed!`].
    pub(super) fn new(row: &AnyRow, table: &'static str) -> Result<Self, StoreError> {
        let text = Cells::new(row, table, "lines").maybe_text("lines")?;
        Ok(Self {
            text: text.unwrap_or_default(),
            next: 0,
            table,
        })
    }

    /// Reads row after row.
    pub(super) fn rows<T>(
        mut self,
        read: impl Fn(&mut Self) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        while self.next < self.text.len() {
            rows.push(read(&mut self)?);
        }
        Ok(rows)
    }

    pub(super) fn text(&mut self, column: &'static str) -> Result<String, StoreError> {
        self.maybe_text(column)?.ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn maybe_text(&mut self, column: &'static str) -> Result<Option<String>, StoreError> {
        let cell = self.cell(column)?;
        Ok(cell.map(str::to_owned))
    }

    pub(super) fn int(&mut self, column: &'static str) -> Result<i64, StoreError> {
        self.parsed(column)
    }

    pub(super) fn flag(&mut self, column: &'static str) -> Result<bool, StoreError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(super) fn parsed<T: FromStr>(&mut self, column: &'static str) -> Result<T, StoreError> {
        self.maybe_parsed(column)?.ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn maybe_parsed<T: FromStr>(&mut self, column: &'static str) -> Result<Option<T>, StoreError> {
        let parsed = self.cell(column)?.map(str::parse).transpose();
        parsed.map_err(|_| self.corrupt(column))
    }

    fn cell(&mut self, column: &'static str) -> Result<Option<&str>, StoreError> {
        let begin = self.next;
        let rest = self.text.get(begin..).unwrap_or_default();
        if rest.starts_with(' ') {
            self.next = begin + 1;
            return Ok(None);
        }
        let Some((length, cell)) = split(rest) else {
            return Err(self.corrupt(column));
        };
        let from = begin + length;
        self.next = from + cell.len();
        Ok(self.text.get(from..self.next))
    }

    /// Says that a cell holds what should not be there.
    pub(super) fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            row: "of a page".to_owned(),
        }
    }
}

/// How long the length of the first cell is written, and the cell.
fn split(text: &str) -> Option<(usize, &str)> {
    let (written, rest) = text.split_once(' ')?;
    let characters: usize = written.parse().ok()?;
    let ascii = rest.get(..characters).filter(|cell| cell.is_ascii());
    let cell = ascii.or_else(|| {
        let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        rest.get(..ends.nth(characters)?)
    })?;
    Some((written.len() + 1, cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &str) -> Packed {
        Packed {
            text: text.to_owned(),
            next: 0,
            table: "users",
        }
    }

    #[test]
    fn cells_are_read_by_their_length_whatever_is_in_them() {
        let mut cells = packed("3 a b 0 5 Zoë -2 42");
        assert_eq!(cells.text("name").unwrap(), "a b");
        assert_eq!(cells.maybe_text("name").unwrap(), None);
        assert_eq!(cells.maybe_text("name").unwrap().as_deref(), Some(""));
        assert_eq!(cells.text("name").unwrap(), "Zoë -");
        let rows = packed("1 12 23").rows(|cells| cells.int("at_ms"));
        assert_eq!(rows.unwrap(), [1, 23]);
    }

    #[test]
    fn what_is_cut_off_is_corrupt() {
        for text in ["", "5 abcd", "x", "1", " "] {
            assert!(
                matches!(packed(text).text("name"), Err(StoreError::Corrupt { .. })),
                "{text}"
            );
        }
    }
}

//! Questions with many filters, few of which are asked at once.
//!
//! A constant statement with all of them (`$1 IS NULL OR …`) looks at each for every row, and no index serves it. So the
//! text is put together, from constants alone, of those that are asked; values are bound as everywhere.

use std::fmt::Write as _;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use super::packed::PACKED_END;

/// A value that a condition compares with.
pub(super) enum Value {
    Text(String),
    Int(i64),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

/// Conditions that rows must meet, all of them.
#[derive(Default)]
pub(super) struct Conditions {
    count: usize,
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    /// A condition, if there is a value: the value stands at the `?`.
    pub(super) fn that(&mut self, condition: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.one_of(condition, [value]);
        }
    }

    /// A condition about values of which each stands at the `?`, with commas between them; none where there are none.
    pub(super) fn one_of(
        &mut self,
        condition: &'static str,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) {
        let mut places = String::new();
        for value in values {
            self.values.push(value.into());
            let comma = if places.is_empty() { "" } else { ", " };
            let _ = write!(places, "{comma}${}", self.values.len()); // a `String` takes everything
        }
        if !places.is_empty() {
            self.add(&condition.replace('?', &places));
        }
    }

    /// A condition that compares with nothing.
    pub(super) fn always(&mut self, condition: &'static str) {
        self.add(condition);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn add(&mut self, condition: &str) {
        self.count += 1;
        self.text
            .push_str(if self.text.is_empty() { "WHERE " } else { " AND " });
        self.text.push_str(condition);
    }

    /// A page of the rows that meet them, in one cell. `rows` is of [`super::packed::packed_rows!`] and ends with a table.
    pub(super) fn page(
        self,
        (rows, order): (&'static str, &'static str),
        (limit, offset): (i64, i64),
    ) -> Query<'static, Any, AnyArguments> {
        // Made of constants and of the numbers of places.
        let query = sqlx::query(AssertSqlSafe(self.sql(rows, order)));
        let query = self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Int(int) => query.bind(int),
        });
        query.bind(limit).bind(offset)
    }

    /// The text of that.
    pub(super) fn sql(&self, rows: &str, order: &str) -> String {
        let (limit, offset) = (self.values.len() + 1, self.values.len() + 2);
        let text = &self.text;
        format!("{rows}{text} {order} LIMIT ${limit} OFFSET ${offset}{PACKED_END}")
    }
}

/// For tests: how SQLite, which keeps no statistics here, answers a statement of its own store.
#[cfg(test)]
pub(super) async fn plan_of(sql: &str) -> String {
    use super::Store;
    use super::row::Cells;
    use crate::clock::Clock;

    let store = Store::open(&"sqlite::memory:".into(), Clock::system())
        .await
        .unwrap();
    let mut connection = store.reader().await.unwrap();
    let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let step = |row| Cells::new(row, "plan", "id").text("detail").unwrap();
    explained.iter().map(step).collect::<Vec<String>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_stands_in_the_text() {
        let mut conditions = Conditions::default();
        conditions.that("email = ?", None::<String>);
        conditions.that("at_ms >= ?", Some(5));
        conditions.one_of("method IN (?)", ["GET".to_owned(), "PUT".to_owned()]);
        conditions.one_of("resource IN (?)", Vec::<String>::new());
        conditions.always("user_id IS NULL");
        conditions.that("(app IS NULL OR app <> ?)", Some("x".to_owned()));
        let text = "SELECT … FROM t WHERE at_ms >= $1 AND method IN ($2, $3) AND user_id IS NULL \
             AND (app IS NULL OR app <> $4) ORDER BY id LIMIT $5 OFFSET $6) AS page";
        assert_eq!(conditions.sql("SELECT … FROM t ", "ORDER BY id"), text);
        assert_eq!(conditions.values.len(), 4);
    }
}

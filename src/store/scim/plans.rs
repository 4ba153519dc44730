//! For tests: whether SQLite, which keeps no statistics, answers a statement by an index that finds few rows.

use sqlx::AssertSqlSafe;

use super::super::Store;
use super::super::row::Cells;
use crate::clock::Clock;

/// Asserts that none of these statements reads a whole table, or all that a provider has.
pub(super) async fn take_an_index(statements: &[&str]) {
    let store = Store::open(&"sqlite::memory:".into(), Clock::system())
        .await
        .unwrap();
    let mut connection = store.reader().await.unwrap();
    for sql in statements {
        let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let mut steps = explained
            .iter()
            .map(|row| Cells::new(row, "plan", "id").text("detail").unwrap());
        let lavish = |step: &String| {
            let of_all = ["scim_", "directory_", "users", "sessions", "m ", "u ", "g ", "s "];
            let reads_all = of_all
                .iter()
                .any(|table| step.starts_with(&format!("SCAN {table}")));
            reads_all || step.ends_with("(provider=?)") || step.ends_with("(user_id=NULL)")
        };
        assert_eq!(steps.find(lavish), None, "{sql}");
    }
}

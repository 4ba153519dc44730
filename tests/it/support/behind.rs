//! The store, written behind the gateways' backs: none of them is told, so each goes on by what it knew.

use serde_json::Value;
use sqlx::Row as _;

use super::database::Database;

/// Writes the one provider that there is otherwise.
pub(crate) async fn rewrite_provider(database: &Database, change: impl FnOnce(&mut Value)) {
    let pool = database.pool().await;
    let row = sqlx::query("SELECT body FROM documents WHERE kind = 'identity_provider'")
        .fetch_one(&pool)
        .await
        .unwrap();
    let body: String = row.get("body");
    let mut body: Value = serde_json::from_str(&body).unwrap();
    change(&mut body);
    sqlx::query("UPDATE documents SET body = $1 WHERE kind = 'identity_provider'")
        .bind(body.to_string())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

/// Deletes it.
pub(crate) async fn delete_provider(database: &Database) {
    database
        .run("DELETE FROM documents WHERE kind = 'identity_provider'")
        .await;
}

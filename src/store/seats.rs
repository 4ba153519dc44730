//! Seats of people who stay away.

use super::row::Cells;
use super::{ObjectWrite, Store, StoreError, bounded};
use crate::model::ids::UserId;

/// Whoever has neither signed in nor been seen since. So many at once that nobody is held up.
const AWAY: &str = "SELECT id FROM users WHERE seat = 1 AND last_login_ms < $1 AND NOT EXISTS \
     (SELECT 1 FROM sessions s WHERE s.user_id = users.id AND s.last_use_ms >= $1) ORDER BY last_login_ms, id LIMIT 500";
/// Asked again with the row's lock: a sign-in may have come first.
const FREE: &str = "UPDATE users SET seat = 0 WHERE id = $1 AND seat = 1 AND last_login_ms < $2";

impl Store {
    /// Whether somebody has a seat who was not here since this time.
    pub async fn is_seat_unused(&self, since_ms: i64) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(AWAY)
                .bind(since_ms)
                .fetch_optional(&mut *connection)
                .await?;
            Ok(row.is_some())
        })
        .await
    }
}

impl ObjectWrite {
    /// Frees the seats of people who were not here since this time, some hundreds at a time. Answers whose they were.
    pub async fn free_unused_seats(&mut self, since_ms: i64) -> Result<Vec<UserId>, StoreError> {
        let tx = &mut self.tx;
        bounded(async {
            let rows = sqlx::query(AWAY).bind(since_ms).fetch_all(&mut **tx).await?;
            let mut freed = Vec::with_capacity(rows.len());
            for row in &rows {
                let user: UserId = Cells::new(row, "users", "id").parsed("id")?;
                let done = sqlx::query(FREE)
                    .bind(user.to_string())
                    .bind(since_ms)
                    .execute(&mut **tx)
                    .await?;
                if done.rows_affected() > 0 {
                    freed.push(user);
                }
            }
            Ok(freed)
        })
        .await
    }
}

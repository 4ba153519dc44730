//! Whom a record of a directory meant before it came to mean another object.
//!
//! Entra finds a record by `userName`, and writes the id of the account that is called so now into `externalId`. Nobody
//! tells of the account of before from then on; and what is still to be said of that one, Entra says of this record.
//! So where the record was inactive, or comes to be, or is deleted, whoever it meant before stays out as well, until the
//! directory tells of them anew.

use serde_json::{Map, Value};
use sqlx::{Any, Transaction};

use super::super::row::Cells;
use super::super::{Store, StoreError};
use super::ScimUser;
use super::buried::bury;
use super::effects::Plan;
use super::users::object_of;
use crate::model::ids::ObjectId;

/// Where they stand in the body of a record. No attribute can be called so.
const KEY: &str = ":former";
/// As many are remembered of one record: whoever was meant before those stays out at once.
const MOST: usize = 8;

/// Whether another record tells of an object, or of the user whose object it is.
const TOLD_ELSEWHERE: &str = "SELECT id FROM scim_users WHERE provider = $1 AND object = $2 AND id <> $3 \
     UNION SELECT s.id FROM users CROSS JOIN scim_users s \
     WHERE users.provider = $1 AND users.object = $2 AND s.user_id = users.id AND s.id <> $3";
const USERS: &str = "SELECT id FROM users WHERE provider = $1 AND object = $2";

/// Takes them out of a body, which is the record's own then.
pub(super) fn taken_from(body: &mut Map<String, Value>) -> Vec<ObjectId> {
    let former = body.shift_remove(KEY);
    let objects = former.as_ref().and_then(Value::as_array).into_iter().flatten();
    objects
        .filter_map(|object| object.as_str()?.parse().ok())
        .collect()
}

/// Puts them into a body that is to be kept.
pub(super) fn put_into(body: &mut Map<String, Value>, former: &[ObjectId]) {
    if !former.is_empty() {
        let objects: Vec<Value> = former.iter().map(|object| object.to_string().into()).collect();
        body.insert(KEY.to_owned(), objects.into());
    }
}

/// Remembers whom a record that is changed meant until now; those who are to be kept out now, and are remembered no
/// longer.
pub(super) async fn remember(
    tx: &mut Transaction<'static, Any>,
    before: &ScimUser,
    user: &mut ScimUser,
) -> Result<Vec<ObjectId>, StoreError> {
    let (was, is) = (before.record.object(), user.record.object());
    if let Some(object) = is.filter(|_| is != was) {
        let linked = match before.user {
            Some(linked) => object_of(tx, linked).await?,
            None => None,
        };
        user.former.retain(|former| *former != object);
        for left in was.into_iter().chain(linked).filter(|left| *left != object) {
            if !user.former.contains(&left) {
                user.former.push(left);
            }
        }
    }
    let stays_active = before.record.is_active() && user.record.is_active();
    let kept = if stays_active { MOST } else { 0 };
    let out = user.former.len().saturating_sub(kept);
    Ok(user.former.drain(..out).collect())
}

impl Store {
    /// Keeps out whom a record meant before, unless another one tells of them.
    pub(super) async fn keep_out(
        &self,
        tx: &mut Transaction<'static, Any>,
        told: &ScimUser,
        former: &[ObjectId],
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        if former.is_empty() {
            return Ok(());
        }
        // A first login of theirs may be under way, which nothing tells of yet.
        self.hold_logins(tx).await?;
        for object in former {
            let elsewhere = sqlx::query(TOLD_ELSEWHERE)
                .bind(told.provider.to_string())
                .bind(object.to_string())
                .bind(told.id.to_string())
                .fetch_optional(&mut **tx)
                .await?;
            if elsewhere.is_some() {
                continue;
            }
            bury(tx, told, &[*object], self.now_ms()).await?;
            let users = sqlx::query(USERS)
                .bind(told.provider.to_string())
                .bind(object.to_string())
                .fetch_all(&mut **tx)
                .await?;
            for row in &users {
                plan.out.insert(Cells::new(row, "users", "id").parsed("id")?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::plans;
    use super::*;

    #[tokio::test]
    async fn whom_a_record_meant_is_found_without_a_look_at_everybody() {
        plans::take_an_index(&[TOLD_ELSEWHERE, USERS]).await;
    }

    #[test]
    fn they_stand_in_a_body_and_leave_it_as_it_was() {
        let record = json!({ "userName": "alice" }).as_object().unwrap().clone();
        let former = [ObjectId(Uuid::from_u128(1)), ObjectId(Uuid::from_u128(2))];
        let mut body = record.clone();
        put_into(&mut body, &former);
        assert_eq!((taken_from(&mut body), &body), (former.to_vec(), &record));
        put_into(&mut body, &[]);
        assert_eq!(body, record);
        body.insert(KEY.to_owned(), json!([1, "none"]));
        assert_eq!((taken_from(&mut body), body), (Vec::new(), record));
    }
}

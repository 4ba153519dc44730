//! The provisioning log: every request of SCIM, with its body and what followed.

use std::cmp::Reverse;
use std::net::IpAddr;

use uuid::Uuid;

use super::super::packed::{Packed, packed};
use super::super::row::{Cells, maybe_storable, storable};
use super::super::{Store, StoreError, bounded};
use crate::model::ids::IdpId;

/// A request of SCIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimUpdate {
    /// The request's id.
    pub request_id: String,
    /// When.
    pub at_ms: i64,
    /// Whose directory.
    pub provider: IdpId,
    /// The method.
    pub method: String,
    /// `USER`, `GROUP` or nothing that is either.
    pub resource_type: Option<String>,
    /// Our id of the resource.
    pub resource: Option<String>,
    /// The directory's id of it.
    pub external_id: Option<String>,
    /// A person's address, or else name.
    pub user_email: Option<String>,
    /// A group's name.
    pub group_name: Option<String>,
    /// Whether it was carried out.
    pub succeeded: bool,
    /// The status of the answer.
    pub status: u16,
    /// Why it was not carried out.
    pub error: Option<String>,
    /// What was sent, without secrets, as far as it fits.
    pub body: Option<String>,
    /// What followed for users and sessions.
    pub effect: Option<String>,
    /// From where.
    pub address: IpAddr,
    /// Who asked in the directory's place; `None` for the directory itself.
    pub actor: Option<String>,
}

/// Which requests to read. The default reads the newest 20 of every provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimUpdateFilter {
    /// Of these providers only, at most [`PROVIDERS_MAX`]; of every one, where none is named.
    pub providers: Vec<IdpId>,
    /// Carried out, or not.
    pub succeeded: Option<bool>,
    /// Of these kinds only, `USER` or `GROUP`. Of this and of the lists below at most [`VALUES_MAX`] values count, and an
    /// empty one keeps everything.
    pub resource_types: Vec<String>,
    /// With these methods only.
    pub methods: Vec<String>,
    /// About these addresses only.
    pub user_emails: Vec<String>,
    /// About these groups only.
    pub group_names: Vec<String>,
    /// About these resources only, by our ids.
    pub resources: Vec<String>,
    /// About these resources only, by the directory's ids.
    pub external_ids: Vec<String>,
    /// Not before this time (milliseconds).
    pub since_ms: Option<i64>,
    /// Before this time (milliseconds).
    pub until_ms: Option<i64>,
    /// The oldest first.
    pub oldest_first: bool,
    /// How many a page, at most 1000.
    pub limit: u32,
    /// Which page, from 1.
    pub page: u32,
}

impl Default for ScimUpdateFilter {
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            succeeded: None,
            resource_types: Vec::new(),
            methods: Vec::new(),
            user_emails: Vec::new(),
            group_names: Vec::new(),
            resources: Vec::new(),
            external_ids: Vec::new(),
            since_ms: None,
            until_ms: None,
            oldest_first: false,
            limit: 20,
            page: 1,
        }
    }
}

/// Rows answered at once, at most.
const PAGE_MAX: u32 = 1000;
/// Providers asked about at once, at most.
pub const PROVIDERS_MAX: usize = 16;
/// Values of one list in a filter, at most.
pub const VALUES_MAX: usize = 10;
/// Rows deleted at once: enough to be quick, few enough to hold up nobody.
const FORGOTTEN_AT_ONCE: i64 = 500;

const INSERT: &str = "INSERT INTO scim_updates \
     (id, request_id, at_ms, provider, method, resource_type, resource, external_id, user_email, group_name, succeeded, \
     status, error, body, effect, address, actor) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
/// The log as filtered: of whom, and in which order. Of each list, fewer values are repeated, and of an empty one each is
/// null.
macro_rules! filtered {
    ($of:expr, $order:literal) => {
        packed!(
            ["request_id", "at_ms", "provider", "method", "resource_type", "resource", "external_id", "user_email",
                "group_name", "succeeded", "status", "error", "body", "effect", "address", "actor"]
            "FROM scim_updates WHERE at_ms >= $2 AND at_ms < $3 AND ($1 IS NULL OR succeeded = $1) \
             AND ($6 IS NULL OR resource_type IN ($6, $7, $8, $9, $10, $11, $12, $13, $14, $15)) \
             AND ($16 IS NULL OR method IN ($16, $17, $18, $19, $20, $21, $22, $23, $24, $25)) \
             AND ($26 IS NULL OR user_email IN ($26, $27, $28, $29, $30, $31, $32, $33, $34, $35)) \
             AND ($36 IS NULL OR group_name IN ($36, $37, $38, $39, $40, $41, $42, $43, $44, $45)) \
             AND ($46 IS NULL OR resource IN ($46, $47, $48, $49, $50, $51, $52, $53, $54, $55)) \
             AND ($56 IS NULL OR external_id IN ($56, $57, $58, $59, $60, $61, $62, $63, $64, $65)) ",
            $of,
            $order,
            " LIMIT $4 OFFSET $5"
        )
    };
}
macro_rules! newest_first {
    ($of:expr) => {
        filtered!($of, "ORDER BY at_ms DESC, id DESC")
    };
}
macro_rules! oldest_first {
    ($of:expr) => {
        filtered!($of, "ORDER BY at_ms, id")
    };
}
macro_rules! of_one {
    () => {
        "AND provider = $66 "
    };
}
/// Rows are gone through in the order of their times, and those of others passed over: together they are in no index.
/// Fewer providers are repeated.
macro_rules! of_some {
    () => {
        "AND CASE WHEN provider IN ($66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79, $80, $81) \
         THEN 1 ELSE 0 END = 1 "
    };
}
const NEWEST: [&str; 3] = [
    newest_first!(""),
    newest_first!(of_one!()),
    newest_first!(of_some!()),
];
const OLDEST: [&str; 3] = [
    oldest_first!(""),
    oldest_first!(of_one!()),
    oldest_first!(of_some!()),
];
/// Whoever has not shown the secret is not heard, nor is whoever asked in the directory's place.
const LAST: &str = "SELECT at_ms FROM scim_updates WHERE provider = $1 AND status <> 401 AND actor IS NULL ORDER BY at_ms DESC LIMIT 1";
const FORGET: &str = "DELETE FROM scim_updates WHERE id IN \
     (SELECT id FROM scim_updates WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)";
const FORGET_OF_ONE: &str = "DELETE FROM scim_updates WHERE id IN \
     (SELECT id FROM scim_updates WHERE at_ms < $1 AND provider = $3 ORDER BY at_ms LIMIT $2)";

impl Store {
    /// Writes down requests, all of them or none.
    pub async fn log_scim(&self, updates: &[ScimUpdate]) -> Result<(), StoreError> {
        bounded(async {
            let mut tx = self.begin().await?;
            for update in updates {
                sqlx::query(INSERT)
                    .bind(Uuid::new_v4().to_string())
                    .bind(storable(&update.request_id))
                    .bind(update.at_ms)
                    .bind(update.provider.to_string())
                    .bind(storable(&update.method))
                    .bind(maybe_storable(update.resource_type.as_deref()))
                    .bind(maybe_storable(update.resource.as_deref()))
                    .bind(maybe_storable(update.external_id.as_deref()))
                    .bind(maybe_storable(update.user_email.as_deref()))
                    .bind(maybe_storable(update.group_name.as_deref()))
                    .bind(i64::from(update.succeeded))
                    .bind(i64::from(update.status))
                    .bind(maybe_storable(update.error.as_deref()))
                    .bind(maybe_storable(update.body.as_deref()))
                    .bind(maybe_storable(update.effect.as_deref()))
                    .bind(update.address.to_string())
                    .bind(maybe_storable(update.actor.as_deref()))
                    .execute(&mut *tx)
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Reads the log.
    pub async fn scim_updates(&self, filter: &ScimUpdateFilter) -> Result<Vec<ScimUpdate>, StoreError> {
        let limit = i64::from(filter.limit.clamp(1, PAGE_MAX));
        let [of_all, of_one, of_some] = if filter.oldest_first { OLDEST } else { NEWEST };
        let (sql, asked) = match filter.providers.len() {
            0 => (of_all, 0),
            1 => (of_one, 1),
            _ => (of_some, PROVIDERS_MAX),
        };
        bounded(async {
            let mut connection = self.reader().await?;
            let query = sqlx::query(sql)
                .bind(filter.succeeded.map(i64::from))
                .bind(filter.since_ms.unwrap_or(i64::MIN))
                .bind(filter.until_ms.unwrap_or(i64::MAX))
                .bind(limit)
                .bind(i64::from(filter.page.saturating_sub(1)) * limit);
            let lists = [
                &filter.resource_types,
                &filter.methods,
                &filter.user_emails,
                &filter.group_names,
                &filter.resources,
                &filter.external_ids,
            ];
            let values = lists.into_iter().flat_map(|list| bound(list));
            let query = values.fold(query, sqlx::query::Query::bind);
            let providers = filter.providers.iter().take(PROVIDERS_MAX).cycle().take(asked);
            let query = providers.fold(query, |query, provider| query.bind(provider.to_string()));
            let row = query.fetch_one(&mut *connection).await?;
            let mut updates = Packed::new(&row, "scim_updates")?.rows(update)?;
            // As they were asked for; what becomes of an order within an aggregate is nowhere promised.
            if filter.oldest_first {
                updates.sort_by_key(|update| update.at_ms);
            } else {
                updates.sort_by_key(|update| Reverse(update.at_ms));
            }
            Ok(updates)
        })
        .await
    }

    /// When a provider's directory was last heard of, milliseconds since 1970.
    pub async fn last_scim_update(&self, provider: IdpId) -> Result<Option<i64>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(LAST)
                .bind(provider.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.map(|row| Cells::new(&row, "scim_updates", "at_ms").int("at_ms"))
                .transpose()
        })
        .await
    }

    /// Deletes what was written down before this time: of a provider, or of all. Others write in between.
    pub async fn forget_scim_updates(
        &self,
        provider: Option<IdpId>,
        before_ms: i64,
    ) -> Result<(), StoreError> {
        loop {
            let forgotten = bounded(async {
                let mut connection = self.writer().await?;
                let query = match provider {
                    Some(_) => sqlx::query(FORGET_OF_ONE),
                    None => sqlx::query(FORGET),
                };
                let query = query.bind(before_ms).bind(FORGOTTEN_AT_ONCE);
                let query = provider
                    .iter()
                    .fold(query, |query, one| query.bind(one.to_string()));
                Ok(query.execute(&mut *connection).await?.rows_affected())
            })
            .await?;
            if forgotten == 0 {
                return Ok(());
            }
        }
    }
}

/// The values of a list, as [`filtered!`] takes them.
fn bound(list: &[String]) -> impl Iterator<Item = Option<String>> {
    let counted = list.get(..VALUES_MAX).unwrap_or(list);
    (0..VALUES_MAX).map(move |number| {
        let number = number.checked_rem(counted.len())?;
        counted.get(number).map(|value| storable(value))
    })
}

fn update(cells: &mut Packed) -> Result<ScimUpdate, StoreError> {
    Ok(ScimUpdate {
        request_id: cells.text("request_id")?,
        at_ms: cells.int("at_ms")?,
        provider: cells.parsed("provider")?,
        method: cells.text("method")?,
        resource_type: cells.maybe_text("resource_type")?,
        resource: cells.maybe_text("resource")?,
        external_id: cells.maybe_text("external_id")?,
        user_email: cells.maybe_text("user_email")?,
        group_name: cells.maybe_text("group_name")?,
        succeeded: cells.flag("succeeded")?,
        status: u16::try_from(cells.int("status")?).map_err(|_| cells.corrupt("status"))?,
        error: cells.maybe_text("error")?,
        body: cells.maybe_text("body")?,
        effect: cells.maybe_text("effect")?,
        address: cells.parsed("address")?,
        actor: cells.maybe_text("actor")?,
    })
}

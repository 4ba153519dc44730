//! The provisioning log: every request of SCIM, with its body and what followed.

use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::super::conditions::Conditions;
use super::super::packed::{Packed, packed_rows};
use super::super::row::{Cells, maybe_storable, storable};
use super::super::{Store, StoreError, bounded};
use super::{Consequences, GroupWritten, ScimGroup, ScimUser, UserWritten};
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

impl ScimUpdate {
    /// A row about nothing yet, of something that was carried out.
    pub fn of(
        (request_id, address): (&str, IpAddr),
        at_ms: i64,
        provider: IdpId,
        (method, status): (&str, u16),
    ) -> Self {
        Self {
            request_id: request_id.to_owned(),
            at_ms,
            provider,
            method: method.to_owned(),
            resource_type: None,
            resource: None,
            external_id: None,
            user_email: None,
            group_name: None,
            succeeded: true,
            status,
            error: None,
            body: None,
            effect: None,
            address,
            actor: None,
        }
    }

    /// The same about a person.
    #[must_use]
    pub fn about_user(self, user: &ScimUser) -> Self {
        let record = &user.record;
        Self {
            resource_type: Some("USER".to_owned()),
            resource: Some(user.id.to_string()),
            external_id: record.external_id().map(str::to_owned),
            user_email: Some(record.work_email().unwrap_or(record.user_name()).to_owned()),
            ..self
        }
    }

    /// The same about a group.
    #[must_use]
    pub fn about_group(self, group: &ScimGroup) -> Self {
        Self {
            resource_type: Some("GROUP".to_owned()),
            resource: Some(group.id.to_string()),
            external_id: group.record.external_id.clone(),
            group_name: Some(group.record.display_name.clone()),
            ..self
        }
    }
}

/// Makes the rows of what is done of a task's own accord: each is written in the transaction of what it tells of, so
/// that nothing is in force of which no row tells. Methods are those that SCIM would have had.
pub trait Journal: fmt::Debug + Send + Sync {
    /// A person was made, changed or deleted.
    fn person(&self, method: &'static str, written: &UserWritten) -> ScimUpdate;

    /// A group was made, changed or deleted.
    fn group(&self, method: &'static str, written: &GroupWritten) -> ScimUpdate;

    /// Groups came into groups or left them, which SCIM has no request for.
    fn nesting(&self, done: &Consequences) -> ScimUpdate;
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

/// Rows that are passed over before a page in a few milliseconds at most.
const LONG_WAY: i64 = 10_000;
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
const ROWS: &str = concat!(
    packed_rows!([
        "request_id",
        "at_ms",
        "provider",
        "method",
        "resource_type",
        "resource",
        "external_id",
        "user_email",
        "group_name",
        "succeeded",
        "status",
        "error",
        "body",
        "effect",
        "address",
        "actor"
    ]),
    "FROM scim_updates "
);
const NEWEST_FIRST: &str = "ORDER BY at_ms DESC, id DESC";
const OLDEST_FIRST: &str = "ORDER BY at_ms, id";
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
                insert(&mut tx, update).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Reads the log.
    pub async fn scim_updates(&self, filter: &ScimUpdateFilter) -> Result<Vec<ScimUpdate>, StoreError> {
        let limit = i64::from(filter.limit.clamp(1, PAGE_MAX));
        let offset = i64::from(filter.page.saturating_sub(1)) * limit;
        let order = if filter.oldest_first {
            OLDEST_FIRST
        } else {
            NEWEST_FIRST
        };
        let (conditions, sifted) = conditions(filter);
        let query = conditions.page((ROWS, order), (limit, offset));
        bounded(async {
            let _turn = self.turn_of_long_reads(sifted || offset > LONG_WAY).await;
            let mut connection = self.reader().await?;
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

/// Writes down a write within its transaction, where anything of it is to be written down here.
pub(super) async fn note(
    tx: &mut Transaction<'static, Any>,
    row: Option<ScimUpdate>,
) -> Result<(), StoreError> {
    match row {
        Some(row) => insert(tx, &row).await,
        None => Ok(()),
    }
}

async fn insert(tx: &mut Transaction<'static, Any>, update: &ScimUpdate) -> Result<(), StoreError> {
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
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What a filter asks of rows, and whether rows must be sifted: looked at one by one, however many, as no index finds
/// those that are wanted. One index does; the other conditions are written so that SQLite, which keeps no statistics
/// here, does not take theirs instead.
fn conditions(filter: &ScimUpdateFilter) -> (Conditions, bool) {
    let mut conditions = Conditions::default();
    let succeeded = filter.succeeded.map(i64::from);
    let providers = filter.providers.iter().take(PROVIDERS_MAX);
    let providers: Vec<String> = providers.map(ToString::to_string).collect();
    let sifted = match (filter.resources.as_slice(), providers.as_slice()) {
        ([resource], _) => {
            conditions.that("resource = ?", Some(storable(resource)));
            conditions.one_of("COALESCE(provider, '') IN (?)", providers.clone());
            conditions.that("+succeeded = ?", succeeded);
            false // there are few of one resource
        }
        (resources, [provider]) => {
            conditions.that("provider = ?", Some(provider.clone()));
            conditions.that("succeeded = ?", succeeded);
            conditions.one_of("COALESCE(resource, '') IN (?)", listed(resources));
            !resources.is_empty()
        }
        // In the order of their times, and those of others are passed over: together they are in no index.
        (resources, _) => {
            conditions.one_of("COALESCE(provider, '') IN (?)", providers.clone());
            conditions.that("+succeeded = ?", succeeded);
            conditions.one_of("COALESCE(resource, '') IN (?)", listed(resources));
            conditions.len() > 0
        }
    };
    let before = conditions.len();
    conditions.one_of("resource_type IN (?)", listed(&filter.resource_types));
    conditions.one_of("method IN (?)", listed(&filter.methods));
    conditions.one_of("user_email IN (?)", listed(&filter.user_emails));
    conditions.one_of("group_name IN (?)", listed(&filter.group_names));
    conditions.one_of("external_id IN (?)", listed(&filter.external_ids));
    let sifted = sifted || conditions.len() > before;
    conditions.that("at_ms >= ?", filter.since_ms);
    conditions.that("at_ms < ?", filter.until_ms);
    (conditions, sifted)
}

/// The values of a list that count.
fn listed(list: &[String]) -> impl Iterator<Item = String> {
    list.iter().take(VALUES_MAX).map(|value| storable(value))
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

#[cfg(test)]
mod tests {
    use super::super::super::conditions::plan_of;
    use super::*;

    #[tokio::test]
    async fn what_is_asked_for_is_found_by_its_index_in_the_order_of_the_page() {
        let all = ScimUpdateFilter::default;
        let (one, other) = (IdpId(Uuid::from_u128(1)), IdpId(Uuid::from_u128(2)));
        let of_one = || ScimUpdateFilter {
            providers: vec![one],
            ..all()
        };
        let failed = Some(false);
        let resources = vec!["r".to_owned()];
        let filters = [
            ("scim_updates_order", all()),
            (
                "scim_updates_order",
                ScimUpdateFilter {
                    providers: vec![one, other],
                    succeeded: failed,
                    ..all()
                },
            ),
            (
                "scim_updates_of_provider",
                ScimUpdateFilter {
                    since_ms: Some(1),
                    ..of_one()
                },
            ),
            (
                "scim_updates_outcome",
                ScimUpdateFilter {
                    succeeded: failed,
                    since_ms: Some(1),
                    ..of_one()
                },
            ),
            (
                "scim_updates_resource",
                ScimUpdateFilter {
                    resources,
                    succeeded: failed,
                    ..of_one()
                },
            ),
        ];
        for (index, filter) in filters {
            let (conditions, _) = conditions(&filter);
            let plan = plan_of(&conditions.sql(ROWS, NEWEST_FIRST)).await;
            assert!(plan.contains(&format!("INDEX {index}")), "{filter:?}: {plan}");
            assert!(!plan.contains("B-TREE FOR ORDER BY"), "{filter:?}: {plan}");
        }
    }
}

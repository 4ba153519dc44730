//! What directories told by SCIM, and their secret
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/identity_providers/subresources/scim/>).

use std::net::IpAddr;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::identity_providers::{self, PARAM};
use super::operation::{Gives, Operation};
use super::page::{Page, Sizes};
use super::resource::{named, time};
use super::shape::{Shape, UnknownKeys, What, read_only};
use crate::clock::Clock;
use crate::manage::scim_rules;
use crate::model::ids::{IdpId, ScimGroupId, ScimUserId};
use crate::model::permission::{Area, Permission};
use crate::session::effects::in_words;
use crate::store::{
    Actor, Consequences, GroupWritten, Journal, ScimGroup, ScimKey, ScimRules, ScimSearch, ScimUpdate,
    ScimUser, Telling, UserWritten,
};

const USER: Shape = Shape {
    name: "ScimUser",
    keys: &[
        read_only("id", What::Id),
        read_only("active", What::Flag),
        read_only("displayName", What::Text),
        read_only("emails", What::Any),
        read_only("externalId", What::Text),
        read_only("meta", What::Any),
        read_only("schemas", What::Texts),
    ],
    unknown: UnknownKeys::Kept,
};
const GROUP: Shape = Shape {
    name: "ScimGroup",
    keys: &[
        read_only("id", What::Id),
        read_only("displayName", What::Text),
        read_only("externalId", What::Text),
        read_only("members", What::Any),
        read_only("meta", What::Any),
        read_only("schemas", What::Texts),
    ],
    unknown: UnknownKeys::Refused,
};
const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const CORE_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

const SIZES: Sizes = Sizes {
    usual: 100,
    most: 100,
};
/// Ids that one list is asked for.
const MOST_IDS: usize = 50;
/// Members that are shown of one group at once.
const MOST_MEMBERS: usize = 10_000;
/// The parameter that says behind which member to go on.
const MEMBERS_AFTER: &str = "members_after";

/// Gives a provider another secret; the one before is good no longer. It is told this once.
async fn refresh_secret(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = call.id(PARAM, Unknown::IdentityProvider)?;
    let refreshed = call.api.manage.refresh_scim_secret(IdpId(id), call.actor()).await;
    let secret = refreshed.map_err(|error| named(error, Unknown::IdentityProvider))?;
    identity_providers::shown_with(call, id, &secret).await
}

async fn users(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = call.provider().await?.id;
    let page = Page::of(&call.query, SIZES)?;
    let store = &call.api.store;
    if let Some(ids) = Ids::of(call)? {
        let mut found = Vec::new();
        for id in &ids.list {
            found.extend(store.scim_with::<ScimUser>(provider, ids.key(id)).await?);
        }
        return Ok(cut(page, found.iter().map(show_user).collect()));
    }
    let search = ScimSearch {
        name: call
            .query
            .value("username")
            .or_else(|| call.query.value("name"))
            .map(str::to_owned),
        email: call.query.value("email").map(str::to_owned),
        ..search(call)
    };
    let found = store
        .scim_list::<ScimUser>(provider, &search, offset(page), size(page))
        .await?;
    let total = store.count_scim::<ScimUser>(provider).await?;
    Ok(listed(
        page,
        &search,
        found.iter().map(show_user).collect(),
        total,
    ))
}

async fn groups(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = call.provider().await?.id;
    let page = Page::of(&call.query, SIZES)?;
    let store = &call.api.store;
    if let Some(ids) = Ids::of(call)? {
        let mut found = Vec::new();
        for id in &ids.list {
            found.extend(store.scim_with::<ScimGroup>(provider, ids.key(id)).await?);
        }
        return Ok(cut(page, found.iter().map(shown_group).collect()));
    }
    let search = ScimSearch {
        name: call.query.value("name").map(str::to_owned),
        ..search(call)
    };
    let found = store
        .scim_list::<ScimGroup>(provider, &search, offset(page), size(page))
        .await?;
    let total = store.count_scim::<ScimGroup>(provider).await?;
    Ok(listed(
        page,
        &search,
        found.iter().map(shown_group).collect(),
        total,
    ))
}

async fn user(call: &Call<'_>) -> Result<Answer, ApiError> {
    let found = call
        .api
        .store
        .scim_user(call.provider().await?.id, user_id(call)?)
        .await?;
    let found = found.ok_or_else(|| ApiError::unknown(Unknown::ScimResource))?;
    Ok(Answer::of(show_user(&found)))
}

async fn group(call: &Call<'_>) -> Result<Answer, ApiError> {
    let store = &call.api.store;
    let provider = call.provider().await?.id;
    let found = store.scim_group(provider, group_id(call)?).await?;
    let found = found.ok_or_else(|| ApiError::unknown(Unknown::ScimResource))?;
    let after = match call.query.value(MEMBERS_AFTER) {
        None => None,
        Some(id) => Some(member_id(id)?),
    };
    let mut members = store.scim_members(found.id, after, MOST_MEMBERS + 1).await?;
    let is_more = members.len() > MOST_MEMBERS;
    members.truncate(MOST_MEMBERS);
    let more = members.last().filter(|_| is_more).map(|(last, _)| {
        format!("{MOST_MEMBERS} members are shown and there are more: ask for {MEMBERS_AFTER}={last}")
    });
    let base = call.snapshot.organization.auth.scim_base_url(provider);
    let member = |(id, name): (ScimUserId, String)| json!({ "value": id, "display": name, "type": "User", "$ref": format!("{base}/Users/{id}") });
    let members: Vec<Value> = members.into_iter().map(member).collect();
    let mut shown = show_group(&found);
    shown.insert("members".to_owned(), members.into());
    Ok(Answer::of(shown).saying(more.into_iter().collect()))
}

/// Forgets a person of a directory: as if the directory had deleted them.
async fn delete_user(call: &Call<'_>) -> Result<Answer, ApiError> {
    let by_api = ByApi::of(call).await?;
    let store = &call.api.store;
    let deleted = store
        .delete_scim_user(by_api.provider, user_id(call)?, &by_api)
        .await?;
    let deleted = deleted.ok_or_else(|| ApiError::unknown(Unknown::ScimResource))?;
    tracing::info!(
        request.id = call.request_id, token = call.token.name, scim.user = %deleted.user.id,
        "A person of a directory was deleted through the API"
    );
    let effects = &call.api.effects;
    effects.take_effect(by_api.provider, call.request_id, deleted.consequences);
    Ok(Answer::of(Value::Null))
}

/// Forgets a group of a directory: as if the directory had deleted it.
async fn delete_group(call: &Call<'_>) -> Result<Answer, ApiError> {
    let by_api = ByApi::of(call).await?;
    let effects = &call.api.effects;
    let deleted = effects
        .delete_group(by_api.provider, group_id(call)?, &by_api, call.request_id)
        .await?;
    let deleted = deleted.ok_or_else(|| ApiError::unknown(Unknown::ScimResource))?;
    tracing::info!(
        request.id = call.request_id, token = call.token.name, scim.group = %deleted.group.id,
        "A group of a directory was deleted through the API"
    );
    Ok(Answer::of(Value::Null))
}

/// Whoever deletes here in a directory's place. What was done is written down with it, in both logs: the provisioning log
/// is kept as long as the provider says, the audit log longer.
#[derive(Debug)]
struct ByApi {
    provider: IdpId,
    actor: Actor,
    request_id: String,
    address: IpAddr,
    clock: Clock,
}

impl ByApi {
    /// # Errors
    /// Where the provider's directory tells of nobody.
    async fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let provider = call.provider().await?;
        if provider.told().is_none() {
            return Err(ApiError::invalid(
                "scim_config and directory_sync are off for this provider: turn one of them on",
            ));
        }
        Ok(Self {
            provider: provider.id,
            actor: call.actor(),
            request_id: call.request_id.to_owned(),
            address: call.address,
            clock: call.api.clock.clone(),
        })
    }

    fn row(&self, done: &Consequences) -> ScimUpdate {
        let deleted = (Method::DELETE.as_str(), StatusCode::NO_CONTENT.as_u16());
        let asked = (self.request_id.as_str(), self.address);
        ScimUpdate {
            effect: in_words(done),
            actor: Some(format!("API token {}", self.actor.name)),
            ..ScimUpdate::of(asked, self.clock.now_ms(), self.provider, deleted)
        }
    }
}

impl Telling for ByApi {
    fn rules(&self, provider: Option<&Value>) -> Option<ScimRules<'_>> {
        Some(ScimRules {
            journal: Some(self),
            actor: Some(&self.actor),
            ..scim_rules(provider)?
        })
    }
}

impl Journal for ByApi {
    fn person(&self, _: &'static str, written: &UserWritten) -> ScimUpdate {
        self.row(&written.consequences).about_user(&written.user)
    }

    fn group(&self, _: &'static str, written: &GroupWritten) -> ScimUpdate {
        self.row(&written.consequences).about_group(&written.group)
    }

    fn nesting(&self, done: &Consequences) -> ScimUpdate {
        self.row(done)
    }
}

fn member_id(id: &str) -> Result<ScimUserId, ApiError> {
    let id = Uuid::try_parse(id);
    let id = id.map_err(|_| ApiError::invalid(format!("{MEMBERS_AFTER} is the id of a member")))?;
    Ok(ScimUserId(id))
}

fn user_id(call: &Call<'_>) -> Result<ScimUserId, ApiError> {
    call.id("user_id", Unknown::ScimResource).map(ScimUserId)
}

fn group_id(call: &Call<'_>) -> Result<ScimGroupId, ApiError> {
    call.id("group_id", Unknown::ScimResource).map(ScimGroupId)
}

/// Ids that are asked for: ours, or the directory's.
struct Ids<'q> {
    list: Vec<&'q str>,
    ours: bool,
}

impl<'q> Ids<'q> {
    fn of(call: &'q Call<'_>) -> Result<Option<Self>, ApiError> {
        let ours: Vec<&str> = call.query.values("cf_resource_id").collect();
        let theirs: Vec<&str> = call.query.values("idp_resource_id").collect();
        let others = [
            "name",
            "username",
            "email",
            "search_contains",
            "search_starts_with",
        ];
        let (list, ours) = match (ours.is_empty(), theirs.is_empty()) {
            (true, true) => return Ok(None),
            (false, true) => (ours, true),
            (true, false) => (theirs, false),
            (false, false) => {
                return Err(ApiError::invalid(
                    "cf_resource_id and idp_resource_id exclude each other",
                ));
            }
        };
        if list.len() > MOST_IDS {
            return Err(ApiError::invalid(format!("at most {MOST_IDS} ids are taken")));
        }
        if let Some(other) = others.iter().find(|other| call.query.value(other).is_some()) {
            return Err(ApiError::invalid(format!("{other} does not go with ids")));
        }
        Ok(Some(Self { list, ours }))
    }

    fn key<'k>(&self, id: &'k str) -> ScimKey<'k> {
        if self.ours {
            ScimKey::Id(id)
        } else {
            ScimKey::ExternalId(id)
        }
    }
}

fn search(call: &Call<'_>) -> ScimSearch {
    ScimSearch {
        contains: call.query.value("search_contains").map(str::to_owned),
        starts_with: call.query.value("search_starts_with").map(str::to_owned),
        ..ScimSearch::default()
    }
}

/// A page of what a search found. How many it finds in all is counted only where everything is listed; of a search it
/// is known that there is more where the page is full.
fn listed(page: Page, search: &ScimSearch, shown: Vec<Value>, all: usize) -> Answer {
    let total = if *search == ScimSearch::default() {
        u64::try_from(all).unwrap_or(u64::MAX)
    } else {
        page.at_least(shown.len())
    };
    let info = page.info(shown.len(), total);
    Answer::page(shown, info)
}

fn cut(page: Page, found: Vec<Value>) -> Answer {
    let (shown, total) = page.cut(found);
    let info = page.info(shown.len(), total);
    Answer::page(shown, info)
}

fn size(page: Page) -> usize {
    usize::try_from(page.size).unwrap_or(usize::MAX)
}

fn offset(page: Page) -> usize {
    usize::try_from(page.offset()).unwrap_or(usize::MAX)
}

fn show_user(user: &ScimUser) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), user.id.to_string().into());
    shown.extend(
        user.record
            .0
            .iter()
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    let name = user.record.display_name().unwrap_or(user.record.user_name());
    shown.entry("displayName").or_insert_with(|| name.into());
    shown.insert("meta".to_owned(), meta(user.created_ms, user.updated_ms));
    shown.insert("schemas".to_owned(), json!([CORE_USER]));
    Value::Object(shown)
}

fn shown_group(group: &ScimGroup) -> Value {
    Value::Object(show_group(group))
}

fn show_group(group: &ScimGroup) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), group.id.to_string().into());
    shown.insert("displayName".to_owned(), group.record.display_name.clone().into());
    shown.insert("externalId".to_owned(), group.record.external_id.clone().into());
    shown.insert("meta".to_owned(), meta(group.created_ms, group.updated_ms));
    shown.insert("schemas".to_owned(), json!([CORE_GROUP]));
    shown
}

fn meta(created_ms: i64, updated_ms: i64) -> Value {
    json!({ "created": time(created_ms), "lastModified": time(updated_ms) })
}

const READ: Permission = Permission::read(Area::Organization);
const WRITE: Permission = Permission::write(Area::Organization);
const SECRET: &str =
    "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/refresh_scim_secret";
const USERS: &str = "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/scim/users";
const ONE_USER: &str =
    "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/scim/users/{user_id}";
const GROUPS: &str = "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/scim/groups";
const ONE_GROUP: &str =
    "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/scim/groups/{group_id}";
const ASKED: &[(&str, &str)] = &[
    ("page", "the page, from 1"),
    ("per_page", "items a page"),
    ("cf_resource_id", "ids given here; may be given up to 50 times"),
    (
        "idp_resource_id",
        "ids of the directory; may be given up to 50 times",
    ),
    ("name", "the exact name"),
    ("username", "the exact userName"),
    ("email", "an address"),
    ("search_contains", "a part of the name"),
    ("search_starts_with", "the beginning of the name"),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::POST, SECRET),
        WRITE,
        (
            "refresh_scim_secret",
            "Give a provider's directory another secret, told this once",
        ),
        Gives::Object(&identity_providers::SHAPE),
        |call| Box::pin(refresh_secret(call)),
    ),
    Operation::new(
        (&Method::GET, USERS),
        READ,
        ("list_scim_users", "List the people that a directory told of"),
        Gives::Page(&USER),
        |call| Box::pin(users(call)),
    )
    .asked(ASKED),
    Operation::new(
        (&Method::GET, ONE_USER),
        READ,
        ("get_scim_user", "Read a person that a directory told of"),
        Gives::Object(&USER),
        |call| Box::pin(user(call)),
    ),
    Operation::new(
        (&Method::DELETE, ONE_USER),
        WRITE,
        (
            "delete_scim_user",
            "Delete a person that a directory told of, with the same effect as if it had",
        ),
        Gives::Any,
        |call| Box::pin(delete_user(call)),
    )
    .status(StatusCode::NO_CONTENT),
    Operation::new(
        (&Method::GET, GROUPS),
        READ,
        ("list_scim_groups", "List the groups that a directory told of"),
        Gives::Page(&GROUP),
        |call| Box::pin(groups(call)),
    )
    .asked(ASKED),
    Operation::new(
        (&Method::GET, ONE_GROUP),
        READ,
        (
            "get_scim_group",
            "Read a group that a directory told of, with its members",
        ),
        Gives::Object(&GROUP),
        |call| Box::pin(group(call)),
    )
    .asked(&[(
        MEMBERS_AFTER,
        "the id of the member behind which to go on: 10,000 are shown at once, by their ids",
    )]),
    Operation::new(
        (&Method::DELETE, ONE_GROUP),
        WRITE,
        (
            "delete_scim_group",
            "Delete a group that a directory told of, with the same effect as if it had",
        ),
        Gives::Any,
        |call| Box::pin(delete_group(call)),
    )
    .status(StatusCode::NO_CONTENT),
];

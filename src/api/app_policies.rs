//! Policies as they stand in an application: references to reusable ones, and ones of its own.

use std::collections::HashSet;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::apps::Apps;
use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::page::{self, Page, Sizes};
use super::policies::{self, IN_APPLICATION};
use super::resource::{self, Around, Resource as _, keep, named, take, time};
use crate::manage::Written;
use crate::model::number;
use crate::model::permission::{Area, Permission};
use crate::snapshot::read::Problem;
use crate::store::{Document, Kind};

/// The policies of one application, in the order in which they stand.
#[derive(Debug, Default, Clone)]
pub(super) struct InApplication(Vec<Value>);

impl InApplication {
    pub(super) fn of(document: &Document) -> Self {
        document.body.as_object().map(Self::in_body).unwrap_or_default()
    }

    fn in_body(body: &Map<String, Value>) -> Self {
        let items = body.get("policies").and_then(Value::as_array);
        Self(items.cloned().unwrap_or_default())
    }

    pub(super) fn into_value(self) -> Value {
        Value::Array(self.0)
    }

    /// What takes the place of these policies: references stay references, a policy with the id of an own one is that
    /// one changed, and a policy without id is a new one, or the own one of its name.
    pub(super) fn replaced_by(&self, items: Vec<Value>, now_ms: i64) -> Value {
        let mut taken = HashSet::new();
        let items = items.into_iter().map(|item| match item {
            Value::Object(policy) if policy.contains_key("decision") => self.own(policy, &mut taken, now_ms),
            other => other,
        });
        Value::Array(items.collect())
    }

    fn own(&self, mut policy: Map<String, Value>, taken: &mut HashSet<Uuid>, now_ms: i64) -> Value {
        let written = policy.get("id").and_then(Value::as_str);
        let written = written.and_then(|id| Uuid::try_parse(id).ok());
        let held = |wanted: &dyn Fn(&Value) -> bool| {
            self.0
                .iter()
                .filter(|item| is_own(item))
                .find(|item| wanted(item))
        };
        let before = match written {
            Some(id) => held(&|item| id_of(item) == Some(id)),
            None => held(&|item| {
                item.get("name") == policy.get("name") && id_of(item).is_some_and(|id| !taken.contains(&id))
            }),
        };
        if let (Some(id), None) = (written, before) {
            // A reusable policy as it was shown, sent back.
            let mut link = Map::from_iter([("id".to_owned(), id.to_string().into())]);
            link.extend(policy.remove_entry("precedence"));
            return Value::Object(link);
        }
        let id = before.and_then(id_of).unwrap_or_else(Uuid::new_v4);
        taken.insert(id);
        policy.insert("id".to_owned(), id.to_string().into());
        let made = before.and_then(|before| before.get(CREATED)).cloned();
        policy.insert(CREATED.to_owned(), made.unwrap_or_else(|| now_ms.into()));
        policy.insert(UPDATED.to_owned(), now_ms.into());
        Value::Object(policy)
    }

    /// How they are shown: each a whole policy with its precedence.
    pub(super) fn shown(&self, around: &Around<'_>) -> Vec<Value> {
        let items = self.0.iter().enumerate();
        items
            .filter_map(|(position, item)| shown(item, position, around))
            .collect()
    }

    fn position(&self, id: Uuid) -> Option<usize> {
        self.0.iter().position(|item| id_of(item) == Some(id))
    }

    /// Where an own policy stands, and not a reference to one.
    fn own_position(&self, id: Uuid) -> Option<usize> {
        let position = self.position(id)?;
        self.0.get(position).filter(|item| is_own(item)).map(|_| position)
    }

    /// The precedence after all others.
    fn last(&self) -> u64 {
        let precedences = self
            .0
            .iter()
            .enumerate()
            .map(|(position, item)| precedence(item, position));
        precedences.max().unwrap_or(0)
    }
}

/// When an own policy was made, in milliseconds: kept in it, shown as `created_at`.
const CREATED: &str = "created_ms";
/// When it was last changed.
const UPDATED: &str = "updated_ms";

/// Whether an item is a policy and not a reference.
fn is_own(item: &Value) -> bool {
    item.get("decision").is_some()
}

fn id_of(item: &Value) -> Option<Uuid> {
    let text = match item {
        Value::String(text) => text,
        other => other.get("id")?.as_str()?,
    };
    Uuid::try_parse(text).ok()
}

fn precedence(item: &Value, position: usize) -> u64 {
    let written = item.get("precedence").and_then(number::whole);
    written.unwrap_or_else(|| u64::try_from(position).unwrap_or(u64::MAX).saturating_add(1))
}

fn shown(item: &Value, position: usize, around: &Around<'_>) -> Option<Value> {
    let mut policy = match item {
        Value::Object(own) if is_own(item) => own_shown(own),
        _ => {
            let object = around.snapshot.objects.get(Kind::Policy, id_of(item)?)?;
            policies::reusable(&object.document())
        }
    };
    policy.insert("precedence".to_owned(), precedence(item, position).into());
    Some(Value::Object(policy))
}

fn own_shown(own: &Map<String, Value>) -> Map<String, Value> {
    let mut policy = own.clone();
    let id = policy.get("id").cloned().unwrap_or_default();
    policy.entry("uid").or_insert(id);
    for list in ["require", "exclude"] {
        policy.entry(list).or_insert_with(|| json!([]));
    }
    for (kept, name) in [(CREATED, "created_at"), (UPDATED, "updated_at")] {
        if let Some(at) = policy.shift_remove(kept).and_then(|at| at.as_i64()) {
            policy.insert(name.to_owned(), time(at).into());
        }
    }
    policy
}

async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(
        &call.query,
        Sizes {
            usual: 200,
            most: 1000,
        },
    )?;
    let around = call.around().await?;
    let document = resource::stored::<Apps>(call, &around)?;
    let (items, total) = page.cut(InApplication::of(&document).shown(&around));
    let info = page.info(items.len(), total);
    Ok(Answer::page(items, info))
}

async fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let around = call.around().await?;
    let document = resource::stored::<Apps>(call, &around)?;
    let id = call.id("policy_id", Unknown::Policy)?;
    Ok(Answer::of(one(&around, &document, id)?))
}

fn one(around: &Around<'_>, document: &Document, id: Uuid) -> Result<Value, ApiError> {
    let held = InApplication::of(document);
    let position = held
        .position(id)
        .ok_or_else(|| ApiError::unknown(Unknown::Policy))?;
    let item = held.0.get(position);
    item.and_then(|item| shown(item, position, around))
        .ok_or_else(|| ApiError::unknown(Unknown::Policy))
}

async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, messages) = take(call, &IN_APPLICATION, call.object()?)?;
    complete(&taken.body)?;
    let id = Uuid::new_v4();
    let now_ms = call.api.clock.now_ms();
    let change = |held: &mut InApplication| {
        let mut policy = taken.body;
        policy.insert("id".to_owned(), id.to_string().into());
        if policy.get("precedence").is_none_or(Value::is_null) {
            policy.insert("precedence".to_owned(), held.last().saturating_add(1).into());
        }
        policy.insert(CREATED.to_owned(), now_ms.into());
        policy.insert(UPDATED.to_owned(), now_ms.into());
        held.0.push(Value::Object(policy));
        Ok(())
    };
    let written = in_application(call, change).await?;
    Ok(Answer::of(one(&call.around_now(), &written.document, id)?).saying(messages))
}

async fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, messages) = take(call, &IN_APPLICATION, call.object()?)?;
    complete(&taken.body)?;
    let id = call.id("policy_id", Unknown::Policy)?;
    let now_ms = call.api.clock.now_ms();
    refuse_reusable(call, id).await?;
    let change = |held: &mut InApplication| {
        let place = held
            .own_position(id)
            .and_then(|position| held.0.get_mut(position));
        let place = place.ok_or_else(gone)?;
        let mut policy = taken.body;
        policy.insert("id".to_owned(), id.to_string().into());
        keep(&[CREATED, "precedence"], place, &mut policy);
        policy.insert(UPDATED.to_owned(), now_ms.into());
        *place = Value::Object(policy);
        Ok(())
    };
    let written = in_application(call, change).await?;
    Ok(Answer::of(one(&call.around_now(), &written.document, id)?).saying(messages))
}

async fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = call.id("policy_id", Unknown::Policy)?;
    refuse_reusable(call, id).await?;
    let change = |held: &mut InApplication| {
        let position = held.own_position(id).ok_or_else(gone)?;
        held.0.remove(position);
        Ok(())
    };
    in_application(call, change).await?;
    Ok(Answer::of(json!({ "id": id })))
}

/// Makes an application's own policy one that others can refer to.
async fn make_reusable(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = call.id("policy_id", Unknown::Policy)?;
    refuse_reusable(call, id).await?;
    let application = Apps::id(call)?;
    let written = call.api.manage.make_reusable(application, id, call.actor()).await;
    let written = written.map_err(|error| named(error, Unknown::Policy))?;
    call.in_force(&written.position).await;
    Ok(Answer::of(one(&call.around_now(), &written.document, id)?))
}

/// Changes the policies of the application that the path names.
async fn in_application(
    call: &Call<'_>,
    change: impl FnOnce(&mut InApplication) -> Result<(), Vec<Problem>>,
) -> Result<Written, ApiError> {
    let change = |body: &mut Map<String, Value>| {
        let mut held = InApplication::in_body(body);
        change(&mut held)?;
        body.insert("policies".to_owned(), held.into_value());
        Ok(())
    };
    resource::amend::<Apps>(call, change).await
}

/// Reusable policies are changed where they are: other applications may have them too. One that is not the
/// application's is not there.
async fn refuse_reusable(call: &Call<'_>, id: Uuid) -> Result<(), ApiError> {
    let document = resource::stored::<Apps>(call, &call.around().await?)?;
    let held = InApplication::of(&document);
    let position = held
        .position(id)
        .ok_or_else(|| ApiError::unknown(Unknown::Policy))?;
    if held.0.get(position).is_some_and(is_own) {
        return Ok(());
    }
    Err(ApiError::invalid(
        "can not update reusable policies through this endpoint",
    ))
}

/// What is no whole policy would read as a reference.
fn complete(policy: &Map<String, Value>) -> Result<(), ApiError> {
    let missing = |key: &&str| policy.get(*key).is_none_or(Value::is_null);
    let problem = |key: &str| Problem {
        pointer: format!("/{key}"),
        reason: "it is missing".to_owned(),
    };
    let problems: Vec<Problem> = IN_APPLICATION.needed().filter(missing).map(problem).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(ApiError::problems(&problems))
}

/// The policy went while it was being changed.
fn gone() -> Vec<Problem> {
    vec![Problem {
        pointer: String::new(),
        reason: "the policy is no longer in the application".to_owned(),
    }]
}

const READ: Permission = Permission::read(Area::Applications);
const WRITE: Permission = Permission::write(Area::Applications);
const ALL: &str = "/accounts/{account_id}/access/apps/{app_id}/policies";
const ONE: &str = "/accounts/{account_id}/access/apps/{app_id}/policies/{policy_id}";
const MAKE_REUSABLE: &str = "/accounts/{account_id}/access/apps/{app_id}/policies/{policy_id}/make_reusable";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, ALL),
        READ,
        ("list_app_policies", "List the policies of an application"),
        Gives::Page(&IN_APPLICATION),
        |call| Box::pin(list(call)),
    )
    .asked(page::PAGED),
    Operation::new(
        (&Method::POST, ALL),
        WRITE,
        ("create_app_policy", "Give an application a policy of its own"),
        Gives::Object(&IN_APPLICATION),
        |call| Box::pin(create(call)),
    )
    .taking(&IN_APPLICATION)
    .status(StatusCode::CREATED),
    Operation::new(
        (&Method::GET, ONE),
        READ,
        ("get_app_policy", "Read a policy of an application"),
        Gives::Object(&IN_APPLICATION),
        |call| Box::pin(get(call)),
    ),
    Operation::new(
        (&Method::PUT, ONE),
        WRITE,
        ("update_app_policy", "Replace an application's own policy"),
        Gives::Object(&IN_APPLICATION),
        |call| Box::pin(update(call)),
    )
    .taking(&IN_APPLICATION),
    Operation::new(
        (&Method::DELETE, ONE),
        WRITE,
        ("delete_app_policy", "Delete an application's own policy"),
        Gives::Id,
        |call| Box::pin(delete(call)),
    )
    .status(StatusCode::ACCEPTED),
    Operation::new(
        (&Method::PUT, MAKE_REUSABLE),
        WRITE,
        (
            "make_app_policy_reusable",
            "Let other applications use an application's own policy",
        ),
        Gives::Object(&IN_APPLICATION),
        |call| Box::pin(make_reusable(call)),
    ),
];

//! What policies would say of everybody who is known, before they are put in force
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/applications/subresources/policy_tests/>).

use std::collections::HashMap;

use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::page::{Page, Sizes};
use super::policies;
use super::resource::take;
use super::shape::{Shape, UnknownKeys, What, needed};
use crate::manage::NoTrial;
use crate::model::ids::{AppId, PolicyId, UserId};
use crate::model::permission::{Area, Permission};
use crate::model::policy::Policy;
use crate::policy::compile;
use crate::snapshot::Snapshot;
use crate::snapshot::read::{self, Around, Problem};
use crate::store::{Kind, TrialOutcome, TrialProgress, TrialStanding, User};

const SHAPE: Shape = Shape {
    name: "PolicyTest",
    keys: &[needed(
        "policies",
        What::ObjectsOrLinks(&policies::IN_APPLICATION, &policies::LINK),
    )],
    unknown: UnknownKeys::Refused,
};
/// Policies tried together.
const MOST_POLICIES: usize = 100;
const SIZES: Sizes = Sizes {
    usual: 1000,
    most: 1000,
};

/// Begins a test.
async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut body = call.object()?;
    let items = match body.remove("policies") {
        Some(Value::Array(items)) => items,
        Some(_) => return Err(ApiError::invalid_at("/policies", "a list is needed")),
        None => return Err(ApiError::invalid_at("/policies", "it is missing")),
    };
    take(call, &SHAPE, body)?;
    if items.is_empty() || items.len() > MOST_POLICIES {
        let reason = format!("1 to {MOST_POLICIES} policies are needed");
        return Err(ApiError::invalid_at("/policies", reason));
    }
    let snapshot = call.latest().await?;
    let mut policies = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        policies.push(policy(&snapshot, &format!("/policies/{index}"), item)?);
    }
    let referents = &snapshot.referents;
    let compiled = compile(AppId(Uuid::nil()), &policies, referents)
        .map_err(|unresolved| ApiError::invalid_at("/policies", unresolved.to_string()))?;
    let api = call.api;
    let begun = api.trials.begin(&api.store, compiled, &api.clock).await;
    let id = begun.map_err(|refused| match refused {
        NoTrial::TooMany => ApiError::too_many(30),
        NoTrial::Store(error) => error.into(),
    })?;
    Ok(Answer::of(json!({ "id": id, "status": "success" })))
}

/// A policy by its id or written out.
fn policy(snapshot: &Snapshot, at: &str, item: Value) -> Result<Policy, ApiError> {
    let named = match &item {
        Value::String(id) => Some(id.as_str()),
        Value::Object(object) if !object.contains_key("decision") => object.get("id").and_then(Value::as_str),
        _ => None,
    };
    if let Some(named) = named {
        let id =
            Uuid::try_parse(named).map_err(|_| ApiError::invalid_at(at, "the id of a policy is needed"))?;
        return by_id(snapshot, PolicyId(id));
    }
    let Value::Object(body) = item else {
        return Err(ApiError::invalid_at(at, "a policy or the id of one is needed"));
    };
    written(snapshot, at, body)
}

/// A policy that is there: a reusable one, or one of an application's own.
fn by_id(snapshot: &Snapshot, id: PolicyId) -> Result<Policy, ApiError> {
    if let Some(object) = snapshot.objects.get(Kind::Policy, id.0) {
        return read::policy(id, &object.body()).map_err(|problems| ApiError::problems(&problems));
    }
    let mut known = snapshot
        .applications
        .values()
        .flat_map(|known| &known.policy_docs);
    let own = known.find(|policy| policy.id == id);
    own.map(|policy| Policy::clone(policy))
        .ok_or_else(|| ApiError::unknown(Unknown::Policy))
}

fn written(snapshot: &Snapshot, at: &str, body: Map<String, Value>) -> Result<Policy, ApiError> {
    let below = |problems: Vec<Problem>| {
        let problems: Vec<Problem> = problems
            .into_iter()
            .map(|problem| Problem {
                pointer: format!("{at}{}", problem.pointer),
                reason: problem.reason,
            })
            .collect();
        ApiError::problems(&problems)
    };
    let taken = policies::IN_APPLICATION.take(body);
    if !taken.problems.is_empty() {
        return Err(below(taken.problems));
    }
    let policy = read::policy(PolicyId(Uuid::new_v4()), &Value::Object(taken.body)).map_err(below)?;
    let around = Around {
        referents: &snapshot.referents,
        accepted: &snapshot.organization.accept_unevaluated_selectors,
        named: None,
    };
    let problems = around.policy_problems(&policy, at);
    if problems.is_empty() {
        Ok(policy)
    } else {
        Err(ApiError::problems(&problems))
    }
}

async fn progress(call: &Call<'_>) -> Result<(Uuid, TrialProgress), ApiError> {
    let id = call.id("policy_test_id", Unknown::PolicyTest)?;
    let progress = call.api.store.trial(id).await?;
    let progress = progress.ok_or_else(|| ApiError::unknown(Unknown::PolicyTest))?;
    Ok((id, progress))
}

async fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (id, progress) = progress(call).await?;
    let (counts, total) = (progress.counts, progress.total);
    let done = counts.all();
    let status = match progress.standing {
        TrialStanding::UnderWay => "processing",
        TrialStanding::Done => "complete",
        TrialStanding::TooLong => "exceeded time",
        TrialStanding::Failed => "blocked",
    };
    Ok(Answer::of(json!({
        "id": id,
        "status": status,
        "pages_processed": progress.batches,
        "total_users": total,
        "users_approved": counts.approved,
        "users_blocked": counts.blocked,
        "users_errored": counts.uncertain,
        "percent_users_processed": percent(done, total),
        "percent_approved": percent(counts.approved, done),
        "percent_blocked": percent(counts.blocked, done),
        "percent_errored": percent(counts.uncertain, done),
    })))
}

/// Of nobody, it is nothing.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

async fn users(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (id, progress) = progress(call).await?;
    let page = Page::of(&call.query, SIZES)?;
    let wanted = match call.query.value("status") {
        None => None,
        Some("success") => Some(TrialOutcome::Approved),
        Some("fail") => Some(TrialOutcome::Blocked),
        Some("error") => Some(TrialOutcome::Uncertain),
        Some(_) => return Err(ApiError::invalid("status must be success, fail or error")),
    };
    let store = &call.api.store;
    let outcomes = store
        .trial_outcomes(id, wanted, (page.size, page.offset()))
        .await?;
    let ids: Vec<UserId> = outcomes.iter().map(|(id, _)| *id).collect();
    let users = store.registered_of(&ids).await?;
    let mut users: HashMap<UserId, User> = users.into_iter().map(|user| (user.id, user)).collect();
    let mut shown = Vec::with_capacity(outcomes.len());
    for (id, outcome) in outcomes {
        // Whoever has gone meanwhile was asked about all the same.
        let user = users.remove(&id);
        let (email, name) = user.map_or((None, None), |user| (user.email, user.name));
        let status = match outcome {
            TrialOutcome::Approved => "approved",
            TrialOutcome::Blocked => "blocked",
            TrialOutcome::Uncertain => "error",
        };
        shown.push(json!({
            "id": id, "email": email.unwrap_or_default(), "name": name.unwrap_or_default(), "status": status,
        }));
    }
    let info = page.info(shown.len(), progress.counts.of(wanted));
    Ok(Answer::page(shown, info))
}

const USER: Shape = Shape {
    name: "PolicyTestUser",
    keys: &[
        needed("id", What::Id),
        needed("email", What::Text),
        needed("name", What::Text),
        needed("status", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};
const TEST: Permission = Permission::write(Area::PolicyTests);
const ALL: &str = "/accounts/{account_id}/access/policy-tests";
const ONE: &str = "/accounts/{account_id}/access/policy-tests/{policy_test_id}";
const USERS: &str = "/accounts/{account_id}/access/policy-tests/{policy_test_id}/users";
const ASKED: &[(&str, &str)] = &[
    ("page", "the page, from 1"),
    ("per_page", "items a page"),
    ("status", "success, fail or error"),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::POST, ALL),
        TEST,
        (
            "create_policy_test",
            "Begin to ask what policies say of everybody who is known",
        ),
        Gives::Any,
        |call| Box::pin(create(call)),
    )
    .taking(&SHAPE),
    Operation::new(
        (&Method::GET, ONE),
        TEST,
        ("get_policy_test", "Read how far a test is"),
        Gives::Any,
        |call| Box::pin(get(call)),
    ),
    Operation::new(
        (&Method::GET, USERS),
        TEST,
        ("list_policy_test_users", "List how users came out"),
        Gives::Page(&USER),
        |call| Box::pin(users(call)),
    )
    .asked(ASKED),
];

//! What an application says of one person, rule by rule, without a login
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/applications/subresources/user_policy_checks/>).
//! At Cloudflare it answers for whoever asks; a token of ours is no person, so the person is named.

use std::net::IpAddr;

use http::Method;
use serde_json::{Map, Value, json};

use super::apps::Apps;
use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::query::Query;
use super::resource::Resource as _;
use crate::geo::Geo;
use crate::manage::{Expected, Explained, Question, explained, visited};
use crate::model::country::CountryCode;
use crate::model::email::EmailAddress;
use crate::model::identity_json;
use crate::model::ids::{AppId, IdpId};
use crate::model::permission::{Area, Permission};
use crate::model::policy::RuleList;
use crate::policy::{Answer as Said, RuleExplanation, Verdict};
use crate::router::Target;
use crate::snapshot::{ProtectedApplication, Snapshot};

async fn check(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = AppId(Apps::id(call)?);
    let snapshot = call.latest().await?;
    let application = snapshot.applications.get(&id);
    let application = application.ok_or_else(|| ApiError::unknown(Unknown::Application))?;
    let question = question(&call.query, &call.api.geo)?;
    let now_ms = call.api.clock.now_ms();
    let target = target(call, &snapshot, application)?;
    let place = (application.as_ref(), target.as_ref());
    let explained = explained(&call.api.store, &snapshot, place, &question, now_ms).await?;
    let account = &snapshot.organization.account_id;
    let identity = explained
        .identity
        .as_ref()
        .map(|identity| identity_json::whole(identity, account));
    Ok(Answer::of(json!({
        "app_state": app_state(application, &explained),
        "user_identity": identity,
    })))
}

/// What is opened: what the query says, else the application's first address, where that leads there.
fn target(
    call: &Call<'_>,
    snapshot: &Snapshot,
    application: &ProtectedApplication,
) -> Result<Option<Target>, ApiError> {
    let of = |address: &str| {
        let (covering, target) = visited(snapshot, address)?;
        if covering.app.id == application.app.id {
            Ok(target)
        } else {
            Err(format!("{address} is of another application"))
        }
    };
    if let Some(address) = call.query.value("address") {
        let target = of(address).map_err(|why| ApiError::invalid(format!("address: {why}")))?;
        return Ok(Some(target));
    }
    let first = application.app.destinations.first();
    Ok(first.and_then(|first| of(&first.to_string()).ok()))
}

fn question(query: &Query<'_>, geo: &Geo) -> Result<Question, ApiError> {
    let user = query.value("user").ok_or_else(|| {
        ApiError::invalid(
            "a token of the API is no person: name one in the query, as user=alice@example.com, and perhaps the \
             provider, ip and country",
        )
    })?;
    let user: EmailAddress = user
        .parse()
        .map_err(|_| ApiError::invalid("user must be an e-mail address"))?;
    let provider: Option<IdpId> = parsed(query, "provider", "the id of an identity provider")?;
    let address: Option<IpAddr> = parsed(query, "ip", "an IP address")?;
    let country: Option<CountryCode> = parsed(query, "country", "a country such as DE")?;
    Ok(Question {
        user: Some(user),
        provider,
        address,
        country: country.or_else(|| geo.country_of(address?)),
        service_token: None,
    })
}

fn parsed<T: std::str::FromStr>(query: &Query<'_>, key: &str, what: &str) -> Result<Option<T>, ApiError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| ApiError::invalid(format!("{key} must be {what}")))
    };
    query.value(key).map(parse).transpose()
}

fn app_state(application: &ProtectedApplication, explained: &Explained) -> Value {
    let app = &application.app;
    let policies: Vec<Value> = explained
        .explanation
        .policies
        .iter()
        .enumerate()
        .map(|(index, policy)| {
            let mut shown = Map::new();
            shown.insert("id".to_owned(), json!(policy.id));
            shown.insert("name".to_owned(), policy.name.as_str().into());
            shown.insert("decision".to_owned(), json!(policy.decision));
            shown.insert("precedence".to_owned(), (index + 1).into());
            shown.insert("status".to_owned(), status(policy.matches).into());
            add_rules(&mut shown, &policy.rules);
            Value::Object(shown)
        })
        .collect();
    let groups: Vec<Value> = explained
        .explanation
        .groups
        .iter()
        .map(|group| {
            let mut shown = Map::new();
            shown.insert("id".to_owned(), json!(group.id));
            shown.insert("name".to_owned(), group.name.as_str().into());
            shown.insert("status".to_owned(), status(group.matches).into());
            add_rules(&mut shown, &group.rules);
            Value::Object(shown)
        })
        .collect();
    let (passes, verdict) = verdict(&explained.outcome);
    json!({
        "app_uid": app.id,
        "aud": app.aud,
        "hostname": app.destinations.first().map(ToString::to_string),
        "name": app.name,
        "status": if passes { "Success" } else { "Failure" },
        "verdict": verdict,
        "broken": application.broken,
        "policies": policies,
        "groups": groups,
    })
}

/// Whether the person may enter, and what decides that.
fn verdict(expected: &Expected) -> (bool, Value) {
    let (verdict, by) = match expected {
        Expected::Decided { verdict, by } => (verdict, by.word()),
        Expected::SwitchedOff => {
            let said = json!({ "decision": "refuse", "reason": "deprovisioned", "decided_by": "directory" });
            return (false, said);
        }
        Expected::BadServiceToken => {
            let said =
                json!({ "decision": "refuse", "reason": "bad_service_token", "decided_by": "service_token" });
            return (false, said);
        }
    };
    match verdict {
        Verdict::Permit(permit) => (
            true,
            json!({ "decision": "permit", "policy": permit.policy_name(), "decided_by": by }),
        ),
        Verdict::SignIn => (false, json!({ "decision": "sign_in", "decided_by": by })),
        Verdict::StepUp(step_up) => (
            false,
            json!({
                "decision": "step_up",
                "policy": step_up.policy.name,
                "need": step_up.need.word(),
                "decided_by": by,
            }),
        ),
        Verdict::Refuse(refusal) => (
            false,
            json!({
                "decision": "refuse",
                "policy": refusal.policy.as_ref().map(|policy| policy.name.as_str()),
                "reason": refusal.reason.word(),
                "decided_by": by,
            }),
        ),
    }
}

fn add_rules(shown: &mut Map<String, Value>, rules: &[RuleExplanation]) {
    for list in [RuleList::Include, RuleList::Exclude, RuleList::Require] {
        let of_list = rules.iter().filter(|rule| rule.list == list);
        let of_list: Vec<Value> = of_list.map(rule).collect();
        shown.insert(list.as_str().to_owned(), of_list.into());
    }
}

/// The rule's own settings, as Access shows them, and what it says. Settings have none of the other keys' names.
fn rule(rule: &RuleExplanation) -> Value {
    let mut shown = match rule.rule.settings() {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    for (key, value) in [
        ("_type", rule.rule.name().into()),
        ("rule", rule.rule.to_string().into()),
        ("called", json!(rule.called)),
        ("status", status(rule.answer).into()),
        ("reason", json!(rule.uncertainty)),
    ] {
        shown.insert(key.to_owned(), value);
    }
    Value::Object(shown)
}

/// What a rule says, or several do.
fn status(said: Said) -> &'static str {
    match said {
        Said::Yes => "Success",
        Said::No => "Failure",
        Said::Unknown => "Unknown",
    }
}

const PATH: &str = "/accounts/{account_id}/access/apps/{app_id}/user_policy_checks";

pub(super) const OPERATIONS: &[Operation] = &[Operation::new(
    (&Method::GET, PATH),
    // It tells of people, as the register does, and of policies.
    Permission::read(Area::AuditLogs),
    (
        "check_user_policies",
        "Explain what an application says of a person, rule by rule",
    ),
    Gives::Any,
    |call| Box::pin(check(call)),
)
.also(Permission::read(Area::Applications))
.asked(&[
    ("user", "the address of the person's last login"),
    (
        "provider",
        "the identity provider, where several know the address",
    ),
    ("ip", "the address the request comes from"),
    ("country", "the country it comes from"),
    (
        "address",
        "host and path that are opened, where not the application's first",
    ),
])];

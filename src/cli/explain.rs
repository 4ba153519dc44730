//! `vestibule explain`: who may open what, and why, without a login.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::opened::{Opened, Said, meant, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::geo::Geo;
use crate::manage::{DecidedBy, Expected, Explained, Known, Question, explained, visited};
use crate::model::country::CountryCode;
use crate::model::email::EmailAddress;
use crate::model::ids::{IdpId, ServiceTokenId};
use crate::model::plain;
use crate::model::time::to_the_minute;
use crate::policy::{RuleExplanation, Verdict};
use crate::snapshot::{Inputs, ProtectedApplication, Snapshot};
use crate::store::{AccessRequestFilter, Kind, StoreError};

#[derive(Debug, Args)]
pub(super) struct ExplainCommand {
    /// The person, by the address of their last login; left out for a request of nobody
    #[arg(long, value_name = "ADDRESS")]
    user: Option<EmailAddress>,
    /// What is opened: host and path, such as wiki.example.com/path
    #[arg(long, value_name = "HOST[/PATH]", required_unless_present = "request")]
    app: Option<String>,
    /// The address the request comes from
    #[arg(long, value_name = "IP")]
    ip: Option<IpAddr>,
    /// The country it comes from; left out: what the database of countries says of the address
    #[arg(long, value_name = "CC")]
    country: Option<CountryCode>,
    /// The identity provider, by name or id, where several know the person
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The service token it shows, by name or id
    #[arg(long, value_name = "NAME")]
    service_token: Option<String>,
    /// What became of one request instead, by the reference on its page
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "app", "ip", "country", "provider", "service_token"])]
    request: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(command: ExplainCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let opened = match open(&command.file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let said = match &command.request {
        Some(request) => of_request(&opened, request).await,
        None => of_question(&opened, &command).await,
    };
    opened.store.close().await;
    tell(said, terminal)
}

async fn of_request(opened: &Opened, request: &str) -> Result<Said, StoreError> {
    let filter = AccessRequestFilter {
        request_id: Some(request.to_owned()),
        ..AccessRequestFilter::default()
    };
    let rows = opened.store.access_requests(&filter).await?;
    if rows.is_empty() {
        return Ok(Said::Unusable(format!(
            "no login or refusal is written down under {request}; of the same refusals of a live session or a service \
             token there is a row a minute, and each stands in the log"
        )));
    }
    let mut text = String::new();
    for row in rows {
        let at = jiff::Timestamp::from_millisecond(row.at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let outcome = if row.allowed { "allowed" } else { "refused" };
        let _ = writeln!(
            text,
            "{}  {} {outcome}  {}  {}",
            at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            row.action,
            row.email.as_deref().unwrap_or("nobody"),
            row.app_domain.as_deref().unwrap_or("no application")
        );
        for detail in [row.reason, row.explanation].into_iter().flatten() {
            for line in detail.split(" · ") {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    Ok(Said::done(text))
}

async fn of_question(opened: &Opened, command: &ExplainCommand) -> Result<Said, StoreError> {
    let snapshot = snapshot(opened).await?;
    let asked = command.app.as_deref().unwrap_or_default();
    let (application, target) = match visited(&snapshot, asked) {
        Ok(visited) => visited,
        Err(why) => return Ok(Said::Unusable(why)),
    };
    let provider = match id_of(opened, Kind::IdentityProvider, command.provider.as_deref()).await? {
        Ok(id) => id.map(IdpId),
        Err(why) => return Ok(Said::Unusable(why)),
    };
    let service_token = match id_of(opened, Kind::ServiceToken, command.service_token.as_deref()).await? {
        Ok(id) => id.map(ServiceTokenId),
        Err(why) => return Ok(Said::Unusable(why)),
    };
    let geo = match Geo::open(&opened.config.geo) {
        Ok(geo) => geo,
        Err(unusable) => return Ok(Said::Unusable(unusable.to_string())),
    };
    let question = Question {
        user: command.user.clone(),
        provider,
        address: command.ip,
        country: command.country.or_else(|| geo.country_of(command.ip?)),
        service_token,
    };
    let now_ms = opened.clock.now_ms();
    let place = (application, Some(&target));
    let explained = explained(&opened.store, &snapshot, place, &question, now_ms).await?;
    let exit = match explained.outcome {
        Expected::Decided {
            verdict: Verdict::Permit(_),
            ..
        } => Exit::Fine,
        Expected::Decided { .. } | Expected::SwitchedOff | Expected::BadServiceToken => Exit::No,
    };
    let outcome = outcome(&snapshot, &explained.outcome);
    let text = if command.json {
        format!("{:#}\n", in_json(application, &explained, &outcome))
    } else {
        in_text(application, &question, &explained, &outcome)
    };
    Ok(Said::Answer(text, exit))
}

async fn snapshot(opened: &Opened) -> Result<Snapshot, StoreError> {
    let (position, objects) = opened.store.objects().await?;
    let inputs = Inputs {
        objects: &objects,
        keys: &opened.store.signing_keys().await?,
        scim_secrets: &[],
        organization: &opened.organization,
        clouds: &opened.config.clouds,
        upstreams: &[],
        position: &position,
        before: None,
    };
    Ok(Snapshot::build(&inputs, &opened.sealer, &opened.clock))
}

/// The id of an object that is given by name or id.
async fn id_of(
    opened: &Opened,
    kind: Kind,
    given: Option<&str>,
) -> Result<Result<Option<Uuid>, String>, StoreError> {
    let Some(given) = given else {
        return Ok(Ok(None));
    };
    let meant = meant(&opened.store, kind, given).await?;
    Ok(meant.map(|document| Some(document.id)))
}

/// What would happen: a word, a sentence behind whoever it is about, and what decides it.
struct Outcome {
    word: &'static str,
    sentence: String,
    by: &'static str,
}

fn outcome(snapshot: &Snapshot, expected: &Expected) -> Outcome {
    let (verdict, by) = match expected {
        Expected::Decided { verdict, by } => (verdict, *by),
        Expected::SwitchedOff => {
            return Outcome {
                word: "refuse",
                sentence: "is refused at the sign-in: the directory has switched this person off (SCIM)"
                    .to_owned(),
                by: "directory",
            };
        }
        Expected::BadServiceToken => {
            return Outcome {
                word: "refuse",
                sentence: "is refused: the service token is disabled or over, and nobody else is asked \
                    (strict_service_token_auth)"
                    .to_owned(),
                by: "service_token",
            };
        }
    };
    let (word, sentence) = decided(verdict);
    let why = match by {
        DecidedBy::Policies => String::new(),
        DecidedBy::PublicPath => {
            return Outcome {
                word,
                sentence: "may enter, as everybody may: the path is public (overrides)".to_owned(),
                by: by.word(),
            };
        }
        DecidedBy::ServiceToken => {
            "; the service token alone is asked, whoever has signed in (strict_service_token_auth)".to_owned()
        }
        DecidedBy::Provider(provider) => {
            let provider = snapshot.providers.get(&provider);
            let name = provider.map_or("that provider", |provider| provider.name.as_str());
            format!(" by another provider: the application takes no logins of {name} (allowed_idps)")
        }
    };
    Outcome {
        word,
        sentence: format!("{sentence}{why}"),
        by: by.word(),
    }
}

fn decided(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::Permit(permit) => (
            "permit",
            format!("may enter, by the policy \"{}\"", permit.policy_name()),
        ),
        Verdict::SignIn => ("sign_in", "is sent to sign in".to_owned()),
        Verdict::StepUp(step_up) => (
            "step_up",
            format!(
                "may enter by the policy \"{}\" after one thing more: {}",
                step_up.policy.name,
                step_up.need.word().replace('_', " ")
            ),
        ),
        Verdict::Refuse(refusal) => {
            let by = refusal.policy.as_ref();
            let by = by.map_or_else(String::new, |policy| {
                format!(", by the policy \"{}\"", policy.name)
            });
            (
                "refuse",
                format!("is refused: {}{by}", refusal.reason.word().replace('_', " ")),
            )
        }
    }
}

fn in_text(
    application: &ProtectedApplication,
    question: &Question,
    explained: &Explained,
    outcome: &Outcome,
) -> String {
    let who = question
        .user
        .as_ref()
        .map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let told = format!("{who} at {}: {}", application.app.name, outcome.sentence);
    let mut text = format!("{}\n", plain::visible(&told));
    match &explained.person {
        Known::Nobody => {}
        Known::SignedIn { user, at } => {
            let _ = writeln!(text, "  as of the login of {} (user {user})", to_the_minute(*at));
        }
        Known::AddressOnly => {
            text.push_str("  nobody has signed in with this address: all else about the person is unknown\n");
        }
    }
    if let Some(broken) = &application.broken {
        let _ = writeln!(text, "  the application lets nobody in: {broken}");
    }
    for (missing, flag, what) in [
        (question.address.is_none(), "--ip", "address"),
        (question.country.is_none(), "--country", "country"),
    ] {
        let asked = explained
            .explanation
            .policies
            .iter()
            .flat_map(|policy| &policy.rules)
            .any(|rule| match what {
                "address" => matches!(rule.rule.name(), "ip" | "ip_list"),
                _ => rule.rule.name() == "geo",
            });
        if missing && asked {
            let _ = writeln!(text, "  rules about the {what} are unknown; {flag} gives it");
        }
    }
    for policy in &explained.explanation.policies {
        let decision = serde_json::to_value(policy.decision).unwrap_or(Value::Null);
        let _ = writeln!(
            text,
            "\n{}  {}  {}",
            policy.matches,
            decision.as_str().unwrap_or_default(),
            plain::visible(&policy.name)
        );
        rules(&policy.rules, &mut text);
    }
    for group in &explained.explanation.groups {
        let _ = writeln!(
            text,
            "\n{}  access group  {}",
            group.matches,
            plain::visible(&group.name)
        );
        rules(&group.rules, &mut text);
    }
    text
}

fn rules(rules: &[RuleExplanation], text: &mut String) {
    for rule in rules {
        let why = rule.uncertainty.as_ref();
        let why = why.map_or_else(String::new, |why| format!("  ({why})"));
        let _ = writeln!(
            text,
            "  {:<8} {:<8} {}{why}",
            rule.answer.to_string(),
            rule.list.as_str(),
            plain::visible(&rule.subject())
        );
    }
}

fn in_json(application: &ProtectedApplication, explained: &Explained, outcome: &Outcome) -> Value {
    let of_rules = |rules: &[RuleExplanation]| -> Vec<Value> {
        rules
            .iter()
            .map(|rule| {
                json!({
                    "list": rule.list.as_str(), "rule": rule.rule.to_string(), "called": rule.called,
                    "answer": rule.answer.to_string(), "uncertainty": rule.uncertainty,
                })
            })
            .collect()
    };
    let policies: Vec<Value> = explained
        .explanation
        .policies
        .iter()
        .map(|policy| {
            json!({
                "id": policy.id, "name": policy.name, "decision": policy.decision,
                "matches": policy.matches.to_string(), "rules": of_rules(&policy.rules),
            })
        })
        .collect();
    let groups: Vec<Value> = explained
        .explanation
        .groups
        .iter()
        .map(|group| {
            json!({
                "id": group.id, "name": group.name, "matches": group.matches.to_string(),
                "rules": of_rules(&group.rules),
            })
        })
        .collect();
    let person = match &explained.person {
        Known::Nobody => Value::Null,
        Known::SignedIn { user, at } => json!({"user": user, "signed_in_at": at.to_string()}),
        Known::AddressOnly => json!({"user": null}),
    };
    json!({
        "application": {"id": application.app.id, "name": application.app.name, "broken": application.broken},
        "person": person,
        "verdict": outcome.word,
        "message": outcome.sentence,
        "decided_by": outcome.by,
        "policies": policies,
        "groups": groups,
    })
}

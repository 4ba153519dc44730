//! Applications: self-hosted ones, and the one that stands for the launcher.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use crate::crypto::digest::sha256_hex;
use crate::model::application::{Application, LAUNCHER, Launcher, SameSite, Tag};
use crate::model::design::LauncherDesign;
use crate::model::destination::Destination;
use crate::model::duration::GoDuration;
use crate::model::ids::{AppId, AudTag, PolicyId};
use crate::model::number;
use crate::model::policy::Policy;
use crate::model::public_path::Overrides;
use crate::model::token_duration::TokenDuration;

use super::design;
use super::object::{Object, Problem, Problems};
use super::settings;

/// An application and the policies that are written inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadApplication {
    /// The application.
    pub application: Application,
    /// Policies written inside it instead of being referred to; their ids stand in [`Application::policies`] too.
    pub inside: Vec<Policy>,
    /// What the launcher wears, where this is the launcher; else it is self-hosted.
    pub launcher: Option<LauncherDesign>,
}

/// Whether an application stands for the launcher: its policies say who may open that.
pub fn is_launcher(body: &Value) -> bool {
    body.get("type").and_then(Value::as_str) == Some(LAUNCHER)
}

/// What changes who gets in, or how, and is not done here.
const UNENFORCED: &[&str] = &[
    "allow_authenticate_via_warp",
    "mfa_config",
    "oauth_configuration",
    "scim_config",
];

/// What the launcher has not: it has no addresses of its own, no tokens and no application behind it.
const NOT_OF_THE_LAUNCHER: &[&str] = &[
    "destinations",
    "self_hosted_domains",
    "same_site_cookie_attribute",
    "path_cookie_attribute",
    "unauthenticated_401",
    "websocket_origins",
    "allow_encoded_slash",
    "case_insensitive_paths",
    "cors_headers",
    "options_preflight_bypass",
    "service_auth_401_redirect",
    "allow_iframe",
    "enable_binding_cookie",
    "token_groups",
    "token_claims",
    "logo_url",
    "tags",
    "skip_interstitial",
    "read_service_tokens_from_header",
];

/// Reads an application. Its `aud` must stand in the object: it is made once, before the first write.
///
/// # Errors
/// Every problem found, those of policies inside included.
pub fn application(id: AppId, body: &Value) -> Result<ReadApplication, Vec<Problem>> {
    let (application, problems) = readable_part(id, body);
    if problems.is_empty() {
        Ok(application)
    } else {
        Err(problems)
    }
}

/// As much of an application as can be read, and what is wrong with the rest.
///
/// What cannot be read lets nobody pass, but the addresses that can be read are still its own: they must not fall to a
/// less specific application.
pub(in crate::snapshot) fn readable_part(id: AppId, body: &Value) -> (ReadApplication, Vec<Problem>) {
    let problems = Problems::default();
    let read = Object::new(body, "", &problems).map(|object| read(id, &object));
    let application = read.unwrap_or_else(|| ReadApplication {
        application: unreadable(id),
        inside: Vec::new(),
        launcher: is_launcher(body).then(LauncherDesign::default),
    });
    (application, problems.into_inner())
}

/// An application of which nothing is known. Its audience is one that no token has.
fn unreadable(id: AppId) -> Application {
    let aud = sha256_hex(format!("unreadable application {id}").as_bytes());
    #[expect(clippy::expect_used, reason = "64 hexadecimal digits are an audience tag")]
    let aud = aud.parse().expect("an audience tag");
    Application::new(id, aud, id.to_string())
}

fn read(id: AppId, object: &Object<'_>) -> ReadApplication {
    object.refuse_unenforced(UNENFORCED);
    let looks = match object.text("type") {
        Some(LAUNCHER) => Some(design::launcher(object)),
        None | Some("self_hosted") => None,
        Some(_) => {
            object.problem(
                "type",
                "this version has applications of the types self_hosted and app_launcher",
            );
            None
        }
    };
    let fallback = unreadable(id);
    let (policies, inside) = policies(id, object);
    let (destinations, overrides) = if looks.is_some() {
        object.refuse(NOT_OF_THE_LAUNCHER, "the launcher has nothing of the kind");
        (Vec::new(), Vec::new())
    } else {
        object.refuse(&design::OF_LAUNCHER, "it is of applications of type app_launcher");
        destinations(object)
    };
    let flag = |key, default| object.flag(key).unwrap_or(default);
    let application = Application {
        id,
        aud: object.needed::<AudTag>("aud").unwrap_or(fallback.aud),
        name: object.needed_text("name").map_or(fallback.name, str::to_owned),
        destinations,
        session_duration: session_duration(object).unwrap_or(fallback.session_duration),
        allowed_idps: object.list("allowed_idps"),
        auto_redirect_to_identity: object.flag("auto_redirect_to_identity"),
        policies,
        http_only_cookie_attribute: flag("http_only_cookie_attribute", true),
        same_site_cookie_attribute: same_site(object),
        path_cookie_attribute: flag("path_cookie_attribute", false),
        custom_deny_message: object.text("custom_deny_message").map(str::to_owned),
        unauthenticated_401: flag("unauthenticated_401", false),
        websocket_origins: object.list("websocket_origins"),
        allow_encoded_slash: flag("allow_encoded_slash", false),
        case_insensitive_paths: flag("case_insensitive_paths", false),
        cors: settings::cors(object),
        options_preflight_bypass: flag("options_preflight_bypass", false),
        overrides,
        service_auth_401_redirect: flag("service_auth_401_redirect", false),
        custom_deny_url: object.parsed("custom_deny_url"),
        custom_non_identity_deny_url: object.parsed("custom_non_identity_deny_url"),
        custom_pages: object.list("custom_pages"),
        allow_iframe: flag("allow_iframe", false),
        enable_binding_cookie: flag("enable_binding_cookie", false),
        eager_redirect_cookie_setting: flag("eager_redirect_cookie_setting", true),
        token_groups: settings::token_groups(object),
        token_claims: settings::token_claims(object),
        launcher: launcher(object),
        skip_interstitial: flag("skip_interstitial", false),
        read_service_tokens_from_header: object.parsed("read_service_tokens_from_header"),
    };
    ReadApplication {
        application,
        inside,
        launcher: looks,
    }
}

/// The addresses, the primary first, and what of them is public. `destinations`, if given, takes the place of `self_hosted_domains`, and that of
/// `domain` alone; `domain` names the primary one and must be among them.
fn destinations(object: &Object<'_>) -> (Vec<Destination>, Vec<Overrides>) {
    let domain: Option<Destination> = object.parsed("domain");
    let mut listed: Vec<Destination> = Vec::new();
    let mut overrides = Vec::new();
    let items = object.items("destinations");
    let given = !items.is_empty();
    for (pointer, item) in items {
        if let Some(destination) = public_destination(object, item, &pointer) {
            overrides.extend(settings::overrides(object, item, &pointer, &destination));
            listed.push(destination);
        }
    }
    if !given {
        listed = object.list("self_hosted_domains");
    }
    // An address that stands there twice, perhaps as `host` and `host/*`, is one: no other application has it.
    let mut seen = HashSet::new();
    listed.retain(|destination| seen.insert(destination.clone()));
    let Some(domain) = domain else {
        // What is wrong with one that is there has been told.
        let said = object.given("domain").is_some_and(|domain| *domain != "");
        if listed.is_empty() && !said {
            object.problem("domain", "an address is needed, such as wiki.example.com");
        }
        return (listed, overrides);
    };
    if !listed.is_empty() && !listed.contains(&domain) {
        object.problem("domain", "it must be among the destinations");
    }
    listed.retain(|destination| *destination != domain);
    listed.insert(0, domain);
    (listed, overrides)
}

fn public_destination(object: &Object<'_>, item: &Value, pointer: &str) -> Option<Destination> {
    let kind = item.get("type").and_then(Value::as_str);
    if kind.is_some_and(|kind| kind != "public") {
        object.problem_at(
            format!("{pointer}/type"),
            "this version has public destinations only",
        );
        return None;
    }
    let Some(uri) = item.get("uri").and_then(Value::as_str) else {
        object.problem_at(format!("{pointer}/uri"), "it is missing");
        return None;
    };
    match uri.parse() {
        Ok(destination) => Some(destination),
        Err(reason) => {
            let reason: crate::model::destination::DestinationMalformed = reason;
            object.problem_at(format!("{pointer}/uri"), reason.to_string());
            None
        }
    }
}

fn launcher(object: &Object<'_>) -> Launcher {
    let tags: Vec<Tag> = object.list("tags");
    if tags.len() > Tag::MOST {
        object.problem("tags", format!("there are more than {}", Tag::MOST));
    }
    Launcher {
        visible: object.flag("app_launcher_visible").unwrap_or(true),
        logo: object.parsed("logo_url"),
        tags,
    }
}

/// How long a token lives, by an application or a policy. Zero is "expires immediately".
pub(super) fn session_duration(object: &Object<'_>) -> Option<GoDuration> {
    let duration: TokenDuration = object.parsed("session_duration")?;
    Some(duration.0)
}

fn same_site(object: &Object<'_>) -> Option<SameSite> {
    match object.text("same_site_cookie_attribute")? {
        "none" => return Some(SameSite::None),
        "lax" => return Some(SameSite::Lax),
        "strict" => return Some(SameSite::Strict),
        _ => object.problem(
            "same_site_cookie_attribute",
            "one of none, lax and strict is needed",
        ),
    }
    None
}

/// The policies by precedence: ids, `{id, precedence}`, or policies written inside.
fn policies(app: AppId, object: &Object<'_>) -> (Vec<PolicyId>, Vec<Policy>) {
    let mut links: Vec<(u64, PolicyId)> = Vec::new();
    let mut inside = Vec::new();
    for (position, (pointer, item)) in object.items("policies").into_iter().enumerate() {
        let Some((precedence, id)) = link(app, object, item, &pointer, position, &mut inside) else {
            continue;
        };
        if links.iter().any(|(taken, _)| *taken == precedence) {
            object.problem_at(
                format!("{pointer}/precedence"),
                "policy precedences must be unique",
            );
        }
        if links.iter().any(|(_, known)| *known == id) {
            object.problem_at(pointer, "the policy stands here twice");
        }
        links.push((precedence, id));
    }
    links.sort_by_key(|(precedence, _)| *precedence);
    (links.into_iter().map(|(_, id)| id).collect(), inside)
}

fn link(
    app: AppId,
    object: &Object<'_>,
    item: &Value,
    pointer: &str,
    position: usize,
    inside: &mut Vec<Policy>,
) -> Option<(u64, PolicyId)> {
    // Missing precedences are filled 1 to n (Terraform).
    let filled = u64::try_from(position).unwrap_or(u64::MAX).saturating_add(1);
    if let Value::String(text) = item {
        let id = text
            .parse()
            .map_err(|_| object.problem_at(pointer, "the id of a policy is needed"));
        return Some((filled, id.ok()?));
    }
    let entry = object.below(item, pointer)?;
    let precedence = match entry.given("precedence") {
        None => filled,
        Some(number) => number::whole(number).or_else(|| {
            entry.problem("precedence", "a whole number is needed");
            None
        })?,
    };
    let written: Option<PolicyId> = entry.parsed("id");
    if entry.given("decision").is_none() {
        if written.is_none() && entry.given("id").is_none() {
            entry.problem("id", "the id of a policy is needed, or a policy");
        }
        return Some((precedence, written?));
    }
    // A policy without id has one that follows from its place, so that it is the same each time it is read.
    let id =
        written.unwrap_or_else(|| PolicyId(Uuid::new_v5(&app.0, format!("policy {position}").as_bytes())));
    inside.push(super::policy::read(id, &entry)?);
    Some((precedence, id))
}

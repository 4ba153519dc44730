//! The organization
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/organizations/>).
//!
//! Name and address are the configuration file's, and so is every setting that it has; the others may be made here. A
//! setting that neither has is not shown: whoever compares what they asked for with what stands finds no more than that.

use std::future::ready;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use super::error::ApiError;
use super::operation::{Gives, Operation};
use super::resource::{take, time};
use super::shape::{Shape, UnknownKeys, What, optional, read_only};
use crate::model::colour::Colour;
use crate::model::design::{LoginDesign, SlotText};
use crate::model::duration::GoDuration;
use crate::model::organization::{Organization, OrganizationPages, OrganizationSettings};
use crate::model::permission::{Area, Permission};
use crate::model::service_token::{Inactivity, InactivityAction};
use crate::snapshot::Snapshot;
use crate::snapshot::read::{Problem, SETTINGS, asks_for_something, organization_settings};
use crate::store::Kind;

const PAGES: Shape = Shape {
    name: "OrganizationPages",
    keys: &[
        optional("forbidden", What::Text),
        optional("identity_denied", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};
const DESIGN: Shape = Shape {
    name: "LoginDesign",
    keys: &[
        optional("background_color", What::Text),
        optional("text_color", What::Text),
        optional("logo_path", What::Text),
        optional("header_text", What::Text),
        optional("footer_text", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};
const DOH: Shape = Shape {
    name: "OrganizationDoh",
    keys: &[
        optional("doh_jwt_duration", What::Text),
        optional("service_token_id", What::Id),
        read_only("enabled", What::Flag),
    ],
    unknown: UnknownKeys::Refused,
};
const INACTIVITY: Shape = Shape {
    name: "ServiceTokenInactivity",
    keys: &[
        optional("enabled", What::Flag),
        optional("inactivity_threshold_days", What::Number),
        optional("action", What::Word(&["disable", "delete"])),
    ],
    unknown: UnknownKeys::Refused,
};
pub(super) const SHAPE: Shape = Shape {
    name: "Organization",
    keys: &[
        optional("name", What::Text),
        optional("auth_domain", What::Text),
        optional("session_duration", What::Text),
        optional("auto_redirect_to_identity", What::Flag),
        optional("strict_service_token_auth", What::Flag),
        optional("service_token_inactivity", What::Object(&INACTIVITY)),
        optional("custom_pages", What::Object(&PAGES)),
        optional("login_design", What::Object(&DESIGN)),
        optional("allow_authenticate_via_warp", What::Any),
        optional("warp_auth_session_duration", What::Any),
        optional("warp_auth_non_browser_401", What::Any),
        optional("is_ui_read_only", What::Any),
        optional("ui_read_only_toggle_reason", What::Any),
        optional("user_seat_expiration_inactive_time", What::Text),
        optional("deny_unmatched_requests", What::Flag),
        optional("deny_unmatched_requests_exempted_zone_names", What::Any),
        optional("mfa_config", What::Any),
        optional("mfa_required_for_all_apps", What::Any),
        optional("mfa_piv_key_requirements", What::Any),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Kept,
};

async fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    Ok(Answer::of(show(&call.latest().await?)))
}

/// There is an organization from the start, so it is not made but described: name and address must be its own.
async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let body = call.object()?;
    for key in ["name", "auth_domain"] {
        if body.get(key).is_none_or(Value::is_null) {
            return Err(ApiError::invalid_at(format!("/{key}"), "it is missing"));
        }
    }
    change(call, body).await
}

async fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    change(call, call.object()?).await
}

/// Changes what is named; null takes a setting away.
async fn change(call: &Call<'_>, body: Map<String, Value>) -> Result<Answer, ApiError> {
    let (taken, messages) = take(call, &SHAPE, body)?;
    let mut changes = taken.body;
    let pages = Pages(call.latest().await?);
    hold_against_file(&call.snapshot.organization, &mut changes, &pages)?;
    if !changes.is_empty() {
        let written = call.api.manage.change_settings(changes, call.actor()).await?;
        call.in_force(&written.position).await;
    }
    Ok(Answer::of(show(&call.api.published.load())).saying(messages))
}

/// Takes out of the changes what the configuration file says, which must be the same.
fn hold_against_file(
    organization: &Organization,
    changes: &mut Map<String, Value>,
    pages: &Pages,
) -> Result<(), ApiError> {
    for (key, own, in_file) in [
        ("name", organization.name.as_str(), "name"),
        ("auth_domain", organization.auth.host().as_str(), "auth_url"),
    ] {
        let Some(written) = changes.shift_remove(key) else {
            continue;
        };
        let written = match written {
            Value::String(written) => written,
            // Terraform sends null for what was there and its configuration does not say.
            Value::Null => return Err(in_the_file(key, in_file)),
            _ => return Err(ApiError::invalid_at(format!("/{key}"), "text is needed")),
        };
        let same = written == own || (key == "auth_domain" && written.eq_ignore_ascii_case(own));
        if !same {
            return Err(in_the_file(key, in_file));
        }
    }
    let settings = organization_settings(&Value::Object(changes.clone()));
    let settings = settings.map_err(|problems| ApiError::problems(&problems))?;
    for key in &organization.in_file {
        if changes.shift_remove(key).is_some() && !says(&settings, key, organization, pages) {
            return Err(in_the_file(key, key));
        }
    }
    Ok(())
}

fn in_the_file(key: &str, in_file: &str) -> ApiError {
    let mut error = ApiError::conflict(format!(
        "{key} is set in the configuration file ({in_file} in [organization]) and is read-only here: change it there"
    ));
    for item in &mut error.errors {
        item.pointer = Some(format!("/{key}"));
    }
    error
}

/// Whether settings say of a key what the organization has.
fn says(settings: &OrganizationSettings, key: &str, organization: &Organization, pages: &Pages) -> bool {
    match key {
        "session_duration" => {
            let written = settings.session_duration.as_ref();
            written.is_some_and(|written| written.length() == organization.session_duration.length())
        }
        "auto_redirect_to_identity" => {
            settings.auto_redirect_to_identity == organization.auto_redirect_to_identity
        }
        "strict_service_token_auth" => {
            settings.strict_service_token_auth == Some(organization.service_tokens.strict)
        }
        "service_token_inactivity" => {
            let written = settings.service_token_inactivity.clone().map(Option::from);
            written.as_ref() == Some(&organization.service_tokens.inactivity)
        }
        "login_design" => settings.login_design.as_ref() == Some(&organization.login_design),
        "user_seat_expiration_inactive_time" => {
            let length = |away: Option<&GoDuration>| away.map(GoDuration::length);
            length(settings.seat_expiration.as_ref()) == length(organization.seat_expiration.as_ref())
        }
        "custom_pages" => settings.custom_pages == Some(pages.by_id(&organization.custom_pages)),
        _ => false,
    }
}

/// Custom pages, which the file may name and the API calls by id.
struct Pages(Arc<Snapshot>);

impl Pages {
    fn by_id(&self, written: &OrganizationPages) -> OrganizationPages {
        let id = |kind: &str, written: &Option<String>| {
            let written = written.as_deref()?;
            let pages = self.0.objects.of_kind(Kind::CustomPage).iter();
            let named = pages.filter(|page| page.name == written || page.id.to_string() == written);
            let mut of_kind =
                named.filter(|page| page.body().get("type").and_then(Value::as_str) == Some(kind));
            of_kind.next().map(|page| page.id.to_string())
        };
        OrganizationPages {
            identity_denied: id("identity_denied", &written.identity_denied),
            forbidden: id("forbidden", &written.forbidden),
        }
    }
}

fn show(snapshot: &Arc<Snapshot>) -> Value {
    let (organization, pages) = (&snapshot.organization, Pages(Arc::clone(snapshot)));
    let document = snapshot.objects.of_kind(Kind::Organization).first();
    let document = document.map(|object| object.document());
    let document = document.as_ref();
    let mut shown = Map::new();
    shown.insert("name".to_owned(), organization.name.as_str().into());
    shown.insert("auth_domain".to_owned(), organization.auth.host().as_str().into());
    let settings = document.and_then(|document| document.body.get(SETTINGS)?.as_object());
    // As they were sent, so that they come back equal.
    shown.extend(settings.cloned().unwrap_or_default());
    for key in &organization.in_file {
        shown.insert(key.clone(), of_file(organization, key, &pages));
    }
    shown
        .entry("auto_redirect_to_identity")
        .or_insert_with(|| false.into());
    if let Some(document) = document {
        shown.insert("created_at".to_owned(), time(document.created_ms).into());
        shown.insert("updated_at".to_owned(), time(document.updated_ms).into());
    }
    Value::Object(shown)
}

/// A setting that the file has.
fn of_file(organization: &Organization, key: &str, pages: &Pages) -> Value {
    match key {
        "session_duration" => organization.session_duration.as_str().into(),
        "auto_redirect_to_identity" => organization.auto_redirect_to_identity.into(),
        "strict_service_token_auth" => organization.service_tokens.strict.into(),
        "service_token_inactivity" => match &organization.service_tokens.inactivity {
            Some(inactivity) => shown_inactivity(inactivity),
            None => json!({ "enabled": false }),
        },
        "login_design" => shown_design(&organization.login_design),
        "user_seat_expiration_inactive_time" => {
            let away = organization.seat_expiration.as_ref();
            away.map(GoDuration::as_str).into()
        }
        "custom_pages" => {
            let pages = pages.by_id(&organization.custom_pages);
            let mut shown = Map::new();
            for (key, id) in [
                ("forbidden", pages.forbidden),
                ("identity_denied", pages.identity_denied),
            ] {
                shown.extend(id.map(|id| (key.to_owned(), Value::from(id))));
            }
            Value::Object(shown)
        }
        _ => Value::Null,
    }
}

fn shown_design(design: &LoginDesign) -> Value {
    let colour = |colour: &Option<Colour>| colour.map(String::from);
    let text = |text: &Option<SlotText>| text.as_ref().map(|text| text.as_str().to_owned());
    let written = [
        ("background_color", colour(&design.background)),
        ("text_color", colour(&design.text)),
        ("logo_path", design.logo.as_ref().map(ToString::to_string)),
        ("header_text", text(&design.header)),
        ("footer_text", text(&design.footer)),
    ];
    let mut shown = Map::new();
    for (key, value) in written {
        shown.extend(value.map(|value| (key.to_owned(), Value::from(value))));
    }
    Value::Object(shown)
}

fn shown_inactivity(inactivity: &Inactivity) -> Value {
    let action = match inactivity.action {
        InactivityAction::Disable => "disable",
        InactivityAction::Delete => "delete",
    };
    json!({ "enabled": true, "inactivity_threshold_days": inactivity.days, "action": action })
}

/// No resolver of ours asks for a token: nothing is set, and nothing can be.
fn doh() -> Answer {
    Answer::of(json!({ "enabled": false }))
}

/// Refuses whatever asks for something.
fn change_doh(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, messages) = take(call, &DOH, call.object()?)?;
    let asking = taken.body.iter().filter(|(_, value)| asks_for_something(value));
    let problems: Vec<Problem> = asking
        .map(|(key, _)| Problem {
            pointer: format!("/{key}"),
            reason: "this gateway resolves no names, so that there is no DNS over HTTPS to set up".to_owned(),
        })
        .collect();
    if problems.is_empty() {
        return Ok(doh().saying(messages));
    }
    Err(ApiError::problems(&problems))
}

const READ: Permission = Permission::read(Area::Organization);
const WRITE: Permission = Permission::write(Area::Organization);
const PATH: &str = "/accounts/{account_id}/access/organizations";
const DOH_PATH: &str = "/accounts/{account_id}/access/organizations/doh";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, PATH),
        READ,
        ("get_organization", "Read the organization"),
        Gives::Object(&SHAPE),
        |call| Box::pin(get(call)),
    ),
    Operation::new(
        (&Method::POST, PATH),
        WRITE,
        ("create_organization", "Describe the organization that there is"),
        Gives::Object(&SHAPE),
        |call| Box::pin(create(call)),
    )
    .taking(&SHAPE)
    .status(StatusCode::CREATED),
    Operation::new(
        (&Method::PUT, PATH),
        WRITE,
        (
            "update_organization",
            "Change settings that the configuration file leaves open",
        ),
        Gives::Object(&SHAPE),
        |call| Box::pin(update(call)),
    )
    .taking(&SHAPE),
    Operation::new(
        (&Method::GET, DOH_PATH),
        READ,
        (
            "get_organization_doh",
            "Read the settings of DNS over HTTPS, of which there are none",
        ),
        Gives::Object(&DOH),
        |_| Box::pin(ready(Ok(doh()))),
    ),
    Operation::new(
        (&Method::PUT, DOH_PATH),
        WRITE,
        (
            "update_organization_doh",
            "Refused: this gateway resolves no names",
        ),
        Gives::Object(&DOH),
        |call| Box::pin(ready(change_doh(call))),
    )
    .taking(&DOH),
];

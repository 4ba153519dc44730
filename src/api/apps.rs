//! Applications: self-hosted ones, and the one of type `app_launcher`, whose policies say who may open the launcher
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/applications/>).

use std::collections::HashSet;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::app_body::{Places, SELF_HOSTED, complete_launcher, keep_type};
use super::app_policies::InApplication;
use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::five::Five;
use super::operation::{Gives, Operation};
use super::page::{Page, Sizes};
use super::policies;
use super::resource::{self, Around, Before, Resource, Shown, name_of};
use super::shape::{Shape, Taken, UnknownKeys, What, optional, read_only};
use crate::crypto::random;
use crate::manage::Draft;
use crate::model::application::LAUNCHER;
use crate::model::destination::Destination;
use crate::model::ids::{AppId, AudTag};
use crate::model::permission::{Area, Permission};
use crate::snapshot::read::{Problem, is_launcher};
use crate::store::{Document, Kind, Object};

const OVERRIDE: Shape = Shape {
    name: "DestinationOverride",
    keys: &[
        optional("behavior", What::Word(&["public"])),
        optional("path_pattern", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};
const DESTINATION: Shape = Shape {
    name: "Destination",
    keys: &[
        optional("type", What::Word(&["public"])),
        optional("uri", What::Text),
        optional("overrides", What::Objects(&OVERRIDE)),
    ],
    unknown: UnknownKeys::Kept,
};
const CORS: Shape = Shape {
    name: "CorsHeaders",
    keys: &[
        optional("allow_all_headers", What::Flag),
        optional("allow_all_methods", What::Flag),
        optional("allow_all_origins", What::Flag),
        optional("allow_credentials", What::Flag),
        optional("allowed_headers", What::Texts),
        optional("allowed_methods", What::Texts),
        optional("allowed_origins", What::Texts),
        optional("max_age", What::Number),
    ],
    unknown: UnknownKeys::Refused,
};

const FOOTER_LINK: Shape = Shape {
    name: "FooterLink",
    keys: &[optional("name", What::Text), optional("url", What::Text)],
    unknown: UnknownKeys::Refused,
};
const LANDING_PAGE: Shape = Shape {
    name: "LandingPageDesign",
    keys: &[
        optional("title", What::Text),
        optional("message", What::Text),
        optional("image_url", What::Text),
        optional("button_color", What::Text),
        optional("button_text_color", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};

pub(super) const SHAPE: Shape = Shape {
    name: "Application",
    keys: &[
        read_only("id", What::Id),
        read_only("uid", What::Id),
        read_only("aud", What::Text),
        // The launcher has a name without being given one.
        optional("name", What::Text),
        // One that says none is self-hosted.
        optional("type", What::Word(&[SELF_HOSTED, LAUNCHER])),
        optional("domain", What::Text),
        read_only("domain_type", What::Text),
        optional("self_hosted_domains", What::Texts),
        optional("destinations", What::Objects(&DESTINATION)),
        optional("session_duration", What::Text),
        optional("allowed_idps", What::Texts),
        optional("auto_redirect_to_identity", What::Flag),
        optional(
            "policies",
            What::ObjectsOrLinks(&policies::IN_APPLICATION, &policies::LINK),
        ),
        optional("app_launcher_visible", What::Flag),
        optional("logo_url", What::Text),
        optional("tags", What::Texts),
        optional("cors_headers", What::Object(&CORS)),
        optional("options_preflight_bypass", What::Flag),
        optional("custom_deny_message", What::Text),
        optional("custom_deny_url", What::Text),
        optional("custom_non_identity_deny_url", What::Text),
        optional("custom_pages", What::Texts),
        optional("allow_iframe", What::Flag),
        optional("skip_interstitial", What::Flag),
        optional("service_auth_401_redirect", What::Flag),
        optional("enable_binding_cookie", What::Flag),
        optional("http_only_cookie_attribute", What::Flag),
        optional(
            "same_site_cookie_attribute",
            What::Word(&["none", "lax", "strict"]),
        ),
        optional("path_cookie_attribute", What::Flag),
        optional("eager_redirect_cookie_setting", What::Flag),
        optional("read_service_tokens_from_header", What::Text),
        optional("unauthenticated_401", What::Flag),
        optional("websocket_origins", What::Texts),
        optional("allow_encoded_slash", What::Flag),
        optional("case_insensitive_paths", What::Flag),
        optional("token_groups", What::Word(&["ids", "names"])),
        optional("token_claims", What::Texts),
        optional("app_launcher_logo_url", What::Text),
        optional("bg_color", What::Text),
        optional("header_bg_color", What::Text),
        optional("footer_links", What::Objects(&FOOTER_LINK)),
        optional("landing_page_design", What::Object(&LANDING_PAGE)),
        optional("skip_app_launcher_login_page", What::Flag),
        optional("allow_authenticate_via_warp", What::Any),
        optional("mfa_config", What::Any),
        optional("oauth_configuration", What::Any),
        optional("scim_config", What::Any),
        read_only("read_only", What::Flag),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Kept,
};

const SETTINGS: Shape = Shape {
    name: "ApplicationSettings",
    keys: &[
        optional("allow_iframe", What::Flag),
        optional("skip_interstitial", What::Flag),
    ],
    unknown: UnknownKeys::Refused,
};

pub(super) struct Apps;

impl Resource for Apps {
    const KIND: Kind = Kind::Application;
    const UNKNOWN: Unknown = Unknown::Application;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 1000,
        most: 1000,
    };
    const PARAM: &'static str = "app_id";

    fn draft(call: &Call<'_>, taken: Taken, before: Option<Before<'_>>) -> Result<Draft, Vec<Problem>> {
        let mut body = taken.body;
        let before = before.map(|before| before.document);
        // An application keeps its audience tag for life.
        let aud = before.and_then(|before| before.body.get("aud")).cloned();
        body.insert(
            "aud".to_owned(),
            aud.unwrap_or_else(|| random::hex_digits::<32>().into()),
        );
        keep_type(&mut body, before.map(|before| &before.body))?;
        // Without policies in it, a change is about the rest: older tools keep policies by calls of their own.
        let written = body
            .get("policies")
            .filter(|policies| !policies.is_null())
            .cloned();
        let held = before.map(InApplication::of).unwrap_or_default();
        let policies = match written {
            Some(Value::Array(items)) => held.replaced_by(items, call.api.clock.now_ms()),
            Some(other) => other,
            None => held.into_value(),
        };
        body.insert("policies".to_owned(), policies);
        if body.get("type").and_then(Value::as_str) == Some(LAUNCHER) {
            complete_launcher(&mut body, call.snapshot.organization.auth.host().as_str())?;
        }
        Ok(Draft {
            name: name_of(&body),
            body: Value::Object(body),
            secrets: std::collections::BTreeMap::new(),
        })
    }

    fn present(around: &Around<'_>, document: &Document) -> Value {
        let policies = InApplication::of(document).shown(around);
        let shown = Shown::begin(&["id", "uid"], document).with("policies", policies);
        if is_launcher(&document.body) {
            return shown
                .with("domain", around.snapshot.organization.auth.host().as_str())
                .or("session_duration", "24h")
                .or("allowed_idps", json!([]))
                // What is not said of going straight on is the organization's to say.
                .timed(document)
                .into_value();
        }
        let places = Places::of(&document.body);
        shown
            .or("type", SELF_HOSTED)
            .or("domain", places.domain)
            .with("domain_type", "public")
            .or("self_hosted_domains", places.domains)
            .or("destinations", places.destinations)
            .or("session_duration", "24h")
            .or("allowed_idps", json!([]))
            .or("tags", json!([]))
            .or("auto_redirect_to_identity", false)
            .or("app_launcher_visible", true)
            .or("http_only_cookie_attribute", true)
            .or("enable_binding_cookie", false)
            .or("options_preflight_bypass", false)
            .timed(document)
            .into_value()
    }

    fn remarks(body: &Value) -> Vec<String> {
        let texts = |key: &str| body.get(key).and_then(Value::as_array).into_iter().flatten();
        let covered: HashSet<Destination> = texts("destinations")
            .filter_map(|destination| parsed(destination.get("uri")?))
            .collect();
        let left_out = |written: &&Value| parsed(written).is_some_and(|domain| !covered.contains(&domain));
        let left_out: Vec<&str> = texts("self_hosted_domains")
            .filter(left_out)
            .filter_map(Value::as_str)
            .collect();
        if covered.is_empty() || left_out.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "/self_hosted_domains: nothing follows from {}: destinations take the place of the whole list",
            left_out.join(", ")
        )]
    }

    /// The reusable policies that it refers to are shown in it.
    fn rests_on(around: &Around<'_>, _: &Object) -> u64 {
        around.snapshot.objects.serial(Kind::Policy)
    }
}

fn parsed(written: &Value) -> Option<Destination> {
    written.as_str()?.parse().ok()
}

/// Lists applications. By address and by audience they are found in memory.
async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let aud = call.query.value("aud");
    let domain = call.query.value("domain");
    let (name, search) = (call.query.value("name"), call.query.value("search"));
    let exact = call.query.flag("exact")?;
    // Where nothing is said, a name is whole and an address is a part.
    let is_part = name.is_some() && exact == Some(false);
    if aud.is_none() && domain.is_none() && !is_part {
        return resource::list::<Apps>(call).await;
    }
    let exact = exact.unwrap_or(false);
    let page = Page::of(&call.query, Apps::SIZES)?;
    let around = call.around().await?;
    let has_aud = |tag: &AudTag| aud.is_none_or(|aud| tag.as_str() == aud);
    let contains = |text: &str, part: &str| text.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
    let is_called = |own: &str| {
        let fits = |name: &str| if is_part { contains(own, name) } else { own == name };
        name.is_none_or(fits) && search.is_none_or(|part| contains(own, part))
    };
    let addressed = domain.map(|domain| around.uses().with_address(&around.snapshot, domain, exact));
    let known = |id: &AppId| around.snapshot.applications.get(id);
    let applications: Vec<_> = match &addressed {
        Some(ids) => ids.iter().filter_map(known).collect(),
        None => around.snapshot.applications.values().collect(),
    };
    let mut ids: Vec<AppId> = applications
        .into_iter()
        .filter(|known| has_aud(&known.app.aud) && is_called(&known.app.name))
        .map(|known| known.app.id)
        .collect();
    ids.sort_unstable();
    let (ids, total) = page.cut(ids);
    let object = |id: &AppId| around.snapshot.objects.get(Kind::Application, id.0);
    let objects: Vec<_> = ids.iter().filter_map(object).collect();
    Ok(around.page_of::<Apps>(page, &objects, total))
}

/// Changes two settings and leaves the rest.
async fn settings(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, messages) = resource::take(call, &SETTINGS, call.object()?)?;
    let sent = taken.body.clone();
    let change = |body: &mut Map<String, Value>| {
        body.extend(taken.body);
        Ok(())
    };
    let written = resource::amend::<Apps>(call, change).await?;
    let of = |key: &str| written.document.body.get(key).cloned().unwrap_or(false.into());
    let mut shown =
        Map::from_iter(["allow_iframe", "skip_interstitial"].map(|key| (key.to_owned(), of(key))));
    shown.retain(|key, _| sent.is_empty() || sent.contains_key(key));
    Ok(Answer::of(shown).saying(messages))
}

/// Ends every token of an application: whoever comes back gets a new one without a new login.
async fn revoke_tokens(call: &Call<'_>) -> Result<Answer, ApiError> {
    let document = resource::stored::<Apps>(call, &call.around().await?)?;
    let aud = document.body.get("aud").and_then(Value::as_str);
    let aud: AudTag = aud
        .and_then(|aud| aud.parse().ok())
        .ok_or_else(|| ApiError::unknown(Unknown::Application))?;
    call.api
        .revoker
        .revoke_tokens_of(&document, &aud, &call.actor())
        .await?;
    tracing::info!(
        request.id = call.request_id, token = call.token.name, app = %document.id,
        "The tokens of an application were revoked through the API"
    );
    Ok(Answer::of(json!({})))
}

const WRITE: Permission = Permission::write(Area::Applications);
const ALL: &str = "/accounts/{account_id}/access/apps";
const ONE: &str = "/accounts/{account_id}/access/apps/{app_id}";
const ITS_SETTINGS: &str = "/accounts/{account_id}/access/apps/{app_id}/settings";
const ITS_TOKENS: &str = "/accounts/{account_id}/access/apps/{app_id}/revoke_tokens";
const ASKED: &[(&str, &str)] = &[
    ("page", "the page, from 1"),
    ("per_page", "items a page"),
    ("name", "the name, or with exact=false a part of it"),
    ("search", "a part of the name"),
    ("aud", "the audience tag"),
    ("domain", "a part of an address, or with exact=true the whole"),
    ("exact", "whether name and domain are whole"),
];

pub(super) const OPERATIONS: &[Operation] = &{
    let [listed, made, read, replaced, deleted] = Five {
        paths: (ALL, ONE),
        area: Area::Applications,
        list: ("list_apps", "List applications"),
        create: ("create_app", "Make an application"),
        get: ("get_app", "Read an application"),
        update: ("update_app", "Replace an application"),
        delete: ("delete_app", "Delete an application"),
    }
    .of::<Apps>();
    [
        listed.by(|call| Box::pin(list(call))).asked(ASKED),
        made,
        read,
        replaced,
        deleted,
        Operation::new(
            (&Method::PUT, ITS_SETTINGS),
            WRITE,
            ("update_app_settings", "Change settings of an application"),
            Gives::Object(&SETTINGS),
            |call| Box::pin(settings(call)),
        )
        .taking(&SETTINGS)
        .status(StatusCode::ACCEPTED),
        Operation::new(
            (&Method::PATCH, ITS_SETTINGS),
            WRITE,
            ("edit_app_settings", "Change settings of an application"),
            Gives::Object(&SETTINGS),
            |call| Box::pin(settings(call)),
        )
        .taking(&SETTINGS)
        .status(StatusCode::ACCEPTED),
        Operation::new(
            (&Method::POST, ITS_TOKENS),
            Permission::revoke(Area::Applications),
            ("revoke_app_tokens", "End every token of an application"),
            Gives::Any,
            |call| Box::pin(revoke_tokens(call)),
        )
        .status(StatusCode::ACCEPTED),
    ]
};

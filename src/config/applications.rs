//! `[[applications]]`: what is protected, and by which policies.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::application_settings;
use super::declared::{Declaration, ObjectKey};
use super::launcher;
use super::names::Names;
use super::policies;
use super::providers::Provider;
use super::rules::Scope;
use super::tree::{Keys, Node, Table};
use crate::model::application::{INTERSTITIAL_STAYS, LAUNCHER, STILL_CHOSEN};
use crate::model::destination::Destination;
use crate::model::ids::AudTag;
use crate::model::service_token::CredentialHeader;
use crate::model::token_duration::TokenDuration;
use crate::model::web_address::WebAddress;

pub(super) const KEYS: Keys = Keys {
    known: &[
        "id",
        "aud",
        "name",
        "type",
        "domain",
        "destinations",
        "self_hosted_domains",
        "session_duration",
        "allowed_idps",
        "auto_redirect_to_identity",
        "policies",
        "http_only_cookie_attribute",
        "same_site_cookie_attribute",
        "path_cookie_attribute",
        "custom_deny_message",
        "unauthenticated_401",
        "websocket_origins",
        "allow_encoded_slash",
        "case_insensitive_paths",
        "app_launcher_visible",
        "logo_url",
        "tags",
        "skip_interstitial",
        "cors_headers",
        "options_preflight_bypass",
        "service_auth_401_redirect",
        "read_service_tokens_from_header",
        "custom_deny_url",
        "custom_non_identity_deny_url",
        "custom_pages",
        "allow_iframe",
        "enable_binding_cookie",
        "eager_redirect_cookie_setting",
        "token_groups",
        "token_claims",
    ],
    refused: &[
        ("scim_config", NOT_YET),
        ("allow_authenticate_via_warp", NOT_YET),
        ("mfa_config", NOT_YET),
        ("oauth_configuration", NOT_YET),
    ],
};
pub(super) const DESTINATION_KEYS: Keys = Keys {
    known: &["type", "uri", "overrides"],
    refused: &[],
};
const NOT_YET: &str = "it is not in this version";
const TYPES: &[(&str, ())] = &[("self_hosted", ()), (LAUNCHER, ())];
const SAME_SITE: &[(&str, ())] = &[("none", ()), ("lax", ()), ("strict", ())];
const TOKEN_GROUPS: &[(&str, ())] = &[("ids", ()), ("names", ())];
const DOMAIN: &str = "write domain = \"wiki.example.com\"";

/// Settings that are true or false and are kept as written.
const SWITCHES: &[&str] = &[
    "auto_redirect_to_identity",
    "http_only_cookie_attribute",
    "path_cookie_attribute",
    "unauthenticated_401",
    "allow_encoded_slash",
    "case_insensitive_paths",
    "app_launcher_visible",
    "skip_interstitial",
    "options_preflight_bypass",
    "service_auth_401_redirect",
    "allow_iframe",
    "enable_binding_cookie",
    "eager_redirect_cookie_setting",
];

/// An application that was read.
pub(super) struct Application<'t> {
    pub(super) declaration: Declaration,
    /// The addresses it covers, each with where it was written.
    pub(super) destinations: Vec<(Destination, Node<'t>)>,
    /// Policies declared inside it.
    pub(super) policies: Vec<Declaration>,
    /// Where it says that it is the launcher, if it does.
    pub(super) launcher: Option<Node<'t>>,
}

pub(super) fn read<'t>(
    node: &Node<'t>,
    scope: &Scope<'_>,
    names: &mut Names,
    policy_names: &mut Names,
) -> Option<Application<'t>> {
    if launcher::is_launcher(node) {
        return launcher::read(node, scope, names, policy_names);
    }
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"Wiki\"")
        .and_then(|node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let destinations = destinations(&table);
    let settings = settings(&table);
    let providers = references(&table, "allowed_idps", scope.providers);
    if let (Some(_), Some(allowed)) = (&settings, &providers) {
        check_choice(&table, scope, allowed);
        check_sources(&table, scope, allowed);
    }
    let pages = references(&table, "custom_pages", scope.pages);
    // Policies inside are named after the application; without a name their other faults are told all the same.
    let policies = policies(&table, name.unwrap_or_default(), scope, policy_names);

    let (name, destinations) = (name?, destinations?);
    let (mut body, policies) = (settings?, policies?);
    let uris: Vec<String> = destinations
        .iter()
        .map(|written| written.address.to_string())
        .collect();
    let entries = destinations.iter().map(Written::entry).collect();
    body.insert("name".to_owned(), name.into());
    body.insert("type".to_owned(), "self_hosted".into());
    body.insert(
        "domain".to_owned(),
        uris.first().map_or(Value::Null, |uri| uri.as_str().into()),
    );
    body.insert("destinations".to_owned(), Value::Array(entries));
    body.insert("self_hosted_domains".to_owned(), uris.into());
    let references = refer(&mut body, providers?, pages?, policies.links);
    let declaration = Declaration {
        key: key?,
        name: name.to_owned(),
        body: body.into(),
        secrets: BTreeMap::new(),
        references,
        line: node.line(),
    };
    let destinations = destinations
        .into_iter()
        .map(|written| (written.address, written.node))
        .collect();
    Some(Application {
        declaration,
        destinations,
        policies: policies.inside,
        launcher: None,
    })
}

/// Puts what an application refers to into the body.
pub(super) fn refer(
    body: &mut Map<String, Value>,
    providers: Vec<ObjectKey>,
    pages: Vec<ObjectKey>,
    policies: Vec<ObjectKey>,
) -> Vec<(String, ObjectKey)> {
    let mut references = fill(body, "allowed_idps", providers, |_| (Value::Null, ""));
    if !pages.is_empty() {
        references.extend(fill(body, "custom_pages", pages, |_| (Value::Null, "")));
    }
    references.extend(fill(body, "policies", policies, |index| {
        (json!({ "id": null, "precedence": index + 1 }), "/id")
    }));
    references
}

/// Puts a list of references into the body. `entry` gives what stands for one, and where in it its id goes.
fn fill(
    body: &mut Map<String, Value>,
    list: &str,
    targets: Vec<ObjectKey>,
    entry: impl Fn(usize) -> (Value, &'static str),
) -> Vec<(String, ObjectKey)> {
    let entries = (0..targets.len()).map(|index| entry(index).0).collect();
    body.insert(list.to_owned(), Value::Array(entries));
    let place = |index| format!("/{list}/{index}{}", entry(index).1);
    targets
        .into_iter()
        .enumerate()
        .map(|(index, target)| (place(index), target))
        .collect()
}

/// An address that an application covers.
struct Written<'t> {
    address: Destination,
    node: Node<'t>,
    /// What of it is public.
    overrides: Option<Value>,
}

impl Written<'_> {
    /// As the API has it.
    fn entry(&self) -> Value {
        let mut entry = json!({ "type": "public", "uri": self.address.to_string() });
        if let (Some(entry), Some(overrides)) = (entry.as_object_mut(), &self.overrides) {
            entry.insert("overrides".to_owned(), overrides.clone());
        }
        entry
    }
}

/// The addresses, the primary first. `domain` alone means itself; with a list it must be one of them (Access).
fn destinations<'t>(table: &Table<'t>) -> Option<Vec<Written<'t>>> {
    let domain = table.node("domain").map(|node| destination(&node));
    let list = match (table.node("destinations"), table.node("self_hosted_domains")) {
        (Some(_), Some(second)) => {
            second.fault("the addresses are listed twice", "keep destinations alone");
            return None;
        }
        (one, other) => one.or(other),
    };
    let Some(list) = list else {
        table.need("domain", DOMAIN)?;
        return domain?.map(|primary| vec![primary]);
    };
    let entries: Vec<_> = list.array()?.iter().map(entry).collect();
    let mut entries = entries.into_iter().collect::<Option<Vec<_>>>()?;
    if let Some(domain) = domain {
        let primary = domain?;
        let Some(index) = entries
            .iter()
            .position(|listed| listed.address == primary.address)
        else {
            primary.node.fault(
                "domain is not among the destinations",
                "add it there, or leave it out",
            );
            return None;
        };
        entries.swap(0, index);
    }
    if entries.is_empty() {
        list.fault("the application covers no address", DOMAIN);
        return None;
    }
    Some(entries)
}

fn entry<'t>(node: &Node<'t>) -> Option<Written<'t>> {
    if !node.is_table() {
        return destination(node);
    }
    let table = node.table(&DESTINATION_KEYS)?;
    if let Some(kind) = table.node("type")
        && kind.text()? != "public"
    {
        kind.fault("only public destinations are served", "write type = \"public\"");
        return None;
    }
    let mut written = destination(&table.need("uri", "write uri = \"wiki.example.com/docs\"")?)?;
    if let Some(node) = table.node("overrides") {
        written.overrides = Some(application_settings::overrides(&node, &written.address)?);
    }
    Some(written)
}

fn destination<'t>(node: &Node<'t>) -> Option<Written<'t>> {
    let address = node.parsed("write wiki.example.com, wiki.example.com/docs or *.example.com")?;
    Some(Written {
        address,
        node: node.clone(),
        overrides: None,
    })
}

/// Settings that an application and the launcher have in common.
pub(super) fn common_settings(table: &Table<'_>) -> Vec<(&'static str, Option<Value>)> {
    let mut read: Vec<(&str, Option<Value>)> = Vec::new();
    let mut option = |key: &'static str, value: &dyn Fn(&Node<'_>) -> Option<Value>| {
        if let Some(node) = table.node(key) {
            read.push((key, value(&node)));
        }
    };
    option("aud", &|node| {
        let aud: AudTag = node.parsed("leave it out: one is generated and kept")?;
        Some(String::from(aud).into())
    });
    option("session_duration", &token_duration);
    option("custom_deny_message", &|node| node.text().map(Value::from));
    for key in ["custom_deny_url", "custom_non_identity_deny_url"] {
        option(key, &|node| {
            let address: WebAddress = node.parsed("write https://www.example.com/refused")?;
            Some(address.as_str().into())
        });
    }
    read
}

/// How long tokens live, by an application or a policy.
pub(super) fn token_duration(node: &Node<'_>) -> Option<Value> {
    let duration: TokenDuration = node.parsed("write a duration of up to 744h, such as 30m or 24h")?;
    if let Some(warning) = duration.warning() {
        node.warn(warning, "write 0, or a duration of 1m to 720h");
    }
    Some(duration.0.as_str().into())
}

fn settings(table: &Table<'_>) -> Option<Map<String, Value>> {
    let mut read = common_settings(table);
    let mut option = |key: &'static str, value: &dyn Fn(&Node<'_>) -> Option<Value>| {
        if let Some(node) = table.node(key) {
            read.push((key, value(&node)));
        }
    };
    option("type", &|node| node.one_of(TYPES).map(|()| "self_hosted".into()));
    option("same_site_cookie_attribute", &|node| {
        node.one_of(SAME_SITE)?;
        node.text().map(Value::from)
    });
    option("websocket_origins", &|node| {
        let nodes = node.array()?;
        let origins: Vec<_> = nodes.iter().map(application_settings::origin).collect();
        origins.into_iter().collect::<Option<Vec<_>>>().map(Value::from)
    });
    option("read_service_tokens_from_header", &|node| {
        let header: CredentialHeader = node.parsed("write \"X-Service-Token\" or \"Authorization\"")?;
        Some(header.as_str().into())
    });
    option("logo_url", &|node| {
        let logo: WebAddress = node.parsed("write https://www.example.com/logo.png")?;
        Some(logo.as_str().into())
    });
    option("token_groups", &|node| {
        node.one_of(TOKEN_GROUPS)?;
        node.text().map(Value::from)
    });
    option("token_claims", &application_settings::token_claims);
    option("tags", &application_settings::tags);
    option("cors_headers", &application_settings::cors);
    if let Some(bypass) = table.node("options_preflight_bypass")
        && table.node("cors_headers").is_some()
        && bypass.boolean() == Some(true)
    {
        bypass.fault(
            "it cannot stand with cors_headers: one of the two answers a preflight",
            "keep one of the two",
        );
    }
    for key in SWITCHES {
        option(key, &|node| {
            let on = node.boolean()?;
            if on && *key == "skip_interstitial" {
                node.warn(INTERSTITIAL_STAYS, "leave it out");
            }
            Some(on.into())
        });
    }
    read.into_iter()
        .map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

/// Warns where people are to be sent straight to one provider, and there are several. `allowed` is empty where all are.
pub(super) fn check_choice(table: &Table<'_>, scope: &Scope<'_>, allowed: &[ObjectKey]) {
    let Some(node) = table.node("auto_redirect_to_identity") else {
        return;
    };
    let first = allowed.first();
    let several = match first {
        None => scope.known.len() > 1,
        Some(_) => allowed.iter().any(|other| Some(other) != first),
    };
    if several && node.boolean() == Some(true) {
        node.warn(STILL_CHOSEN, "name one provider in allowed_idps, or leave it out");
    }
}

/// Warns of what tokens are to hold and no provider of the application tells. `allowed` is empty where all are.
fn check_sources(table: &Table<'_>, scope: &Scope<'_>, allowed: &[ObjectKey]) {
    let providers: Vec<&Provider> = scope
        .known
        .iter()
        .filter(|known| allowed.is_empty() || allowed.contains(&known.declaration.key))
        .collect();
    if providers.is_empty() {
        return;
    }
    if let Some(node) = table.node("token_groups")
        && !providers.iter().any(|provider| provider.groups)
    {
        node.warn(
            "no provider of this application reads groups, so that tokens hold none",
            "write support_groups = true in a provider's config",
        );
    }
    for node in table.list("token_claims") {
        let Some(claim) = node.as_text() else { continue };
        if !providers.iter().any(|provider| provider.copies(claim)) {
            node.warn(
                format!("no provider of this application copies the claim {claim}, so that tokens lack it"),
                format!("write claims = [\"{claim}\"] in a provider's config"),
            );
        }
    }
}

/// Objects that are referred to, by name or id.
pub(super) fn references(table: &Table<'_>, key: &str, names: &Names) -> Option<Vec<ObjectKey>> {
    let Some(node) = table.node(key) else {
        return Some(Vec::new());
    };
    let found: Vec<_> = node
        .array()?
        .iter()
        .map(|reference| names.find(reference))
        .collect();
    found.into_iter().collect()
}

/// The policies of one application.
pub(super) struct Policies {
    pub(super) links: Vec<ObjectKey>,
    pub(super) inside: Vec<Declaration>,
}

pub(super) fn policies(
    table: &Table<'_>,
    application: &str,
    scope: &Scope<'_>,
    shared: &mut Names,
) -> Option<Policies> {
    let node = table.node("policies");
    let entries = match &node {
        Some(node) => node.array()?,
        None => Vec::new(),
    };
    if entries.is_empty() {
        let told = node.or_else(|| table.node("name"));
        if let Some(told) = told {
            told.warn(
                "an application without policies refuses everybody",
                "write policies = [{ name = \"staff\", decision = \"allow\", include = […] }]",
            );
        }
    }
    let mut names = policies::names();
    let mut complete = true;
    let mut policies = Policies {
        links: Vec::new(),
        inside: Vec::new(),
    };
    for entry in &entries {
        let key = if entry.is_table() {
            policies::read_inside(entry, application, scope, &mut names).map(|policy| {
                let key = policy.key.clone();
                shared.enter_nameless(entry, &key);
                policies.inside.push(policy);
                key
            })
        } else {
            shared.find(entry)
        };
        match key {
            Some(key) if policies.links.contains(&key) => {
                entry.fault("this policy stands here twice", "keep one of the two");
                complete = false;
            }
            Some(key) => policies.links.push(key),
            None => complete = false,
        }
    }
    complete.then_some(policies)
}

//! Rules of policies and access groups, written as in the API, with names in place of ids.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::declared::ObjectKey;
use super::groups::Asking;
use super::lists::DeclaredList;
use super::names::Names;
use super::providers::Provider;
use super::suggest::closest;
use super::tree::{Keys, Node, Table};
use crate::model::address::AddressRange;
use crate::model::country::AssignedCountry;
use crate::model::email::{EmailAddress, EmailDomain};
use crate::model::evaluator::ExternalEvaluator;
use crate::model::selector::{
    DirectoryGroup, GROUP_LINKS_APP, LINKED_APP_TOKEN_MISPLACED, Selector, Unevaluated,
};
use crate::model::unanswered;

/// What rules may refer to.
pub(super) struct Scope<'s> {
    pub(super) providers: &'s Names,
    pub(super) pages: &'s Names,
    pub(super) known: &'s [Provider],
    pub(super) lists: &'s Names,
    pub(super) known_lists: &'s [DeclaredList],
    pub(super) service_tokens: &'s Names,
    pub(super) groups: &'s Names,
    /// Access groups that have no place in every policy.
    pub(super) asking: &'s Asking,
    /// Selectors that are taken although they are never evaluated.
    pub(super) accepted: &'s BTreeSet<Unevaluated>,
}

impl Scope<'_> {
    /// How many entries a list has; `None` where the file does not declare it.
    pub(super) fn list_size(&self, key: &ObjectKey) -> Option<u64> {
        let list = self
            .known_lists
            .iter()
            .find(|list| list.declaration.key == *key)?;
        let items = list.declaration.body.get("items").and_then(Value::as_array);
        u64::try_from(items.map_or(0, Vec::len)).ok()
    }
}

/// Where rules stand, and so which of them have a place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In an access group, which policies of any decision may refer to, or in a policy whose decision is not known.
    Anywhere,
    /// In a policy about people who signed in.
    AmongPeople,
    /// In a policy about requests alone; and why rules about persons have no place there.
    AmongRequests(&'static str),
}

/// The rules of one policy or access group as far as they have been read.
pub(super) struct Rules<'s> {
    scope: &'s Scope<'s>,
    place: Place,
    pub(super) body: Map<String, Value>,
    pub(super) references: Vec<(String, ObjectKey)>,
    /// Whether some rule asks who somebody is; of access groups inside see [`Rules::references`].
    pub(super) asks_identity: bool,
    /// Whether one of them asks for the token of another application, those of groups aside.
    pub(super) links_app: bool,
    pub(super) complete: bool,
}

impl<'s> Rules<'s> {
    /// Reads Include, Require and Exclude.
    pub(super) fn of(table: &Table<'_>, scope: &'s Scope<'s>, place: Place) -> Self {
        let include = table.need(
            "include",
            "write include = [{ everyone = {} }] or who else may come",
        );
        if let Some(node) = &include
            && node.array().is_some_and(|rules| rules.is_empty())
        {
            node.fault("nobody is included", "write at least one rule");
        }
        let mut rules = Self {
            scope,
            place,
            body: Map::new(),
            references: Vec::new(),
            asks_identity: false,
            links_app: false,
            complete: include.is_some(),
        };
        for list in ["include", "require", "exclude"] {
            if let Some(node) = table.node(list) {
                rules.list(list, &node);
            }
        }
        rules
    }

    fn list(&mut self, list: &str, node: &Node<'_>) {
        let Some(nodes) = node.array() else {
            self.complete = false;
            return;
        };
        let mut rules = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            match self.rule(node, &format!("/{list}/{index}")) {
                Some(rule) => rules.push(rule),
                None => self.complete = false,
            }
        }
        self.body.insert(list.to_owned(), rules.into());
    }

    fn rule(&mut self, node: &Node<'_>, pointer: &str) -> Option<Value> {
        let entries = node.any_table()?.nodes();
        let [(selector, inner)] = entries.as_slice() else {
            node.fault(
                format!("a rule has one selector, not {}", entries.len()),
                "write each rule in its own braces: { email = { email = \"ada@example.com\" } }",
            );
            return None;
        };
        let references = self.references.len();
        let body = self.selector(selector, inner, &format!("{pointer}/{selector}"))?;
        let through = |groups: &[ObjectKey]| {
            let mut referred = self.references.iter().skip(references);
            referred.any(|(_, key)| groups.contains(key))
        };
        let through_group = through(&self.scope.asking.identity);
        let links_through_group = through(&self.scope.asking.linked_app);
        let links = *selector == Unevaluated::LinkedAppToken.as_str();
        let asks =
            IDENTITY_SELECTORS.contains(selector) || selector.parse().is_ok_and(Unevaluated::asks_identity);
        self.asks_identity |= asks;
        self.links_app |= links;
        match self.place {
            Place::AmongRequests(reason) if asks || through_group => {
                inner.fault(
                    reason,
                    "write { everyone = {} }, { ip = … } or { service_token = … }, or decision = \"allow\"",
                );
                return None;
            }
            Place::AmongPeople if links => {
                inner.fault(LINKED_APP_TOKEN_MISPLACED, "leave it out");
                return None;
            }
            Place::AmongPeople if links_through_group => {
                inner.fault(GROUP_LINKS_APP, "leave it out, or that rule of the group");
                return None;
            }
            _ => {}
        }
        Some(json!({ *selector: body }))
    }

    fn selector(&mut self, selector: &str, node: &Node<'_>, pointer: &str) -> Option<Value> {
        match selector {
            "everyone" | "any_valid_service_token" | "certificate" => {
                node.table(&keys(&[]))?;
                Some(json!({}))
            }
            "email" => parsed::<EmailAddress>(node, EMAIL, "ada@example.com"),
            "email_domain" => parsed::<EmailDomain>(node, DOMAIN, "example.com"),
            "ip" => parsed::<AddressRange>(node, IP, "198.51.100.0/24"),
            "geo" => parsed::<AssignedCountry>(node, COUNTRY, "SE"),
            "auth_method" => compared(node, METHOD, "mfa"),
            "common_name" => compared(node, COMMON_NAME, "client.example.com"),
            "external_evaluation" => external_evaluation(node),
            "email_list" => self.address_list(node, pointer, "EMAIL"),
            "ip_list" => self.address_list(node, pointer, "IP"),
            "group" => self.named(node, pointer, "id", self.scope.groups),
            "login_method" => self.named(node, pointer, "id", self.scope.providers),
            "service_token" => self.named(node, pointer, "token_id", self.scope.service_tokens),
            "azureAD" => self.directory_group(node, pointer),
            "auth_context" => self.auth_context(node, pointer),
            "oidc" => self.claim(node, pointer),
            other => self.other(other, node),
        }
    }

    /// `{ id = … }`, by name or by id.
    fn named(&mut self, node: &Node<'_>, pointer: &str, key: &'static str, names: &Names) -> Option<Value> {
        let table = node.table(match key {
            "token_id" => &TOKEN,
            _ => &ID,
        })?;
        let target = names.find(&table.need(key, &format!("write {{ {key} = \"its name or id\" }}"))?)?;
        self.references.push((format!("{pointer}/{key}"), target));
        Some(json!({ key: null }))
    }

    fn address_list(&mut self, node: &Node<'_>, pointer: &str, kind: &str) -> Option<Value> {
        let body = self.named(node, pointer, "id", self.scope.lists)?;
        let list = self.references.last().map(|(_, key)| key)?;
        let other = self
            .scope
            .known_lists
            .iter()
            .find(|known| known.declaration.key == *list && known.kind != kind);
        if let Some(other) = other {
            node.fault(
                format!("this list is of type {}", other.kind),
                format!("name a list of type {kind}"),
            );
            return None;
        }
        Some(body)
    }

    /// The provider that a rule is about: by name, by id, or the only one.
    fn provider(&mut self, node: &Node<'_>, table: &Table<'_>, pointer: &str) -> Option<ObjectKey> {
        let provider = match (
            table.node("identity_provider"),
            table.node("identity_provider_id"),
        ) {
            (Some(_), Some(second)) => {
                second.fault("the provider is named twice", "keep one of the two");
                None
            }
            (Some(reference), None) | (None, Some(reference)) => self.scope.providers.find(&reference),
            (None, None) => self.scope.providers.only(node, "identity_provider"),
        }?;
        let place = format!("{pointer}/identity_provider_id");
        self.references.push((place, provider.clone()));
        Some(provider)
    }

    /// What the file says of a provider.
    fn known(&self, key: &ObjectKey) -> Option<&'s Provider> {
        let known: &'s [Provider] = self.scope.known;
        known.iter().find(|provider| provider.declaration.key == *key)
    }

    fn directory_group(&mut self, node: &Node<'_>, pointer: &str) -> Option<Value> {
        const GROUP: Keys = keys(&["id", "identity_provider", "identity_provider_id"]);
        let table = node.table(&GROUP)?;
        let mend = "write the Object ID of the group in Entra";
        let id = table.need("id", mend).and_then(|node| {
            let id: DirectoryGroup = node.parsed(mend)?;
            if let DirectoryGroup::Name(name) = &id {
                node.warn(
                    format!("\"{name}\" is the name of a group, and whoever may create groups may take it"),
                    "write the Object ID of the group in Entra, which is one group's for ever",
                );
            }
            node.text()
        });
        let provider = self.provider(node, &table, pointer);
        let (id, provider) = (id?, provider?);
        if self.known(&provider).is_some_and(|known| !known.groups) {
            node.warn(
                unanswered::no_groups(),
                "write support_groups = true in the provider's config",
            );
        }
        Some(json!({ "id": id, "identity_provider_id": null }))
    }

    fn auth_context(&mut self, node: &Node<'_>, pointer: &str) -> Option<Value> {
        const CONTEXT: Keys = keys(&["id", "ac_id", "identity_provider", "identity_provider_id"]);
        let table = node.table(&CONTEXT)?;
        let context = table.need("ac_id", "write ac_id = \"c1\"").and_then(|node| {
            let text = node.text()?;
            let fine = Selector::is_auth_context(text);
            if !fine {
                node.fault(
                    format!("\"{text}\" is no authentication context"),
                    "write its id, c1 to c99",
                );
            }
            fine.then_some(text)
        });
        let provider = self.provider(node, &table, pointer);
        let (context, provider) = (context?, provider?);
        if self
            .known(&provider)
            .is_some_and(|known| !known.is_on("conditional_access_enabled"))
        {
            node.warn(
                unanswered::no_contexts(),
                "write conditional_access_enabled = true in the provider's config",
            );
        }
        let mut body = json!({ "ac_id": context, "identity_provider_id": null });
        if let (Some(id), Value::Object(body)) = (table.node("id"), &mut body) {
            body.insert("id".to_owned(), id.text()?.into());
        }
        Some(body)
    }

    fn claim(&mut self, node: &Node<'_>, pointer: &str) -> Option<Value> {
        const CLAIM: Keys = keys(&[
            "claim_name",
            "claim_value",
            "identity_provider",
            "identity_provider_id",
        ]);
        let table = node.table(&CLAIM)?;
        let word = |key: &str| {
            let mend = format!("write {key} = \"…\"");
            table.need(key, &mend)?.compared(&mend)
        };
        let (name, value) = (word("claim_name"), word("claim_value"));
        let provider = self.provider(node, &table, pointer);
        let (name, value, provider) = (name?, value?, provider?);
        if self.known(&provider).is_some_and(|known| !known.copies(name)) {
            node.warn(
                unanswered::no_claim(name),
                format!("write claims = [\"{name}\"] in the provider's config"),
            );
        }
        Some(json!({ "claim_name": name, "claim_value": value, "identity_provider_id": null }))
    }

    /// A selector that is never evaluated, or no selector at all.
    fn other(&self, selector: &str, node: &Node<'_>) -> Option<Value> {
        let Ok(unevaluated) = selector.parse::<Unevaluated>() else {
            let mend = match closest(selector, Selector::EVALUATED.iter().copied()) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("use {}", Selector::EVALUATED.join(", ")),
            };
            node.fault(format!("there is no selector {selector}"), mend);
            return None;
        };
        let take = format!("accept_unevaluated_selectors = [\"{selector}\"] in [organization]");
        if !self.scope.accepted.contains(&unevaluated) {
            node.fault(
                format!("this version does not evaluate {selector}"),
                format!("leave it out, or keep such rules as unknown with {take}"),
            );
            return None;
        }
        node.any_table()?;
        let settings = node.json();
        if let Some((_, reason)) = unevaluated.refusal(&settings) {
            node.fault(reason, format!("correct {selector}, or leave the rule out"));
            return None;
        }
        node.warn(
            unevaluated.warning(),
            "leave the rule out unless it is kept for another gateway",
        );
        Some(settings)
    }
}

/// Selectors that ask who somebody is, besides those that are never evaluated.
const IDENTITY_SELECTORS: &[&str] = &[
    "email",
    "email_domain",
    "email_list",
    "azureAD",
    "auth_context",
    "auth_method",
    "login_method",
    "oidc",
    "external_evaluation",
];

const ID: Keys = keys(&["id"]);
const TOKEN: Keys = keys(&["token_id"]);
/// Selectors of one text: the selector's name and the key of its text.
type OneText = (&'static str, &'static str, Keys);
const EMAIL: OneText = ("email", "email", keys(&["email"]));
const DOMAIN: OneText = ("email_domain", "domain", keys(&["domain"]));
const IP: OneText = ("ip", "ip", keys(&["ip"]));
const COUNTRY: OneText = ("geo", "country_code", keys(&["country_code"]));
const METHOD: OneText = ("auth_method", "auth_method", keys(&["auth_method"]));
const COMMON_NAME: OneText = ("common_name", "common_name", keys(&["common_name"]));

const fn keys(known: &'static [&'static str]) -> Keys {
    Keys { known, refused: &[] }
}

/// A selector whose only setting is a text that is something.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    node: &Node<'_>,
    (selector, key, keys): OneText,
    example: &str,
) -> Option<Value> {
    let mend = format!("write {{ {selector} = {{ {key} = \"{example}\" }} }}");
    let node = node.table(&keys)?.need(key, &mend)?;
    node.parsed::<T>(&mend)?;
    Some(json!({ key: node.text()? }))
}

/// A selector whose only setting is a text that is compared with another.
fn compared(node: &Node<'_>, (selector, key, keys): OneText, example: &str) -> Option<Value> {
    let mend = format!("write {{ {selector} = {{ {key} = \"{example}\" }} }}");
    let node = node.table(&keys)?.need(key, &mend)?;
    Some(json!({ key: node.compared(&mend)? }))
}

fn external_evaluation(node: &Node<'_>) -> Option<Value> {
    const EVALUATION: Keys = keys(&["evaluate_url", "keys_url"]);
    let table = node.table(&EVALUATION)?;
    let address = |key: &str| {
        let mend = "write an https address without user name and fragment";
        let node = table.need(key, mend)?;
        let text = node.text()?;
        let fine = ExternalEvaluator::may_be_at(text);
        if !fine {
            node.fault(format!("\"{text}\" cannot be asked"), mend);
        }
        fine.then_some(text)
    };
    let (evaluate, keys) = (address("evaluate_url"), address("keys_url"));
    Some(json!({ "evaluate_url": evaluate?, "keys_url": keys? }))
}

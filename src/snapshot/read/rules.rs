//! Rules of policies and access groups.

use serde_json::Value;

use crate::model::country::AssignedCountry;
use crate::model::evaluator::ExternalEvaluator;
use crate::model::policy::Decision;
use crate::model::selector::{LINKED_APP_TOKEN_MISPLACED, Selector, Unevaluated};

use super::object::Object;

/// Rules in one list. Access takes 1,000 for an application; ten times that is still read and decided at once.
pub(super) const MAX_RULES: usize = 10_000;
/// Text in a rule: the longest that means something is a claim's value or an address of an external evaluation.
const MAX_TEXT: usize = 2_048;

/// Reads one list of rules. `decision` is that of the policy they stand in; `None` in an access group.
pub(super) fn rules(object: &Object<'_>, list: &str, decision: Option<Decision>) -> Vec<Selector> {
    let items = object.items(list);
    if items.len() > MAX_RULES {
        object.problem(list, format!("at most {MAX_RULES} rules are taken"));
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(items.len());
    for (pointer, item) in items {
        let Some(rule) = rule(object, &pointer, item) else {
            continue;
        };
        match decision.and_then(|decision| misplaced(&rule, decision)) {
            Some(reason) => object.problem_at(pointer, reason),
            None => rules.push(rule),
        }
    }
    rules
}

/// Reads Include, which must not be empty.
pub(super) fn include(object: &Object<'_>, decision: Option<Decision>) -> Vec<Selector> {
    let empty = Value::Array(Vec::new());
    if object.need("include").is_some_and(|list| *list == empty) {
        object.problem("include", "at least one rule is needed");
    }
    rules(object, "include", decision)
}

/// Why a rule has no place in a policy of this decision.
fn misplaced(rule: &Selector, decision: Decision) -> Option<&'static str> {
    match decision {
        Decision::Bypass if rule.asks_identity() => {
            Some("bypass is decided without knowing who asks; use everyone or ip, or the decision allow")
        }
        Decision::NonIdentity if rule.asks_identity() => Some(
            "Service Auth is decided without knowing who asks; use service_token, certificate or ip, or the decision \
             allow",
        ),
        Decision::Allow | Decision::Deny if rule.links_app() => Some(LINKED_APP_TOKEN_MISPLACED),
        _ => None,
    }
}

fn rule(object: &Object<'_>, pointer: &str, item: &Value) -> Option<Selector> {
    let Value::Object(map) = item else {
        object.problem_at(pointer, "an object with one selector is needed");
        return None;
    };
    let mut keys = map.iter();
    let (Some((name, settings)), None) = (keys.next(), keys.next()) else {
        object.problem_at(
            pointer,
            format!("a rule has exactly one selector, not {}", map.len()),
        );
        return None;
    };
    let place = format!("{pointer}/{name}");
    let known = Selector::EVALUATED.contains(&name.as_str()) || name.parse::<Unevaluated>().is_ok();
    if !known {
        object.problem_at(place, format!("there is no selector {name}"));
        return None;
    }
    let read = object.below(settings, &place)?;
    if let Some(known) = keys_of(name)
        && !read.has_only(known)
    {
        return None;
    }
    let unevaluated: Option<Unevaluated> = name.parse().ok();
    if let Some((below, reason)) = unevaluated.and_then(|selector| selector.refusal(settings)) {
        object.problem_at(format!("{place}{below}"), reason);
        return None;
    }
    selector(name, &read, settings)
}

/// The keys of a selector: another one would have been meant to narrow the rule. `None` for selectors that are not
/// evaluated.
fn keys_of(selector: &str) -> Option<&'static [&'static str]> {
    Some(match selector {
        "everyone" | "any_valid_service_token" | "certificate" => &[],
        "email" => &["email"],
        "email_domain" => &["domain"],
        "email_list" | "ip_list" | "group" | "login_method" => &["id"],
        "azureAD" => &["id", "identity_provider_id"],
        // Access has an id of its own for each context besides.
        "auth_context" => &["id", "ac_id", "identity_provider_id"],
        "auth_method" => &["auth_method"],
        "oidc" => &["claim_name", "claim_value", "identity_provider_id"],
        "external_evaluation" => &["evaluate_url", "keys_url"],
        "ip" => &["ip"],
        "geo" => &["country_code"],
        "service_token" => &["token_id"],
        "common_name" => &["common_name"],
        _ => return None,
    })
}

fn selector(name: &str, settings: &Object<'_>, written: &Value) -> Option<Selector> {
    Some(match name {
        "everyone" => Selector::Everyone,
        "email" => Selector::Email {
            email: settings.needed("email")?,
        },
        "email_domain" => Selector::EmailDomain {
            domain: settings.needed("domain")?,
        },
        "email_list" => Selector::EmailList {
            id: settings.needed("id")?,
        },
        "azureAD" => {
            let (id, provider) = (settings.needed("id"), settings.needed("identity_provider_id"));
            Selector::AzureAd {
                id: id?,
                identity_provider_id: provider?,
            }
        }
        "auth_context" => {
            let (context, provider) = (context(settings), settings.needed("identity_provider_id"));
            Selector::AuthContext {
                ac_id: context?,
                identity_provider_id: provider?,
            }
        }
        "auth_method" => Selector::AuthMethod {
            auth_method: text(settings, "auth_method")?,
        },
        "login_method" => Selector::LoginMethod {
            id: settings.needed("id")?,
        },
        "oidc" => {
            let (name, value) = (text(settings, "claim_name"), text(settings, "claim_value"));
            let provider = settings.needed("identity_provider_id");
            Selector::Oidc {
                claim_name: name?,
                claim_value: value?,
                identity_provider_id: provider?,
            }
        }
        "external_evaluation" => {
            let (evaluate, keys) = (address(settings, "evaluate_url"), address(settings, "keys_url"));
            Selector::ExternalEvaluation {
                evaluate_url: evaluate?,
                keys_url: keys?,
            }
        }
        "group" => Selector::Group {
            id: settings.needed("id")?,
        },
        "ip" => Selector::Ip {
            ip: settings.needed("ip")?,
        },
        "ip_list" => Selector::IpList {
            id: settings.needed("id")?,
        },
        "geo" => Selector::Geo {
            country_code: settings.needed::<AssignedCountry>("country_code")?.0,
        },
        "service_token" => Selector::ServiceToken {
            token_id: settings.needed("token_id")?,
        },
        "any_valid_service_token" => Selector::AnyValidServiceToken,
        "certificate" => Selector::Certificate,
        "common_name" => Selector::CommonName {
            common_name: text(settings, "common_name")?,
        },
        other => Selector::Unevaluated {
            selector: other.parse().ok()?,
            settings: written.clone(),
        },
    })
}

fn text(settings: &Object<'_>, key: &str) -> Option<String> {
    let text = settings.needed_text(key)?;
    if text.len() > MAX_TEXT {
        settings.problem(key, format!("at most {MAX_TEXT} bytes are taken"));
        return None;
    }
    Some(text.to_owned())
}

fn context(settings: &Object<'_>) -> Option<String> {
    let text = settings.needed_text("ac_id")?;
    if !Selector::is_auth_context(text) {
        settings.problem("ac_id", "an authentication context is needed, c1 to c99");
        return None;
    }
    Some(text.to_owned())
}

fn address(settings: &Object<'_>, key: &str) -> Option<String> {
    let text = text(settings, key)?;
    if !ExternalEvaluator::may_be_at(&text) {
        settings.problem(key, "an https address without user name and fragment is needed");
        return None;
    }
    Some(text)
}

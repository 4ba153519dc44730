//! Why a rule is unknown, in words for the operator.

use crate::model::identity::{Groups, Identity};
use crate::model::selector::{DirectoryGroup, Selector};

/// Why a rule that is unknown is so.
pub(super) fn uncertainty(rule: &Selector, identity: Option<&Identity>) -> String {
    let about_request = match rule {
        Selector::Ip { .. } | Selector::IpList { .. } => Some("the client's address is not known"),
        Selector::Geo { .. } => {
            Some("the country is not known: there is no source for it, or it does not know the address")
        }
        Selector::Certificate | Selector::CommonName { .. } => {
            Some("no client certificate was asked for on this connection")
        }
        Selector::Unevaluated { .. } => Some("this version does not evaluate it"),
        Selector::Group { .. } => Some("some of its rules are unknown"),
        _ => None,
    };
    if let Some(reason) = about_request {
        return reason.to_owned();
    }
    let Some(identity) = identity else {
        return "it is decided without knowing who asks".to_owned();
    };
    match rule {
        Selector::Email { .. } | Selector::EmailDomain { .. } | Selector::EmailList { .. } => {
            match identity.email {
                Some(_) => "the address is not verified".to_owned(),
                None => "the provider gave no e-mail address".to_owned(),
            }
        }
        Selector::AzureAd { id, .. } => match &identity.groups {
            Groups::NotAsked => "`support_groups` is off for the provider".to_owned(),
            Groups::Unknown { reason, .. } => format!("the list of groups is incomplete: {reason}"),
            Groups::Known { .. } => match id {
                DirectoryGroup::Name(_) => {
                    "names of groups are not known; write the group's object id".to_owned()
                }
                DirectoryGroup::Id(_) => String::new(),
            },
        },
        Selector::AuthContext { .. } => {
            "`conditional_access_enabled` was off when the person signed in".to_owned()
        }
        Selector::AuthMethod { .. } => "the provider told no authentication methods".to_owned(),
        Selector::Oidc { claim_name, .. } => {
            format!("the provider sent no claim {claim_name}; name it in the provider's `claims`")
        }
        Selector::ExternalEvaluation {
            evaluate_url,
            keys_url,
        } => {
            let asked = identity
                .evaluations
                .iter()
                .any(|known| known.evaluate_url == *evaluate_url && known.keys_url == *keys_url);
            if asked {
                "the external evaluation failed".to_owned()
            } else {
                "the external evaluation has not been asked".to_owned()
            }
        }
        _ => String::new(),
    }
}

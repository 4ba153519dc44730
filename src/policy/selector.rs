//! One rule, asked about one person and one request.

use std::net::IpAddr;

use crate::model::certificate::ClientCertificate;
use crate::model::country::CountryCode;
use crate::model::identity::{Groups, Identity};
use crate::model::ids::ServiceTokenId;
use crate::model::policy::{DirectoryGroup, Selector};

use super::answer::Answer;

/// What rules may ask about a request, found out before it is decided on.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// Where it comes from; `None` where a trusted proxy vouched for something that is no address, and then rules about
    /// addresses are unknown.
    pub address: Option<IpAddr>,
    /// The country it comes from; `None` where there is no source for it or the source does not know, and then rules
    /// about countries are unknown.
    pub country: Option<CountryCode>,
    /// The client's certificate.
    pub certificate: ClientCertificate,
    /// The service token whose credentials it shows; they are known to be good.
    pub service_token: Option<ServiceTokenId>,
    /// Now, milliseconds since 1970: leave that has been given for a time ends by it.
    pub now_ms: i64,
}

/// What a rule says. Without an identity, rules about the person are unknown.
pub(super) fn ask(selector: &Selector, identity: Option<&Identity>, facts: &RequestFacts) -> Answer {
    match selector {
        Selector::Everyone => Answer::Yes,
        Selector::Ip { ip } => facts
            .address
            .map_or(Answer::Unknown, |address| ip.contains(address).into()),
        Selector::Email { email } => match identity.and_then(Identity::trusted_email) {
            Some(own) => (own == email).into(),
            None => Answer::Unknown,
        },
        Selector::EmailDomain { domain } => match identity.and_then(Identity::trusted_email) {
            Some(own) => (own.domain() == domain.as_str()).into(),
            None => Answer::Unknown,
        },
        Selector::AzureAd {
            id: DirectoryGroup::Id(id),
            identity_provider_id,
        } => match identity {
            Some(identity) if identity.provider != *identity_provider_id => Answer::No,
            Some(identity) if identity.groups.held().iter().any(|group| group.id == *id) => Answer::Yes,
            Some(identity) if identity.groups.complete() => Answer::No,
            None | Some(_) => Answer::Unknown,
        },
        _ => Answer::Unknown,
    }
}

/// Why a rule about this person is unknown, for the operator.
pub(super) fn uncertainty(selector: &Selector, identity: &Identity) -> String {
    match selector {
        Selector::Email { .. } | Selector::EmailDomain { .. } => match identity.email {
            Some(_) => "the address is not verified".to_owned(),
            None => "the provider gave no e-mail address".to_owned(),
        },
        Selector::AzureAd { .. } => match &identity.groups {
            Groups::NotAsked => "`support_groups` is off for the provider".to_owned(),
            Groups::Unknown { reason, .. } => format!("the list of groups is incomplete: {reason}"),
            Groups::Known { .. } => String::new(),
        },
        Selector::Ip { .. } => "the client's address is not known".to_owned(),
        Selector::Everyone => String::new(),
        _ => "this version does not evaluate it".to_owned(),
    }
}

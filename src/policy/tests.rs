use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::model::certificate::{ClientCertificate, VerifiedCertificate};
use crate::model::group::AccessGroup;
use crate::model::identity::{
    Approval, Email, Evaluation, Group, Groups, Identity, Justification, PersonKey,
};
use crate::model::ids::{
    AppId, GroupId, IdpId, ListId, ObjectId, PolicyId, ServiceTokenId, TenantId, UserId,
};
use crate::model::list::{List, ListItems};
use crate::model::policy::{ApprovalGroup, Decision, DirectoryGroup, Policy, Selector, Unevaluated};

use super::*;

mod decisions;
mod naive;
mod refers;
mod selectors;
mod step_up;

const APP: AppId = AppId(Uuid::from_u128(50));
const ENTRA: IdpId = IdpId(Uuid::from_u128(1));
const OTHER: IdpId = IdpId(Uuid::from_u128(2));
/// The time of every request.
const NOW: i64 = 1_000;

fn facts(address: &str) -> RequestFacts {
    RequestFacts {
        address: Some(address.parse().unwrap()),
        now_ms: NOW,
        ..RequestFacts::default()
    }
}

fn office() -> RequestFacts {
    facts("198.51.100.7")
}

fn certificate(common_name: Option<&str>) -> ClientCertificate {
    ClientCertificate::Verified(Arc::new(VerifiedCertificate {
        common_name: common_name.map(str::to_owned),
        issuer: "CN=Example".to_owned(),
        issuer_key: String::new(),
        serial: "1".to_owned(),
        fingerprint: "0".repeat(64),
        expires_ms: i64::MAX,
    }))
}

fn ada() -> Identity {
    Identity {
        user: UserId(Uuid::from_u128(10)),
        person: PersonKey {
            tenant: TenantId(Uuid::from_u128(11)),
            object: ObjectId(Uuid::from_u128(12)),
        },
        provider: ENTRA,
        email: Some(Email {
            address: "ada@example.com".parse().unwrap(),
            trusted: true,
        }),
        name: None,
        given_name: None,
        family_name: None,
        guest: false,
        groups: known(&[1, 2]),
        amr: Vec::new(),
        contexts: Vec::new(),
        claims: Map::new(),
        provider_session: None,
        login_hint: None,
        address: IpAddr::from([198, 51, 100, 7]),
        country: None,
        at: Timestamp::UNIX_EPOCH,
        contexts_asked: false,
        claims_asked: ["dept", "groups"].map(str::to_owned).to_vec(),
        evaluations: Vec::new(),
        justifications: Vec::new(),
        approvals: Vec::new(),
    }
}

fn groups(ids: &[u128]) -> Vec<Group> {
    let group = |&id| Group {
        id: ObjectId(Uuid::from_u128(id)),
        name: None,
    };
    ids.iter().map(group).collect()
}

fn known(ids: &[u128]) -> Groups {
    Groups::Known { groups: groups(ids) }
}

fn partial(ids: &[u128]) -> Groups {
    Groups::Unknown {
        partial: groups(ids),
        reason: "Graph answered 503".to_owned(),
    }
}

fn everyone() -> Selector {
    Selector::Everyone
}

fn email(address: &str) -> Selector {
    Selector::Email {
        email: address.parse().unwrap(),
    }
}

fn domain(domain: &str) -> Selector {
    Selector::EmailDomain {
        domain: domain.parse().unwrap(),
    }
}

fn group(id: u128) -> Selector {
    group_of(ENTRA, id)
}

fn group_of(provider: IdpId, id: u128) -> Selector {
    Selector::AzureAd {
        id: DirectoryGroup::Id(ObjectId(Uuid::from_u128(id))),
        identity_provider_id: provider,
    }
}

fn named_group(name: &str) -> Selector {
    Selector::AzureAd {
        id: name.parse().unwrap(),
        identity_provider_id: ENTRA,
    }
}

fn context(provider: IdpId, id: &str) -> Selector {
    Selector::AuthContext {
        ac_id: id.to_owned(),
        identity_provider_id: provider,
    }
}

fn method(method: &str) -> Selector {
    Selector::AuthMethod {
        auth_method: method.to_owned(),
    }
}

fn claim(provider: IdpId, name: &str, value: &str) -> Selector {
    Selector::Oidc {
        claim_name: name.to_owned(),
        claim_value: value.to_owned(),
        identity_provider_id: provider,
    }
}

fn evaluator(number: u32) -> Selector {
    Selector::ExternalEvaluation {
        evaluate_url: format!("https://e{number}.example.com/"),
        keys_url: "https://e.example.com/keys".to_owned(),
    }
}

fn evaluated(number: u32, success: Option<bool>) -> Evaluation {
    Evaluation {
        evaluate_url: format!("https://e{number}.example.com/"),
        keys_url: "https://e.example.com/keys".to_owned(),
        success,
        at_ms: 0,
    }
}

fn access_group(id: u128) -> Selector {
    Selector::Group {
        id: GroupId(Uuid::from_u128(id)),
    }
}

fn ip(range: &str) -> Selector {
    Selector::Ip {
        ip: range.parse().unwrap(),
    }
}

fn email_list(id: u128) -> Selector {
    Selector::EmailList {
        id: ListId(Uuid::from_u128(id)),
    }
}

fn ip_list(id: u128) -> Selector {
    Selector::IpList {
        id: ListId(Uuid::from_u128(id)),
    }
}

fn country(code: &str) -> Selector {
    Selector::Geo {
        country_code: code.parse().unwrap(),
    }
}

fn token(id: u128) -> Selector {
    Selector::ServiceToken {
        token_id: ServiceTokenId(Uuid::from_u128(id)),
    }
}

fn common_name(name: &str) -> Selector {
    Selector::CommonName {
        common_name: name.to_owned(),
    }
}

fn posture() -> Selector {
    Selector::Unevaluated {
        selector: Unevaluated::DevicePosture,
        settings: json!({}),
    }
}

fn policy(name: &str, decision: Decision, include: &[Selector]) -> Policy {
    Policy::new(PolicyId(Uuid::from_u128(100)), name, decision, include.to_vec())
}

fn allow(include: &[Selector]) -> Policy {
    policy("allow", Decision::Allow, include)
}

fn deny(include: &[Selector]) -> Policy {
    policy("deny", Decision::Deny, include)
}

fn bypass(include: &[Selector]) -> Policy {
    policy("bypass", Decision::Bypass, include)
}

fn service(include: &[Selector]) -> Policy {
    policy("service", Decision::NonIdentity, include)
}

fn access_group_of(id: u128, include: &[Selector]) -> AccessGroup {
    AccessGroup {
        id: GroupId(Uuid::from_u128(id)),
        name: format!("group {id}"),
        include: include.to_vec(),
        require: Vec::new(),
        exclude: Vec::new(),
    }
}

/// Lists 1 (of Ada and Eve) and 2 (of an office).
fn referents(groups: Vec<AccessGroup>) -> Arc<Referents> {
    let list = |id, items| List {
        id: ListId(Uuid::from_u128(id)),
        name: format!("list {id}"),
        items,
    };
    let emails = ["ada@example.com", "eve@other.org"].map(|address| address.parse().unwrap());
    let addresses = ["198.51.100.0/24", "2001:db8::/32"].map(|range| range.parse().unwrap());
    let lists = vec![
        list(1, ListItems::Emails(emails.to_vec())),
        list(2, ListItems::Addresses(addresses.to_vec())),
    ];
    Arc::new(Referents::new(groups, lists))
}

/// A verdict in a word: the name of the policy that let pass, or what happened instead.
fn decide(policies: &[Policy], identity: Option<&Identity>, facts: &RequestFacts) -> String {
    decide_with(&referents(Vec::new()), policies, identity, facts)
}

fn decide_with(
    referents: &Arc<Referents>,
    policies: &[Policy],
    identity: Option<&Identity>,
    facts: &RequestFacts,
) -> String {
    let compiled = compile(APP, policies, referents).unwrap();
    let outcomes = identity.map(|identity| compiled.outcomes(identity));
    word(&compiled.decide(outcomes.as_ref(), facts))
}

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Permit(permit) => permit.policy_name().to_owned(),
        Verdict::SignIn => "sign in".to_owned(),
        Verdict::StepUp(step_up) => format!("{} for {}", step_up.need.word(), step_up.policy.name),
        Verdict::Refuse(refusal) => match (refusal.reason, &refusal.policy) {
            (RefusalReason::Denied, Some(policy)) => format!("denied by {}", policy.name),
            (RefusalReason::NotRuledOut, Some(policy)) => format!("not ruled out by {}", policy.name),
            (RefusalReason::NoPolicyMatched, None) => "no policy matched".to_owned(),
            odd => format!("{odd:?}"),
        },
    }
}

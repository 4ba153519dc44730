use http::{HeaderMap, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::clouds;
use crate::model::idp::ClientCredential;
use crate::model::ids::{AppId, KeyId};
use crate::model::upstream::{OriginRequest, Service};
use crate::policy::{RequestFacts, Verdict};
use crate::router::{Target, TargetRefused, Via};
use crate::snapshot::{Published, Unroutable};
use crate::store::KeyState;

use super::*;

const NOW: i64 = 1_767_226_200_000;
const WIKI: Uuid = Uuid::from_u128(1);
const ADMIN: Uuid = Uuid::from_u128(2);
const ENTRA: Uuid = Uuid::from_u128(3);
const OPEN: Uuid = Uuid::from_u128(4);

/// What a store and a configuration hold, to change before a snapshot is built.
struct Held {
    documents: Vec<Document>,
    keys: Vec<SigningKeyRow>,
    upstreams: Vec<Arc<Upstream>>,
    seq: i64,
}

fn sealer() -> Sealer {
    Sealer::new(vec![7; 32].into(), "0123456789abcdef0123456789abcdef")
}

impl Held {
    /// A wiki that everybody may read, with an administration below it, and a provider.
    fn new() -> Self {
        let secrets = [("client_secret".to_owned(), SecretString::from("s3cret"))].into();
        let mut entra = document(
            Kind::IdentityProvider,
            ENTRA,
            json!({"name": "Entra ID", "type": "azureAD", "config": {"client_id": "c", "directory_id": WIKI}}),
        );
        entra.secrets = secrets::seal(Kind::IdentityProvider, ENTRA, &secrets, &sealer(), NOW);
        let open = json!({"name": "open", "decision": "bypass", "include": [{"everyone": {}}]});
        Self {
            documents: vec![
                application("wiki.example.com", WIKI, &json!({"policies": [OPEN]})),
                application("wiki.example.com/admin", ADMIN, &json!({"policies": [OPEN]})),
                entra,
                document(Kind::Policy, OPEN, open),
            ],
            keys: Vec::new(),
            upstreams: vec![upstream("wiki.example.com")],
            seq: 1,
        }
    }

    fn body(&mut self, id: Uuid) -> &mut Value {
        &mut self
            .documents
            .iter_mut()
            .find(|document| document.id == id)
            .unwrap()
            .body
    }

    fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&Objects::of(self.documents.clone()), None)
    }

    fn snapshot_of(&self, objects: &Objects, before: Option<&Snapshot>) -> Snapshot {
        let organization = Organization {
            name: "Example".to_owned(),
            auth: "https://login.example.com"
                .parse::<url::Url>()
                .unwrap()
                .try_into()
                .unwrap(),
            account_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            session_duration: "24h".parse().unwrap(),
            sign_out_at_provider: false,
            idle_timeout: None,
            logout_return_to: Vec::new(),
            auto_redirect_to_identity: None,
            custom_pages: crate::model::organization::OrganizationPages::default(),
            transfer_host: None,
            service_tokens: crate::model::service_token::ServiceTokenRules::default(),
            accept_unevaluated_selectors: std::collections::BTreeSet::new(),
            refusals: crate::model::refusals::Refusals::default(),
            login_design: crate::model::design::LoginDesign::PLAIN,
            seat_expiration: None,
            key_rotation_days: 42,
            in_file: std::collections::BTreeSet::new(),
        };
        let inputs = Inputs {
            objects,
            keys: &self.keys,
            scim_secrets: &[],
            organization: &organization,
            clouds: &clouds::builtin(),
            upstreams: &self.upstreams,
            position: &Position {
                seq: self.seq,
                id: "x".to_owned(),
            },
            before,
        };
        Snapshot::build(&inputs, &sealer(), &Clock::system())
    }
}

fn document(kind: Kind, id: Uuid, body: Value) -> Document {
    Document {
        kind,
        id,
        name: body["name"].as_str().unwrap_or_default().to_owned(),
        body,
        secrets: None,
        declared: false,
        version: 1,
        created_ms: NOW,
        updated_ms: NOW,
    }
}

fn application(domain: &str, id: Uuid, changes: &Value) -> Document {
    let mut body = json!({"name": domain, "type": "self_hosted", "domain": domain,
        "aud": format!("{:064x}", id.as_u128())});
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    document(Kind::Application, id, body)
}

fn upstream(covers: &str) -> Arc<Upstream> {
    Arc::new(Upstream {
        covers: covers.parse().unwrap(),
        service: Service::Unix("/run/wiki.sock".into()),
        origin_request: OriginRequest::default(),
    })
}

fn target(address: &str) -> Target {
    let (host, path) = address.split_once('/').unwrap();
    let headers: HeaderMap = [(http::header::HOST, host.parse().unwrap())]
        .into_iter()
        .collect();
    Target::parse(
        &Method::GET,
        &format!("/{path}").parse().unwrap(),
        &headers,
        Via::Http1,
    )
    .unwrap()
}

fn anybody_passes(snapshot: &Snapshot, address: &str) -> bool {
    let application = snapshot.application(&target(address)).unwrap();
    let facts = RequestFacts {
        address: Some([198, 51, 100, 7].into()),
        ..RequestFacts::default()
    };
    matches!(application.policies.decide(None, &facts), Verdict::Permit(_))
}

fn reasons(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .faults
        .iter()
        .map(|fault| fault.reason.as_str())
        .collect()
}

#[test]
fn what_the_store_holds_is_found_by_address_id_and_audience() {
    let snapshot = Held::new().snapshot();
    assert_eq!(reasons(&snapshot), [""; 0]);
    for (address, id) in [("wiki.example.com/x", WIKI), ("wiki.example.com/admin/x", ADMIN)] {
        let found = snapshot.application(&target(address)).unwrap();
        assert_eq!(found.app.id, AppId(id));
        assert!(Arc::ptr_eq(found, &snapshot.applications[&AppId(id)]));
        assert!(Arc::ptr_eq(found, &snapshot.by_aud[&found.app.aud]));
    }
    let ClientCredential::Secret { current, .. } = &snapshot.providers[&IdpId(ENTRA)].entra.credential else {
        panic!("a secret was due");
    };
    assert_eq!(current.expose_secret(), "s3cret");
    assert!(
        snapshot
            .upstream(&target("wiki.example.com/x"))
            .unwrap()
            .is_some()
    );
    assert!(
        snapshot
            .upstream(&target("other.example.com/x"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_leads_to_no_application_says_why() {
    let mut held = Held::new();
    held.documents.push(application(
        "docs.example.com/docs",
        Uuid::from_u128(9),
        &json!({"allow_encoded_slash": true}),
    ));
    let snapshot = held.snapshot();
    for (address, why) in [
        ("other.example.com/", Unroutable::UnknownHost),
        ("docs.example.com/", Unroutable::NotCovered),
        (
            "wiki.example.com/a%2fb",
            Unroutable::Refused(TargetRefused::EncodedSlash),
        ),
        (
            "wiki.example.com/admin%2fx",
            Unroutable::Refused(TargetRefused::Ambiguous),
        ),
    ] {
        assert_eq!(
            snapshot.application(&target(address)).unwrap_err(),
            why,
            "{address}"
        );
    }
    assert!(
        snapshot
            .application(&target("docs.example.com/docs/a%2fb"))
            .is_ok()
    );
}

#[test]
fn readings_that_lead_to_two_upstreams_are_refused() {
    let mut held = Held::new();
    held.upstreams.push(upstream("wiki.example.com/static"));
    let refused = held
        .snapshot()
        .upstream(&target("wiki.example.com/static;v=1"))
        .unwrap_err();
    assert_eq!(refused, TargetRefused::Ambiguous);
}

#[test]
fn a_broken_application_keeps_its_address_and_lets_nobody_pass() {
    for (key, value, reason) in [
        (
            "session_duration",
            json!("never"),
            "/session_duration: a duration such as 30m, 24h or 1h30m is needed",
        ),
        (
            "policies",
            json!([WIKI]),
            "its policy 00000000-0000-0000-0000-000000000001 does not exist",
        ),
        (
            "mfa_config",
            json!({"allowed_authenticators": ["totp"]}),
            "/mfa_config: this version does not enforce it",
        ),
    ] {
        let mut held = Held::new();
        held.body(ADMIN)[key] = value;
        let snapshot = held.snapshot();
        assert!(!anybody_passes(&snapshot, "wiki.example.com/admin"), "{key}");
        assert!(anybody_passes(&snapshot, "wiki.example.com/"), "{key}");
        assert_eq!(reasons(&snapshot), [reason]);
        assert_eq!(
            snapshot.applications[&AppId(ADMIN)].broken.as_deref(),
            Some(reason)
        );
    }
}

#[test]
fn an_unreadable_policy_breaks_the_applications_that_use_it() {
    let mut held = Held::new();
    held.body(OPEN)["include"] = json!([{"geo": {"country_code": "DEU"}}]);
    held.documents.push(application(
        "free.example.com",
        Uuid::from_u128(9),
        &json!({"policies": [
        {"name": "p", "decision": "bypass", "include": [{"everyone": {}}]}]}),
    ));
    let snapshot = held.snapshot();
    assert!(!anybody_passes(&snapshot, "wiki.example.com/"));
    assert!(anybody_passes(&snapshot, "free.example.com/"));
    assert_eq!(snapshot.faults.len(), 3, "{:?}", snapshot.faults);
}

/// A group or list that is not there, cannot be read or runs in a circle breaks the applications that use it, and a
/// selector that is not accepted does.
#[test]
fn what_rules_refer_to_must_be_there() {
    let (group, list) = (Uuid::from_u128(20), Uuid::from_u128(21));
    let refers = json!([{"group": {"id": group}}]);
    let list_of = |items: Value| {
        document(
            Kind::List,
            list,
            json!({"name": "l", "type": "IP", "items": items}),
        )
    };
    let group_of = |include: Value| document(Kind::Group, group, json!({"name": "g", "include": include}));
    let office = json!([{"ip_list": {"id": list}}]);
    let good = vec![
        list_of(json!([{"value": "198.51.100.0/24"}])),
        group_of(office.clone()),
    ];
    for (documents, passes) in [
        (good, true),
        (vec![group_of(office.clone())], false),
        (vec![list_of(json!([{"value": "x"}])), group_of(office)], false),
        (vec![group_of(refers.clone())], false),
        (
            vec![group_of(json!([{"email_domain": {"domain": "example.com"}}]))],
            false,
        ),
        (Vec::new(), false),
    ] {
        let mut held = Held::new();
        held.body(OPEN)["include"] = refers.clone();
        held.documents.extend(documents);
        let snapshot = held.snapshot();
        assert_eq!(
            anybody_passes(&snapshot, "wiki.example.com/"),
            passes,
            "{:?}",
            snapshot.faults
        );
        assert_eq!(snapshot.faults.is_empty(), passes);
        assert_eq!(snapshot.applications[&AppId(WIKI)].broken.is_none(), passes);
    }
    let mut held = Held::new();
    held.body(OPEN)["exclude"] = json!([{"device_posture": {"integration_uid": "x"}}]);
    let snapshot = held.snapshot();
    assert!(!anybody_passes(&snapshot, "wiki.example.com/"));
    let reason = &snapshot.faults[0].reason;
    assert!(
        reason.contains("/exclude/0/device_posture: this version does not evaluate device_posture"),
        "{reason}"
    );
}

#[test]
fn the_older_of_two_applications_keeps_an_audience() {
    let mut held = Held::new();
    held.body(ADMIN)["aud"] = held.body(WIKI)["aud"].clone();
    let snapshot = held.snapshot();
    assert!(anybody_passes(&snapshot, "wiki.example.com/"));
    assert!(!anybody_passes(&snapshot, "wiki.example.com/admin"));
    assert_eq!(snapshot.by_aud.values().next().unwrap().app.id, AppId(WIKI));
}

#[test]
fn a_provider_whose_secrets_were_sealed_elsewhere_is_not_there() {
    let mut held = Held::new();
    let mut moved = held.documents[2].clone();
    moved.id = ADMIN;
    held.documents[2] = moved;
    let snapshot = held.snapshot();
    assert!(snapshot.providers.is_empty());
    assert_eq!(
        reasons(&snapshot),
        ["the secrets cannot be unsealed: is this the master key they were sealed with?"]
    );
}

#[test]
fn upstreams_read_paths_as_the_application_of_their_host_does() {
    let mut held = Held::new();
    held.body(ADMIN)["case_insensitive_paths"] = json!(true);
    held.upstreams.push(upstream("wiki.example.com/Admin"));
    let snapshot = held.snapshot();
    let target = target("wiki.example.com/ADMIN/x");
    assert_eq!(snapshot.application(&target).unwrap().app.id, AppId(ADMIN));
    let found = snapshot.upstream(&target).unwrap().unwrap();
    assert_eq!(found.covers.path(), "/Admin");
}

fn key(number: u8, state: KeyState, retires_ms: Option<i64>) -> SigningKeyRow {
    SigningKeyRow {
        kid: kid(number),
        private_sealed: Vec::new(),
        public_jwk: json!({"kty": "RSA", "kid": kid(number), "n": "AQAB", "e": "AQAB", "alg": "RS256", "use": "sig"}),
        certificate: format!("certificate {number}"),
        state,
        created_ms: NOW,
        signs_from_ms: None,
        retires_ms,
    }
}

fn kid(number: u8) -> KeyId {
    format!("{number:064x}").parse().unwrap()
}

#[test]
fn revoked_and_retired_keys_are_not_in_the_ring_and_the_current_one_stands_first() {
    let now = Clock::system().now_ms();
    let mut held = Held::new();
    held.keys = vec![
        key(1, KeyState::Revoked, Some(now + 60_000)),
        key(2, KeyState::Previous, Some(now - 1)),
        key(3, KeyState::Previous, Some(now + 60_000)),
        key(4, KeyState::Current, None),
        key(5, KeyState::Next, None),
        key(6, KeyState::Next, None),
    ];
    held.keys[5].public_jwk = json!({"kty": "oct", "k": "AQAB"});
    let snapshot = held.snapshot();
    let ring: Vec<KeyId> = snapshot.keys.keys().iter().map(|key| key.kid.clone()).collect();
    assert_eq!(ring, [kid(4), kid(3), kid(5)]);
    assert_eq!(snapshot.keys.current().unwrap().kid, kid(4));
    assert!(snapshot.keys.trusts(&kid(3)) && !snapshot.keys.trusts(&kid(1)));
    assert!(snapshot.keys.find("").is_none());
    assert_eq!(reasons(&snapshot), ["its public key cannot be read"]);
}

#[test]
fn an_older_snapshot_never_replaces_a_newer_one() {
    let mut held = Held::new();
    held.seq = 5;
    let published = Published::new(held.snapshot());
    let version = published.load().version;
    held.seq = 4;
    published.publish(held.snapshot(), false);
    assert_eq!(published.load().version, version);
    held.seq = 6;
    published.publish(held.snapshot(), false);
    assert_eq!(published.borrow().position.seq, 6);
    held.seq = 2;
    published.publish(held.snapshot(), true);
    assert_eq!(published.load().position.seq, 2);
}

/// What of a snapshot is worked out of objects.
fn outcome(snapshot: &Snapshot) -> (Vec<String>, Vec<String>) {
    let applications = snapshot.applications.values().map(|known| {
        let policies: Vec<&str> = known
            .policy_docs
            .iter()
            .map(|policy| policy.name.as_str())
            .collect();
        let routed = snapshot.by_aud.get(&known.app.aud).map(|first| first.app.id);
        let page = known.pages.forbidden.as_ref().map(|page| page.name.clone());
        format!(
            "{} {:?} {policies:?} {routed:?} {page:?}",
            known.app.name, known.broken
        )
    });
    let faults = snapshot.faults.iter().map(|fault| format!("{fault:?}"));
    let (mut applications, mut faults) = (applications.collect::<Vec<_>>(), faults.collect::<Vec<_>>());
    applications.sort_unstable();
    faults.sort_unstable();
    (applications, faults)
}

/// What becomes of all objects.
type Step = Box<dyn Fn(&Objects) -> Objects>;

/// The policy that the wiki has, of another decision.
fn policy(decision: &str, include: &Value) -> Document {
    let body = json!({"name": decision, "decision": decision, "include": [include]});
    document(Kind::Policy, OPEN, body)
}

/// Writes and deletions of every kind, one after the other.
fn steps() -> Vec<Step> {
    let [group, list, page, second, service] = [10, 11, 12, 13, 14].map(Uuid::from_u128);
    vec![
        Box::new(move |all| {
            all.with(application(
                "wiki.example.com",
                WIKI,
                &json!({"policies": [OPEN], "session_duration": "1h"}),
            ))
        }),
        Box::new(move |all| {
            all.with(application(
                "wiki.example.com",
                WIKI,
                &json!({"policies": [Uuid::nil()]}),
            ))
        }),
        Box::new(move |all| {
            all.with(application(
                "wiki.example.com",
                WIKI,
                &json!({"policies": [OPEN]}),
            ))
        }),
        Box::new(move |all| all.with(policy("deny", &json!({"everyone": {}})))),
        Box::new(move |all| all.with(policy("allow", &json!({"group": {"id": group}})))),
        Box::new(move |all| {
            all.with(document(
                Kind::Group,
                group,
                json!({"name": "g", "include": [{"ip_list": {"id": list}}]}),
            ))
        }),
        Box::new(move |all| {
            all.with(document(
                Kind::List,
                list,
                json!({"name": "l", "type": "IP", "items": [{"value": "10.0.0.0/8"}]}),
            ))
        }),
        Box::new(move |all| all.without(Kind::List, list)),
        Box::new(move |all| all.without(Kind::Policy, OPEN)),
        Box::new(move |all| all.with(policy("bypass", &json!({"everyone": {}})))),
        Box::new(move |all| {
            all.with(document(
                Kind::CustomPage,
                page,
                json!({"name": "sorry", "type": "forbidden", "custom_html": "<p>"}),
            ))
        }),
        Box::new(move |all| {
            all.with(application(
                "wiki.example.com",
                WIKI,
                &json!({"policies": [OPEN], "custom_pages": [page]}),
            ))
        }),
        Box::new(move |all| {
            all.with(document(
                Kind::CustomPage,
                page,
                json!({"name": "so sorry", "type": "forbidden", "custom_html": "<p>"}),
            ))
        }),
        Box::new(move |all| {
            let mut copy = application(
                "copy.example.com",
                second,
                &json!({"policies": [OPEN], "aud": format!("{:064x}", 2)}),
            );
            copy.created_ms = NOW + 1;
            all.with(copy)
        }),
        Box::new(move |all| all.without(Kind::Application, ADMIN)),
        Box::new(move |all| {
            all.with(document(
                Kind::ServiceToken,
                service,
                json!({"name": "unreadable"}),
            ))
        }),
        Box::new(move |all| all.with(document(Kind::Tag, service, json!({"name": "word"})))),
        Box::new(move |all| all.without(Kind::IdentityProvider, ENTRA)),
    ]
}

#[test]
fn what_was_not_written_since_is_taken_over_and_comes_out_as_if_built_anew() {
    let held = Held::new();
    let mut objects = Objects::of(held.documents.clone());
    let mut before = held.snapshot_of(&objects, None);
    for (number, change) in steps().iter().enumerate() {
        objects = change(&objects);
        let after = held.snapshot_of(&objects, Some(&before));
        assert_eq!(
            outcome(&after),
            outcome(&held.snapshot_of(&objects, None)),
            "change {number}"
        );
        before = after;
    }
}

#[test]
fn an_application_that_nothing_happened_to_is_the_same_one() {
    let held = Held::new();
    let objects = Objects::of(held.documents.clone());
    let before = held.snapshot_of(&objects, None);
    let changed = application(
        "wiki.example.com/admin",
        ADMIN,
        &json!({"policies": [OPEN], "session_duration": "1h"}),
    );
    let after = held.snapshot_of(&objects.with(changed), Some(&before));
    let same = |id| Arc::ptr_eq(&before.applications[&AppId(id)], &after.applications[&AppId(id)]);
    assert!(same(WIKI) && !same(ADMIN));
    assert!(Arc::ptr_eq(
        &before.providers[&IdpId(ENTRA)],
        &after.providers[&IdpId(ENTRA)]
    ));
    assert_ne!(before.version, after.version);
}

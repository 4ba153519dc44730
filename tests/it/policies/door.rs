//! Bad rules are refused at the door with their place and the reason, and what is stored stays as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;
use vestibule::clock::Clock;
use vestibule::config::clouds;
use vestibule::config::declared::{Declared, DeclaredKind};
use vestibule::crypto::seal::Sealer;
use vestibule::manage::{Manage, ManageError, OlderFile};
use vestibule::model::organization::Organization;
use vestibule::store::{Actor, ActorKind, Kind};

use crate::support::database::Database;

const GROUP: Uuid = Uuid::from_u128(1);
const LIST: Uuid = Uuid::from_u128(2);
const OTHER: Uuid = Uuid::from_u128(3);
const POLICY: Uuid = Uuid::from_u128(4);

fn object(kind: DeclaredKind, id: Uuid, body: Value) -> Declared {
    Declared {
        kind,
        id,
        name: body["name"].as_str().unwrap().to_owned(),
        body,
        secrets: BTreeMap::new(),
        line: 1,
    }
}

/// A list, two groups and a policy; `id`'s object has this one key changed.
fn objects(id: Uuid, key: &str, value: &Value) -> Vec<Declared> {
    let refers = json!([{"group": {"id": GROUP}}]);
    let mut all = vec![
        object(
            DeclaredKind::List,
            LIST,
            json!({"name": "list", "type": "EMAIL", "items": [{"value": "ada@example.com"}]}),
        ),
        object(
            DeclaredKind::Group,
            GROUP,
            json!({"name": "group", "include": [{"email_list": {"id": LIST}}]}),
        ),
        object(
            DeclaredKind::Group,
            OTHER,
            json!({"name": "other", "include": refers.clone()}),
        ),
        object(
            DeclaredKind::Policy,
            POLICY,
            json!({"name": "policy", "decision": "allow", "include": refers}),
        ),
    ];
    for object in all.iter_mut().filter(|object| object.id == id) {
        object.body[key] = value.clone();
    }
    all
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of bad objects and what each is told"
)]
async fn a_bad_object_is_refused_and_nothing_is_written() {
    let database = Database::sqlite();
    let clock = Clock::system();
    let store = database.store_at(&clock).await;
    let organization: Organization = serde_json::from_value(json!({
        "name": "Example", "auth": "https://login.example.com", "account_id": "0123456789abcdef0123456789abcdef",
        "session_duration": "24h", "sign_out_at_provider": false, "idle_timeout": null, "logout_return_to": [],
        "transfer_host": null, "service_tokens": {"strict": false, "inactivity": null},
        "auto_redirect_to_identity": null, "custom_pages": {"identity_denied": null, "forbidden": null},
        "refusals": {"told": "kinds", "words": {}}, "accept_unevaluated_selectors": ["device_posture"],
        "login_design": {}, "key_rotation_days": 42, "in_file": []}))
    .unwrap();
    let sealer = Sealer::new(vec![7; 32].into(), "0123456789abcdef0123456789abcdef");
    let manage = Manage::new(
        store.clone(),
        sealer,
        clock,
        Arc::new(organization),
        Arc::new(clouds::builtin()),
    );
    let actor = || Actor {
        kind: ActorKind::File,
        name: "a test".to_owned(),
    };
    let good = objects(
        POLICY,
        "exclude",
        &json!([{"device_posture": {"integration_uid": "x"}}]),
    );
    manage
        .reconcile(&good, actor(), OlderFile::Applied)
        .await
        .unwrap();
    let stored = store.documents(Kind::Policy).await.unwrap();
    assert_eq!(stored[0].body, good[3].body, "kept as it was accepted");

    let missing = Uuid::from_u128(9);
    for (id, key, value, told) in [
        (
            GROUP,
            "include",
            json!([{"group": {"id": OTHER}}]),
            "/include/0/group/id: the access groups",
        ),
        (
            GROUP,
            "include",
            json!([{"group": {"id": missing}}]),
            "/include/0/group/id: no access group has the id",
        ),
        (
            GROUP,
            "require",
            json!([{"ip_list": {"id": LIST}}]),
            "/require/0/ip_list/id: no list of network addresses",
        ),
        (
            GROUP,
            "exclude",
            json!([{"azureAD": {"id": missing, "identity_provider_id": missing}}]),
            "/exclude/0/azureAD/identity_provider_id: no identity provider has the id",
        ),
        (
            GROUP,
            "exclude",
            json!([{"login_method": {"id": missing}}]),
            "/exclude/0/login_method/id: no identity provider has the id",
        ),
        (
            GROUP,
            "require",
            json!([{"okta": {"name": "x"}}]),
            "/require/0/okta: this version does not evaluate okta",
        ),
        (
            LIST,
            "items",
            json!([{"value": "nobody"}]),
            "/items/0/value: an e-mail address such as",
        ),
        (
            POLICY,
            "include",
            json!([{"service_token": {"token_id": missing}}]),
            "/include/0/service_token/token_id: no service token has the id",
        ),
        (
            POLICY,
            "decision",
            json!("bypass"),
            "/include/0/group/id: the access group asks who somebody is",
        ),
        (
            POLICY,
            "approval_groups",
            json!([{"approvals_needed": 1, "email_list_uuid": missing}]),
            "/approval_groups/0/email_list_uuid: no list of e-mail addresses",
        ),
        (
            POLICY,
            "require",
            json!([{"geo": {"country_code": "Sweden"}}]),
            "/require/0/geo/country_code: there is no country Sweden",
        ),
    ] {
        let refused = manage
            .reconcile(&objects(id, key, &value), actor(), OlderFile::Applied)
            .await;
        let Err(ManageError::Refused(refused)) = refused else {
            panic!("{value} was taken: {refused:?}");
        };
        let lines: Vec<String> = refused.iter().map(ToString::to_string).collect();
        assert!(
            lines.iter().any(|line| line.contains(told)),
            "{told} is not in {lines:#?}"
        );
        assert_eq!(store.documents(Kind::Policy).await.unwrap(), stored, "{value}");
    }
}

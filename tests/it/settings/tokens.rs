//! What tokens tell an application besides (`token_groups`, `token_claims`).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::tenant::{ADAM, ADMINS, ALICE, STAFF};
use crate::support::world::World;

use super::refused;

async fn claims(world: &World, upn: &str) -> Value {
    let person = world.signed_in(upn, &["wiki"]).await;
    let token = person.cookie(&world.host("wiki"), "CF_Authorization").unwrap();
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_names_groups_where_the_application_asks_for_them() {
    let world = World::start().await;
    assert_eq!(claims(&world, ALICE).await.get("custom"), None);
    for (lines, of_alice, of_adam) in [
        ("token_groups = \"ids\"", json!([STAFF]), json!([STAFF, ADMINS])),
        (
            "token_groups = \"names\"",
            json!(["Staff"]),
            json!(["Staff", "Administrators"]),
        ),
    ] {
        let world = World::builder().wiki(lines).start().await;
        for (upn, expected) in [(ALICE, of_alice), (ADAM, of_adam)] {
            let mut groups = claims(&world, upn).await["custom"]["groups"].clone();
            let mut expected = expected.as_array().unwrap().clone();
            let groups = groups.as_array_mut().unwrap();
            groups.sort_by_key(ToString::to_string);
            expected.sort_by_key(ToString::to_string);
            assert_eq!(*groups, expected, "{upn}");
        }
    }
}

#[tokio::test]
async fn groups_that_are_not_known_are_not_told() {
    let world = World::builder()
        .provider("support_groups = false")
        .wiki("token_groups = \"ids\"")
        .wiki_policies("[{ name = \"all\", decision = \"allow\", include = [{ everyone = {} }] }]")
        .start()
        .await;
    assert_eq!(claims(&world, ALICE).await.get("custom"), None);
}

/// Abuse case 90.
#[tokio::test]
async fn a_claim_of_the_gateways_own_cannot_be_asked_for() {
    let world = World::start().await;
    for name in [
        "aud",
        "iss",
        "exp",
        "type",
        "sub",
        "email",
        "Email",
        "common_name",
        "identity_nonce",
    ] {
        let faults = refused(&world, &format!("token_claims = [\"{name}\"]"));
        assert!(faults.contains("is the gateway's own"), "{name}: {faults}");
    }
    for (lines, reason) in [
        ("token_claims = [\"a b\"]", "the name of a claim is needed"),
        ("token_claims = \"department\"", "a list is needed"),
        ("token_groups = true", "token_groups"),
        ("token_groups = \"all\"", "token_groups"),
    ] {
        let faults = refused(&world, lines);
        assert!(faults.contains(reason), "{lines}: {faults}");
    }
}

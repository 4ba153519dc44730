//! What Entra says, and what becomes of it.

use std::collections::HashSet;

use mock_entra::{Endpoint, Fault, IdTokenFault, MemberRef, User};
use serde_json::{Value, json};

use crate::support::person::Person;
use crate::support::tenant::{ALICE, MALLORY, STAFF, TENANT};
use crate::support::world::World;

#[tokio::test]
async fn every_login_has_a_pkce_challenge_of_its_own() {
    let world = World::start().await;
    let mut challenges = HashSet::new();
    for _ in 0..3 {
        let mut alice = world.person(ALICE);
        let start = alice.address(&world.host("wiki"), "/x");
        let leaving = alice
            .follow_while(start, |url| !url.path().ends_with("/authorize"))
            .await
            .url;
        let parameter = |name: &str| {
            leaving
                .query_pairs()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        assert_eq!(parameter("code_challenge_method").as_deref(), Some("S256"));
        let challenge = parameter("code_challenge").unwrap();
        assert_eq!(challenge.len(), 43);
        assert!(parameter("nonce").is_some() && parameter("state").is_some());
        assert!(challenges.insert(challenge));
    }
}

#[tokio::test]
async fn a_key_rolled_at_entra_signs_the_next_person_in() {
    let world = World::start().await;
    world.signed_in(ALICE, &["wiki"]).await;
    world.entra.rotate_keys().forget_old_keys();
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn unknown_keys_do_not_make_the_gateway_ask_again_and_again() {
    let world = World::start().await;
    world.signed_in(ALICE, &["wiki"]).await;
    let asked = world.entra.count(Endpoint::Jwks);
    world.entra.fail_always(Fault::IdToken(IdTokenFault::UnknownKey));
    for _ in 0..10 {
        let mut mallory = world.person(MALLORY);
        assert_ne!(mallory.open(&world.host("wiki"), "/x").await.status(), 200);
    }
    let again = world.entra.count(Endpoint::Jwks) - asked;
    assert!(again <= 1, "asked {again} times");
}

#[tokio::test]
async fn groups_that_cannot_be_read_let_nobody_in() {
    let world = World::start().await;
    world.entra.fail_always(Fault::Graph {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        retry_after: None,
        from_page: 0,
    });
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert!(matches!(arrival.status(), 403 | 502), "{}", arrival.text());
    assert_eq!(world.origin.hits(), 0);
    world.entra.clear_faults();
    assert_eq!(
        world.person(ALICE).open(&world.host("wiki"), "/x").await.status(),
        200
    );
}

#[tokio::test]
async fn somebody_who_left_the_group_is_refused_after_the_next_login() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world
        .entra
        .remove_member(STAFF, &MemberRef::user("0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c"));
    alice
        .fetch(&world.host("wiki"), "/cdn-cgi/access/logout", &[])
        .await;
    assert_eq!(alice.open(&world.host("wiki"), "/x").await.status(), 403);
}

#[tokio::test]
async fn a_refreshed_identity_decides_the_next_request_of_the_live_session() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world
        .entra
        .remove_member(STAFF, &MemberRef::user("0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c"));
    assert_eq!(
        alice.fetch(&world.host("wiki"), "/x", &[]).await.status,
        200,
        "until groups are read anew"
    );
    let refreshed = alice
        .open(&world.host("login"), "/cdn-cgi/access/refresh-identity")
        .await;
    assert_eq!(refreshed.status(), 200, "{}", refreshed.text());
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 403);
}

#[tokio::test]
async fn a_new_account_under_an_old_address_is_somebody_else() {
    let world = World::start().await;
    let first = subject(&world, &world.signed_in(ALICE, &["wiki"]).await);
    let again = subject(&world, &world.signed_in(ALICE, &["wiki"]).await);
    assert_eq!(first, again, "the same person is the same user");
    world.entra.delete_user("0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c");
    let recycled = "77777777-2cc3-4dd4-8ee5-5ff66a77b88c";
    world
        .entra
        .tenant(TENANT)
        .add_user(User::member(ALICE).oid(recycled).name("Another Alice"));
    // Nothing of the old account is inherited: not even its groups.
    assert_eq!(
        world.person(ALICE).open(&world.host("wiki"), "/x").await.status(),
        403
    );
    world.entra.add_member(STAFF, MemberRef::user(recycled));
    let other = subject(&world, &world.signed_in(ALICE, &["wiki"]).await);
    assert_ne!(first, other);
}

#[tokio::test]
async fn a_guest_with_somebody_elses_address_is_not_that_person() {
    let rule = format!(
        "[{{ name = \"alice\", decision = \"allow\", include = [{{ email = {{ email = \"{ALICE}\" }} }}] }}]"
    );
    let world = World::builder().wiki_policies(&rule).start().await;
    world.signed_in(ALICE, &["wiki"]).await;
    // A guest whose home tenant lets her write what she likes into her address (nOAuth).
    world
        .entra
        .tenant(TENANT)
        .add_user(User::guest("ceo@partner.example").name("Guest"));
    let mut guest = world.person("ceo@partner.example");
    world.entra.fail_always(Fault::IdToken(IdTokenFault::extra(
        json!({"email": ALICE, "xms_edov": false}),
    )));
    let arrival = guest.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
}

/// Who the gateway says somebody is.
fn subject(world: &World, person: &Person) -> String {
    use base64::Engine as _;
    let token = person.cookie(&world.host("wiki"), "CF_Authorization").unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["sub"].as_str().unwrap().to_owned()
}

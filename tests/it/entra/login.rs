//! Logins that succeed, and what is known of the person afterwards.

use mock_entra::{AppRegistration, Directory, Endpoint, Fault, IdTokenFault, User, demo};
use serde_json::json;
use vestibule::entra::{Class, Refresh};
use vestibule::model::idp::Prompt;

use super::world::{World, request};

#[tokio::test]
async fn a_member_signs_in_with_everything_policies_ask_for() {
    let world = World::start().await;
    let alice = world.sign_in(demo::ALICE).await.unwrap();
    assert_eq!(alice.person.tenant.to_string(), demo::TENANT);
    assert_eq!(alice.person.object.to_string(), demo::ALICE_OID);
    let email = alice.email.unwrap();
    assert_eq!((email.address.as_str(), email.trusted), (demo::ALICE, true));
    assert_eq!(alice.name.as_deref(), Some("Alice Example"));
    assert_eq!(alice.given_name.as_deref(), Some("Alice"));
    assert!(!alice.guest);
    assert!(alice.provider_session.is_some() && alice.login_hint.is_some());
    assert!(alice.refresh_token.is_some());
}

#[tokio::test]
async fn a_second_login_asks_for_neither_metadata_nor_keys() {
    let world = World::start().await;
    world.sign_in(demo::ALICE).await.unwrap();
    world.sign_in(demo::BOB).await.unwrap();
    assert_eq!(world.entra.count(Endpoint::Discovery), 1);
    assert_eq!(world.entra.count(Endpoint::Jwks), 1);
    assert_eq!(world.entra.count(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_guests_address_counts_only_where_its_domain_is_verified() {
    let directory = Directory::demo();
    directory
        .tenant(demo::TENANT)
        .add_user(User::guest("dora@partner.example").domain_owner_verified(false))
        .add_user(User::guest("emil@partner.example").domain_owner_verified(true));
    let world = World::with(directory).await;
    let dora = world.sign_in("dora@partner.example").await.unwrap();
    assert!(dora.guest);
    assert_eq!(dora.email, None, "{:?}", dora.email_steps);
    let emil = world.sign_in("emil@partner.example").await.unwrap();
    assert!(emil.guest && emil.email.unwrap().trusted);
}

#[tokio::test]
async fn graph_names_the_person_whose_token_has_no_address() {
    let directory = Directory::demo();
    let bare = AppRegistration::new(demo::CLIENT_ID, "Vestibule")
        .secret(demo::CLIENT_SECRET)
        .permission("User.Read")
        .permission("GroupMember.Read.All");
    let frank = User::member("frank@contoso.example").without_mail();
    directory.tenant(demo::TENANT).add_user(frank).add_app(bare);
    let world = World::with(directory).await;
    let telephone = json!({ "preferred_username": "+49 30 901820" });
    world
        .entra
        .fail_next(Fault::IdToken(IdTokenFault::extra(telephone)));
    let frank = world.sign_in("frank@contoso.example").await.unwrap();
    assert_eq!(frank.email.unwrap().address.as_str(), "frank@contoso.example");
    assert!(
        frank.email_steps.last().unwrap().contains("Graph"),
        "{:?}",
        frank.email_steps
    );
}

#[tokio::test]
async fn configured_claims_are_copied_as_they_are() {
    let directory = Directory::demo();
    let grace = User::member("grace@contoso.example")
        .claim("department", "R&D")
        .claim("extn.costCenter", json!(["4711"]));
    directory.tenant(demo::TENANT).add_user(grace);
    let world = World::with(directory)
        .await
        .registered(|app| app.optional_claims(["department", "extn.costCenter"]));
    let world = world.configured(|settings| {
        settings.claims = ["department", "extn.costCenter", "absent"]
            .map(str::to_owned)
            .into();
    });
    let grace = world.sign_in("grace@contoso.example").await.unwrap();
    assert_eq!(
        serde_json::Value::Object(grace.claims),
        json!({ "department": "R&D", "extn.costCenter": ["4711"] })
    );
}

#[tokio::test]
async fn without_pkce_nothing_of_it_is_sent() {
    let world = World::start()
        .await
        .configured(|settings| settings.pkce_enabled = false);
    let redemption = world
        .authorized(demo::ALICE, |request| request.pkce_challenge = None)
        .await;
    assert!(redemption.pkce_verifier.is_none());
    world
        .relying_party
        .finish(&world.provider, &redemption)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_silent_login_that_needs_the_person_says_so() {
    let world = World::start().await;
    let mut silent = request(None);
    silent.prompt = Some(Prompt::None);
    let address = world
        .relying_party
        .authorization(&world.provider, &silent)
        .await
        .unwrap();
    // No direct mode and no cookie: nobody is signed in at Microsoft.
    let ask = http::Request::get(address.as_str()).body(Vec::new()).unwrap();
    let answer = vestibule::entra::Outbound::new()
        .unwrap()
        .send(ask, 4096)
        .await
        .unwrap();
    let location: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let error = vestibule::entra::errors::read_callback_error(location.query().unwrap()).unwrap();
    assert_eq!(error.class(), Class::Interactive);
}

#[tokio::test]
async fn a_refresh_renews_the_same_person_until_microsoft_ends_it() {
    let world = World::start().await;
    let alice = world.sign_in(demo::ALICE).await.unwrap();
    let refresh = Refresh {
        refresh_token: alice.refresh_token.unwrap(),
        person: alice.person,
    };
    let renewed = world
        .relying_party
        .refresh(&world.provider, &refresh)
        .await
        .unwrap();
    assert_eq!(renewed.person, alice.person);
    assert_eq!(renewed.groups, alice.groups);
    world.entra.disable_user(demo::ALICE_OID);
    let ended = world
        .relying_party
        .refresh(&world.provider, &refresh)
        .await
        .unwrap_err();
    assert_eq!(ended.class(), Class::Revoked);
    world
        .entra
        .enable_user(demo::ALICE_OID)
        .revoke_sessions(demo::ALICE_OID);
    let ended = world
        .relying_party
        .refresh(&world.provider, &refresh)
        .await
        .unwrap_err();
    assert_eq!(ended.class(), Class::Revoked);
}

#[tokio::test]
async fn a_refresh_that_answers_with_another_person_is_refused() {
    let world = World::start().await;
    let (alice, bob) = (
        world.sign_in(demo::ALICE).await.unwrap(),
        world.sign_in(demo::BOB).await.unwrap(),
    );
    let exchanged = Refresh {
        refresh_token: bob.refresh_token.unwrap(),
        person: alice.person,
    };
    let refused = world
        .relying_party
        .refresh(&world.provider, &exchanged)
        .await
        .unwrap_err();
    assert!(matches!(
        refused,
        vestibule::entra::EntraError::IdToken(vestibule::entra::TokenRejected::OtherPerson)
    ));
}

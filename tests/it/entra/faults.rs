//! What goes wrong at Microsoft, and that it is told apart.

use jiff::SignedDuration;
use mock_entra::{Endpoint, Fault, IdTokenFault, demo};
use serde_json::json;
use vestibule::entra::{Class, EntraError, TokenRejected};

use super::world::World;

#[tokio::test]
async fn each_wrong_token_is_refused_by_the_check_that_is_for_it() {
    let world = World::start().await;
    let wrong = [
        (IdTokenFault::WrongNonce, TokenRejected::Nonce),
        (IdTokenFault::WrongAudience, TokenRejected::Audience),
        (IdTokenFault::WrongIssuer, TokenRejected::Issuer),
        (IdTokenFault::OtherTenant, TokenRejected::Tenant),
        (IdTokenFault::AlgNone, TokenRejected::Algorithm),
        (IdTokenFault::Hs256, TokenRejected::Algorithm),
        (IdTokenFault::UnknownKey, TokenRejected::KeyUnknown),
        (IdTokenFault::Expired, TokenRejected::Expired),
        (IdTokenFault::NotYetValid, TokenRejected::NotYetValid),
        (IdTokenFault::NoOid, TokenRejected::ObjectMissing),
        (
            IdTokenFault::extra(json!({ "TID": demo::TENANT })),
            TokenRejected::MemberRepeated,
        ),
        (
            IdTokenFault::extra(json!({ "aud": [demo::CLIENT_ID] })),
            TokenRejected::Audience,
        ),
        (
            IdTokenFault::extra(json!({ "ver": "1.0" })),
            TokenRejected::Version,
        ),
    ];
    for (fault, check) in wrong {
        let name = format!("{fault:?}");
        world.entra.clear_faults().fail_next(Fault::IdToken(fault));
        match world.sign_in(demo::ALICE).await {
            Err(EntraError::IdToken(rejected)) => assert_eq!(rejected, check, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    world.entra.clear_faults();
    world.sign_in(demo::ALICE).await.unwrap();
}

#[tokio::test]
async fn a_key_rollover_costs_one_refresh_and_no_login() {
    let world = World::start().await;
    world.sign_in(demo::ALICE).await.unwrap();
    world.entra.rotate_keys();
    world.sign_in(demo::ALICE).await.unwrap();
    world.sign_in(demo::BOB).await.unwrap();
    assert_eq!(world.entra.count(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_in_five_minutes() {
    let world = World::start().await;
    world.entra.fail_always(Fault::IdToken(IdTokenFault::UnknownKey));
    for _ in 0..3 {
        assert!(world.sign_in(demo::ALICE).await.is_err());
    }
    assert_eq!(
        world.entra.count(Endpoint::Jwks),
        2,
        "the first fetch and one refresh"
    );
}

#[tokio::test]
async fn an_app_with_its_own_key_is_verified_by_its_own_set() {
    let world = World::start()
        .await
        .registered(mock_entra::AppRegistration::custom_signing_key);
    let refused = world.sign_in(demo::ALICE).await;
    assert!(
        matches!(refused, Err(EntraError::IdToken(TokenRejected::KeyUnknown))),
        "{refused:?}"
    );
    let world = world.configured(|settings| settings.custom_signing_key = true);
    world.sign_in(demo::ALICE).await.unwrap();
}

#[tokio::test]
async fn logins_go_on_while_metadata_and_keys_cannot_be_fetched() {
    let world = World::start().await;
    world.sign_in(demo::ALICE).await.unwrap();
    world
        .entra
        .fail_always(Fault::Discovery { status: 503 })
        .fail_always(Fault::Jwks { status: 503 });
    world.clock.advance(SignedDuration::from_hours(25));
    world.entra.set_clock_offset(25 * 60 * 60);
    world.sign_in(demo::ALICE).await.unwrap();
    assert!(world.entra.count(Endpoint::Discovery) > 1);
}

#[tokio::test]
async fn clocks_that_differ_by_four_minutes_do_not_matter_and_by_two_hours_do() {
    let world = World::start().await;
    for seconds in [-240, 240] {
        world.entra.set_clock_offset(seconds);
        world.sign_in(demo::ALICE).await.unwrap();
    }
    world.entra.set_clock_offset(-2 * 60 * 60);
    let refused = world.sign_in(demo::ALICE).await;
    assert!(
        matches!(refused, Err(EntraError::IdToken(TokenRejected::Expired))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_code_is_good_once_and_for_its_own_verifier_only() {
    let world = World::start().await;
    let redemption = world.authorized(demo::ALICE, |_| ()).await;
    world
        .relying_party
        .finish(&world.provider, &redemption)
        .await
        .unwrap();
    let again = world
        .relying_party
        .finish(&world.provider, &redemption)
        .await
        .unwrap_err();
    assert_eq!(again.class(), Class::Restart, "{again}");
    let mut other = world.authorized(demo::ALICE, |_| ()).await;
    other.pkce_verifier = redemption.pkce_verifier;
    let refused = world
        .relying_party
        .finish(&world.provider, &other)
        .await
        .unwrap_err();
    assert_eq!(refused.class(), Class::Restart, "{refused}");
}

#[tokio::test]
async fn every_answer_of_the_token_endpoint_has_its_class() {
    let world = World::start().await;
    for (code, class) in [
        (50057, Class::Revoked),
        (50105, Class::Denied),
        (53003, Class::Denied),
        (50076, Class::Interactive),
        (65001, Class::Consent),
        (70008, Class::Restart),
        (7_000_222, Class::Config),
        (90033, Class::Transient),
    ] {
        world.entra.clear_faults().fail_always(Fault::Token { code });
        let error = world.sign_in(demo::ALICE).await.unwrap_err();
        assert_eq!(error.class(), class, "{code}: {error}");
    }
    for status in [200, 400, 502] {
        world
            .entra
            .clear_faults()
            .fail_always(Fault::TokenHtml { status });
        let error = world.sign_in(demo::ALICE).await.unwrap_err();
        assert_eq!(error.class(), Class::Transient, "{status}: {error}");
    }
}

#[tokio::test]
async fn another_directory_and_another_client_are_the_operators_matter() {
    let world = World::start().await.configured(|settings| {
        settings.directory_id = "00000000-1111-4222-8333-444444444444".parse().unwrap();
    });
    let request = super::world::request(None);
    let error = world
        .relying_party
        .authorization(&world.provider, &request)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
    assert!(error.to_string().contains("AADSTS90002"), "{error}");
}

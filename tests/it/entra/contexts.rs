//! Authentication contexts of Conditional Access: asked for, read from the token, and listed by Graph.

use jiff::SignedDuration;
use mock_entra::{Endpoint, Fault, demo};
use vestibule::entra::{EntraError, claims_asking_for};

use super::world::World;

async fn asking() -> World {
    World::start()
        .await
        .configured(|settings| settings.conditional_access_enabled = true)
}

async fn contexts_of_alice(world: &World, asked: Option<&str>) -> Option<Vec<String>> {
    let redemption = world
        .authorized(demo::ALICE, |request| {
            request.claims_challenge = asked.map(claims_asking_for);
            request.interactive = asked.is_some();
        })
        .await;
    let alice = world.relying_party.finish(&world.provider, &redemption).await;
    alice.unwrap().contexts
}

#[tokio::test]
async fn a_context_that_was_asked_for_comes_back() {
    let world = asking().await;
    assert_eq!(contexts_of_alice(&world, None).await, Some(Vec::new()));
    let got = contexts_of_alice(&world, Some("c1")).await;
    assert_eq!(got, Some(vec!["c1".to_owned()]));
}

#[tokio::test]
async fn contexts_are_read_only_where_the_provider_is_set_up_for_them() {
    let world = World::start().await;
    assert_eq!(contexts_of_alice(&world, Some("c1")).await, None);
}

#[tokio::test]
async fn a_stronger_sign_in_is_never_asked_for_silently() {
    use vestibule::model::idp::Prompt;
    let world = asking()
        .await
        .configured(|settings| settings.prompt = Some(Prompt::None));
    // Silently it would fail: nobody has a session at the mock.
    let got = contexts_of_alice(&world, Some("c1")).await;
    assert_eq!(got, Some(vec!["c1".to_owned()]));
    let requests = world.entra.requests();
    let last = requests
        .iter()
        .rfind(|request| request.endpoint == Endpoint::Authorize)
        .unwrap();
    assert!(!last.query.contains("prompt="), "{}", last.query);
}

#[tokio::test]
async fn the_list_is_read_to_the_last_page_with_a_token_of_the_application_itself() {
    let world = asking().await;
    world.entra.graph_page_size(1).graph_empty_first_page(true);
    let listed = world
        .relying_party
        .authentication_contexts(&world.provider)
        .await
        .unwrap();
    let ids: Vec<&str> = listed.iter().map(|context| context.id.as_str()).collect();
    assert_eq!(ids, ["c1", "c2", "c3"]);
    assert_eq!(listed[0].name, "Require strong MFA");
    assert!(listed[0].available && !listed[2].available);
    let grants: Vec<_> = world
        .entra
        .requests()
        .into_iter()
        .filter_map(|request| request.grant)
        .collect();
    assert_eq!(grants, ["client_credentials"]);
}

#[tokio::test]
async fn the_list_is_remembered_for_ten_minutes_and_outlives_a_failure() {
    let world = asking().await;
    let list = || world.relying_party.authentication_contexts(&world.provider);
    list().await.unwrap();
    let asked = world.entra.count(Endpoint::Graph);
    world.clock.advance(SignedDuration::from_mins(9));
    list().await.unwrap();
    assert_eq!(world.entra.count(Endpoint::Graph), asked);
    world.entra.fail_always(Fault::Graph {
        status: 403,
        code: "Authorization_RequestDenied".to_owned(),
        retry_after: None,
        from_page: 0,
    });
    for _ in 0..3 {
        world.clock.advance(SignedDuration::from_hours(13));
        assert_eq!(list().await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_and_not_asked_about_again_and_again() {
    let world = asking().await;
    world.entra.fail_always(Fault::Graph {
        status: 403,
        code: "Authorization_RequestDenied".to_owned(),
        retry_after: None,
        from_page: 0,
    });
    for _ in 0..5 {
        let denied = world.relying_party.authentication_contexts(&world.provider).await;
        let Err(EntraError::Misconfigured(why)) = denied else {
            panic!("{denied:?}")
        };
        assert!(why.contains("Policy.Read.ConditionalAccess"), "{why}");
    }
    assert_eq!(world.entra.count(Endpoint::Graph), 1);
    world.entra.clear_faults();
    world.clock.advance(SignedDuration::from_mins(2));
    let listed = world.relying_party.authentication_contexts(&world.provider).await;
    assert_eq!(listed.unwrap().len(), 3);
}

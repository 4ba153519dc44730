//! What Graph does not say well is not done by halves.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mock_entra::{Endpoint, Fault, User};
use serde_json::json;

use super::{
    ADAM_OID, ALICE_OID, asked, grant, granted, provider, read, read_with, somebody, sync, sync_settings,
    told,
};
use crate::scim::{EVERYTHING, gets_in};
use crate::support::log;
use crate::support::tenant::{ALICE, TENANT};
use crate::support::world::{Builder, World};

fn text(body: &str, from_page: u32) -> Fault {
    Fault::GraphText {
        path_ends: "/users/delta",
        from_page,
        body: body.to_owned(),
    }
}

async fn is_active(world: &World, oid: &str) -> bool {
    told(world, oid).await.unwrap().record.is_active()
}

#[tokio::test]
async fn a_round_that_breaks_off_does_nothing_and_the_next_one_does_all_of_it() {
    let world = read().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.graph_page_size(1);
    world.entra.disable_user(ALICE_OID).disable_user(ADAM_OID);
    let foreign = json!({ "value": [], "@odata.nextLink": "http://127.0.0.1:1/v1.0/users/delta?x" });
    let huge = format!("\"{}\"", "x".repeat(9 * 1024 * 1024));
    for (body, why) in [
        ("<html>", "no page"),
        (r#"{"value":[{"id":"x"}],"@odata.deltaLink":"x"}"#, "object id"),
        (r#"{"value":[]}"#, "leads nowhere"),
        (foreign.to_string().as_str(), "another host"),
        (huge.as_str(), "too large"),
    ] {
        world.entra.fail_next(text(body, 2));
        let stands = sync(&world).await;
        let failure = stands.failure.unwrap();
        assert!(failure.contains(why), "{failure}");
        assert!(gets_in(&world, &browser).await, "{why}");
        assert!(is_active(&world, ALICE_OID).await && is_active(&world, ADAM_OID).await);
    }
    let stands = sync(&world).await;
    assert_eq!(stands.failure, None);
    assert!(!gets_in(&world, &browser).await);
    assert!(!is_active(&world, ADAM_OID).await);
}

#[tokio::test]
async fn throttling_is_waited_out_and_an_outage_is_told() {
    let world = read().await;
    world.entra.disable_user(ALICE_OID);
    world.entra.fail_next(Fault::Graph {
        status: 429,
        code: "TooManyRequests".to_owned(),
        retry_after: Some("0.2".to_owned()),
        from_page: 0,
    });
    assert_eq!(sync(&world).await.failure, None);
    assert!(!is_active(&world, ALICE_OID).await);
    world.entra.fail_always(Fault::Graph {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        retry_after: Some("3600".to_owned()),
        from_page: 0,
    });
    let stands = sync(&world).await;
    assert!(stands.failure.unwrap().contains("503"));
    assert!(stands.succeeded_ms < stands.ended_ms);
    world.entra.clear_faults();
    // Sooner than the interval of a day.
    world.pass(jiff::SignedDuration::from_mins(6));
    let began = std::time::Instant::now();
    loop {
        let stands = world
            .running()
            .store
            .directory_sync(provider(&world))
            .await
            .unwrap();
        if stands.unwrap().failure.is_none() {
            break;
        }
        assert!(began.elapsed().as_secs() < 20);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn throttling_of_page_after_page_and_answers_that_break_off_only_take_time() {
    let world = read().await;
    let entra = world.entra.tenant(TENANT);
    for number in 0..35 {
        entra.add_user(User::member(format!("many{number}@contoso.example")));
    }
    world.entra.expire_delta_tokens().graph_page_size(1);
    // More pages than one may be asked for again.
    for page in 8..33 {
        world.entra.fail_next(Fault::Graph {
            status: 429,
            code: "TooManyRequests".to_owned(),
            retry_after: Some("0.01".to_owned()),
            from_page: page,
        });
    }
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.people), (None, 38));
    for list in ["/groups/delta", "/users/delta"] {
        world.entra.disable_user(ALICE_OID);
        world.entra.fail_next(Fault::GraphBreaksOff {
            path_ends: list,
            from_page: 0,
        });
        assert_eq!(sync(&world).await.failure, None, "{list}");
        assert!(!is_active(&world, ALICE_OID).await);
        world.entra.enable_user(ALICE_OID);
        sync(&world).await;
    }
}

#[tokio::test]
async fn a_page_that_does_not_come_is_asked_for_again() {
    let world = read().await;
    world.entra.disable_user(ALICE_OID).graph_page_size(1);
    asked(&world);
    // Longer than any answer is waited for.
    world.entra.fail_next(Fault::Slow {
        endpoint: Endpoint::Graph,
        ms: 16_000,
    });
    let began = Instant::now();
    assert_eq!(sync(&world).await.failure, None);
    assert!(began.elapsed() > Duration::from_secs(14), "it did hang");
    assert!(!is_active(&world, ALICE_OID).await);
    let requests = asked(&world);
    assert_eq!(
        requests[0].query, requests[1].query,
        "the same page: {requests:?}"
    );
}

#[tokio::test]
async fn a_token_that_graph_takes_no_longer_is_asked_for_anew() {
    let world = read().await;
    world.entra.revoke_access_tokens();
    let failure = sync(&world).await.failure.unwrap();
    assert!(failure.contains("does not accept the token"), "{failure}");
    assert_eq!(sync(&world).await.failure, None);
}

#[tokio::test]
async fn a_round_under_way_ends_where_what_it_was_to_do_is_something_else_now() {
    let mut world = read().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.disable_user(ALICE_OID);
    asked(&world);
    world.entra.fail_always(Fault::Slow {
        endpoint: Endpoint::Graph,
        ms: 1500,
    });
    let provider = provider(&world);
    let store = world.running().store.clone();
    store.want_directory_sync(provider, &somebody()).await.unwrap();
    let began = std::time::Instant::now();
    while asked(&world).is_empty() {
        assert!(began.elapsed().as_secs() < 20);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let off = "identity_update_behavior = \"automatic\"\n";
    world
        .declare(|builder| builder.provider(&sync_settings(off)))
        .await;
    let stands = loop {
        let stands = store.directory_sync(provider).await.unwrap().unwrap();
        if stands.ended_ms >= stands.began_ms {
            break stands;
        }
        assert!(began.elapsed().as_secs() < 20, "{stands:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let failure = stands.failure.unwrap_or_default();
    assert!(failure.contains("settings"), "{failure}");
    assert!(is_active(&world, ALICE_OID).await);
    world.entra.clear_faults();
    assert_eq!(sync(&world).await.failure, None);
    assert!(!is_active(&world, ALICE_OID).await);
    assert!(
        gets_in(&world, &browser).await,
        "whoever is disabled stays, by the settings"
    );
}

#[tokio::test]
async fn a_missing_permission_is_named_and_a_granted_one_is_used_at_once() {
    let world = read_with(EVERYTHING).start().await;
    let failure = sync(&world).await.failure.unwrap();
    assert!(failure.contains("GroupMember.Read.All"), "{failure}");
    world
        .entra
        .tenant(TENANT)
        .edit_app(crate::support::tenant::CLIENT, |app| {
            app.app_permission("GroupMember.Read.All")
        });
    let failure = sync(&world).await.failure.unwrap();
    assert!(failure.contains("User.Read.All"), "{failure}");
    grant(&world);
    assert_eq!(sync(&world).await.failure, None);
}

#[tokio::test]
async fn graph_that_hides_whether_accounts_are_enabled_or_lists_nobody_is_not_believed() {
    let world = read().await;
    let done = format!("{}/v1.0/users/delta?$deltatoken=x", world.entra.base_url());
    for (people, why) in [
        (
            json!([{ "id": ALICE_OID, "displayName": "Alice", "accountEnabled": null }]),
            "User.Read.All",
        ),
        (json!([]), "nobody at all"),
    ] {
        let body = json!({ "value": people, "@odata.deltaLink": done });
        world.entra.expire_delta_tokens();
        world.entra.fail_always(text(&body.to_string(), 0));
        let failure = sync(&world).await.failure.unwrap();
        assert!(failure.contains(why), "{failure}");
        world.entra.clear_faults();
        assert!(is_active(&world, ALICE_OID).await && is_active(&world, ADAM_OID).await);
    }
    assert_eq!(sync(&world).await.failure, None);
}

#[tokio::test]
async fn nothing_is_asked_before_the_interval_is_over() {
    let world = read().await;
    asked(&world);
    world
        .entra
        .tenant(TENANT)
        .add_user(User::member("new@contoso.example"));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(asked(&world), []);
}

fn read_hourly(settings: &str) -> Builder {
    let lines = format!("[identity_providers.directory_sync]\ninterval = \"1h\"\n{settings}");
    World::builder().provider(&lines)
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_for_long_raises_an_alarm() {
    let mut world = granted(read_hourly("silence_alarm = \"61m\"\n")).await;
    world.entra.fail_always(Fault::Graph {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        retry_after: Some("3600".to_owned()),
        from_page: 0,
    });
    world.pass(SignedDuration::from_hours(2));
    world.restart().await;
    let id = provider(&world).to_string();
    let began = Instant::now();
    while !log::lines_with(&id)
        .iter()
        .any(|line| line["alarm"] == true && line.to_string().contains("could not be read for 61 minutes"))
    {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_directory_that_was_never_read_raises_no_alarm_at_once() {
    let mut world = read_hourly("silence_alarm = \"97m\"\n").start().await;
    assert!(sync(&world).await.failure.is_some(), "nothing was granted");
    world.restart().await;
    let id = provider(&world).to_string();
    // What recurs is done at the start.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let is_of_this_test = |line: &serde_json::Value| line.to_string().contains("97 minutes");
    let alarmed = log::lines_with(&id).iter().any(is_of_this_test);
    assert!(!alarmed, "nobody has waited for an hour");
}

//! What `access_requests` holds of logins: a row for each attempt, which says what was decided.

use vestibule::store::{AccessRequest, AccessRequestFilter};

use crate::support::log;
use crate::support::person::Arrival;
use crate::support::tenant::{ADAM, ALICE, MALLORY};
use crate::support::world::World;

/// All rows, the oldest first.
async fn rows(world: &World) -> Vec<AccessRequest> {
    let filter = AccessRequestFilter {
        oldest_first: true,
        limit: 1000,
        ..AccessRequestFilter::default()
    };
    world.running().store.access_requests(&filter).await.unwrap()
}

/// What they say, in short.
async fn said(world: &World) -> Vec<(String, bool, Option<String>, Option<String>)> {
    let rows = rows(world).await.into_iter();
    rows.map(|row| (row.action, row.allowed, row.app_name, row.email))
        .collect()
}

fn row(
    action: &str,
    allowed: bool,
    app: Option<&str>,
    email: &str,
) -> (String, bool, Option<String>, Option<String>) {
    (
        action.to_owned(),
        allowed,
        app.map(str::to_owned),
        Some(email.to_owned()),
    )
}

fn reference(arrival: &Arrival) -> String {
    log::request_id(&arrival.text()).expect("a page with a reference")
}

#[tokio::test]
async fn whoever_signs_in_and_is_refused_is_written_down_as_refused_alone() {
    let world = World::start().await;
    let mut mallory = world.person(MALLORY);
    let refused = mallory.open(&world.host("wiki"), "/").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(said(&world).await, [row("login", false, Some("Wiki"), MALLORY)]);
    assert_eq!(rows(&world).await[0].request_id, reference(&refused));
    // Again, with the session there is by now.
    let again = mallory.open(&world.host("other"), "/").await;
    assert_eq!(again.status(), 403);
    assert!(!again.asked_entra());
    assert_eq!(
        said(&world).await[1..],
        [row("login", false, Some("Other"), MALLORY)]
    );
}

#[tokio::test]
async fn each_application_that_is_entered_is_a_row() {
    let world = World::start().await;
    let mut adam = world.person(ADAM);
    for (host, path) in [
        ("wiki", "/"),
        ("other", "/"),
        ("wiki", "/admin"),
        ("wiki", "/deep"),
    ] {
        let arrival = adam.open(&world.host(host), path).await;
        assert_eq!(arrival.status(), 200, "{host}{path}");
    }
    assert_eq!(
        said(&world).await,
        [
            row("login", true, Some("Wiki"), ADAM),
            row("login", true, Some("Other"), ADAM),
            row("login", true, Some("Administration"), ADAM),
        ],
        "and none for what was open already"
    );
    let rows = rows(&world).await;
    assert!(
        rows.iter()
            .all(|row| row.user == rows[0].user && row.user.is_some())
    );
    let mut ids: Vec<_> = rows.iter().map(|row| &row.request_id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_login_on_which_nothing_is_decided_yet_names_no_application() {
    let asking = r#"[{ name = "with reason", decision = "allow", purpose_justification_required = true, include = [{ everyone = {} }] }]"#;
    let world = World::builder().wiki_policies(asking).start().await;
    let mut alice = world.person(ALICE);
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 403);
    assert_eq!(said(&world).await, [row("login", true, None, ALICE)]);
    // The page again: nobody signed in, and nothing was decided.
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 403);
    assert_eq!(said(&world).await.len(), 1);

    let mut elsewhere = world.person(ALICE);
    let launcher = world.host("login");
    assert_eq!(elsewhere.open(&launcher, "/").await.status(), 200);
    assert_eq!(said(&world).await[1..], [row("login", true, None, ALICE)]);
}

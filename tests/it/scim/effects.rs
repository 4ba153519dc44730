//! What the directory's word does to people who are signed in, by how a provider is set.

use std::time::Instant;

use serde_json::json;

use super::client::{Directory, json_of};
use super::{EVERYTHING, PROMISE, gets_in, provisioned, socket};
use crate::support::tenant::{ADAM, ADMINS, ALICE, MALLORY, STAFF};
use crate::support::world::World;

pub(crate) const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";

async fn object_of(world: &World, upn: &str) -> String {
    let store = world.store().await;
    let users = store.users_with_email(&upn.parse().unwrap()).await.unwrap();
    users[0].person.object.to_string()
}

#[tokio::test]
async fn from_the_answer_to_a_refused_request_and_a_closed_socket_is_less_than_a_second() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    for round in 1..=3 {
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        let mut socket = socket(&world, &browser).await;
        directory.set_active(&alice, false).await;
        let answered = Instant::now();
        let (closed, refused) = tokio::join!(
            async {
                socket.end().await;
                answered.elapsed()
            },
            async {
                while gets_in(&world, &browser).await {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                answered.elapsed()
            }
        );
        println!("round {round}: refused {refused:?} and cut {closed:?} after the answer of SCIM");
        assert!(refused < PROMISE && closed < PROMISE, "{refused:?} {closed:?}");
        directory.set_active(&alice, true).await;
    }
}

#[tokio::test]
async fn whoever_is_out_gets_a_page_of_its_own_until_the_directory_says_otherwise() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    directory.set_active(&alice, false).await;
    // Before she ever signed in here, and though Entra signs her in.
    for _ in 0..2 {
        let mut browser = world.person(ALICE);
        let arrival = browser.open(&world.host("wiki"), "/").await;
        assert_eq!(arrival.status(), 403, "{}", arrival.text());
        assert!(arrival.asked_entra());
        assert_eq!(arrival.reply.header("set-cookie"), None, "no session was made");
    }
    assert_eq!(world.origin.hits(), 0);
    directory.set_active(&alice, true).await;
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn a_login_in_flight_does_not_outlive_a_deactivation() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    world.signed_in(ALICE, &["wiki"]).await;
    let mut browser = world.person(ALICE);
    let callback = browser.up_to_callback(&world.host("wiki"), "/x").await;
    directory.set_active(&alice, false).await;
    let arrival = browser.follow(callback).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
}

#[tokio::test]
async fn a_hand_over_under_way_says_why_it_ends() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let mut browser = world.person(ALICE);
    let start = browser.address(&world.host("wiki"), "/x");
    let ticket = browser
        .follow_while(start, |url| !url.path().ends_with("/cdn-cgi/access/authorized"))
        .await;
    directory.set_active(&alice, false).await;
    let arrival = browser.follow(ticket.url).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
    let refused = world.person(ALICE).open(&world.host("wiki"), "/x").await;
    let title = |page: &str| {
        page.split("<h1")
            .nth(1)
            .and_then(|rest| rest.split("</h1>").next())
            .map(str::to_owned)
    };
    assert_eq!(
        title(&arrival.text()),
        title(&refused.text()),
        "the same words as after a sign-in"
    );
    assert!(title(&refused.text()).is_some());
}

#[tokio::test]
async fn whoever_signs_in_is_active_again_where_the_provider_says_so() {
    let settings = format!("{EVERYTHING}reactivate_on_login = true\n");
    let world = provisioned(&settings).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    directory.set_active(&alice, false).await;
    assert!(!gets_in(&world, &browser).await);
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(directory.get(&format!("/Users/{alice}")).await["active"], true);
    directory.delete(&format!("/Users/{alice}")).await;
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn without_deprovisioning_nothing_happens_to_anybody() {
    let world = provisioned("identity_update_behavior = \"no_action\"\n")
        .start()
        .await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    directory.remove_member(&staff, &alice).await;
    directory.set_active(&alice, false).await;
    directory.delete(&format!("/Users/{alice}")).await;
    assert!(gets_in(&world, &browser).await);
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn groups_change_under_a_live_session() {
    let world = provisioned("identity_update_behavior = \"automatic\"\n")
        .start()
        .await;
    let directory = Directory::of(&world).await;
    // Mallory signs in and is refused: she is not staff.
    let mut mallory = world.person(MALLORY);
    assert_eq!(mallory.open(&world.host("wiki"), "/").await.status(), 403);
    let id = directory.person(&object_of(&world, MALLORY).await, MALLORY).await;
    let staff = directory.group(STAFF, "Staff", &[]).await;
    directory.add_member(&staff, &id).await;
    let arrival = mallory.open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert!(!arrival.asked_entra(), "no new sign-in");
    let mut socket = socket(&world, &mallory).await;
    // Put in again, renamed: nothing that she would notice.
    directory.add_member(&staff, &id).await;
    directory
        .patch(
            &format!("/Groups/{staff}"),
            json!([{ "op": "Replace", "path": "displayName", "value": "Everybody" }]),
        )
        .await;
    assert!(gets_in(&world, &mallory).await);
    directory.remove_member(&staff, &id).await;
    let answered = Instant::now();
    assert!(
        !gets_in(&world, &mallory).await,
        "the next request is decided anew"
    );
    socket.end().await;
    println!(
        "a socket was cut {:?} after a membership ended",
        answered.elapsed()
    );
    assert!(answered.elapsed() < PROMISE);
    // Another group of Entra under the same name is another group.
    directory.add_member(&staff, &id).await;
    assert!(gets_in(&world, &mallory).await);
    directory
        .patch(
            &format!("/Groups/{staff}"),
            json!([{ "op": "Replace", "path": "externalId", "value": ADMINS }]),
        )
        .await;
    assert!(!gets_in(&world, &mallory).await);
    let admin = mallory.clone().fetch(&world.host("wiki"), "/admin/x", &[]).await;
    assert_ne!(admin.status, 404);
    // All at once.
    directory
        .patch(
            &format!("/Groups/{staff}"),
            json!([{ "op": "Replace", "path": "externalId", "value": STAFF }]),
        )
        .await;
    assert!(gets_in(&world, &mallory).await);
    directory.delete(&format!("/Groups/{staff}")).await;
    assert!(!gets_in(&world, &mallory).await);
}

#[tokio::test]
async fn sessions_end_where_groups_change_and_a_new_sign_in_is_wanted() {
    for settings in [
        "identity_update_behavior = \"reauth\"\n",
        "group_member_deprovision = true\n",
    ] {
        let world = provisioned(settings).start().await;
        let directory = Directory::of(&world).await;
        let alice = directory.person(ALICE_OID, ALICE).await;
        let other = directory
            .group("a1000009-1111-4a11-8a11-000000000009", "Other", &[])
            .await;
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        let mut socket = socket(&world, &browser).await;
        // Names are not groups.
        directory
            .patch(
                &format!("/Users/{alice}"),
                json!([{ "op": "Replace", "path": "displayName", "value": "A" }]),
            )
            .await;
        assert!(gets_in(&world, &browser).await);
        directory.add_member(&other, &alice).await;
        let answered = Instant::now();
        assert!(!gets_in(&world, &browser).await, "{settings}");
        socket.end().await;
        assert!(answered.elapsed() < PROMISE);
        let again = world.signed_in(ALICE, &["wiki"]).await;
        directory.add_member(&other, &alice).await;
        assert!(gets_in(&world, &again).await, "nothing changed");
        let user = world
            .store()
            .await
            .users_with_email(&ALICE.parse().unwrap())
            .await
            .unwrap()
            .remove(0);
        let sessions = world.store().await.sessions_of(user.id).await.unwrap();
        assert!(
            sessions
                .iter()
                .any(|session| session.ended_cause.as_deref() == Some("groups_changed"))
        );
    }
}

#[tokio::test]
async fn groups_of_the_directory_count_where_the_provider_is_asked_for_none() {
    let world = World::builder()
        .provider(
            "support_groups = false\n[identity_providers.scim_config]\nenabled = true\nidentity_update_behavior = \"automatic\"\n",
        )
        .start()
        .await;
    let directory = Directory::of(&world).await;
    // Provisioned before her first sign-in.
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    directory.remove_member(&staff, &alice).await;
    assert!(!gets_in(&world, &browser).await);
    let mut mallory = world.person(MALLORY);
    assert_eq!(mallory.open(&world.host("wiki"), "/").await.status(), 403);
}

#[tokio::test]
async fn many_members_come_and_go_in_one_request() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let mut people = vec![directory.person(ALICE_OID, ALICE).await];
    for number in 0..250 {
        let body = json!({ "userName": format!("user{number}@corp.example") });
        people.push(directory.create("/Users", &body).await);
    }
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let all: Vec<&str> = people.iter().map(String::as_str).collect();
    let staff = directory.group(STAFF, "Staff", &all).await;
    assert!(gets_in(&world, &browser).await);
    directory
        .patch(
            &format!("/Groups/{staff}"),
            json!([{ "op": "Remove", "path": "members" }]),
        )
        .await;
    assert!(!gets_in(&world, &browser).await, "all left, she among them");
    let members: Vec<_> = people.iter().map(|id| json!({ "value": id })).collect();
    directory
        .patch(
            &format!("/Groups/{staff}"),
            json!([{ "op": "Replace", "path": "members", "value": members }]),
        )
        .await;
    assert!(gets_in(&world, &browser).await);
    let found = directory.ask("GET", &format!("/Groups/{staff}"), None).await;
    assert_eq!(json_of(&found)["members"].as_array().unwrap().len(), 251);
}

#[tokio::test]
async fn turning_deprovisioning_on_ends_the_sessions_of_whoever_is_out_already() {
    let mut world = provisioned("").start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let adam = world.signed_in(ADAM, &["wiki"]).await;
    let staying = directory.person(&object_of(&world, ADAM).await, ADAM).await;
    let mut mallory = world.person(MALLORY);
    mallory.open(&world.host("other"), "/").await;
    let deleted = directory.person(&object_of(&world, MALLORY).await, MALLORY).await;
    directory.set_active(&alice, false).await;
    directory.delete(&format!("/Users/{deleted}")).await;
    directory.set_active(&staying, false).await;
    directory.set_active(&staying, true).await;
    assert!(gets_in(&world, &browser).await, "nothing is to follow yet");
    let mut open = socket(&world, &browser).await;

    world
        .declare(|world| {
            world.provider(&format!(
                "[identity_providers.scim_config]\nenabled = true\n{EVERYTHING}"
            ))
        })
        .await;
    open.end().await;
    let began = Instant::now();
    while gets_in(&world, &browser).await {
        assert!(began.elapsed() < PROMISE);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(gets_in(&world, &adam).await, "whoever is active stays");
    let store = world.store().await;
    for (person, is_out) in [(ALICE, true), (ADAM, false), (MALLORY, true)] {
        let user = store
            .users_with_email(&person.parse().unwrap())
            .await
            .unwrap()
            .remove(0);
        assert_eq!((user.deprovisioned, user.seat), (is_out, !is_out), "{person}");
        let sessions = store.sessions_of(user.id).await.unwrap();
        let cause = sessions[0].ended_cause.as_deref();
        assert_eq!(cause, is_out.then_some("deprovisioned"), "{person}");
    }
    directory.set_active(&alice, true).await;
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn whoever_came_while_the_directory_was_not_heard_is_out_when_it_is() {
    let mut world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    directory.set_active(&alice, false).await;
    world.declare(|world| world.provider("")).await;
    // Nobody asks the directory now.
    let browser = loop {
        let mut browser = world.person(ALICE);
        if browser.open(&world.host("wiki"), "/").await.status() == 200 {
            break browser;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    world
        .declare(|world| {
            world.provider(&format!(
                "[identity_providers.scim_config]\nenabled = true\n{EVERYTHING}"
            ))
        })
        .await;
    let began = Instant::now();
    while gets_in(&world, &browser).await {
        assert!(began.elapsed() < PROMISE);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let refused = directory.ask("GET", "/Users?count=0", None).await;
    assert_eq!(refused.status, 401, "the secret of before is dead");
}

//! What the directory says while somebody is between Microsoft's page and ours, or while Microsoft is asked in the
//! background.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mock_entra::{Endpoint, Fault, MemberRef};

use super::client::Directory;
use super::effects::ALICE_OID;
use super::{gets_in, provisioned};
use crate::support::person::Person;
use crate::support::tenant::{ADMINS, ALICE, STAFF};
use crate::support::world::World;

/// That somebody who is deactivated stays out.
const DEPROVISIONING: &str = "user_deprovision = true\n";
const AUTOMATIC: &str = "identity_update_behavior = \"automatic\"\n";

/// Waits until Graph has been asked more often than this.
async fn graph_asked(world: &World, before: usize) {
    let began = Instant::now();
    while world.entra.count(Endpoint::Graph) == before {
        assert!(began.elapsed() < Duration::from_secs(20), "Graph is not asked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Signs Alice in; when Graph is being asked for her groups, `told` happens.
async fn meanwhile(world: &World, told: impl Future<Output = ()>) -> Person {
    let mut browser = world.person(ALICE);
    let callback = browser.up_to_callback(&world.host("wiki"), "/x").await;
    let asked = world.entra.count(Endpoint::Graph);
    world.entra.fail_next(Fault::Slow {
        endpoint: Endpoint::Graph,
        ms: 1_500,
    });
    let ((), _) = tokio::join!(
        async {
            graph_asked(world, asked).await;
            told.await;
        },
        browser.follow(callback)
    );
    browser
}

#[tokio::test]
async fn a_group_taken_during_a_sign_in_is_not_held_after_it() {
    let world = provisioned(AUTOMATIC).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    // Before anybody knows her here, and after.
    for _ in 0..2 {
        let browser = meanwhile(&world, directory.remove_member(&staff, &alice)).await;
        assert!(!gets_in(&world, &browser).await);
        directory.add_member(&staff, &alice).await;
    }
    // Taken and given again is given.
    let browser = meanwhile(&world, async {
        directory.remove_member(&staff, &alice).await;
        directory.add_member(&staff, &alice).await;
    })
    .await;
    assert!(gets_in(&world, &browser).await);
    // The group as a whole.
    let browser = meanwhile(&world, directory.delete(&format!("/Groups/{staff}"))).await;
    assert!(!gets_in(&world, &browser).await);
    // Long before, it is Graph that is newer.
    world.pass(SignedDuration::from_mins(5));
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn a_refresh_does_not_give_back_what_the_directory_took_meanwhile() {
    let world = World::builder()
        .provider(&format!(
            "refresh_check = \"10m\"\n[identity_providers.scim_config]\nenabled = true\n{AUTOMATIC}"
        ))
        .start()
        .await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    // There is news of her that the refresh is to bring.
    world.entra.add_member(ADMINS, MemberRef::user(ALICE_OID));
    let asked = world.entra.count(Endpoint::Graph);
    world.entra.fail_next(Fault::Slow {
        endpoint: Endpoint::Graph,
        ms: 2_000,
    });
    world.pass(SignedDuration::from_mins(11));
    graph_asked(&world, asked).await;
    directory.remove_member(&staff, &alice).await;
    assert!(!gets_in(&world, &browser).await);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!gets_in(&world, &browser).await, "an older answer came later");
}

/// Graph's lists follow a change by some seconds.
#[tokio::test]
async fn what_graph_still_tells_does_not_give_back_what_the_directory_took() {
    let world = provisioned(AUTOMATIC).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    let mut browser = world.signed_in(ALICE, &["wiki"]).await;
    directory.remove_member(&staff, &alice).await;
    assert!(!gets_in(&world, &browser).await);
    let refreshed = browser
        .open(&world.host("login"), "/cdn-cgi/access/refresh-identity")
        .await;
    assert_eq!(refreshed.status(), 200, "{}", refreshed.text());
    assert!(!gets_in(&world, &browser).await);
    directory.add_member(&staff, &alice).await;
    assert!(gets_in(&world, &browser).await);
}

#[tokio::test]
async fn a_first_sign_in_under_way_does_not_outlive_that_deprovisioning_is_turned_on() {
    let mut world = provisioned("").start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    directory.set_active(&alice, false).await;
    let mut browser = world.person(ALICE);
    let callback = browser.up_to_callback(&world.host("wiki"), "/x").await;
    let asked = world.entra.count(Endpoint::Graph);
    world.entra.fail_next(Fault::Slow {
        endpoint: Endpoint::Graph,
        ms: 1_500,
    });
    let ((), arrival) = tokio::join!(
        async {
            graph_asked(&world, asked).await;
            world
                .declare(|world| {
                    world.provider(&format!(
                        "[identity_providers.scim_config]\nenabled = true\n{DEPROVISIONING}"
                    ))
                })
                .await;
        },
        browser.follow(callback)
    );
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
    assert!(!gets_in(&world, &browser).await);
}

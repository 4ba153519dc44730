//! Many groups or memberships that are missing at once are not believed the first time either.

use std::time::Duration;

use jiff::SignedDuration;
use mock_entra::{Fault, Group, MemberRef, User};
use serde_json::{Value, json};

use super::{ADAM_OID, provider, read, sync, told};
use crate::scim::gets_in;
use crate::support::person::Person;
use crate::support::tenant::{ADMINS, ALICE, STAFF, TENANT};
use crate::support::world::World;

fn team(number: usize) -> String {
    format!("a1000021-1111-4a11-8a11-{number:012}")
}

/// Fourteen groups: staff, of which Alice and eight others are, administrators, and a dozen teams of one.
async fn many_groups() -> (World, Person) {
    let world = read().await;
    let entra = world.entra.tenant(TENANT);
    for number in 0..12 {
        let name = format!("many{number}@contoso.example");
        let oid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string();
        entra.add_user(User::member(name));
        let group = Group::new(team(number), format!("Team {number}"));
        entra.add_group(group.member(MemberRef::user(&oid)));
        if number < 7 {
            entra.add_member(STAFF, MemberRef::user(oid));
        }
    }
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.people, stands.groups), (None, 15, 14));
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.expire_delta_tokens();
    (world, browser)
}

/// Graph's list of groups from now on.
fn lists(world: &World, groups: &[Value]) {
    let done = format!("{}/v1.0/groups/delta?$deltatoken=x", world.entra.base_url());
    let body = json!({ "value": groups, "@odata.deltaLink": done });
    world.entra.clear_faults();
    world.entra.fail_always(Fault::GraphText {
        path_ends: "/groups/delta",
        from_page: 0,
        body: body.to_string(),
    });
}

/// Groups without what Graph says of their members.
fn without_members() -> Vec<Value> {
    let known = [(STAFF.to_owned(), "Staff"), (ADMINS.to_owned(), "Administrators")];
    let teams = (0..12).map(|number| (team(number), "Team"));
    let named = |(id, name): (String, &str)| json!({ "id": id, "displayName": name });
    known.into_iter().chain(teams).map(named).collect()
}

#[tokio::test]
async fn groups_that_are_missing_among_many_go_when_a_second_round_says_so_and_people_at_once() {
    let (world, browser) = many_groups().await;
    world.entra.delete_group(STAFF).disable_user(ADAM_OID);
    for number in 0..7 {
        world.entra.delete_group(&team(number));
    }
    let stands = sync(&world).await;
    let why = stands.failure.unwrap_or_default();
    assert!(
        why.starts_with("8 of 14 groups and 16 of 22 memberships"),
        "{why}"
    );
    assert!(gets_in(&world, &browser).await, "nothing was done about groups");
    assert!(!told(&world, ADAM_OID).await.unwrap().record.is_active());
    tokio::time::sleep(Duration::from_millis(5)).await;
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.groups), (None, 6));
    assert!(!gets_in(&world, &browser).await);
}

#[tokio::test]
async fn members_whom_graph_leaves_out_stay_until_a_second_round_says_so() {
    let (world, browser) = many_groups().await;
    lists(&world, &without_members());
    let stands = sync(&world).await;
    let why = stands.failure.unwrap_or_default();
    assert!(
        why.starts_with("0 of 14 groups and 22 of 22 memberships"),
        "{why}"
    );
    assert!(gets_in(&world, &browser).await);
    // It was a hiccup.
    world.entra.clear_faults();
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.held_back_ms), (None, None));
    assert!(gets_in(&world, &browser).await);
    // Groups are missing besides, the second time.
    let mut groups = without_members();
    lists(&world, &groups);
    world.entra.expire_delta_tokens();
    assert!(sync(&world).await.failure.is_some());
    groups.truncate(6);
    lists(&world, &groups);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let why = sync(&world).await.failure.unwrap_or_default();
    assert!(why.contains("not what the round before said"), "{why}");
    assert!(gets_in(&world, &browser).await);
}

#[tokio::test]
async fn members_who_are_replaced_by_as_many_others_stay_until_a_second_round_says_so() {
    let (world, browser) = many_groups().await;
    let mut groups = without_members();
    for (group, size) in groups.iter_mut().zip([9].into_iter().chain([1; 13])) {
        let of_group: uuid::Uuid = group["id"].as_str().unwrap().parse().unwrap();
        let other = |number: u8| uuid::Uuid::new_v5(&of_group, &[number]);
        let member = |number| json!({ "@odata.type": "#microsoft.graph.user", "id": other(number) });
        group["members@delta"] = (0..size).map(member).collect();
    }
    lists(&world, &groups);
    let why = sync(&world).await.failure.unwrap_or_default();
    assert!(
        why.starts_with("0 of 14 groups and 22 of 22 memberships"),
        "{why}"
    );
    assert!(gets_in(&world, &browser).await);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(sync(&world).await.failure, None);
    assert!(!gets_in(&world, &browser).await);
}

#[tokio::test]
async fn a_directory_without_any_group_is_believed_when_the_operator_asks_again() {
    let (world, browser) = many_groups().await;
    lists(&world, &[]);
    let why = sync(&world).await.failure.unwrap_or_default();
    assert!(why.starts_with("Graph lists no group at all"), "{why}");
    let store = &world.running().store;
    for _ in 0..3 {
        let before = store.directory_sync(provider(&world)).await.unwrap().unwrap();
        world.pass(SignedDuration::from_mins(6));
        let began = std::time::Instant::now();
        loop {
            let stands = store.directory_sync(provider(&world)).await.unwrap().unwrap();
            if stands.ended_ms > before.ended_ms {
                assert!(stands.failure.is_some());
                break;
            }
            assert!(began.elapsed().as_secs() < 20);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(gets_in(&world, &browser).await);
    }
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.groups), (None, 0));
    assert!(!gets_in(&world, &browser).await);
}

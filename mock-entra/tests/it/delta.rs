//! Following changes: rounds, pages, tokens, permissions.

use mock_entra::{Group, MemberRef, User, demo};
use serde_json::{Value, json};

use crate::support::{Answer, World};

const PEOPLE: &str = "users/delta?$select=accountEnabled,userPrincipalName,mail";
const GROUPS: &str = "groups/delta?$select=displayName,members";

/// A client that follows with an application's token.
struct Follower<'a> {
    world: &'a World,
    token: String,
}

impl<'a> Follower<'a> {
    async fn of(world: &'a World) -> Self {
        let answer = world.token(world.app_login()).await;
        Self {
            world,
            token: answer.body["access_token"].as_str().unwrap().to_owned(),
        }
    }

    async fn get(&self, address: &str) -> Answer {
        let address = if address.starts_with("http") {
            address.to_owned()
        } else {
            format!("{}/v1.0/{address}", self.world.entra.base_url())
        };
        let request = self.world.http.get(address).bearer_auth(&self.token);
        Answer::of(request.send().await.unwrap()).await
    }

    /// A round: its entries, how many pages it had, and the link to the next.
    async fn round(&self, address: &str) -> (Vec<Value>, usize, String) {
        let mut address = address.to_owned();
        let mut entries = Vec::new();
        for pages in 1.. {
            let page = self.get(&address).await;
            assert_eq!(page.status, 200, "{}", page.body);
            entries.extend(page.body["value"].as_array().unwrap().iter().cloned());
            if let Some(done) = page.body["@odata.deltaLink"].as_str() {
                assert_eq!(page.body.get("@odata.nextLink"), None);
                return (entries, pages, done.to_owned());
            }
            page.body["@odata.nextLink"]
                .as_str()
                .unwrap()
                .clone_into(&mut address);
        }
        unreachable!()
    }
}

fn entry<'e>(entries: &'e [Value], id: &str) -> &'e Value {
    entries.iter().find(|entry| entry["id"] == id).unwrap()
}

#[tokio::test]
async fn a_round_tells_everybody_and_the_next_ones_what_changed() {
    let world = World::start().await;
    let follower = Follower::of(&world).await;
    let (people, pages, link) = follower.round(PEOPLE).await;
    assert_eq!((people.len(), pages), (5, 1));
    assert_eq!(
        entry(&people, demo::DAN_OID),
        &json!({ "id": demo::DAN_OID, "accountEnabled": false, "userPrincipalName": demo::DAN, "mail": demo::DAN })
    );
    let (nothing, _, link) = follower.round(&link).await;
    assert_eq!(nothing, Vec::<Value>::new());
    world
        .entra
        .disable_user(demo::ALICE_OID)
        .delete_user(demo::BOB_OID)
        .purge_user(demo::EVE_OID);
    world
        .entra
        .tenant(demo::TENANT)
        .add_user(User::guest(demo::CAROL).oid(demo::CAROL_OID).without_mail());
    let (changes, _, link) = follower.round(&link).await;
    assert_eq!(changes.len(), 4, "{changes:#?}");
    assert_eq!(entry(&changes, demo::ALICE_OID)["accountEnabled"], false);
    assert_eq!(entry(&changes, demo::CAROL_OID)["mail"], Value::Null);
    assert!(entry(&changes, demo::CAROL_OID).get("mail").is_some());
    let removed = |id, reason| json!({ "id": id, "@removed": { "reason": reason } });
    assert_eq!(entry(&changes, demo::BOB_OID), &removed(demo::BOB_OID, "changed"));
    assert_eq!(entry(&changes, demo::EVE_OID), &removed(demo::EVE_OID, "deleted"));
    world.entra.restore_user(demo::BOB_OID);
    let (changes, _, link) = follower.round(&link).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["userPrincipalName"], demo::BOB);
    world.entra.delete_user(demo::BOB_OID).purge_user(demo::BOB_OID);
    let (changes, _, _) = follower.round(&link).await;
    assert_eq!(changes, [removed(demo::BOB_OID, "deleted")]);
}

#[tokio::test]
async fn groups_come_with_their_members_in_parts_and_groups_among_them() {
    let world = World::start().await;
    world.entra.graph_page_size(2).graph_empty_first_page(true);
    let follower = Follower::of(&world).await;
    let all = Group::new("b1000001-1111-4a11-8a11-000000000001", "All")
        .member(MemberRef::user(demo::ALICE_OID))
        .member(MemberRef::user(demo::BOB_OID))
        .member(MemberRef::user(demo::CAROL_OID));
    world.entra.tenant(demo::TENANT).add_group(all);
    let (groups, pages, link) = follower.round(GROUPS).await;
    assert!(pages > 100);
    let parts: Vec<usize> = groups
        .iter()
        .filter(|entry| entry["displayName"] == "All")
        .map(|entry| entry["members@delta"].as_array().unwrap().len())
        .collect();
    assert_eq!(parts, [2, 1]);
    let staff = entry(&groups, demo::ALL_STAFF);
    assert_eq!(
        staff["members@delta"][0],
        json!({ "@odata.type": "#microsoft.graph.group", "id": demo::ENGINEERING })
    );
    world
        .entra
        .remove_member(demo::ALL_STAFF, &MemberRef::group(demo::SALES))
        .delete_group(demo::SALES);
    let (changes, _, _) = follower.round(&link).await;
    assert_eq!(
        entry(&changes, demo::ALL_STAFF)["members@delta"],
        json!([{ "@odata.type": "#microsoft.graph.group", "id": demo::SALES, "@removed": { "reason": "deleted" } }])
    );
    assert_eq!(entry(&changes, demo::SALES)["@removed"]["reason"], "deleted");
}

#[tokio::test]
async fn changes_come_again_where_the_test_says_so() {
    let world = World::start().await;
    let follower = Follower::of(&world).await;
    let (_, _, link) = follower.round(PEOPLE).await;
    world.entra.disable_user(demo::ALICE_OID);
    let (changes, _, link) = follower.round(&link).await;
    assert_eq!(changes.len(), 1);
    world.entra.graph_delta_replays(true);
    let (again, _, _) = follower.round(&link).await;
    assert_eq!(again, changes);
}

#[tokio::test]
async fn a_token_that_expired_or_belongs_to_another_list_means_to_start_over() {
    let world = World::start().await;
    let follower = Follower::of(&world).await;
    let (_, _, link) = follower.round(PEOPLE).await;
    let elsewhere = follower.get(&link.replace("users", "groups")).await;
    assert_eq!(elsewhere.status, 410);
    world.entra.set_clock_offset(8 * 86_400);
    let follower = Follower::of(&world).await;
    let expired = follower.get(&link).await;
    assert_eq!(expired.status, 410);
    assert_eq!(expired.body["error"]["code"], "syncStateNotFound");
    let over = expired.headers["location"].to_str().unwrap();
    assert!(over.ends_with("/v1.0/users/delta?$deltatoken="), "{over}");
    let (latest, _, link) = follower.round("users/delta?$deltatoken=latest").await;
    assert_eq!(latest, Vec::<Value>::new());
    world.entra.expire_delta_tokens();
    assert_eq!(follower.get(&link).await.status, 410);
}

#[tokio::test]
async fn following_takes_the_permission() {
    let world = World::start_with(|_| {
        mock_entra::AppRegistration::new(demo::CLIENT_ID, "Vestibule")
            .secret(demo::CLIENT_SECRET)
            .app_permission("GroupMember.Read.All")
    })
    .await;
    let follower = Follower::of(&world).await;
    assert_eq!(follower.get(GROUPS).await.status, 200);
    let denied = follower.get(PEOPLE).await;
    assert_eq!(denied.status, 403);
    assert_eq!(denied.body["error"]["code"], "Authorization_RequestDenied");
}

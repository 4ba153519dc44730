//! Groups from Graph: complete, or known to be incomplete.

use mock_entra::{AppRegistration, Directory, Endpoint, Fault, Group, Tenant, User, demo};
use vestibule::entra::EntraError;
use vestibule::model::identity::Groups;

use super::world::World;

fn names(groups: &Groups) -> Vec<&str> {
    let mut names: Vec<&str> = groups
        .held()
        .iter()
        .filter_map(|group| group.name.as_deref())
        .collect();
    names.sort_unstable();
    names
}

fn throttled(from_page: u32, retry_after: &str) -> Fault {
    Fault::Graph {
        status: 429,
        code: "TooManyRequests".to_owned(),
        retry_after: Some(retry_after.to_owned()),
        from_page,
    }
}

#[tokio::test]
async fn groups_within_groups_are_held() {
    let world = World::start().await;
    let alice = world.sign_in(demo::ALICE).await.unwrap();
    assert!(alice.groups.complete());
    assert_eq!(names(&alice.groups), ["All Staff", "Engineering"]);
}

#[tokio::test]
async fn a_person_in_too_many_groups_for_a_token_has_them_all() {
    let world = World::start().await;
    world.entra.graph_page_size(100).graph_empty_first_page(true);
    let eve = world.sign_in(demo::EVE).await.unwrap();
    assert!(eve.groups.complete());
    assert_eq!(eve.groups.held().len(), 250);
    assert_eq!(
        world.entra.count(Endpoint::Graph),
        4,
        "an empty page and three full ones"
    );
}

#[tokio::test]
async fn throttling_for_a_moment_costs_no_group() {
    let world = World::start().await;
    world.entra.graph_page_size(100).fail_next(throttled(2, "0.05"));
    let eve = world.sign_in(demo::EVE).await.unwrap();
    assert_eq!((eve.groups.complete(), eve.groups.held().len()), (true, 250));
}

#[tokio::test]
async fn a_list_cut_short_is_unknown_and_keeps_what_came() {
    let world = World::start().await;
    world.entra.graph_page_size(100).fail_always(throttled(2, "3600"));
    let eve = world.sign_in(demo::EVE).await.unwrap();
    assert_eq!((eve.groups.complete(), eve.groups.held().len()), (false, 100));
}

#[tokio::test]
async fn without_consent_groups_are_unknown_and_the_login_goes_on() {
    let directory = Directory::new();
    let tenant = Tenant::new(demo::TENANT, "Contoso")
        .domain(demo::DOMAIN)
        .restricted_guests()
        .user(User::guest(demo::CAROL))
        .group(Group::new(demo::SALES, "Sales"))
        .app(
            AppRegistration::new(demo::CLIENT_ID, "Vestibule")
                .secret(demo::CLIENT_SECRET)
                .permission("User.Read")
                .permission("GroupMember.Read.All"),
        );
    directory.add_tenant(tenant);
    let carol = World::with(directory).await.sign_in(demo::CAROL).await.unwrap();
    assert!(
        matches!(carol.groups, Groups::Unknown { .. }),
        "{:?}",
        carol.groups
    );
}

#[tokio::test]
async fn groups_that_nobody_asked_for_are_not_read() {
    let world = World::start()
        .await
        .configured(|settings| settings.support_groups = false);
    let alice = world.sign_in(demo::ALICE).await.unwrap();
    assert_eq!(alice.groups, Groups::NotAsked);
    assert_eq!(world.entra.count(Endpoint::Graph), 0);
}

#[tokio::test]
async fn a_claims_challenge_asks_for_one_new_login_and_no_second() {
    let world = World::start().await;
    world.entra.fail_always(Fault::GraphClaimsChallenge);
    let Err(EntraError::ClaimsChallenge(claims)) = world.sign_in(demo::ALICE).await else {
        panic!("a challenge is expected")
    };
    let mut redemption = world
        .authorized(demo::ALICE, |request| request.claims_challenge = Some(claims))
        .await;
    redemption.challenge_answered = true;
    let alice = world
        .relying_party
        .finish(&world.provider, &redemption)
        .await
        .unwrap();
    assert!(matches!(alice.groups, Groups::Unknown { .. }));
}

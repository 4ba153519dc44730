//! Addresses that a directory changes under live sessions: which of them rules rely on.

use serde_json::json;

use super::client::Directory;
use super::effects::ALICE_OID;
use super::provisioned;
use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::world::World;

const WORK: &str = "emails[type eq \"work\"].value";
/// The wiki is the partner's, `other` is everybody's.
const OF_PARTNERS: &str = r#"[{ name = "partners", decision = "allow", include = [
    { email_domain = { domain = "partner.example" } }, { email = { email = "alice@partner.example" } }] }]"#;

async fn world() -> (World, Directory, String, Person) {
    let world = provisioned("identity_update_behavior = \"automatic\"\n")
        .wiki_policies(OF_PARTNERS)
        .start()
        .await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let browser = world.signed_in(ALICE, &["other"]).await;
    (world, directory, alice, browser)
}

async fn set(directory: &Directory, id: &str, values: serde_json::Value) {
    let operations = json!([{ "op": "Replace", "value": values }]);
    directory.patch(&format!("/Users/{id}"), operations).await;
}

/// What applications are told, and whether the partner's rules are met.
async fn seen(world: &World, person: &Person) -> (String, bool) {
    let mut person = person.clone();
    let other = person.fetch(&world.host("other"), "/x", &[]).await;
    assert_eq!(other.status, 200, "{}", other.text());
    let told = world.origin.last();
    let told = told
        .header("cf-access-authenticated-user-email")
        .unwrap()
        .to_owned();
    let partner = person.open(&world.host("wiki"), "/x").await;
    (told, partner.status() == 200)
}

#[tokio::test]
async fn a_mail_in_a_domain_that_nobody_verified_is_passed_over_for_the_name_that_entra_signs_in() {
    let (world, directory, id, browser) = world().await;
    assert_eq!(seen(&world, &browser).await, (ALICE.to_owned(), false));
    set(&directory, &id, json!({ WORK: "alice@partner.example" })).await;
    assert_eq!(seen(&world, &browser).await, (ALICE.to_owned(), false));
    // Nor by a way round.
    set(&directory, &id, json!({ WORK: "a@contoso.example" })).await;
    set(&directory, &id, json!({ WORK: "alice@partner.example" })).await;
    assert_eq!(seen(&world, &browser).await, (ALICE.to_owned(), false));
}

#[tokio::test]
async fn a_mail_in_the_domain_of_before_or_of_the_new_name_is_taken_over() {
    let (world, directory, id, browser) = world().await;
    set(&directory, &id, json!({ WORK: "caroline@contoso.example" })).await;
    assert_eq!(
        seen(&world, &browser).await,
        ("caroline@contoso.example".to_owned(), false)
    );
    let moved = json!({ "userName": "a@partner.example", WORK: "alice@partner.example" });
    set(&directory, &id, moved).await;
    assert_eq!(
        seen(&world, &browser).await,
        ("alice@partner.example".to_owned(), true)
    );
}

#[tokio::test]
async fn where_no_verified_name_takes_its_place_no_rule_relies_on_the_address_of_before() {
    let (world, directory, id, browser) = world().await;
    let own = r#"[{ name = "own", decision = "allow", include = [{ email = { email = "alice@contoso.example" } }] }]"#;
    let mut world = world;
    world.declare(|world| world.wiki_policies(own)).await;
    let mut alice = browser.clone();
    let began = std::time::Instant::now();
    while alice.open(&world.host("wiki"), "/x").await.status() != 200 {
        assert!(began.elapsed() < super::PROMISE * 5);
    }
    set(&directory, &id, json!({ "userName": "u4711" })).await;
    assert!(super::gets_in(&world, &alice).await, "the mail is what it was");
    set(&directory, &id, json!({ WORK: "alice@partner.example" })).await;
    assert!(!super::gets_in(&world, &alice).await);
    assert_eq!(seen(&world, &browser).await.0, ALICE);
}

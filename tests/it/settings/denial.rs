//! What somebody gets who is refused, where the operator has something else to say than our own page.

use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::{Builder, World};

const PAGES: &str = "[[custom_pages]]\nname = \"Refused\"\ntype = \"identity_denied\"\ncustom_html = \"<h1>Not you</h1>\"\n\
     [[custom_pages]]\nname = \"Elsewhere\"\ntype = \"forbidden\"\ncustom_html = \"<h1>Not from here</h1>\"\n";

/// Staff, from the office alone; nobody who tests is there.
const OFFICE: &str = "[{ name = \"office\", decision = \"allow\", include = [{ azureAD = { id = \"@\" } }], require = [{ ip = { ip = \"198.51.100.0/24\" } }] }]";

fn with(lines: &str) -> Builder {
    World::builder().wiki(lines).more(PAGES)
}

#[tokio::test]
async fn who_is_the_wrong_person_is_sent_to_the_operators_address_with_what_was_asked_for() {
    let world = with("custom_deny_url = \"https://www.example.com/refused?from=wiki\"\n")
        .start()
        .await;
    let mut mallory = world.person(MALLORY);
    let start = mallory.address(&world.host("wiki"), "/deep?x=1");
    let arrival = mallory
        .follow_while(start.clone(), |url| url.host_str() != Some("www.example.com"))
        .await;
    let asked: Vec<_> = arrival.url.query_pairs().collect();
    assert_eq!(arrival.url.path(), "/refused");
    assert!(asked.contains(&("from".into(), "wiki".into())), "{asked:?}");
    assert!(
        asked.contains(&("original_url".into(), start.as_str().into())),
        "{asked:?}"
    );
    assert_eq!(world.origin.hits(), 0);
    // A script is never sent anywhere.
    let xhr = mallory
        .fetch(
            &world.host("wiki"),
            "/",
            &[("X-Requested-With", "XMLHttpRequest")],
        )
        .await;
    assert_eq!(xhr.status, 401);
    // Whoever may enter sees nothing of it.
    let mut alice = world.person(ALICE);
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
}

#[tokio::test]
async fn the_wrong_person_and_the_wrong_place_have_pages_of_their_own_in_a_sandbox() {
    let world = with("custom_pages = [\"Refused\", \"Elsewhere\"]\n")
        .start()
        .await;
    let mut mallory = world.person(MALLORY);
    let page = mallory.open(&world.host("wiki"), "/").await;
    assert_eq!(page.status(), 403);
    assert!(page.text().contains("Not you"), "{}", page.text());
    let policy = page.reply.header("content-security-policy").unwrap().to_owned();
    assert!(
        policy.starts_with("sandbox ") && !policy.contains("allow-scripts"),
        "{policy}"
    );

    let office = OFFICE.replace('@', crate::support::tenant::STAFF);
    let world = with("custom_pages = [\"Refused\", \"Elsewhere\"]\n")
        .wiki_policies(&office)
        .start()
        .await;
    let mut alice = world.person(ALICE);
    let page = alice.open(&world.host("wiki"), "/").await;
    assert!(page.text().contains("Not from here"), "{}", page.text());
}

#[tokio::test]
async fn pages_and_addresses_that_cannot_be_shown_are_refused_with_the_reason() {
    let world = with("").start().await;
    for (lines, reason) in [
        ("custom_pages = [\"Nobody's\"]", "custom_pages"),
        ("custom_deny_url = \"javascript:alert(1)\"", "custom_deny_url"),
        (
            "custom_non_identity_deny_url = \"/relative\"",
            "custom_non_identity_deny_url",
        ),
    ] {
        let said = super::refused(&world, lines);
        assert!(said.contains(reason), "{lines}: {said}");
    }
}

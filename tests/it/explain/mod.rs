//! Decisions explained: to the person refused, to the operator, and for anybody without a login.

mod agreement;

use std::sync::Arc;

use serde_json::Value;
use vestibule::store::AccessRequestFilter;

use crate::scim::{Directory, EVERYTHING};
use crate::support::database::Database;
use crate::support::tenant::{ALICE, MALLORY, STAFF};
use crate::support::world::{Builder, World};

const DEMANDING: &str = r#"[{ name = "demanding", decision = "allow", include = [{ azureAD = { id = "$STAFF" } }, { email = { email = "boss@contoso.example" } }], require = [{ email_domain = { domain = "contoso.example" } }, { ip = { ip = "198.51.100.0/24" } }] }]"#;

fn demanding() -> Builder {
    World::builder().wiki_policies(&DEMANDING.replace("$STAFF", STAFF))
}

#[tokio::test]
async fn a_person_refused_sees_what_was_not_met_and_no_name() {
    let world = demanding().start().await;
    let mut mallory = world.person(MALLORY);
    let page = mallory.open(&world.host("wiki"), "/").await.text();
    assert!(page.contains("membership in a certain group"), "{page}");
    assert!(page.contains("a connection from a certain network"), "{page}");
    let met = page.split("<li class=\"ok\">").nth(1).unwrap();
    assert!(met.contains("an address of a certain domain"), "{met}");
    for secret in [STAFF, "198.51.100", "boss@", "demanding"] {
        assert!(!page.contains(secret), "{secret} in {page}");
    }
}

#[tokio::test]
async fn a_program_refused_is_told_the_same() {
    let mut world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world
        .declare(|plan| plan.wiki_policies(&DEMANDING.replace("$STAFF", STAFF)))
        .await;
    let mut refused = None;
    for _ in 0..100 {
        let reply = alice
            .fetch(&world.host("wiki"), "/", &[("Accept", "application/json")])
            .await;
        if reply.status == 403 {
            refused = Some(reply);
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let body: Value = serde_json::from_str(&refused.expect("a refusal").text()).unwrap();
    let asked = body["requirements"].as_array().unwrap();
    let met: Vec<_> = asked
        .iter()
        .map(|asked| (asked["kinds"][0].as_str().unwrap(), asked["met"].as_bool()))
        .collect();
    assert_eq!(
        met,
        [
            ("account", Some(true)),
            ("email_domain", Some(true)),
            ("network", Some(false))
        ]
    );
}

#[tokio::test]
async fn the_operator_decides_how_much_is_told_and_in_which_words() {
    let refused = async |lines: &str| {
        let world = demanding().more(lines).start().await;
        let mut mallory = world.person(MALLORY);
        mallory.open(&world.host("wiki"), "/").await.text()
    };
    let nothing = refused("[refusals]\ntell = \"nothing\"\n").await;
    assert!(!nothing.contains("requirements\">"), "{nothing}");
    let names = refused("[refusals]\ntell = \"names\"\n").await;
    assert!(names.contains("contoso.example"), "{names}");
    let own = refused("[refusals.words]\nnetwork = \"Connect to <VPN> first\"\n").await;
    assert!(
        own.contains("Connect to &lt;VPN&gt; first") || own.contains("Connect to &#60;VPN&#62; first"),
        "{own}"
    );
    assert!(!own.contains("a connection from a certain network"), "{own}");
}

/// An access group has its name from the operator.
#[tokio::test]
async fn an_access_group_is_told_by_its_name_where_names_are_told() {
    const RULES: &str =
        r#"[{ name = "p", decision = "allow", include = [{ group = { id = "Insiders" } }] }]"#;
    let group =
        format!("[[groups]]\nname = \"Insiders\"\ninclude = [{{ azureAD = {{ id = \"{STAFF}\" }} }}]\n");
    for (tell, told) in [("names", true), ("kinds", false)] {
        let more = format!("{group}[refusals]\ntell = \"{tell}\"\n");
        let world = World::builder().wiki_policies(RULES).more(&more).start().await;
        let mut mallory = world.person(MALLORY);
        let page = mallory.open(&world.host("wiki"), "/").await.text();
        assert!(page.contains("membership in a certain group"), "{page}");
        assert_eq!(page.contains("Insiders"), told, "{tell}: {page}");
        assert!(!page.contains(STAFF), "{page}");
    }
}

/// A rule has the group's id, and its directory has told what it is called.
#[tokio::test]
async fn a_group_of_a_directory_is_called_by_its_name_from_when_the_directory_has_told_it() {
    let world = demanding()
        .provider(&format!(
            "[identity_providers.scim_config]\nenabled = true\n{EVERYTHING}"
        ))
        .more("[refusals]\ntell = \"names\"\n")
        .start()
        .await;
    let app = world.host("wiki");
    let explained = async || {
        let said = world
            .type_in(&["explain", "--user", MALLORY, "--app", &app])
            .await;
        said.out
    };
    let refused = async || world.person(MALLORY).open(&app, "/").await.text();
    assert!(!refused().await.contains("All of us"));
    let group = Directory::of(&world).await.group(STAFF, "All of us", &[]).await;
    let said = explained().await;
    assert!(said.contains(&format!("azureAD {STAFF} \"All of us\"")), "{said}");
    let page = refused().await;
    assert!(page.contains("All of us") && !page.contains(STAFF), "{page}");
    let rename = serde_json::json!([{ "op": "replace", "path": "displayName", "value": "Some of us" }]);
    Directory::of(&world)
        .await
        .patch(&format!("/Groups/{group}"), rename)
        .await;
    assert!(refused().await.contains("Some of us") && explained().await.contains("Some of us"));
}

#[tokio::test]
async fn the_operator_finds_every_rules_outcome_under_the_reference_of_the_page() {
    let world = demanding().start().await;
    let mut mallory = world.person(MALLORY);
    let page = mallory.open(&world.host("wiki"), "/").await.text();
    let (_, reference) = page.split_once("<code class=\"reference\">").unwrap();
    let (reference, _) = reference.split_once('<').unwrap();
    let filter = AccessRequestFilter {
        request_id: Some(reference.to_owned()),
        ..AccessRequestFilter::default()
    };
    let rows = world.running().store.access_requests(&filter).await.unwrap();
    let explanation = rows.iter().find_map(|row| row.explanation.as_deref()).unwrap();
    assert!(
        explanation.contains(&format!("include azureAD {STAFF}: no")),
        "{explanation}"
    );
    assert!(
        explanation.contains("require ip 198.51.100.0/24: no"),
        "{explanation}"
    );
    let said = world.type_in(&["explain", "--request", reference]).await;
    assert!(
        said.out.contains("require ip 198.51.100.0/24: no"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn anybody_is_explained_from_the_store_without_a_login() {
    let world = demanding().start().await;
    let mut alice = world.person(ALICE);
    alice.open(&world.host("wiki"), "/").await;
    let app = format!("{}/path", world.host("wiki"));
    let alice_from = async |ip: &str| {
        world
            .type_in(&["explain", "--user", ALICE, "--app", &app, "--ip", ip])
            .await
    };
    let inside = alice_from("198.51.100.7").await;
    assert_eq!(inside.code, Some(0), "{}", inside.err);
    assert!(
        inside.out.contains("may enter, by the policy \"demanding\""),
        "{}",
        inside.out
    );
    let outside = alice_from("203.0.113.9").await;
    assert_eq!(outside.code, Some(1));
    assert!(
        outside.out.contains("no       require  ip 198.51.100.0/24"),
        "{}",
        outside.out
    );

    let nowhere = world
        .type_in(&["explain", "--user", ALICE, "--app", &app, "--json"])
        .await;
    let body: Value = serde_json::from_str(&nowhere.out).unwrap();
    assert_eq!(body["verdict"], "refuse");
    assert_eq!(body["policies"][0]["rules"][3]["answer"], "unknown");

    let stranger = world
        .type_in(&["explain", "--user", "nobody@contoso.example", "--app", &app])
        .await;
    assert_eq!(stranger.code, Some(1));
    assert!(
        stranger.out.contains("nobody has signed in with this address"),
        "{}",
        stranger.out
    );
    for wrong in [
        &["explain", "--user", ALICE, "--app", "unlisted.example"][..],
        &["explain", "--user", "no address", "--app", &app],
        &["explain", "--user", ALICE],
        &["explain", "--request", "no-such-request"],
    ] {
        let said = world.type_in(wrong).await;
        assert_eq!(said.code, Some(64), "{wrong:?}");
        assert!(!said.err.is_empty());
    }
}

/// A terminal does what escape sequences say: what others named is told as text.
#[tokio::test]
async fn names_do_nothing_to_a_terminal() {
    // As it may stand in a store of before such names were refused.
    const NAMED: &str =
        r#"UPDATE documents SET body = REPLACE(body, '"demanding"', '"dem\u001b[2Kand\u000aing\u202e"')"#;
    let database = Arc::new(Database::sqlite());
    let world = demanding().on(&database).start().await;
    world.person(ALICE).open(&world.host("wiki"), "/").await;
    database.run(NAMED).await;
    let app = world.host("wiki");
    let said = world
        .type_in(&["explain", "--user", ALICE, "--app", &app, "--ip", "198.51.100.7"])
        .await;
    let said = said.out;
    assert!(said.contains(r"dem\u001b[2Kand\u000aing\u202e"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
}

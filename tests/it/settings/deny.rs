//! What people see who are refused: addresses and pages of the operator's, in place of ours.

use crate::support::log;
use crate::support::tenant::{ALICE, MALLORY};
use crate::support::wire::Reply;
use crate::support::world::World;

use super::refused;

const AWAY: &str = "www.example.com";
/// Staff, from a place where nobody is.
const ELSEWHERE: &str = "[{ name = \"plant\", decision = \"allow\", include = [{ everyone = {} }], \
    require = [{ ip = { ip = \"203.0.113.0/24\" } }] }]";
/// Whoever asks from a place where nobody is.
const MACHINES: &str =
    "[{ name = \"plant\", decision = \"bypass\", include = [{ ip = { ip = \"203.0.113.0/24\" } }] }]";
const PAGES: &str = r#"
[[custom_pages]]
name = "Not you"
type = "identity_denied"
custom_html = "<h1>Not you</h1><script>alert(1)</script><p>::RAY_ID::</p>"
[[custom_pages]]
name = "Not here"
type = "forbidden"
custom_html = "<h1>Not here</h1>"
[[custom_pages]]
name = "Not at the wiki"
type = "identity_denied"
custom_html = "<h1>Not at the wiki</h1>"
"#;

/// The last answer on the way of somebody who opens an address of *Wiki*, as far as our own hosts go.
async fn told(world: &World, upn: &str, path: &str) -> (Reply, String) {
    let mut person = world.person(upn);
    let start = person.address(&world.host("wiki"), path);
    let arrival = person
        .follow_while(start, |url| url.host_str() != Some(AWAY))
        .await;
    (arrival.reply, arrival.url.to_string())
}

#[tokio::test]
async fn people_are_sent_where_the_application_says() {
    let lines = "custom_deny_url = \"https://www.example.com/person?a=1\"\n\
                 custom_non_identity_deny_url = \"https://www.example.com/place\"";
    let world = World::builder().wiki(lines).start().await;
    let asked = format!("http%3A%2F%2Fwiki.localhost%3A{}%2Fdeep%3Fx%3D1", world.port());
    let (_, url) = told(&world, MALLORY, "/deep?x=1").await;
    assert_eq!(
        url,
        format!("https://www.example.com/person?a=1&original_url={asked}")
    );

    // Alice is somebody, but not there.
    let world = World::builder()
        .wiki(lines)
        .wiki_policies(ELSEWHERE)
        .start()
        .await;
    let (_, url) = told(&world, ALICE, "/").await;
    assert!(
        url.starts_with("https://www.example.com/place?original_url="),
        "{url}"
    );

    // Nobody is asked who they are.
    let world = World::builder().wiki(lines).wiki_policies(MACHINES).start().await;
    let (reply, url) = told(&world, ALICE, "/").await;
    assert!(
        url.starts_with("https://www.example.com/place?original_url="),
        "{url}"
    );
    assert!(reply.header("cf-access-aud").is_some());
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn a_script_that_is_refused_is_sent_nowhere() {
    let world = World::builder()
        .wiki("custom_non_identity_deny_url = \"https://www.example.com/place\"")
        .wiki_policies(MACHINES)
        .start()
        .await;
    for header in [
        ("Accept", "application/json"),
        ("X-Requested-With", "XMLHttpRequest"),
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Mode", "no-cors"),
    ] {
        let mut browser = world.anonymous();
        let url = browser.address(&world.host("wiki"), "/api");
        let headers = if header.0 == "Accept" {
            vec![("Accept", "text/html;q=0"), header]
        } else {
            vec![header]
        };
        let reply = browser.request("GET", &url, &headers, b"").await;
        assert_eq!(reply.status, 403, "{header:?}");
        assert!(
            reply.text().contains("access_denied"),
            "{header:?}: {}",
            reply.text()
        );
        assert_eq!(
            reply.header("content-type"),
            Some("application/json"),
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn nobody_is_sent_on_twice() {
    let world = World::builder()
        .wiki("custom_deny_url = \"https://www.example.com/person\"")
        .start()
        .await;
    let (reply, _) = told(&world, MALLORY, "/x?original_url=http%3A%2F%2Fwiki.localhost%2F").await;
    assert_eq!(reply.status, 403);
}

#[tokio::test]
async fn the_operators_page_stands_in_a_sandbox_in_place_of_ours() {
    let organization = "custom_pages = { identity_denied = \"Not you\", forbidden = \"Not here\" }";
    let world = World::builder()
        .organization(organization)
        .more(PAGES)
        .start()
        .await;
    let (reply, _) = told(&world, MALLORY, "/").await;
    assert_eq!(reply.status, 403);
    let page = reply.text();
    assert!(
        page.contains("<h1>Not you</h1>") && !page.contains("::RAY_ID::"),
        "{page}"
    );
    let id = reply.header("x-request-id").unwrap();
    assert!(page.contains(id) && !log::told_of(id).is_empty(), "{page}");
    let policy = reply.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox ") && !policy.contains("allow-scripts"),
        "{policy}"
    );
    assert!(!policy.contains("allow-same-origin"), "{policy}");
    assert_eq!(reply.header("x-frame-options"), Some("DENY"));

    // The application's own page comes before the organization's.
    let own = "custom_pages = [\"Not at the wiki\"]";
    let world = World::builder()
        .organization(organization)
        .more(PAGES)
        .wiki(own)
        .start()
        .await;
    let (reply, _) = told(&world, MALLORY, "/").await;
    assert!(reply.text().contains("<h1>Not at the wiki</h1>"));

    // And is not shown to those who are refused for where they ask from.
    for policies in [ELSEWHERE, MACHINES] {
        let world = World::builder()
            .organization(organization)
            .more(PAGES)
            .wiki(own)
            .wiki_policies(policies)
            .start()
            .await;
        let (reply, _) = told(&world, ALICE, "/").await;
        assert_eq!(reply.status, 403);
        assert!(
            reply.text().contains("<h1>Not here</h1>"),
            "{policies}: {}",
            reply.text()
        );
        assert_eq!(world.origin.hits(), 0);
    }
}

#[tokio::test]
async fn our_pages_may_stand_in_frames_where_the_application_is_made_for_that() {
    for (lines, framed) in [("", false), ("allow_iframe = true", true)] {
        let world = World::builder().wiki(lines).wiki_policies(MACHINES).start().await;
        let reply = world.anonymous().fetch(&world.host("wiki"), "/", &[]).await;
        let policy = reply.header("content-security-policy").unwrap();
        assert_eq!(reply.header("x-frame-options").is_none(), framed);
        assert_eq!(!policy.contains("frame-ancestors"), framed, "{policy}");
        assert!(policy.contains("default-src 'none'"), "{policy}");
    }
}

#[tokio::test]
async fn a_page_or_an_address_that_cannot_be_is_refused() {
    let world = World::start().await;
    for (lines, reason) in [
        (
            "custom_deny_url = \"http://www.example.com/\"",
            "an https address",
        ),
        ("custom_deny_url = \"javascript:alert(1)\"", "an https address"),
        ("custom_non_identity_deny_url = \"/refused\"", "an https address"),
        ("custom_pages = [\"Nobody's\"]", "no custom page is called"),
        ("allow_iframe = \"yes\"", "allow_iframe"),
    ] {
        let faults = refused(&world, lines);
        assert!(faults.contains(reason), "{lines}: {faults}");
    }
    let page = |kind: &str, html: &str| {
        format!(
            "policies = []\n[[custom_pages]]\nname = \"P\"\ntype = \"{kind}\"\ncustom_html = {html}\n[[applications]]\nname = \"X\""
        )
    };
    for (page, reason) in [
        (page("login", "\"<p>\""), "custom_pages[0].type"),
        (page("forbidden", "\"\""), "custom_pages[0].custom_html"),
        (page("forbidden", "{ file = \"nowhere.html\" }"), "cannot be read"),
    ] {
        let faults = refused(&world, &page);
        assert!(faults.contains(reason), "{page}: {faults}");
    }
}

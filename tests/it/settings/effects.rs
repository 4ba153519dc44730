//! Settings of one line, each by what a browser sees of it.

use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::World;

/// An application on a host of its own, with these lines.
fn deep(lines: &str) -> String {
    format!(
        "[[upstreams]]\nhostname = \"www.localhost\"\nservice = \"http://ORIGIN\"\n\
         [[applications]]\nname = \"Deep\"\ndomain = \"www.localhost/deep\"\npolicies = [\"staff\"]\n{lines}\n"
    )
}

/// The cookie with the token, as it is set at the end of a sign-in.
async fn cookie_set(lines: &str) -> String {
    let world = World::builder().more(&deep(lines)).start().await;
    let mut alice = world.person(ALICE);
    let start = alice.address("www.localhost", "/deep/er?x=1");
    let arrival = alice
        .follow_while(start, |url| !url.path().ends_with("/authorized"))
        .await;
    let reply = alice.get(&arrival.url).await;
    let set = reply
        .all("set-cookie")
        .find(|line| line.starts_with("CF_Authorization="));
    let set = set.expect("a cookie").to_owned();
    assert_eq!(alice.open("www.localhost", "/deep/er").await.status(), 200);
    set
}

#[tokio::test]
async fn path_cookie_attribute_keeps_the_token_below_the_applications_path() {
    let set = cookie_set("path_cookie_attribute = true").await;
    assert!(set.contains("; Path=/deep"), "{set}");
    let set = cookie_set("").await;
    assert!(set.contains("; Path=/;") || set.ends_with("; Path=/"), "{set}");
}

#[tokio::test]
async fn allow_iframe_lets_other_sites_frame_the_refusal() {
    for (lines, framed) in [("", false), ("allow_iframe = true", true)] {
        let mut world = World::builder().wiki(lines).start().await;
        let wiki = world.host("wiki");
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        world.declare(|plan| plan.wiki_policies("[]")).await;
        let began = std::time::Instant::now();
        let refused = loop {
            let reply = alice.fetch(&wiki, "/x", &[]).await;
            if reply.status == 403 {
                break reply;
            }
            assert!(
                began.elapsed() < std::time::Duration::from_secs(5),
                "{}",
                reply.status
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert_eq!(refused.header("x-frame-options").is_none(), framed, "{lines}");
        let policy = refused.header("content-security-policy").unwrap();
        assert_eq!(!policy.contains("frame-ancestors"), framed, "{policy}");
    }
}

#[tokio::test]
async fn allow_encoded_slash_hands_escaped_slashes_on_as_they_came() {
    let inside = "[[applications]]\nname = \"Inside\"\ndomain = \"wiki.localhost/inside\"\npolicies = []\n";
    for (lines, status) in [("", 400), ("allow_encoded_slash = true", 200)] {
        let world = World::builder().wiki(lines).more(inside).start().await;
        let wiki = world.host("wiki");
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        let mut mallory = world.person(MALLORY);
        for path in ["/files/a%2fb", "/files/a%2Fb%2f", "/files/a%5cb"] {
            let hits = world.origin.hits();
            assert_eq!(alice.fetch(&wiki, path, &[]).await.status, status, "{path}");
            if status == 200 {
                assert_eq!(world.origin.last().target(), path);
            } else {
                assert_eq!(world.origin.hits(), hits, "{path}");
            }
            assert_ne!(mallory.fetch(&wiki, path, &[]).await.status, 200, "{path}");
        }
        // What some upstream could take for a path of another application: by decoding, by resolving too, or by neither.
        let hits = world.origin.hits();
        for path in [
            "/inside%2fx",
            "/inside%2f..%2fx",
            "/inside%2f.%2fx",
            "/inside%5c..%5cx",
            "/files/..%2finside",
            "/files%2f%2e%2e%2finside",
            "/..%2f..%2fcdn-cgi/access/x",
        ] {
            assert_eq!(alice.fetch(&wiki, path, &[]).await.status, 400, "{path}");
        }
        assert_eq!(world.origin.hits(), hits);
    }
}

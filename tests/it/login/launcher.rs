//! The launcher: what a person may open, and where they are signed in.

use std::time::{Duration, Instant};

use url::form_urlencoded;

use crate::support::database::on_both;
use crate::support::person::Person;
use crate::support::tenant::{ADAM, ALICE, MALLORY};
use crate::support::wire::Reply;
use crate::support::world::World;

const ACT: &str = "/cdn-cgi/access/launcher/sign-out";
const OWN_PAGE: &[(&str, &str)] = &[("Sec-Fetch-Site", "same-origin")];

/// The launcher of somebody who signs in for it.
async fn launcher(world: &World, person: &mut Person, path: &str) -> String {
    let arrival = person.open(&world.host("login"), path).await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(arrival.url, person.address(&world.host("login"), path));
    arrival.text()
}

/// The values of a field in the forms of a page.
fn values<'p>(page: &'p str, field: &str) -> Vec<&'p str> {
    let mark = format!("name=\"{field}\" value=\"");
    page.split(&mark)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

async fn press(
    world: &World,
    person: &mut Person,
    fields: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let url = person.address(&world.host("login"), ACT);
    person.request("POST", &url, headers, body.as_bytes()).await
}

async fn is_out(world: &World, person: &Person, name: &str) {
    let mut copy = person.clone();
    copy.upn = None;
    let began = Instant::now();
    while copy.fetch(&world.host(name), "/x", &[]).await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_in(world: &World, person: &Person, name: &str) {
    let mut copy = person.clone();
    copy.upn = None;
    assert_eq!(copy.fetch(&world.host(name), "/x", &[]).await.status, 200);
}

#[tokio::test]
async fn somebody_who_signs_in_sees_what_they_may_open_and_nothing_else() {
    let world = World::builder()
        .more(
            r#"
[[applications]]
name = "Hidden"
domain = "other.localhost/hidden"
policies = ["staff"]
app_launcher_visible = false
[[applications]]
name = "Everything else"
domain = "*.apps.localhost"
policies = ["staff"]
[[applications]]
name = "Pictured <b>"
domain = "other.localhost/pictured"
policies = ["staff"]
logo_url = "https://cdn.example.com/logo.svg"
"#,
        )
        .start()
        .await;
    let mut alice = world.person(ALICE);
    let page = launcher(&world, &mut alice, "/").await;
    let link = |name: &str, path: &str| format!("href=\"{}\"", alice.address(&world.host(name), path));
    for (name, address) in [
        ("Wiki", link("wiki", "/")),
        ("Other", link("other", "/")),
        ("Public part", link("wiki", "/public")),
    ] {
        assert!(
            page.contains(&format!("<bdi>{name}</bdi>")) && page.contains(&address),
            "{name}: {page}"
        );
    }
    assert!(
        !page.contains("Administration") && !page.contains("Hidden"),
        "{page}"
    );
    assert!(
        page.contains("<div class=\"tile\">") && page.contains("<bdi>*.apps.localhost</bdi>"),
        "{page}"
    );
    assert!(
        page.contains("Pictured &#60;b&#62;") && page.contains("https://cdn.example.com/logo.svg"),
        "{page}"
    );
    assert!(page.contains(ALICE) && page.contains("This browser"), "{page}");
    let reply = alice.fetch(&world.host("login"), "/", &[]).await;
    let policy = reply.header("content-security-policy").unwrap();
    assert!(
        policy.contains("img-src data: https://cdn.example.com;"),
        "{policy}"
    );
    // The applications open without another sign-in.
    let arrival = alice.open(&world.host("wiki"), "/").await;
    assert!(arrival.status() == 200 && !arrival.asked_entra());

    let page = launcher(&world, &mut world.person(ADAM), "/").await;
    assert!(page.contains("Administration"), "{page}");
    let page = launcher(&world, &mut world.person(MALLORY), "/").await;
    assert!(
        page.contains("Public part") && !page.contains("<bdi>Wiki</bdi>"),
        "{page}"
    );
}

#[tokio::test]
async fn a_policy_that_changes_changes_the_launcher() {
    let mut world = World::start().await;
    let mut alice = world.person(ALICE);
    assert!(
        launcher(&world, &mut alice, "/")
            .await
            .contains("<bdi>Wiki</bdi>")
    );
    world.declare(|world| world.wiki_policies("[]")).await;
    let began = Instant::now();
    while launcher(&world, &mut alice, "/")
        .await
        .contains("<bdi>Wiki</bdi>")
    {
        assert!(began.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn many_applications_can_be_searched_and_sorted() {
    let many = (0..15)
        .map(|number| {
            let tag = if number % 5 == 0 { "office" } else { "engineering" };
            format!(
                "[[applications]]\nname = \"Tool {number}\"\ndomain = \"other.localhost/tool-{number}\"\npolicies = [\"staff\"]\ntags = [\"{tag}\"]\n"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let world = World::builder().more(&many).start().await;
    let mut alice = world.person(ALICE);
    let page = launcher(&world, &mut alice, "/").await;
    assert!(
        page.contains("name=\"q\"") && page.contains("href=\"/?tag=office\""),
        "{page}"
    );
    let page = launcher(&world, &mut alice, "/?q=TOOL+1").await;
    assert!(
        page.contains("<bdi>Tool 1</bdi>") && page.contains("<bdi>Tool 14</bdi>"),
        "{page}"
    );
    assert!(
        !page.contains("<bdi>Tool 2</bdi>") && !page.contains("<bdi>Wiki</bdi>"),
        "{page}"
    );
    let page = launcher(&world, &mut alice, "/?tag=office").await;
    assert!(
        page.contains("<bdi>Tool 10</bdi>") && !page.contains("<bdi>Tool 11</bdi>"),
        "{page}"
    );
    let page = launcher(&world, &mut alice, "/?q=%3Cscript%3Ealert(1)").await;
    assert!(page.contains("Show all") && !page.contains("<script>"), "{page}");
    // A launcher of few has nothing to search.
    let few = World::start().await;
    let page = launcher(&few, &mut few.person(ALICE), "/").await;
    assert!(!page.contains("name=\"q\""), "{page}");
}

#[tokio::test]
async fn an_application_token_opens_no_launcher() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let token = alice.cookie(&world.host("wiki"), "CF_Authorization").unwrap();
    let mut thief = world.anonymous();
    thief.plant(&world.host("login"), "CF_Authorization", &token);
    for header in [&[][..], &[("cf-access-token", token.as_str())]] {
        let reply = thief.fetch(&world.host("login"), "/", header).await;
        assert_eq!(reply.status, 302, "{}", reply.text());
        let reply = press(
            &world,
            &mut thief,
            &[("whose", "everywhere")],
            &[header, OWN_PAGE].concat(),
        )
        .await;
        assert_eq!(reply.status, 302, "{}", reply.text());
    }
    is_in(&world, &alice, "wiki").await;
}

on_both! {
    async fn sessions_of_other_browsers_are_seen_and_ended(database) {
        let world = World::builder().on(&database).start().await;
        let mut here = world.signed_in(ALICE, &["wiki"]).await;
        let there = world.signed_in(ALICE, &["wiki", "other"]).await;
        let adam = world.signed_in(ADAM, &["wiki"]).await;
        let page = launcher(&world, &mut here, "/").await;
        let form = values(&page, "form")[0];
        let whose = values(&page, "whose");
        // Here, the one other of hers, everywhere; nobody else's.
        assert_eq!(whose.len(), 3, "{whose:?}");
        assert_eq!((whose[0], whose[2]), ("here", "everywhere"));
        let other = whose[1];

        // Neither by GET, nor from another site, nor without what the page holds.
        let path = format!("{ACT}?form={form}&whose=everywhere");
        assert_eq!(here.fetch(&world.host("login"), &path, OWN_PAGE).await.status, 405);
        let fields = [("form", form), ("whose", other)];
        for headers in [&[][..], &[("Sec-Fetch-Site", "cross-site")], &[("Sec-Fetch-Site", "same-site")], &[("Origin", "https://evil.example")]] {
            assert_eq!(press(&world, &mut here, &fields, headers).await.status, 403, "{headers:?}");
        }
        assert_eq!(press(&world, &mut here, &[("whose", other)], OWN_PAGE).await.status, 400);
        assert_eq!(press(&world, &mut here, &[("form", "x"), ("whose", other)], OWN_PAGE).await.status, 400);
        // What another person's page holds is good for nobody else.
        let adams = launcher(&world, &mut adam.clone(), "/").await;
        let adams = values(&adams, "form")[0].to_owned();
        assert_eq!(press(&world, &mut here, &[("form", &adams), ("whose", other)], OWN_PAGE).await.status, 400);
        is_in(&world, &there, "wiki").await;

        assert_eq!(press(&world, &mut here, &fields, OWN_PAGE).await.status, 302);
        is_out(&world, &there, "wiki").await;
        is_out(&world, &there, "other").await;
        is_in(&world, &here, "wiki").await;
        assert_eq!(values(&launcher(&world, &mut here, "/").await, "whose").len(), 2);

        // Nobody ends the session of another person, though its key were known.
        let known = world.running().sessions.nonces();
        for nonce in known {
            let of_adam = world.running().sessions.find(&nonce).is_some_and(|session| {
                session.identity().identity.email.as_ref().is_some_and(|email| email.address.as_str() == ADAM)
            });
            if of_adam {
                let fields = [("form", form), ("whose", nonce.as_str())];
                assert_eq!(press(&world, &mut here, &fields, OWN_PAGE).await.status, 302);
            }
        }
        is_in(&world, &adam, "wiki").await;
    }

    async fn signing_out_here_and_everywhere(database) {
        let world = World::builder().on(&database).start().await;
        let mut here = world.signed_in(ALICE, &["wiki"]).await;
        let there = world.signed_in(ALICE, &["wiki"]).await;
        let page = launcher(&world, &mut here, "/").await;
        let copy = here.clone();
        let reply = press(&world, &mut here, &[("form", values(&page, "form")[0]), ("whose", "here")], OWN_PAGE).await;
        assert!(reply.status == 200 && reply.text().contains("You are signed out"), "{}", reply.text());
        assert_eq!(here.cookie(&world.host("login"), "CF_Authorization"), None);
        is_out(&world, &copy, "wiki").await;
        is_in(&world, &there, "wiki").await;

        let mut there = there;
        let third = world.signed_in(ALICE, &["other"]).await;
        let page = launcher(&world, &mut there, "/").await;
        let copy = there.clone();
        let reply = press(&world, &mut there, &[("form", values(&page, "form")[0]), ("whose", "everywhere")], OWN_PAGE).await;
        assert!(reply.status == 200 && reply.text().contains("in every other"), "{}", reply.text());
        is_out(&world, &copy, "wiki").await;
        is_out(&world, &third, "other").await;
    }
}

#[tokio::test]
async fn the_login_page_without_an_application_leads_to_the_launcher() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("login"), "/cdn-cgi/access/login").await;
    assert_eq!(arrival.url, alice.address(&world.host("login"), "/"));
    assert!(arrival.asked_entra());
    let again = alice.open(&world.host("login"), "/cdn-cgi/access/login").await;
    assert!(!again.asked_entra() && again.status() == 200);
    assert_eq!(
        alice
            .request("PUT", &alice.address(&world.host("login"), "/"), &[], b"")
            .await
            .status,
        405
    );
    // Whoever keeps no cookies is told so and goes round no longer than anybody else.
    let mut forgetful = world.person(ALICE);
    let mut url = forgetful.address(&world.host("login"), "/");
    for _ in 0..12 {
        let reply = forgetful.get(&url).await;
        forgetful = world.person(ALICE);
        let Some(next) = reply.header("location") else {
            assert_eq!(reply.status, 400, "{}", reply.text());
            return;
        };
        url = url.join(next).unwrap();
    }
    panic!("it goes round in circles");
}

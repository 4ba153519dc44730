//! Tokens for a program by way of the person's browser: who gets them, and who does not.

use std::time::Duration;

use super::cloudflared::{Cloudflared, unverified};
use super::{aud, field, say_yes, send};
use crate::asking::Form;
use crate::scim::{Directory, EVERYTHING, provisioned};
use crate::support::log;
use crate::support::origin::MARK;
use crate::support::person::{Arrival, Person};
use crate::support::tenant::{ADAM, ALICE, MALLORY};
use crate::support::world::World;

const CAROLINE: &str = "caroline@contoso.example";

/// The page that a person is asked on for the wiki.
async fn asked(world: &World, person: &mut Person, cloudflared: &Cloudflared) -> Arrival {
    let wiki = cloudflared.address(&world.host("wiki"), "/deep?x=1");
    person
        .follow(cloudflared.request_url(&wiki, &aud(world, "Wiki")))
        .await
}

/// That nothing waits for the program.
async fn nothing_comes(world: &World, cloudflared: &Cloudflared) {
    let login = world.host("login");
    let poll = cloudflared.poll(&login);
    let came = tokio::time::timeout(Duration::from_millis(1500), poll).await;
    assert!(came.is_err(), "tokens came: {came:?}");
}

#[tokio::test]
async fn a_program_gets_its_tokens_once_the_person_says_yes() {
    let world = World::start().await;
    let (login, wiki) = (world.host("login"), world.host("wiki"));
    let cloudflared = Cloudflared::of(&world);
    let mut alice = world.person(ALICE);
    let (tokens, asked) = tokio::join!(cloudflared.poll(&login), async {
        let asked = asked(&world, &mut alice, &cloudflared).await;
        assert!(asked.asked_entra());
        let page = asked.text();
        for shown in [
            ALICE,
            "Wiki",
            &wiki,
            "cloudflared",
            "127.0.0.1",
            &cloudflared.public_key()[..8],
        ] {
            assert!(page.contains(shown), "no {shown} in {page}");
        }
        let done = say_yes(&mut alice, &asked).await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.text().contains("go back to your terminal"));
        asked
    });
    let tokens = tokens.expect("the tokens come while the program waits");
    let url = cloudflared.address(&wiki, "/deep?x=1");
    let opened = cloudflared
        .send("GET", &url, &[("cf-access-token", &tokens.app_token)])
        .await;
    assert!(opened.text().contains(MARK));
    assert_eq!(unverified(&tokens.app_token)["aud"][0], aud(&world, "Wiki"));
    assert_eq!(unverified(&tokens.org_token)["type"], "org");
    let other = cloudflared.address(&world.host("other"), "/");
    assert!(cloudflared.exchange(&other, &tokens.org_token).await.is_some());
    // Once means once.
    nothing_comes(&world, &cloudflared).await;
    // No token ever stands in an address.
    for url in &asked.way {
        assert!(!url.as_str().contains(&tokens.app_token) && !url.as_str().contains(&tokens.org_token));
    }
}

#[tokio::test]
async fn the_person_is_asked_each_time_whatever_the_address_says() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    for more in ["", "&close_interstitial=true&skip_interstitial=true"] {
        let cloudflared = Cloudflared::of(&world);
        let wiki = cloudflared.address(&world.host("wiki"), "/");
        let url = cloudflared.request_url(&wiki, &aud(&world, "Wiki"));
        let arrival = alice.follow(format!("{url}{more}").parse().unwrap()).await;
        assert!(!arrival.asked_entra());
        assert!(!field(&arrival.text(), "consent").is_empty());
        nothing_comes(&world, &cloudflared).await;
    }
}

#[tokio::test]
async fn an_approval_counts_once() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let cloudflared = Cloudflared::of(&world);
    let asked_once = asked(&world, &mut alice, &cloudflared).await;
    assert_eq!(say_yes(&mut alice, &asked_once).await.status, 200);
    assert!(cloudflared.poll(&world.host("login")).await.is_some());
    // The form sent again, and the whole way again with the same key.
    let again = say_yes(&mut alice, &asked_once).await;
    assert_eq!(again.status, 400);
    assert!(again.text().contains("approved already"), "{}", again.text());
    let asked_again = asked(&world, &mut alice, &cloudflared).await;
    assert_eq!(say_yes(&mut alice, &asked_again).await.status, 400);
    nothing_comes(&world, &cloudflared).await;
}

/// What another site's page, another person's browser, or a browser without the cookie sends is no approval.
#[tokio::test]
async fn only_the_page_itself_in_the_persons_own_browser_says_yes() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let cloudflared = Cloudflared::of(&world);
    let asked = asked(&world, &mut alice, &cloudflared).await;
    let consent = field(&asked.text(), "consent");
    for header in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://wiki.localhost"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ] {
        let reply = send(&mut alice, &asked.url, &consent, &[header]).await;
        assert_eq!(reply.status, 403, "{header:?}: {}", reply.text());
    }
    // Without a consent, with a made-up one, and with the request in its place.
    let request = asked
        .url
        .query_pairs()
        .find(|(name, _)| name == "request")
        .unwrap()
        .1
        .into_owned();
    for wrong in ["", "AAAA", &request, &format!("{consent}&consent={consent}")] {
        assert_eq!(
            send(&mut alice, &asked.url, wrong, &[]).await.status,
            400,
            "{wrong}"
        );
    }
    // Another person, to whom the page was not shown.
    let mut adam = world.signed_in(ADAM, &["wiki"]).await;
    assert_eq!(send(&mut adam, &asked.url, &consent, &[]).await.status, 400);
    // Nobody: to the login, and nothing is given away.
    let reply = send(&mut world.anonymous(), &asked.url, &consent, &[]).await;
    assert_eq!(reply.status, 302, "{}", reply.text());
    nothing_comes(&world, &cloudflared).await;
    assert_eq!(
        send(
            &mut alice,
            &asked.url,
            &consent,
            &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")]
        )
        .await
        .status,
        200
    );
}

#[tokio::test]
async fn the_page_cannot_be_framed_or_fetched() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let cloudflared = Cloudflared::of(&world);
    let asked = asked(&world, &mut alice, &cloudflared).await;
    let policy = asked.reply.header("content-security-policy").unwrap();
    assert!(
        policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"),
        "{policy}"
    );
    assert_eq!(asked.reply.header("x-frame-options"), Some("DENY"));
    assert!(asked.reply.header("cache-control").unwrap().contains("no-store"));
    // Under `no-referrer` browsers send `Origin: null` with the form, and only some say otherwise where it comes from.
    assert_eq!(asked.reply.header("referrer-policy"), Some("same-origin"));
    let wiki = cloudflared.address(&world.host("wiki"), "/");
    let first = cloudflared.request_url(&wiki, &aud(&world, "Wiki"));
    for url in [&asked.url, &first] {
        for (mode, dest) in [("navigate", "iframe"), ("no-cors", "image"), ("cors", "empty")] {
            let headers = [("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)];
            let reply = alice.request("GET", url, &headers, b"").await;
            assert_eq!(reply.status, 403, "{url} {mode} {dest}");
            assert!(!reply.text().contains("name=\"consent\""));
        }
    }
}

#[tokio::test]
async fn a_request_that_leads_elsewhere_is_refused() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let cloudflared = Cloudflared::of(&world);
    let (key, wiki_aud, other_aud) = (
        cloudflared.public_key(),
        aud(&world, "Wiki"),
        aud(&world, "Other"),
    );
    let wiki = world.host("wiki");
    let ask = |key: &str, aud: &str, redirect: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", key)
            .append_pair("aud", aud)
            .append_pair("redirect_url", redirect)
            .finish();
        cloudflared.address(&wiki, &format!("/cdn-cgi/access/cli?{query}"))
    };
    let own = cloudflared.address(&wiki, "/x").to_string();
    for (key, aud, redirect) in [
        (key.as_str(), wiki_aud.as_str(), "https://evil.example/"),
        (&key, &wiki_aud, "//evil.example/"),
        (&key, &wiki_aud, "javascript:alert(1)"),
        (&key, &wiki_aud, &own.replace("://", "://user@")),
        (
            &key,
            &wiki_aud,
            cloudflared.address(&world.host("other"), "/").as_ref(),
        ),
        (&key, &other_aud, &own),
        (&key, "0", &own),
        (&key, "", &own),
        ("", &wiki_aud, &own),
        ("short", &wiki_aud, &own),
        (&"=".repeat(44), &wiki_aud, &own),
    ] {
        let reply = alice.get(&ask(key, aud, redirect)).await;
        assert_eq!(
            reply.status,
            400,
            "{key} {aud} {redirect}: {:?}",
            reply.header("location")
        );
    }
    let fine = alice.get(&ask(&key, &wiki_aud, &own)).await;
    assert!(
        fine.header("location")
            .unwrap()
            .contains("/cdn-cgi/access/transfer?request=")
    );
    // A request that this gateway did not seal.
    for request in ["", "AAAA"] {
        let url = cloudflared.address(
            &world.host("login"),
            &format!("/cdn-cgi/access/transfer?request={request}"),
        );
        assert_eq!(alice.get(&url).await.status, 400, "{request}");
    }
}

#[tokio::test]
async fn a_request_waits_ten_minutes_and_tokens_wait_five() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let late = Cloudflared::of(&world);
    let asked_late = asked(&world, &mut alice, &late).await;
    let fetched_late = Cloudflared::of(&world);
    let asked_early = asked(&world, &mut alice, &fetched_late).await;
    assert_eq!(say_yes(&mut alice, &asked_early).await.status, 200);
    world.pass(jiff::SignedDuration::from_secs(301));
    nothing_comes(&world, &fetched_late).await;
    world.pass(jiff::SignedDuration::from_secs(300));
    let reply = say_yes(&mut alice, &asked_late).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("waited too long"), "{}", reply.text());
    assert_eq!(alice.get(&asked_late.url).await.status, 400);
    nothing_comes(&world, &late).await;
}

#[tokio::test]
async fn whom_no_policy_lets_in_has_nothing_to_give() {
    let world = World::start().await;
    let cloudflared = Cloudflared::of(&world);
    let mut mallory = world.person(MALLORY);
    let refused = asked(&world, &mut mallory, &cloudflared).await;
    assert_eq!(refused.status(), 403);
    assert!(!refused.text().contains("name=\"consent\""));
    // Who was let in when the page was shown, and is not when the form comes.
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let page = asked(&world, &mut alice, &cloudflared).await;
    let mut world = world;
    world
        .declare(|plan| {
            plan.wiki_policies("[{ name = \"nobody\", decision = \"deny\", include = [{ everyone = {} }] }]")
        })
        .await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    let reply = say_yes(&mut alice, &page).await;
    assert_eq!(reply.status, 403, "{}", reply.text());
    nothing_comes(&world, &cloudflared).await;
}

/// `prompt` of the provider: each sign-in of a program asks the person at the provider, as each of a browser does.
#[tokio::test]
async fn a_provider_that_asks_each_time_asks_for_a_program_too() {
    let world = World::builder().provider("prompt = \"login\"").start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let cloudflared = Cloudflared::of(&world);
    let page = asked(&world, &mut alice, &cloudflared).await;
    let authorize = page
        .way
        .iter()
        .find(|url| url.path().ends_with("/authorize"))
        .unwrap();
    assert!(authorize.query().unwrap().contains("prompt=login"), "{authorize}");
    assert_eq!(say_yes(&mut alice, &page).await.status, 200);
    assert!(cloudflared.poll(&world.host("login")).await.is_some());
    // The page of one request does not serve another: that one asks again.
    let another = Cloudflared::of(&world);
    assert!(asked(&world, &mut alice, &another).await.asked_entra());
    // And a form of before the new login was for the session that is over.
    let third = Cloudflared::of(&world);
    let shown = asked(&world, &mut alice, &third).await;
    let consent = field(&shown.text(), "consent");
    asked(&world, &mut alice, &Cloudflared::of(&world)).await;
    assert_ne!(send(&mut alice, &shown.url, &consent, &[]).await.status, 200);
    nothing_comes(&world, &third).await;
}

/// A gateway that has not heard yet that leave was taken back gives none to a program's session.
#[tokio::test]
async fn leave_taken_back_does_not_come_back_with_a_program() {
    let world = World::builder()
        .wiki_policies(
            "[{ name = \"with leave\", decision = \"allow\", approval_required = true, approval_groups = \
             [{ approvals_needed = 1, email_addresses = [\"adam@contoso.example\"] }], include = [{ everyone = {} }] }]",
        )
        .start()
        .await;
    let (wiki, login) = (world.host("wiki"), world.host("login"));
    let mut alice = world.person(ALICE);
    let page = alice.open(&wiki, "/").await;
    let fields = [("reason", "on call"), ("minutes", "60")];
    Form::of(&page.text()).send(&mut alice, &page.url, &fields).await;
    let mut adam = world.person(ADAM);
    adam.open(&login, "/").await;
    let page = adam.open(&login, "/cdn-cgi/access/approvals").await;
    let yes = [("say", "approve"), ("minutes", "60")];
    Form::of(&page.text()).send(&mut adam, &page.url, &yes).await;
    let program = Cloudflared::of(&world);
    let asked = asked(&world, &mut alice, &program).await;
    assert_eq!(asked.status(), 200, "{}", asked.text());

    let sessions = &world.running().sessions;
    let given = |nonce: &_| {
        !sessions
            .find(nonce)
            .unwrap()
            .identity()
            .identity
            .approvals
            .is_empty()
    };
    let nonce = sessions.nonces().into_iter().find(given).unwrap();
    let before = sessions.find(&nonce).unwrap();
    let stale = (*before.identity().identity).clone();
    let page = adam.open(&login, "/cdn-cgi/access/approvals").await;
    Form::of(&page.text())
        .send(&mut adam, &page.url, &[("say", "withdraw")])
        .await;
    sessions.replace_identity(&nonce, stale, i64::MAX);
    assert_eq!(say_yes(&mut alice, &asked).await.status, 200);
    let kept = world.store().await.live_sessions_of(before.user()).await.unwrap();
    assert_eq!(kept.len(), 2);
    for row in kept {
        assert_eq!(row.identity.approvals, [], "{:?}", row.agent);
    }
}

#[tokio::test]
async fn approved_at_one_gateway_fetched_at_another() {
    let world = World::builder().gateways(2).start().await;
    let program = Cloudflared::at(&world, 1);
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let login = world.host("login");
    let (tokens, ()) = tokio::join!(program.poll(&login), async {
        let page = asked(&world, &mut alice, &program).await;
        assert_eq!(say_yes(&mut alice, &page).await.status, 200);
    });
    let tokens = tokens.unwrap();
    let wiki = program.address(&world.host("wiki"), "/");
    assert!(program.token_is_valid(&wiki, &tokens.app_token).await);
}

/// The host that stock cloudflared knows, where the operator leads it here.
#[tokio::test]
async fn a_transfer_host_serves_transfers_and_nothing_else() {
    let world = World::builder()
        .organization("transfer_host = \"transfer.localhost\"")
        .start()
        .await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let program = Cloudflared::of(&world);
    let page = asked(&world, &mut alice, &program).await;
    assert_eq!(say_yes(&mut alice, &page).await.status, 200);
    // What takes must be GET: HEAD would throw the tokens away.
    let head = program.address(
        "transfer.localhost",
        &format!("/transfer/{}", program.public_key()),
    );
    assert_eq!(program.send("HEAD", &head, &[]).await.status, 405);
    assert_eq!(program.send("DELETE", &head, &[]).await.status, 405);
    assert!(program.poll("transfer.localhost").await.is_some());
    for path in [
        "/",
        "/cdn-cgi/access/login",
        "/cdn-cgi/access/certs",
        "/transfer/",
        "/transfer/x",
    ] {
        let url = program.address("transfer.localhost", path);
        assert_eq!(program.send("GET", &url, &[]).await.status, 404, "{path}");
    }
    let url = program.address(
        &world.host("wiki"),
        &format!("/transfer/{}", program.public_key()),
    );
    assert_eq!(
        program.send("GET", &url, &[]).await.status,
        302,
        "an application's path is its own"
    );
}

/// Links and lists go by the address of the last sign-in, and a seat that is not used by its time.
#[tokio::test]
async fn approving_is_not_signing_in() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let told = directory
        .create(
            "/Users",
            &serde_json::json!({ "userName": ALICE, "externalId": "alice" }),
        )
        .await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let store = world.store().await;
    let of = async |address: &str| store.users_with_email(&address.parse().unwrap()).await.unwrap();
    let before = of(ALICE).await.remove(0);
    let renamed = serde_json::json!([{ "op": "Replace", "path": "userName", "value": CAROLINE }]);
    directory.patch(&format!("/Users/{told}"), renamed).await;
    world.pass(jiff::SignedDuration::from_mins(5));
    let program = Cloudflared::of(&world);
    let page = asked(&world, &mut alice, &program).await;
    assert!(page.text().contains(CAROLINE), "{}", page.text());
    assert_eq!(say_yes(&mut alice, &page).await.status, 200);
    assert!(program.poll(&world.host("login")).await.is_some());
    for address in [ALICE, CAROLINE] {
        let found = of(address).await;
        let found = found
            .first()
            .unwrap_or_else(|| panic!("nobody is found by {address}"));
        assert_eq!((found.id, found.email.as_deref()), (before.id, Some(CAROLINE)));
        assert_eq!(found.last_login_ms, before.last_login_ms);
    }
    // Both sessions are hers, and end with her.
    directory.set_active(&told, false).await;
    let live = store.live_sessions_of(before.id).await.unwrap();
    assert!(live.is_empty(), "{live:?}");
}

/// Nothing is in the log by which somebody could become the person.
#[tokio::test]
async fn the_log_tells_of_a_transfer_and_not_its_tokens() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let program = Cloudflared::of(&world);
    let page = asked(&world, &mut alice, &program).await;
    let done = say_yes(&mut alice, &page).await;
    let tokens = program.poll(&world.host("login")).await.unwrap();
    let id = log::request_id(&done.text()).unwrap();
    let told = log::told_of(&id);
    assert!(
        told.iter()
            .any(|line| line["message"] == "A program was given a session of its own"),
        "{told:?}"
    );
    for secret in [&tokens.app_token, &tokens.org_token] {
        assert!(!log::contains(secret), "{secret} is in the log");
    }
}

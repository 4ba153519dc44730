//! The chain from the first request to the application, and everything that must not get through it.

mod house;

use http::{Method, StatusCode};
use mock_entra::{Endpoint, Fault, IdTokenFault, demo};
use serde_json::Value;
use url::Url;

use self::house::{AUTH, FILES, House, VAULT, WIKI, application, policy};
use crate::model::idp::Prompt;
use crate::model::ids::IdpId;
use crate::model::policy::{Decision, Selector};
use crate::session::table::{Cause, Whose};
use crate::store::{AccessRequestFilter, Ending};

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_person_opens_a_deep_link_signs_in_and_lands_there() {
    let house = House::start().await;
    let mut browser = house.browser();
    let page = browser.open(&format!("{WIKI}/deep?x=1&y=%2F")).await;
    assert_eq!((page.status, page.body.as_str()), (StatusCode::OK, "inside"));
    assert_eq!(page.url.as_str(), format!("{WIKI}/deep?x=1&y=%2F"));
    assert!(
        browser
            .cookie("login.example.com", "__Host-CF_Authorization")
            .is_some()
    );
}

#[tokio::test]
async fn the_second_application_asks_nobody() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    let tokens = house.entra.count(Endpoint::Token);
    let page = browser.open(&format!("{FILES}/list")).await;
    assert_eq!(page.body, "inside");
    assert_eq!(house.entra.count(Endpoint::Token), tokens);
}

#[tokio::test]
async fn the_redirect_to_the_login_looks_as_at_access() {
    let house = House::start().await;
    let answered = house.browser().get(&url(&format!("{WIKI}/deep?x=1"))).await;
    assert_eq!(answered.status, StatusCode::FOUND);
    let location = answered.location();
    assert_eq!(location.path(), "/cdn-cgi/access/login/wiki.example.com");
    let names: Vec<String> = location
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["kid", "meta", "redirect_url"]);
    assert!(
        location
            .query()
            .unwrap()
            .ends_with("&redirect_url=%2Fdeep%3Fx%3D1")
    );
    assert_eq!(answered.headers["access-control-allow-credentials"], "true");
    assert_eq!(
        answered.headers["www-authenticate"],
        "Cloudflare-Access resource_metadata=\"https://wiki.example.com/.well-known/cloudflare-access-protected-resource/deep\""
    );
    assert_eq!(
        answered.headers["cache-control"],
        "private, max-age=0, no-store, no-cache, must-revalidate, post-check=0, pre-check=0"
    );
    assert_eq!(answered.headers["expires"], "Thu, 01 Jan 1970 00:00:01 GMT");
    let cookie = answered.cookies_set().join("\n");
    assert!(
        cookie.starts_with("CF_AppSession=n") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
}

#[tokio::test]
async fn requests_that_cannot_follow_a_redirect_are_told_so() {
    let house = House::start_with(|plan| {
        let mut api = application(9, "API", "api.example.com");
        api.unauthenticated_401 = true;
        plan.applications.push((api, vec![policy(9, Selector::Everyone)]));
    })
    .await;
    let wiki = url(&format!("{WIKI}/x"));
    let api = url("https://api.example.com/x");
    let preflight = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "GET"),
    ];
    for (method, address, headers, status) in [
        (
            Method::GET,
            &wiki,
            &[("x-requested-with", "XMLHttpRequest")][..],
            401,
        ),
        (Method::GET, &wiki, &[("accept", "application/json")], 302),
        (Method::GET, &wiki, &[("sec-fetch-mode", "cors")], 302),
        (Method::HEAD, &wiki, &[], 302),
        (Method::OPTIONS, &wiki, &preflight, 403),
        (Method::OPTIONS, &wiki, &[], 302),
        (Method::GET, &api, &[("sec-fetch-mode", "cors")], 401),
        (Method::GET, &api, &[("accept", "application/json")], 401),
        (Method::GET, &api, &[("accept", "text/html,*/*")], 302),
    ] {
        let answered = house.browser().send(method.clone(), address, headers).await;
        assert_eq!(answered.status.as_u16(), status, "{method} {address} {headers:?}");
        assert!(
            answered.headers["cache-control"]
                .to_str()
                .unwrap()
                .contains("no-store")
        );
        if status == 403 {
            assert_eq!(answered.headers["cf-access-domain"], "wiki.example.com");
            assert!(answered.headers.contains_key("cf-access-aud"));
        }
    }
}

#[tokio::test]
async fn somebody_whom_the_policy_refuses_learns_who_they_are_and_can_change_the_account() {
    let house = House::start().await;
    let mut browser = house.browser();
    let refused = browser.open(&format!("{VAULT}/gold")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.body.contains(demo::ALICE) && refused.body.contains("Ask the vault keeper."),
        "{}",
        refused.body
    );
    // The organization session exists: other applications let her in without a page.
    assert_eq!(browser.open(&format!("{WIKI}/")).await.body, "inside");
    browser.person = demo::BOB.to_owned();
    let another = refused.link("prompt=select_account");
    let inside = browser.open(another.as_str()).await;
    assert_eq!(
        (inside.body.as_str(), inside.url.as_str()),
        ("inside", "https://vault.example.com/gold")
    );
    let rows = house
        .login
        .store
        .access_requests(&AccessRequestFilter::default())
        .await
        .unwrap();
    assert!(
        rows.iter()
            .any(|row| !row.allowed && row.email.as_deref() == Some(demo::ALICE))
    );
    assert!(
        rows.iter()
            .any(|row| row.allowed && row.email.as_deref() == Some(demo::BOB))
    );
}

#[tokio::test]
async fn failures_that_anybody_can_bring_about_do_not_fill_the_log() {
    let house = House::start().await;
    let callback = house.browser().up_to_callback(&format!("{WIKI}/")).await;
    let mut nobody = house.browser();
    for _ in 0..200 {
        assert_eq!(nobody.get(&callback).await.status, StatusCode::BAD_REQUEST);
    }
    let filter = AccessRequestFilter {
        limit: 1000,
        ..AccessRequestFilter::default()
    };
    let rows = house.login.store.access_requests(&filter).await.unwrap().len();
    assert!((1..100).contains(&rows), "{rows} rows");
}

#[tokio::test]
async fn several_providers_make_a_choice() {
    let house = House::start_with(|plan| {
        let second = crate::model::idp::IdentityProvider {
            id: IdpId(uuid::Uuid::from_u128(2)),
            name: "Partners".to_owned(),
            ..plan.providers[0].clone()
        };
        plan.providers.push(second);
    })
    .await;
    let mut browser = house.browser();
    let chooser = browser.open(&format!("{WIKI}/deep")).await;
    assert_eq!(chooser.status, StatusCode::OK);
    assert!(chooser.body.contains("Partners") && chooser.body.contains("Entra 1"));
    assert_eq!(chooser.headers["cf-access-domain"], "wiki.example.com");
    let picked = chooser.link("idp=00000000-0000-0000-0000-000000000002");
    assert_eq!(browser.open(picked.as_str()).await.body, "inside");

    // A page that was left open over lunch begins anew; the browser kept its cookie.
    let mut later = house.browser();
    let chooser = later.open(&format!("{WIKI}/deep")).await;
    let picked = chooser.link("idp=00000000-0000-0000-0000-000000000002");
    house.clock.advance(jiff::SignedDuration::from_mins(40));
    let chooser = later.open(picked.as_str()).await;
    assert_eq!(chooser.status, StatusCode::OK, "{}", chooser.body);
    let picked = chooser.link("idp=00000000-0000-0000-0000-000000000002");
    assert_eq!(later.open(picked.as_str()).await.body, "inside");
}

#[tokio::test]
async fn a_session_of_a_provider_that_the_application_does_not_allow_is_not_enough() {
    let house = House::start_with(|plan| {
        let second = crate::model::idp::IdentityProvider {
            id: IdpId(uuid::Uuid::from_u128(2)),
            ..plan.providers[0].clone()
        };
        plan.providers.push(second);
        plan.applications[0].0.allowed_idps = vec![IdpId(uuid::Uuid::from_u128(1))];
        plan.applications[1].0.allowed_idps = vec![IdpId(uuid::Uuid::from_u128(2))];
    })
    .await;
    let mut browser = house.browser();
    assert_eq!(browser.open(&format!("{WIKI}/")).await.body, "inside");
    let tokens = house.entra.count(Endpoint::Token);
    assert_eq!(browser.open(&format!("{FILES}/")).await.body, "inside");
    assert_eq!(
        house.entra.count(Endpoint::Token),
        tokens + 1,
        "a login at the other provider"
    );
}

#[tokio::test]
async fn a_page_navigation_keeps_the_fragment_for_the_way_back() {
    let house = House::start().await;
    let mut browser = house.browser();
    let navigates = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let challenge = browser.ask(&url(&format!("{WIKI}/deep")), &navigates).await;
    let carry = browser.ask(&challenge.location(), &navigates).await;
    assert_eq!(carry.status, StatusCode::OK);
    let leave = carry.link("/oauth2/v2.0/authorize");
    let callback = browser.at_microsoft(&leave).await;
    let landing = browser.ask(&callback, &navigates).await;
    assert_eq!(landing.status, StatusCode::OK);
    let flow = |page: &str| {
        page.split("data-flow=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(flow(&carry.body), flow(&landing.body));
    let next = landing.link("/cdn-cgi/access/authorized");
    assert_eq!(browser.open(next.as_str()).await.body, "inside");
}

/// Abuse case 62.
#[tokio::test]
async fn twenty_tabs_finish_in_any_order_and_one_of_them_twice() {
    let house = House::start().await;
    let mut browser = house.browser();
    let mut callbacks = Vec::new();
    for tab in 0..20 {
        callbacks.push((tab, browser.up_to_callback(&format!("{WIKI}/tab/{tab}")).await));
    }
    callbacks.sort_by_key(|(tab, _)| tab * 7 % 20);
    for (tab, callback) in &callbacks {
        let page = browser.open(callback.as_str()).await;
        assert_eq!(page.url.as_str(), format!("{WIKI}/tab/{tab}"));
        assert_eq!(page.body, "inside");
    }
    assert_eq!(
        house.entra.count(Endpoint::Token),
        1,
        "the session of the first serves all"
    );
    let (tab, again) = &callbacks[0];
    assert_eq!(
        browser.open(again.as_str()).await.url.as_str(),
        format!("{WIKI}/tab/{tab}")
    );
    assert!(
        browser
            .jar
            .keys()
            .filter(|(host, _)| host == "login.example.com")
            .count()
            <= 2
    );
}

/// Abuse cases 51 and 52.
#[tokio::test]
async fn a_login_that_is_not_this_browsers_own_sets_nothing_and_asks_for_no_token() {
    let house = House::start().await;
    let mut alice = house.browser();
    let callback = alice.up_to_callback(&format!("{WIKI}/deep")).await;
    let with = |change: &dyn Fn(&str, &str) -> Option<String>| {
        let mut changed = callback.clone();
        let pairs: Vec<(String, String)> = callback
            .query_pairs()
            .filter_map(|(name, value)| change(&name, &value).map(|value| (name.into_owned(), value)))
            .collect();
        changed.query_pairs_mut().clear().extend_pairs(pairs);
        changed
    };
    let foreign_state = with(&|name, value| {
        Some(if name == "state" {
            "x".repeat(200)
        } else {
            value.to_owned()
        })
    });
    let no_state = with(&|name, value| (name != "state").then(|| value.to_owned()));
    let no_code = with(&|name, value| (name != "code").then(|| value.to_owned()));
    let mut twice = callback.clone();
    twice.query_pairs_mut().append_pair("state", "x");
    let mut list = callback.clone();
    list.query_pairs_mut().append_pair("code[]", "x");
    for address in [&foreign_state, &no_state, &no_code, &twice, &list] {
        let page = alice.get(address).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{address}");
        assert!(page.cookies_set().is_empty(), "{address}");
    }
    let page = house.browser().get(&callback).await;
    assert_eq!(
        page.status,
        StatusCode::BAD_REQUEST,
        "a browser that did not begin the login"
    );
    assert!(page.cookies_set().is_empty());
    assert_eq!(
        page.link(WIKI).as_str(),
        format!("{WIKI}/deep"),
        "a way to start again"
    );
    assert_eq!(house.entra.count(Endpoint::Token), 0);
    house.clock.advance(jiff::SignedDuration::from_secs(601));
    let late = alice.get(&callback).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    assert_eq!(late.link(WIKI).as_str(), format!("{WIKI}/deep"));
    assert_eq!(house.entra.count(Endpoint::Token), 0);
}

/// Abuse case 62: tabs that all began without a cookie replace each other's.
#[tokio::test]
async fn a_tab_that_another_one_overtook_starts_again_by_itself() {
    let house = House::start().await;
    let first = house.browser().up_to_callback(&format!("{WIKI}/first")).await;
    let mut browser = house.browser();
    browser.up_to_callback(&format!("{WIKI}/second")).await;
    let page = browser.get(&first).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.cookies_set().is_empty());
    assert_eq!(page.headers["refresh"], format!("3; url={WIKI}/first"));
    assert_eq!(house.entra.count(Endpoint::Token), 0);
}

/// Abuse case 53: every wrong ID token ends without a session.
#[tokio::test]
async fn a_wrong_id_token_makes_no_session() {
    let house = House::start().await;
    for fault in [
        IdTokenFault::WrongNonce,
        IdTokenFault::WrongAudience,
        IdTokenFault::WrongIssuer,
        IdTokenFault::OtherTenant,
    ] {
        house.entra.fail_next(Fault::IdToken(fault.clone()));
        let mut browser = house.browser();
        let callback = browser.up_to_callback(&format!("{WIKI}/")).await;
        let page = browser.get(&callback).await;
        assert!(page.status.is_client_error(), "{fault:?}: {}", page.status);
        assert!(page.cookies_set().is_empty(), "{fault:?}");
        assert!(
            browser
                .cookie("login.example.com", "__Host-CF_Authorization")
                .is_none()
        );
        assert!(page.body.contains(WIKI), "{fault:?}: a way to start again");
    }
}

#[tokio::test]
async fn what_microsoft_refuses_becomes_a_page_without_its_words() {
    let house = House::start().await;
    let mut browser = house.browser();
    let callback = browser.up_to_callback(&format!("{WIKI}/")).await;
    let state = callback
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let mut refused = url(&format!("{AUTH}/cdn-cgi/access/callback"));
    refused.query_pairs_mut().extend_pairs([
        ("error", "access_denied"),
        (
            "error_description",
            "AADSTS50105: <script>alert(1)</script> Trace ID: 0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c",
        ),
        ("state", &state),
    ]);
    let page = browser.get(&refused).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(
        !page.body.contains("alert(1)") && !page.body.contains("AADSTS"),
        "{}",
        page.body
    );
    assert!(page.cookies_set().is_empty());
}

#[tokio::test]
async fn a_silent_login_that_needs_a_person_is_followed_by_one_interactive_login() {
    let house = House::start_with(|plan| plan.providers[0].entra.prompt = Some(Prompt::None)).await;
    let mut browser = house.browser();
    let challenge = browser.get(&url(&format!("{WIKI}/deep"))).await;
    let login = browser.get(&challenge.location()).await;
    let authorize = login.location();
    assert!(authorize.query().unwrap().contains("prompt=none"));
    let state = authorize
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let refusal = |state: &str| {
        let mut callback = url(&format!("{AUTH}/cdn-cgi/access/callback"));
        callback
            .query_pairs_mut()
            .extend_pairs([("error", "login_required"), ("state", state)]);
        callback
    };
    let second = browser.get(&refusal(&state)).await;
    assert_eq!(second.status, StatusCode::FOUND);
    assert!(!second.location().query().unwrap().contains("prompt=none"));
    let state = second
        .location()
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let third = browser.get(&refusal(&state)).await;
    assert!(third.status.is_client_error(), "only one: {}", third.status);
    let callback = browser.at_microsoft(&second.location()).await;
    assert_eq!(
        browser.open(callback.as_str()).await.url.as_str(),
        format!("{WIKI}/deep")
    );
}

/// Abuse case 88.
#[tokio::test]
async fn a_ticket_is_worth_nothing_anywhere_else_or_later() {
    let house = House::start().await;
    let mut alice = house.browser();
    alice.open(&format!("{WIKI}/")).await;
    let challenge = alice.get(&url(&format!("{FILES}/deep"))).await;
    let ticket = alice.get(&challenge.location()).await.location();
    assert_eq!(ticket.path(), "/cdn-cgi/access/authorized");
    let mut thief = house.browser();
    let stolen = thief.get(&ticket).await;
    assert_eq!(stolen.status, StatusCode::BAD_REQUEST);
    assert!(stolen.cookies_set().is_empty());
    // It is known to two now, and so worth nothing to either.
    assert_eq!(alice.get(&ticket).await.status, StatusCode::BAD_REQUEST);
    let challenge = alice.get(&url(&format!("{FILES}/deep"))).await;
    let ticket = alice.get(&challenge.location()).await.location();
    let mut elsewhere = ticket.clone();
    elsewhere.set_host(Some("wiki.example.com")).unwrap();
    let moved = alice.get(&elsewhere).await;
    assert_eq!(moved.status, StatusCode::BAD_REQUEST);
    assert!(moved.cookies_set().is_empty());
    let honoured = alice.get(&ticket).await;
    assert_eq!(honoured.location().as_str(), format!("{FILES}/deep"));
    assert_eq!(honoured.headers["referrer-policy"], "no-referrer");
    // The same browser goes back: it is inside already, and nothing new is minted.
    let back = alice.get(&ticket).await;
    assert_eq!((back.status, back.cookies_set().len()), (StatusCode::FOUND, 0));
    // With its token gone, the ticket is spent.
    alice
        .jar
        .remove(&("files.example.com".to_owned(), "CF_Authorization".to_owned()));
    assert_eq!(alice.get(&ticket).await.status, StatusCode::BAD_REQUEST);
    let challenge = alice.get(&url(&format!("{FILES}/late"))).await;
    let ticket = alice.get(&challenge.location()).await.location();
    house.clock.advance(jiff::SignedDuration::from_secs(61));
    assert_eq!(alice.get(&ticket).await.status, StatusCode::BAD_REQUEST);
}

/// Whoever begins a login that somebody else finishes gets nothing out of the address in which the ticket stood.
#[tokio::test]
async fn a_login_begun_by_another_gives_nothing_away() {
    let house = House::start().await;
    let (mut alice, mut mallory) = (house.browser(), house.browser());
    alice.open(&format!("{WIKI}/")).await;
    let begun = mallory.get(&url(&format!("{FILES}/"))).await.location();
    let ticket = alice.get(&begun).await.location();
    assert_eq!(ticket.path(), "/cdn-cgi/access/authorized");
    assert_eq!(alice.get(&ticket).await.status, StatusCode::BAD_REQUEST);
    let taken = mallory.get(&ticket).await;
    assert_eq!(taken.status, StatusCode::BAD_REQUEST);
    assert!(taken.cookies_set().is_empty());
}

/// Abuse case 63.
#[tokio::test]
async fn a_browser_that_loses_its_token_is_stopped_at_the_third_bounce() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    let mut turns = 0;
    let stopped = loop {
        browser
            .jar
            .remove(&("wiki.example.com".to_owned(), "CF_Authorization".to_owned()));
        let challenge = browser.get(&url(&format!("{WIKI}/"))).await;
        if challenge.status != StatusCode::FOUND {
            break challenge;
        }
        turns += 1;
        assert!(turns < 5, "no end");
        let ticket = browser.get(&challenge.location()).await.location();
        browser.get(&ticket).await;
    };
    assert_eq!(turns, 2, "two more turns after the first, then the page");
    assert!(
        stopped
            .body
            .contains("Cookies are blocked for <bdi>wiki.example.com</bdi>")
    );
    assert_eq!(
        browser.open(&format!("{WIKI}/")).await.body,
        "inside",
        "the page begins the count anew"
    );
}

/// Abuse case 63: without any cookie there is no loop.
#[tokio::test]
async fn a_browser_without_cookies_ends_at_a_page() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.keeps = false;
    let page = browser.open(&format!("{WIKI}/")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.body.contains("cookie"), "{}", page.body);
}

#[tokio::test]
async fn a_login_page_without_meta_leads_back_to_the_application() {
    let house = House::start().await;
    let mut browser = house.browser();
    let bare = format!(
        "{AUTH}/cdn-cgi/access/login/wiki.example.com/deep?kid=x&redirect_url=https%3A%2F%2Fevil.example"
    );
    let page = browser.get(&url(&bare)).await;
    assert_eq!(
        page.status,
        StatusCode::BAD_REQUEST,
        "nothing shows that it keeps cookies"
    );
    assert_eq!(page.link(WIKI).as_str(), format!("{WIKI}/deep"));
    browser.open(&format!("{WIKI}/")).await;
    assert_eq!(browser.open(&bare).await.url.as_str(), format!("{WIKI}/deep"));
    let unknown = browser
        .get(&url(&format!("{AUTH}/cdn-cgi/access/login/evil.example")))
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.body.contains("Unable to find your Access application!"));
}

/// Two applications on one host: each hand-over replaces the other's token.
#[tokio::test]
async fn going_to_and_fro_between_applications_is_no_loop() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    browser.open(&format!("{FILES}/")).await;
    let cookie = |host: &str, name: &str| (host.to_owned(), name.to_owned());
    let of_files = browser.jar[&cookie("files.example.com", "CF_Authorization")].clone();
    let often = format!("3.{}", house.clock.now_seconds());
    browser.jar.insert(cookie("wiki.example.com", "CF_Bounce"), often);
    browser
        .jar
        .insert(cookie("wiki.example.com", "CF_Authorization"), of_files);
    let challenge = browser.get(&url(&format!("{WIKI}/"))).await;
    assert_eq!(challenge.status, StatusCode::FOUND);
    browser
        .jar
        .remove(&cookie("wiki.example.com", "CF_Authorization"));
    let stopped = browser.get(&url(&format!("{WIKI}/"))).await;
    assert_ne!(stopped.status, StatusCode::FOUND);
}

#[tokio::test]
async fn signing_out_ends_every_application_at_once() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    browser.open(&format!("{FILES}/")).await;
    let cross_site = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-dest", "image"),
    ];
    let logout = url(&format!("{WIKI}/cdn-cgi/access/logout"));
    assert_eq!(
        browser.ask(&logout, &cross_site).await.status,
        StatusCode::FORBIDDEN
    );
    let ahead_of_time = [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-purpose", "prefetch;prerender"),
    ];
    assert_eq!(
        browser.ask(&logout, &ahead_of_time).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(browser.get(&url(&format!("{FILES}/"))).await.body, "inside");
    let saved = browser.jar.clone();
    let page = browser.get(&logout).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.cookies_set()
            .iter()
            .any(|set| set.starts_with("CF_Authorization=;") && set.contains("Secure"))
    );
    browser.jar = saved;
    for address in [WIKI, FILES] {
        assert_eq!(
            browser.get(&url(address)).await.status,
            StatusCode::FOUND,
            "{address}"
        );
    }
    browser.jar.clear();
    let page = browser.get(&url(&format!("{AUTH}/cdn-cgi/access/logout"))).await;
    assert!(page.body.contains("No Access cookie found"));
}

#[tokio::test]
async fn signing_out_where_no_token_came_along_ends_the_session_too() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    browser.open(&format!("{FILES}/")).await;
    let files = browser.jar.clone();
    browser
        .jar
        .remove(&("wiki.example.com".to_owned(), "CF_Authorization".to_owned()));
    let address = format!("{WIKI}/cdn-cgi/access/logout?returnTo=https%3A%2F%2Fwiki.example.com%2Fbye");
    let onward = browser.get(&url(&address)).await.location();
    assert!(
        onward
            .as_str()
            .starts_with(&format!("{AUTH}/cdn-cgi/access/logout?returnTo="))
    );
    let back = browser.get(&onward).await.location();
    assert_eq!(back.as_str(), format!("{WIKI}/bye"));
    browser.jar = files;
    assert_eq!(
        browser.get(&url(&format!("{FILES}/"))).await.status,
        StatusCode::FOUND
    );
}

/// Abuse cases 45 and 60.
#[tokio::test]
async fn after_signing_out_the_way_leads_only_to_own_applications() {
    let house = House::start().await;
    for (address, leads) in [
        ("https://files.example.com/bye?x=1", true),
        ("https://evil.example/", false),
        ("https://files.example.com@evil.example/", false),
        ("https://files.example.com:444/", false),
        ("http://files.example.com/", false),
        ("//evil.example", false),
        ("javascript:alert(1)", false),
    ] {
        let mut browser = house.browser();
        browser.open(&format!("{WIKI}/")).await;
        let mut logout = url(&format!("{WIKI}/cdn-cgi/access/logout"));
        logout.query_pairs_mut().append_pair("returnTo", address);
        let answered = browser.get(&logout).await;
        assert_eq!(answered.status == StatusCode::FOUND, leads, "{address}");
        if leads {
            assert_eq!(answered.location().as_str(), address);
        }
        assert!(!answered.body.contains("evil"), "{address}");
    }
}

#[tokio::test]
async fn microsofts_sign_out_page_ends_the_session_by_its_sid() {
    let house = House::start().await;
    house
        .entra
        .tenant(demo::TENANT)
        .edit_app(demo::CLIENT_ID, |app| app.optional_claims(["sid", "email"]));
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    let rows = house.login.sessions.nonces();
    let nonce = rows.iter().next().unwrap();
    let sid = house
        .login
        .store
        .session(nonce)
        .await
        .unwrap()
        .unwrap()
        .provider_session
        .unwrap();
    let mut stranger = house.browser();
    let mut wrong = url(&format!("{AUTH}/cdn-cgi/access/frontchannel-logout"));
    wrong
        .query_pairs_mut()
        .append_pair("sid", &sid)
        .append_pair("iss", "https://evil.example");
    assert_eq!(stranger.get(&wrong).await.status, StatusCode::OK);
    assert_eq!(browser.get(&url(WIKI)).await.body, "inside");
    // Colleagues behind the same address, whose sessions here are over.
    for _ in 0..100 {
        let other = format!(
            "{AUTH}/cdn-cgi/access/frontchannel-logout?sid={}",
            uuid::Uuid::new_v4()
        );
        assert_eq!(stranger.get(&url(&other)).await.status, StatusCode::OK);
    }
    let mut right = url(&format!("{AUTH}/cdn-cgi/access/frontchannel-logout"));
    right.query_pairs_mut().append_pair("sid", &sid);
    let answered = stranger.get(&right).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert!(
        answered.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("no-store")
    );
    let policy = answered.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains(&format!("frame-ancestors {}", house.entra.base_url())),
        "{policy}"
    );
    assert_eq!(browser.get(&url(WIKI)).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn get_identity_tells_whose_token_it_is() {
    let house = House::start().await;
    let mut browser = house.browser();
    let nobody = browser
        .get(&url(&format!("{WIKI}/cdn-cgi/access/get-identity")))
        .await;
    assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
    assert_eq!(nobody.body, r#"{"err":"no app token set"}"#);
    browser.open(&format!("{WIKI}/")).await;
    for address in [WIKI, AUTH] {
        let answered = browser
            .get(&url(&format!("{address}/cdn-cgi/access/get-identity")))
            .await;
        let identity: Value = serde_json::from_str(&answered.body).unwrap();
        assert_eq!(identity["email"], demo::ALICE, "{address}");
        assert_eq!(identity["idp"]["type"], "azureAD");
        // The session of the auth host belongs to no application.
        let policy = identity.get("policy").map(|policy| policy["name"].clone());
        assert_eq!(policy, (address == WIKI).then(|| "policy 1".into()));
        let groups = identity["groups"].as_array().unwrap();
        assert!(
            groups.iter().any(|group| group["name"] == "All Staff"),
            "{groups:?}"
        );
    }
    // An application's token opens get-identity on the auth host and nothing else there.
    let token = browser
        .cookie("wiki.example.com", "CF_Authorization")
        .unwrap()
        .to_owned();
    let mut forwarded = house.browser();
    forwarded.jar.insert(
        ("login.example.com".to_owned(), "CF_Authorization".to_owned()),
        token.clone(),
    );
    let answered = forwarded
        .get(&url(&format!("{AUTH}/cdn-cgi/access/get-identity")))
        .await;
    assert_eq!(answered.status, StatusCode::OK);
    assert!(answered.body.contains(r#""policy":{"id":"#), "{}", answered.body);
    let mut elsewhere = house.browser();
    elsewhere.jar.insert(
        ("files.example.com".to_owned(), "CF_Authorization".to_owned()),
        token.clone(),
    );
    let answered = elsewhere
        .get(&url(&format!("{FILES}/cdn-cgi/access/get-identity")))
        .await;
    assert_eq!(answered.status, StatusCode::BAD_REQUEST);
    let name = "__Host-CF_Authorization".to_owned();
    let mut disguised = house.browser();
    disguised
        .jar
        .insert(("login.example.com".to_owned(), name), token);
    let challenge = disguised.get(&url(&format!("{FILES}/"))).await;
    let login = disguised.get(&challenge.location()).await;
    assert!(
        disguised.is_microsofts(&login.location()),
        "an application token is no organization session"
    );
}

#[tokio::test]
async fn refreshing_the_identity_changes_it_under_the_same_session() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    house
        .entra
        .remove_member(demo::ENGINEERING, &mock_entra::MemberRef::user(demo::ALICE_OID));
    let done = browser
        .open(&format!("{AUTH}/cdn-cgi/access/refresh-identity"))
        .await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(done.url.query(), Some("success=true"));
    assert_eq!(
        browser.get(&url(WIKI)).await.body,
        "inside",
        "the application's token is still good"
    );
    let answered = browser
        .get(&url(&format!("{WIKI}/cdn-cgi/access/get-identity")))
        .await;
    let identity: Value = serde_json::from_str(&answered.body).unwrap();
    assert_eq!(identity["groups"], serde_json::json!([]));
    browser.person = demo::BOB.to_owned();
    let other = browser
        .open(&format!("{AUTH}/cdn-cgi/access/refresh-identity"))
        .await;
    assert_eq!(
        other.status,
        StatusCode::FORBIDDEN,
        "another person does not take over the session"
    );
}

#[tokio::test]
async fn certs_show_two_keys_the_current_one_first() {
    let house = House::start().await;
    for address in [AUTH, WIKI] {
        let answered = house
            .browser()
            .get(&url(&format!("{address}/cdn-cgi/access/certs")))
            .await;
        let certs: Value = serde_json::from_str(&answered.body).unwrap();
        assert_eq!(certs["keys"].as_array().unwrap().len(), 2);
        assert_eq!(certs["public_cert"]["kid"], certs["keys"][0]["kid"]);
        assert!(
            certs["public_certs"][1]["cert"]
                .as_str()
                .unwrap()
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
    }
}

#[tokio::test]
async fn a_login_on_its_way_does_not_outlive_the_end_of_its_person() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    let nonce = house.login.sessions.nonces().into_iter().next().unwrap();
    let user = house.login.sessions.find(&nonce).unwrap().user();
    // A ticket is under way when the person is ended.
    let challenge = browser.get(&url(&format!("{FILES}/"))).await;
    let ticket = browser.get(&challenge.location()).await.location();
    house
        .login
        .revoker
        .revoke(Ending::User(user), Cause::Administrator)
        .await
        .unwrap();
    let refused = browser.get(&ticket).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.cookies_set().is_empty());
    assert_eq!(browser.get(&url(WIKI)).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn the_store_gone_is_a_503_and_nobody_gets_in() {
    let house = House::start().await;
    let mut browser = house.browser();
    let callback = browser.up_to_callback(&format!("{WIKI}/")).await;
    house.login.store.close().await;
    let page = browser.get(&callback).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.cookies_set().is_empty());
    assert_eq!(house.entra.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn only_get_is_answered_where_something_happens() {
    let house = House::start().await;
    let mut browser = house.browser();
    for (method, path) in [
        (Method::POST, "callback"),
        (Method::HEAD, "callback"),
        (Method::POST, "logout"),
        (Method::HEAD, "logout"),
        (Method::POST, "get-identity"),
        (Method::DELETE, "certs"),
    ] {
        let answered = browser
            .send(
                method.clone(),
                &url(&format!("{AUTH}/cdn-cgi/access/{path}")),
                &[],
            )
            .await;
        assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
    for address in [AUTH, WIKI] {
        let answered = browser
            .get(&url(&format!("{address}/cdn-cgi/access/unknown")))
            .await;
        assert_eq!(answered.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn applications_that_share_a_host_keep_their_tokens_apart() {
    let house = House::start_with(|plan| {
        plan.applications.push((
            application(9, "Docs", "wiki.example.com/docs"),
            vec![policy(9, Selector::Everyone)],
        ));
    })
    .await;
    let mut browser = house.browser();
    let mut paths = Vec::new();
    for address in [format!("{WIKI}/docs/a"), format!("{WIKI}/b")] {
        let callback = browser.get(&url(&address)).await.location();
        let mut next = browser.get(&callback).await.location();
        if browser.is_microsofts(&next) {
            let callback = browser.at_microsoft(&next).await;
            next = browser.get(&callback).await.location();
        }
        let honoured = browser.get(&next).await;
        assert_eq!(honoured.location().as_str(), address);
        let set = honoured.cookies_set()[0].to_owned();
        assert!(set.starts_with("CF_Authorization=ey"), "{set}");
        paths.extend(
            set.split("; ")
                .filter(|part| part.starts_with("Path="))
                .map(str::to_owned),
        );
        assert!(set.contains("; Expires="), "cloudflared wants it: {set}");
    }
    assert_eq!(paths, ["Path=/docs", "Path=/"]);
}

#[tokio::test]
async fn an_open_policy_needs_no_token() {
    let house = House::start_with(|plan| {
        plan.applications[0].1[0].decision = Decision::Bypass;
    })
    .await;
    let mut browser = house.browser();
    browser.open(&format!("{FILES}/")).await;
    let challenge = browser.get(&url(&format!("{WIKI}/open"))).await;
    assert_eq!(
        browser.get(&challenge.location()).await.location().as_str(),
        format!("{WIKI}/open")
    );
}

#[tokio::test]
async fn a_new_login_leaves_nothing_of_the_old_one_alive() {
    let house = House::start().await;
    let mut browser = house.browser();
    browser.open(&format!("{WIKI}/")).await;
    let old = browser.jar.clone();
    let challenge = browser.get(&url(&format!("{FILES}/"))).await;
    browser.person = demo::BOB.to_owned();
    let another = format!("{}&prompt=select_account", challenge.location());
    browser.open(&another).await;
    let new = browser.jar.clone();
    browser.jar = old;
    assert_eq!(browser.get(&url(WIKI)).await.status, StatusCode::FOUND);
    let host = "login.example.com".to_owned();
    assert_ne!(
        browser.jar[&(host.clone(), "__Host-CF_Authorization".to_owned())],
        new[&(host, "__Host-CF_Authorization".to_owned())]
    );
    assert_eq!(
        house.login.sessions.end(&Whose::Everybody, Cause::Administrator),
        1,
        "one browser, one session"
    );
}

//! An organization token for an application token, without a browser: cloudflared's walk through the login chain.

use super::cloudflared::Cloudflared;
use super::{aud, say_yes};
use crate::support::origin::MARK;
use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::World;

/// The organization token that a browser holds.
async fn organization_token(world: &World, upn: &str) -> String {
    let mut person = world.person(upn);
    person.open(&world.host("wiki"), "/").await;
    let name = if world.scheme() == "https" {
        "__Host-CF_Authorization"
    } else {
        "CF_Authorization"
    };
    person.cookie(&world.host("login"), name).unwrap()
}

#[tokio::test]
async fn an_organization_token_opens_further_applications() {
    for tls in [false, true] {
        let world = if tls {
            World::builder().tls().start().await
        } else {
            World::start().await
        };
        let org_token = organization_token(&world, ALICE).await;
        let cloudflared = Cloudflared::of(&world);
        for host in ["other", "wiki"] {
            let url = cloudflared.address(&world.host(host), "/deep?x=1");
            let token = cloudflared.exchange(&url, &org_token).await;
            let token = token.unwrap_or_else(|| panic!("no token for {host}, tls: {tls}"));
            let reply = cloudflared
                .send("GET", &url, &[("cf-access-token", &token)])
                .await;
            assert!(reply.text().contains(MARK), "{}", reply.text());
        }
        let admin = cloudflared.address(&world.host("wiki"), "/admin");
        assert_eq!(cloudflared.exchange(&admin, &org_token).await, None);
        let foreign = organization_token(&world, MALLORY).await;
        let url = cloudflared.address(&world.host("wiki"), "/");
        assert_eq!(cloudflared.exchange(&url, &foreign).await, None);
        assert_eq!(cloudflared.exchange(&url, "not.a.token").await, None);
    }
}

/// A sibling host can plant `CF_Authorization` in a browser, and a script there can make the browser send HEAD. Such a
/// request must not become a session on the application's host, which would be somebody else's.
#[tokio::test]
async fn a_planted_organization_token_signs_no_browser_in() {
    let world = World::builder().tls().start().await;
    let planted = organization_token(&world, ALICE).await;
    let cloudflared = Cloudflared::of(&world);
    let url = cloudflared.address(&world.host("other"), "/");
    for told in [
        ("Sec-Fetch-Mode", "no-cors"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://www.test"),
        ("Referer", "https://www.test/"),
        ("Accept-Language", "en"),
    ] {
        assert_eq!(
            cloudflared.exchange_with(&url, &planted, &[told]).await,
            None,
            "{told:?}"
        );
    }
    let mut victim = world.anonymous();
    victim.plant(&world.host("login"), "CF_Authorization", &planted);
    let arrival = victim.open(&world.host("other"), "/").await;
    assert!(
        arrival.asked_entra(),
        "signed in as somebody else: {:?}",
        arrival.way
    );
}

#[tokio::test]
async fn the_session_of_a_program_ends_alone() {
    let world = World::start().await;
    let (wiki, login) = (world.host("wiki"), world.host("login"));
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let cloudflared = Cloudflared::of(&world);
    let url = cloudflared.address(&wiki, "/");
    let asked = alice
        .follow(cloudflared.request_url(&url, &aud(&world, "Wiki")))
        .await;
    say_yes(&mut alice, &asked).await;
    let tokens = cloudflared.poll(&login).await.unwrap();

    let user = world
        .running()
        .store
        .users_with_email(&ALICE.parse().unwrap())
        .await
        .unwrap()[0]
        .id;
    let sessions = world.running().store.sessions_of(user).await.unwrap();
    let live: Vec<_> = sessions
        .iter()
        .filter(|session| session.ended_ms.is_none())
        .collect();
    assert_eq!(live.len(), 2);
    let of_program = live
        .iter()
        .find(|session| session.agent.as_deref() == Some("cloudflared"))
        .unwrap();
    let of_browser = live
        .iter()
        .find(|session| session.nonce != of_program.nonce)
        .unwrap();
    // Approving is not signing in: it prolongs nothing.
    assert_eq!(of_program.expires_ms, of_browser.expires_ms);

    // The browser signs out; the program goes on.
    alice.open(&wiki, "/cdn-cgi/access/logout").await;
    let opens = async |token: &str| cloudflared.token_is_valid(&url, token).await;
    assert!(opens(&tokens.app_token).await);
    assert!(cloudflared.exchange(&url, &tokens.org_token).await.is_some());
    // And the other way round.
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let ending = vestibule::store::Ending::Session(of_program.nonce.clone());
    let cause = vestibule::session::table::Cause::Administrator;
    world.running().revoker.revoke(ending, cause).await.unwrap();
    assert!(!opens(&tokens.app_token).await);
    assert_eq!(cloudflared.exchange(&url, &tokens.org_token).await, None);
    assert!(alice.open(&wiki, "/").await.text().contains(MARK));
}

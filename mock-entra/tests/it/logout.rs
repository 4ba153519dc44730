//! Signing out at Microsoft: the session ends, applications are told, and the browser goes on only where it may.

use mock_entra::demo;

use crate::support::{REDIRECT, World, members, redemption};

const FRONT_CHANNEL: &str = "https://access.corp.example/cdn-cgi/access/frontchannel-logout";

fn url(world: &World, query: &str) -> String {
    format!(
        "{}/{}/oauth2/v2.0/logout?{query}",
        world.entra.base_url(),
        demo::TENANT
    )
}

#[tokio::test]
async fn signing_out_ends_the_session_and_loads_each_apps_address_with_its_sid() {
    let world = World::start_with(|app| app.front_channel_logout(FRONT_CHANNEL)).await;
    let reply = world.ask(world.sign_in()).await;
    let sid = reply.parameter("session_state").unwrap();
    let silent = world.sign_in().without("mock_user").with("prompt", "none");
    world
        .ask_with_cookies(silent.clone(), &reply.cookies)
        .await
        .code();

    let request = world
        .http
        .get(url(&world, ""))
        .header("cookie", reply.cookies.join("; "));
    let page = request.send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains(&format!(
            "<iframe hidden title=\"sign-out\" src=\"{FRONT_CHANNEL}?sid={sid}\">"
        )),
        "{page}"
    );
    assert_eq!(
        world.ask_with_cookies(silent, &reply.cookies).await.error().1,
        50058
    );
    let again = world
        .http
        .get(url(&world, ""))
        .header("cookie", reply.cookies.join("; "));
    assert!(
        !again
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("iframe")
    );
}

#[tokio::test]
async fn the_sid_of_the_frame_is_the_sid_of_the_token() {
    let world = World::start().await;
    let reply = world.ask(world.sign_in()).await;
    let tokens = world.token(redemption(&reply.code())).await.body;
    let claims = crate::support::claims(&tokens);
    assert!(members(&claims).contains(&"sid".to_owned()));
    assert_eq!(
        claims["sid"].as_str(),
        reply.parameter("session_state").as_deref()
    );
}

#[tokio::test]
async fn the_browser_goes_on_only_to_a_registered_address() {
    let world = World::start().await;
    let encoded =
        |address: &str| url::form_urlencoded::byte_serialize(address.as_bytes()).collect::<String>();
    let to = |address: &str| {
        url(
            &world,
            &format!("post_logout_redirect_uri={}&state=a%26b", encoded(address)),
        )
    };
    let page = world
        .http
        .get(to(REDIRECT))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains(&format!("content=\"1;url={REDIRECT}?state=a%26b\"")),
        "{page}"
    );
    let stays = world
        .http
        .get(to("https://attacker.example/"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(!stays.contains("attacker.example"), "{stays}");
    assert!(stays.contains("You signed out"));
}

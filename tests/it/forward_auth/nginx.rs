//! The sample for nginx, behind nginx.

use super::scenario;
use super::server::{Server, substituted};
use crate::support::origin::MARK;
use crate::support::world::{FORWARD_AUTH_SECRET, World};

const SAMPLE: &str = include_str!("../../../examples/forward-auth/nginx.conf");

fn sample(world: &World) -> String {
    substituted(
        SAMPLE,
        &[
            ("listen 443 ssl;", &format!("listen {};", world.front())),
            ("    ssl_certificate     /etc/nginx/tls.crt;\n", ""),
            ("    ssl_certificate_key /etc/nginx/tls.key;\n", ""),
            ("login.example.com", &world.host("login")),
            ("wiki.example.com", &world.host("wiki")),
            ("127.0.0.1:8080;", &format!("{};", world.dial_of(0).address)),
            ("127.0.0.1:9091;", &format!("{};", world.forward_auth())),
            ("10.0.0.5:3000", &world.origin.address.to_string()),
            ("replace-with-FORWARD_AUTH_SECRET", FORWARD_AUTH_SECRET),
        ],
    )
}

#[tokio::test]
async fn everything_holds_behind_nginx() {
    let world = World::builder()
        .forward_auth()
        .wiki("session_duration = \"1h\"")
        .start()
        .await;
    let Some(_nginx) = Server::nginx(&world, &sample(&world)).await else {
        return;
    };
    scenario::play(&world).await;
}

/// Abuse case 34 (CVE-2026-24513 and its class): what stands in place of a refusal is never the application.
#[tokio::test]
async fn a_page_of_the_operators_own_in_place_of_a_refusal_shows_nothing_of_the_application() {
    let world = World::builder().forward_auth().start().await;
    let ours = "error_page 401 403 = @vestibule_answer;";
    for (errors, page) in [
        (
            "error_page 401 403 /denied.html;\n    location = /denied.html { internal; auth_request off; root {directory}; }",
            true,
        ),
        // Forgotten: the page itself asks, and is refused.
        (
            "error_page 401 403 /denied.html;\n    location = /denied.html { internal; root {directory}; }",
            false,
        ),
        ("error_page 401 403 /wiki-denied;", false),
        ("", false),
    ] {
        let text = substituted(&sample(&world), &[(ours, errors)]);
        let Some(nginx) = Server::nginx(&world, &text).await else {
            return;
        };
        let wiki = world.host("wiki");
        let before = world.origin.hits();
        for path in ["/", "/deep?x=1", "/admin", "/unlisted"] {
            let reply = world.anonymous().fetch(&wiki, path, &[]).await;
            assert_eq!(reply.status, 401, "{errors} {path}");
            assert!(!reply.text().contains(MARK), "{errors} {path}: {}", reply.text());
            assert_eq!(
                reply.text().contains("the operator's own page"),
                page,
                "{errors} {path}"
            );
        }
        assert_eq!(world.origin.hits(), before, "{errors}");
        drop(nginx);
    }
}

#[tokio::test]
async fn without_the_gateway_nobody_gets_in() {
    let mut world = World::builder().forward_auth().start().await;
    let text = sample(&world);
    let Some(_nginx) = Server::nginx(&world, &text).await else {
        return;
    };
    scenario::nobody_gets_in_without_the_gateway(&mut world).await;
}

//! The sample for Caddy, behind Caddy.

use super::scenario;
use super::server::{Server, substituted};
use crate::support::world::World;

const SAMPLE: &str = include_str!("../../../examples/forward-auth/Caddyfile");

/// What keeps it from doing more than a test may: certificates, an address for administration.
const OPTIONS: &str = "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n";

fn sample(world: &World) -> String {
    let site = |name: &str| format!("http://{} {{", world.authority(name));
    let text = substituted(
        SAMPLE,
        &[
            ("login.example.com {", &site("login")),
            ("wiki.example.com {", &site("wiki")),
            (
                "reverse_proxy 127.0.0.1:8080",
                &format!("reverse_proxy {}", world.dial_of(0).address),
            ),
            (
                "forward_auth 127.0.0.1:9091",
                &format!("forward_auth {}", world.forward_auth()),
            ),
            ("10.0.0.5:3000", &world.origin.address.to_string()),
        ],
    );
    format!("{OPTIONS}{text}")
}

#[tokio::test]
async fn everything_holds_behind_caddy() {
    let world = World::builder()
        .forward_auth()
        .wiki("session_duration = \"1h\"")
        .start()
        .await;
    let Some(_caddy) = Server::caddy(&world, &sample(&world)).await else {
        return;
    };
    scenario::play(&world).await;
}

#[tokio::test]
async fn without_the_gateway_nobody_gets_in() {
    let mut world = World::builder().forward_auth().start().await;
    let Some(_caddy) = Server::caddy(&world, &sample(&world)).await else {
        return;
    };
    scenario::nobody_gets_in_without_the_gateway(&mut world).await;
}

//! Abuse case 86: somebody floods the gateway with forged tokens, from an address that others share.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::tenant::{ADAM, ALICE};
use crate::support::world::World;

const COOKIE: &str = "CF_Authorization";

#[tokio::test]
async fn a_flood_of_forged_tokens_is_stopped_and_locks_nobody_out() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let wiki = world.host("wiki");
    let forged = format!(
        "{COOKIE}={}",
        of_no_session(&alice.cookie(&wiki, COOKIE).unwrap())
    );
    let mallory = async |path: &str| {
        let mut browser = world.anonymous();
        browser.fetch(&wiki, path, &[("Cookie", &forged)]).await.status
    };
    let mut statuses = Vec::new();
    for _ in 0..80 {
        statuses.push(mallory("/x").await);
    }
    assert_eq!(statuses.first(), Some(&302));
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(mallory("/public/x").await, 200, "where everybody may pass");
    // A token that no core has seen yet.
    let mut adam = world.signed_in(ADAM, &["wiki"]).await;
    assert_eq!(adam.fetch(&wiki, "/x", &[]).await.status, 200);
}

/// The token with another session in it, under the old signature.
fn of_no_session(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["identity_nonce"] = "AAAAAAAAAAAAAAAA".into();
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{}.{claims}.{}", parts[0], parts[2])
}

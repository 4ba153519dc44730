//! What the API finds without a browser.

use mock_entra::{AppRegistration, Fault};
use serde_json::json;

use super::{READER, TOKEN, ask, check, provider, world};
use crate::support::tenant::{CLIENT, SECRET, TENANT};

#[tokio::test]
async fn a_provider_is_tested_as_far_as_it_takes_no_browser() {
    let (world, database) = world(|builder| builder).await;
    let id = provider(&world);
    let (status, answer) = ask(&world, "GET", &id, READER).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["result"]["works"], true, "{answer}");
    for step in ["discovery", "clock", "redirect_address", "credential"] {
        assert_eq!(check(&answer, step, None)["state"], "good", "{answer}");
    }
    assert_eq!(check(&answer, "credential_expiry", None)["state"], "unknown");
    assert!(!answer.to_string().contains(SECRET));
    for table in ["users", "sessions", "access_requests"] {
        assert_eq!(super::rows(&database, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn what_is_broken_is_told_by_step_with_its_mend() {
    let (world, _) = world(|builder| builder).await;
    let id = provider(&world);
    world.entra.directory().tenant(TENANT).edit_app(CLIENT, |_| {
        AppRegistration::new(CLIENT, "Vestibule").secret("another-one")
    });
    let (_, answer) = ask(&world, "GET", &id, TOKEN).await;
    assert_eq!(answer["result"]["works"], false, "{answer}");
    let redirect = check(&answer, "redirect_address", None);
    assert_eq!(redirect["state"], "bad", "{answer}");
    assert!(redirect["found"].as_str().unwrap().contains("AADSTS50011"));
    let credential = check(&answer, "credential", None);
    assert_eq!(credential["state"], "bad", "{answer}");
    assert!(credential["found"].as_str().unwrap().contains("AADSTS7000215"));
    assert_eq!(credential["mend"], "Use the secret VALUE, not the secret ID.");

    world.entra.fail_always(Fault::Discovery { status: 503 });
    let (_, answer) = ask(&world, "GET", &id, TOKEN).await;
    assert_eq!(check(&answer, "discovery", None)["state"], "unknown", "{answer}");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_not_tested() {
    let (world, _) = world(|builder| builder).await;
    for method in ["GET", "POST"] {
        let (status, answer) = ask(&world, method, "00000000-1111-4222-8333-444444444444", TOKEN).await;
        assert_eq!(status, 404, "{answer}");
        assert_eq!(
            answer["errors"][0]["message"],
            json!("access.api.error.unknown_identity_provider")
        );
        let (status, _) = ask(
            &world,
            method,
            &provider(&world),
            "vestibule-idp-test-wrong-0123456789-abcdefg",
        )
        .await;
        assert_eq!(status, 403);
    }
}

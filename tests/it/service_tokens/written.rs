//! What is written down of machines that were refused: who it was, and how the rules came out.

use serde_json::{Value, json};
use vestibule::store::{AccessRequest, AccessRequestFilter};

use super::{Factory, PATIENCE, issue};
use crate::support::log;
use crate::support::wire::Reply;
use crate::support::world::{ACCOUNT, Builder, World};

const TOKEN: &str = "vestibule-tests-machines-0123456789-abcdefgh";

/// With a token of the API; the further tables are the factory's.
fn world() -> Builder {
    let token = format!("[[api_tokens]]\nname = \"auditor\"\ntoken = \"{TOKEN}\"\npermissions = [\"*\"]\n");
    World::builder().store(&format!("grace = \"24h\"\n{token}"))
}

fn reference(reply: &Reply) -> String {
    log::request_id(&reply.text()).expect("a page with a reference")
}

/// The rows about machines, the oldest first, once there are so many.
async fn rows(world: &World, number: usize) -> Vec<AccessRequest> {
    rows_until(world, |rows| rows.len() >= number).await
}

/// The same, once they hold what is waited for.
async fn rows_until(world: &World, enough: impl Fn(&[AccessRequest]) -> bool) -> Vec<AccessRequest> {
    let filter = AccessRequestFilter {
        non_identity: Some(true),
        oldest_first: true,
        limit: 1000,
        ..AccessRequestFilter::default()
    };
    let began = std::time::Instant::now();
    loop {
        let rows = world.running().store.access_requests(&filter).await.unwrap();
        if enough(&rows) {
            return rows;
        }
        assert!(began.elapsed() < PATIENCE, "{rows:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_good_token_that_no_policy_takes_is_explained() {
    let factory = Factory::start_in(world(), "localhost", json!({})).await;
    let other = issue(&factory.world, "Other", "1h").await;
    let known = std::time::Instant::now();
    let (reply, lines) = loop {
        let reply = factory.ask("www", &other.pair()).await;
        assert_eq!(reply.status, 403);
        let lines = log::told_of(&reference(&reply));
        if lines
            .iter()
            .any(|line| line["service_token.id"] == json!(other.id))
        {
            break (reply, lines);
        }
        assert!(known.elapsed() < PATIENCE, "{lines:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let told = lines.iter().find(|line| line["reason"] == "no_policy_matched");
    let told = told.expect("a line about the decision");
    let explanation = told["explanation"].as_str().unwrap();
    assert!(
        explanation.contains("machines (service auth): no"),
        "{explanation}"
    );
    assert!(!lines.iter().any(|line| line.to_string().contains(&other.secret)));

    let [row] = rows(&factory.world, 1).await.try_into().unwrap();
    assert_eq!(row.request_id, reference(&reply));
    assert_eq!((row.allowed, row.user, row.email.as_deref()), (false, None, None));
    assert_eq!(row.app_name.as_deref(), Some("www"));
    assert_eq!(row.reason.as_deref(), Some("no_policy_matched"));
    let explanation = row.explanation.unwrap();
    assert!(
        explanation.contains("machines (service auth): no"),
        "{explanation}"
    );
    assert!(explanation.contains(&other.id.to_string()), "{explanation}");
    assert!(explanation.contains("Other"), "{explanation}");

    // The API finds it among those that were no person's, and the command line by its reference.
    let mut client = factory.world.anonymous();
    let bearer = format!("Bearer {TOKEN}");
    let path = format!("/client/v4/accounts/{ACCOUNT}/access/logs/access_requests");
    for (query, wanted) in [
        ("non_identity=true", 1),
        ("non_identity=true&non_identityOp=neq", 0),
        ("non_identity=false", 0),
    ] {
        let login = factory.world.host("login");
        let address = format!("{path}?{query}&fields=ray_id,reason,connection");
        let reply = client
            .fetch(&login, &address, &[("Authorization", &bearer)])
            .await;
        let said: Value = serde_json::from_slice(&reply.body).unwrap();
        let found = said["result"].as_array().unwrap();
        assert_eq!(found.len(), wanted, "{query}: {said}");
    }
    let said = factory
        .world
        .type_in(&["explain", "--request", &row.request_id])
        .await
        .fine();
    assert!(
        said.contains("refused") && said.contains("machines (service auth): no"),
        "{said}"
    );
}

#[tokio::test]
async fn strict_mode_writes_down_what_it_refuses() {
    let factory = Factory::start_in(
        world().organization("strict_service_token_auth = true"),
        "localhost",
        json!({}),
    )
    .await;
    let other = issue(&factory.world, "Other", "1h").await;
    let wrong = factory.ci.with_secret("wrong");
    let bad = factory.ask("www", &wrong.pair()).await;
    assert_eq!(bad.status, 401);
    let [row] = rows(&factory.world, 1).await.try_into().unwrap();
    assert_eq!(row.request_id, reference(&bad));
    assert_eq!(row.reason.as_deref(), Some("bad_service_token"));
    assert!(!row.allowed);
    // Which one it claimed to be.
    assert!(row.explanation.unwrap().contains(&factory.ci.id.to_string()));
    let refused = factory.until(403, "wiki", &other.pair()).await;
    // A gateway that had not heard of the token yet wrote it down as a bad one before.
    let good = |row: &AccessRequest| row.reason.as_deref() == Some("no_policy_matched");
    let rows = rows_until(&factory.world, |rows| rows.iter().any(good)).await;
    let row = rows.iter().find(|row| good(row)).unwrap();
    assert_eq!(row.request_id, reference(&refused));
    let explanation = row.explanation.as_deref().unwrap();
    assert!(
        explanation.contains("Other") && explanation.contains("staff (allow)"),
        "{explanation}"
    );
}

/// Nobody fills the store by being refused, whether the token is good or not.
#[tokio::test]
async fn refusals_that_come_in_numbers_are_counted_in_few_rows() {
    let factory = Factory::start_in(
        world().organization("strict_service_token_auth = true"),
        "localhost",
        json!({}),
    )
    .await;
    let other = issue(&factory.world, "Other", "1h").await;
    factory.until(403, "www", &other.pair()).await;
    let strangers = rows(&factory.world, 1).await.len();
    for _ in 0..50 {
        assert_eq!(factory.ask("www", &other.pair()).await.status, 403);
    }
    for number in 0..50 {
        let unknown = super::Credentials {
            client_id: format!("{number:032x}.access"),
            ..other.clone()
        };
        let status = factory.ask("www", &unknown.pair()).await.status;
        assert!(matches!(status, 401 | 429), "{status}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let seen = rows(&factory.world, 1).await.len();
    assert!(seen <= strangers + 2, "{seen} rows");
    // A minute later there is another, which says how many there were meanwhile.
    factory.world.pass(jiff::SignedDuration::from_secs(61));
    assert_eq!(factory.ask("www", &other.pair()).await.status, 403);
    let rows = rows(&factory.world, seen + 1).await;
    let last = rows.last().unwrap().explanation.as_deref().unwrap();
    assert!(last.contains("50 more"), "{last}");
}

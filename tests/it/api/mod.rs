//! The JSON API, as Cloudflare's own clients speak it.

mod abuse;
mod access;
mod apps;
mod audit;
mod auth_contexts;
mod commands;
mod directories;
mod door;
mod echo;
mod fuzz;
mod latest;
mod launcher;
mod logs;
mod objects;
mod older;
mod organization;
mod policy_tests;
mod providers;
mod provisioned;
mod reference;
mod resting;
mod schema;
mod sdk;
mod slow_bodies;
mod told;
mod users;

use serde_json::Value;

use crate::support::world::{self, World};

/// A token that may do everything.
const TOKEN: &str = "vestibule-tests-0123456789-abcdefghijklmnop";
/// One that may only look.
const READER: &str = "vestibule-tests-reader-0123456789-abcdefghi";

/// A world with tokens of the API.
async fn world() -> World {
    World::builder().more(&tokens()).start().await
}

fn tokens() -> String {
    format!(
        r#"
[[api_tokens]]
name = "terraform"
token = "{TOKEN}"
permissions = ["*"]
[[api_tokens]]
name = "reader"
token = "{READER}"
permissions = [
    "Access: Organizations, Identity Providers, and Groups Read",
    "Access: Apps and Policies Read",
]
[[api_tokens]]
name = "elsewhere"
token = "{ELSEWHERE}"
permissions = ["*"]
addresses = ["198.51.100.0/24"]
[[api_tokens]]
name = "ended"
token = "{ENDED}"
permissions = ["*"]
expires_at = "2020-01-01T00:00:00Z"
"#
    )
}

/// One that opens from other addresses only.
const ELSEWHERE: &str = "vestibule-tests-elsewhere-0123456789-abcdef";
/// One that has ended.
const ENDED: &str = "vestibule-tests-ended-0123456789-abcdefghij";

/// An answer of the API.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Answer {
    /// The result of a success.
    #[track_caller]
    fn result(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["success"], true);
        assert_eq!(self.body["errors"], serde_json::json!([]));
        self.body["result"].clone()
    }

    /// Code, message and pointer of the first error.
    #[track_caller]
    fn error(&self, status: u16) -> (u64, String, Option<String>) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["success"], false);
        assert_eq!(self.body["result"], Value::Null);
        let error = &self.body["errors"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        (
            error["code"].as_u64().unwrap(),
            text(&error["message"]).unwrap(),
            text(&error["source"]["pointer"]),
        )
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Asks the API below `/client/v4`.
async fn ask(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    let reply = world.api(method, path, headers, body.as_bytes()).await;
    Answer {
        status: reply.status,
        body: serde_json::from_slice(&reply.body).unwrap_or(Value::String(reply.text())),
        headers: reply.headers,
    }
}

/// Asks for something of the account with the token that may do everything.
async fn call(world: &World, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    ask(world, method, &account(path), &headers, body).await
}

fn account(path: &str) -> String {
    format!("/accounts/{}{path}", world::ACCOUNT)
}

/// Makes an object and answers with it.
async fn made(world: &World, path: &str, body: Value) -> Value {
    call(world, "POST", path, Some(&body)).await.result(201)
}

fn id(object: &Value) -> String {
    object["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id in {object}"))
        .to_owned()
}

/// A certificate authority's certificate, in PEM.
fn authority() -> String {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    parameters.self_signed(&key).unwrap().pem()
}

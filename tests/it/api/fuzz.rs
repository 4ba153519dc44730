//! Every operation of the OpenAPI document, asked with whatever may come: nothing fails on our side, nothing hangs, and
//! whatever is answered is what the document says.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use super::schema::{Document, Operation};
use super::{TOKEN, call, id, made, world};
use crate::support::world::{ACCOUNT, World};

/// Requests an operation.
const CASES: usize = 24;
/// An answer takes milliseconds; a change waits for the gateway to follow it.
const LONGEST: Duration = Duration::from_secs(10);
/// Another seed asks other things; this one asks the same on every machine.
const SEED: [u8; 32] = *b"what strangers send to this API.";

#[tokio::test]
async fn whatever_is_sent_to_an_operation_is_answered_as_the_document_says() {
    let world = world().await;
    let document = Document::read(&world).await;
    let objects = objects(&world).await;
    let mut dice = Dice::new();
    let mut taken = 0;
    for operation in document.operations() {
        for case in 0..CASES {
            let path = dice.path(&operation, &objects, case);
            let body = dice.body(&document, &operation, case);
            let told = format!("{} {path}\n{}", operation.method, shortened(&body));
            let answer = tokio::time::timeout(LONGEST, ask(&world, &operation, &path, &body)).await;
            let (status, answer) = answer.unwrap_or_else(|_| panic!("no answer to {told}"));
            let faults = document.faults(&operation, status, &answer);
            assert!(faults.is_empty(), "{told}\n{status} {answer}\n{faults:#?}");
            taken += usize::from(status < 300);
        }
    }
    assert!(taken > 50, "of what was sent, next to nothing was taken: {taken}");
    // And it still works.
    call(&world, "GET", "/access/apps", None).await.result(200);
    assert_eq!(
        world.signed_in("alice@contoso.example", &["wiki"]).await.port,
        world.port()
    );
}

/// One id of each kind of objects.
async fn objects(world: &World) -> Vec<String> {
    let everyone = json!([{ "everyone": {} }]);
    let own = json!({ "name": "own", "decision": "deny", "include": everyone });
    let app = json!({
        "name": "Third", "type": "self_hosted", "domain": world.host("third"), "policies": [own],
    });
    let app = made(world, "/access/apps", app).await;
    let mut ids = vec![id(&app), id(&app["policies"][0])];
    for (path, body) in [
        (
            "/access/policies",
            json!({ "name": "p", "decision": "deny", "include": everyone }),
        ),
        ("/access/groups", json!({ "name": "g", "include": everyone })),
        ("/access/service_tokens", json!({ "name": "s" })),
        ("/gateway/lists", json!({ "name": "l", "type": "IP" })),
        ("/access/tags", json!({ "name": "t" })),
    ] {
        let made = made(world, path, body).await;
        ids.push(made["id"].as_str().unwrap_or("t").to_owned());
    }
    ids
}

async fn ask(world: &World, operation: &Operation, path: &str, body: &[u8]) -> (u16, Value) {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let reply = world.api(&operation.method, path, &headers, body).await;
    let answer = if reply.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&reply.body).unwrap_or(Value::String(reply.text()))
    };
    (reply.status, answer)
}

fn shortened(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(2_000).collect()
}

/// Where requests come from.
struct Dice(TestRunner);

impl Dice {
    fn new() -> Self {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
        Self(TestRunner::new_with_rng(Config::default(), rng))
    }

    fn one<T: std::fmt::Debug>(&mut self, strategy: &impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.0).unwrap().current()
    }

    /// The path with parameters that mostly lead somewhere, and a query.
    fn path(&mut self, operation: &Operation, objects: &[String], case: usize) -> String {
        let known = prop::sample::select(objects.to_vec());
        let stray = prop_oneof![
            Just(uuid::Uuid::nil().to_string()),
            Just("0123456789abcdef0123456789abcdef".to_owned()),
            Just("%20%27%22%3C%C3%A9".to_owned()),
            Just("a".repeat(2_000)),
            "[a-zA-Z0-9_.~-]{1,40}"
                .prop_filter("a dot segment is another path", |text| !text.starts_with('.')),
        ];
        let parameter = prop_oneof![3 => known, 1 => stray];
        let segments = operation.path.split('/').map(|segment| match segment {
            "{account_id}" => ACCOUNT.to_owned(),
            segment if segment.starts_with('{') => self.one(&parameter),
            segment => segment.to_owned(),
        });
        let mut path = segments.collect::<Vec<_>>().join("/");
        if case % 2 == 1 {
            path.push('?');
            for name in &operation.query {
                let value = prop_oneof![
                    Just(String::new()),
                    "[0-9]{1,2}",
                    "-?[0-9]{1,30}",
                    Just("true".to_owned()),
                    "[a-z%0-9]{0,20}".prop_map(|text| text.replace('%', "%25")),
                    Just("%00%0A%F0%9F%A6%80".to_owned()),
                ];
                path.extend([name, "=", &self.one(&value), "&"]);
            }
        }
        path
    }

    /// A body: one that fits, one with something strange in it, or what is no body at all.
    fn body(&mut self, document: &Document, operation: &Operation, case: usize) -> Vec<u8> {
        let Some(schema) = &operation.body else {
            return if case == 0 { b"{}".to_vec() } else { Vec::new() };
        };
        match case % 8 {
            7 => self.one(&no_body()),
            6 => strange()
                .new_tree(&mut self.0)
                .unwrap()
                .current()
                .to_string()
                .into_bytes(),
            oddity => {
                let body = fitting(document, schema, 4);
                let mut body = self.one(&body);
                if oddity > 1 {
                    self.spoil(&mut body);
                }
                body.to_string().into_bytes()
            }
        }
    }

    /// Puts something strange in some place.
    fn spoil(&mut self, body: &mut Value) {
        let places = places(body, String::new());
        let place = self.one(&prop::sample::select(places));
        let strange = self.one(&strange());
        if let Some(value) = body.pointer_mut(&place) {
            *value = strange;
        }
    }
}

/// The pointers of everything in a value.
fn places(value: &Value, at: String) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    let below = below
        .into_iter()
        .flat_map(|(key, value)| places(value, format!("{at}/{key}")));
    let mut all: Vec<String> = below.collect();
    all.push(at);
    all
}

/// What stands where something else should.
fn strange() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(json!(1.5e300)),
        Just(json!(-0.0)),
        text(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
    .boxed()
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(String::new()),
        Just("\u{0}\u{1b}[2J\r\nSet-Cookie: a=b\u{7f}\u{202e}".to_owned()),
        Just("'; DROP TABLE documents; -- %s ${jndi:x} {{7*7}} ../../etc/passwd".to_owned()),
        Just("\u{e9}".repeat(5_000)),
        Just("x".repeat(100_000)),
        ".{0,20}",
        "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}",
    ]
    .prop_map(Value::from)
}

/// What is no JSON, or more than one reading of it.
fn no_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"null".to_vec()),
        Just(b"[]".to_vec()),
        Just(b"\"text\"".to_vec()),
        Just(b"{\"name\":\"a\",\"name\":\"b\",\"decision\":\"deny\",\"decision\":\"allow\"}".to_vec()),
        Just(b"{\"name\":1e999}".to_vec()),
        Just(b"{\"name\":123456789012345678901234567890123456789012345678901234567890}".to_vec()),
        Just(b"{\"name\":\"\\ud800\"}".to_vec()),
        Just(b"{\"name\":\"\xff\xfe\"}".to_vec()),
        Just(b"\xef\xbb\xbf{}".to_vec()),
        Just(b"{} {}".to_vec()),
        Just(b"{\"a\":".repeat(20_000)),
        Just(b"[".repeat(100_000)),
        Just([b"{\"x\":".repeat(120), b"1".to_vec(), b"}".repeat(120)].concat()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// A value that fits a schema, as far as schemas say.
fn fitting(document: &Document, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    let schema = document.resolved(schema);
    if let Some(any_of) = schema["anyOf"].as_array() {
        let each = any_of.iter().map(|schema| fitting(document, schema, depth));
        return prop::strategy::Union::new(each).boxed();
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds
            .iter()
            .map(|kind| kind.as_str().unwrap().to_owned())
            .collect(),
        _ => return strange(),
    };
    match kinds[0].as_str() {
        "string" if schema["format"] == "uuid" => Just(json!(uuid::Uuid::nil())).boxed(),
        "string" if schema["format"] == "date-time" => Just(json!("2099-01-01T00:00:00Z")).boxed(),
        "string" => word(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => (0..10_i64).prop_map(Value::from).boxed(),
        "array" if depth == 0 => Just(json!([])).boxed(),
        "array" => prop::collection::vec(item(document, &schema["items"], depth - 1), 0..3)
            .prop_map(Value::from)
            .boxed(),
        "object" => object(document, schema, depth),
        _ => Just(Value::Null).boxed(),
    }
}

fn item(document: &Document, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    if schema["minProperties"] == 1 {
        return rule().boxed();
    }
    fitting(document, schema, depth)
}

/// Words that mean something somewhere.
fn word() -> BoxedStrategy<Value> {
    let known = vec![
        "self_hosted",
        "azureAD",
        "allow",
        "deny",
        "bypass",
        "non_identity",
        "EMAIL",
        "IP",
        "24h",
        "30m",
        "forever",
        "forbidden",
        "identity_denied",
        "lax",
        "strict",
        "login",
        "automatic",
        "third.localhost",
        "ids",
        "https://example.com/",
        "<p>x</p>",
        "198.51.100.7",
        "a@example.com",
        "*",
    ];
    prop_oneof![
        prop::sample::select(known).prop_map(Value::from),
        "[a-z]{1,10}".prop_map(Value::from)
    ]
    .boxed()
}

fn rule() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({ "everyone": {} })),
        Just(json!({ "email": { "email": "a@example.com" } })),
        Just(json!({ "ip": { "ip": "2001:db8::/32" } })),
        Just(json!({ "geo": { "country_code": "SE" } })),
        Just(json!({ "group": { "id": uuid::Uuid::nil() } })),
        Just(json!({ "external_evaluation": { "evaluate_url": "https://127.0.0.1/", "keys_url": "x" } })),
        ("[a-z_]{1,20}", strange()).prop_map(|(name, value)| json!({ name: value })),
    ]
}

fn object(document: &Document, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    let needed = |name: &str| {
        let required = schema["required"].as_array();
        required.is_some_and(|names| names.iter().any(|needed| needed == name))
    };
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut object: BoxedStrategy<Map<String, Value>> = Just(Map::new()).boxed();
    for (name, property) in properties {
        // Where much may be written, little is.
        let often = if needed(&name) { 0.97 } else { 0.15 };
        let value = prop::option::weighted(often, fitting(document, &property, depth.saturating_sub(1)));
        object = (object, value)
            .prop_map(move |(mut object, value)| {
                object.extend(value.map(|value| (name.clone(), value)));
                object
            })
            .boxed();
    }
    object.prop_map(Value::Object).boxed()
}

//! Somebody begins to send long bodies and never ends: whoever has a good credential is served all the same.

use serde_json::{Value, json};

use super::{account, call, tokens};
use crate::support::wire::Wire;
use crate::support::world::World;

/// More than there are places for long bodies.
const MANY: usize = 72;

/// Begins long bodies with a credential that is none.
async fn begun(world: &World, path: &str, authorization: Option<&str>) -> Vec<Wire> {
    let mut wires = Vec::new();
    for _ in 0..MANY {
        let mut headers = vec![("Content-Length", "500000")];
        headers.extend(authorization.map(|value| ("Authorization", value)));
        let login = world.host("login");
        let mut wire = world.anonymous().begin("POST", &login, path, &headers).await;
        wire.send(b"{ \"name\": \"").await;
        wires.push(wire);
    }
    // So that the gateway has seen all of them.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    wires
}

fn long_list() -> Value {
    let items: Vec<Value> = (0..4000)
        .map(|number| json!({ "value": format!("somebody-{number}@contoso.example") }))
        .collect();
    json!({ "name": "people", "type": "EMAIL", "items": items })
}

#[tokio::test]
async fn slow_bodies_of_strangers_keep_no_token_of_the_api_out() {
    let world = World::builder().more(&tokens()).start().await;
    let path = format!("/client/v4{}", account("/gateway/lists"));
    let unknown = "Bearer vestibule-tests-unknown-0123456789-abcdefghijk";
    for authorization in [None, Some(unknown)] {
        let slow = begun(&world, &path, authorization).await;
        let list = call(&world, "POST", "/gateway/lists", Some(&long_list())).await;
        assert_eq!(list.status, 201, "{}", list.body);
        drop(slow);
    }
}

#[tokio::test]
async fn a_stranger_with_a_long_body_is_told_so_without_it() {
    let world = World::builder().more(&tokens()).start().await;
    let path = format!("/client/v4{}", account("/gateway/lists"));
    let body = long_list().to_string();
    let mut person = world.anonymous();
    let url = person.address(&world.host("login"), &path);
    let reply = person.request("POST", &url, &[], body.as_bytes()).await;
    let said: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        (reply.status, &said["errors"][0]["code"]),
        (403, &json!(10001)),
        "{said}"
    );
}

//! Entra's provisioning service, as far as the gateway sees it.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use vestibule::model::ids::IdpId;
use vestibule::store::{Actor, ActorKind};

use crate::support::wire::{Dial, Reply};
use crate::support::world::World;

/// A client with the secret of a provider.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(super) dial: Dial,
    pub(super) host: String,
    pub(super) authority: String,
    pub(super) base: String,
    pub(crate) token: String,
}

impl Directory {
    /// One with a fresh secret of the world's only provider.
    pub(crate) async fn of(world: &World) -> Self {
        let provider = provider(world);
        Self {
            dial: world.dial(),
            host: world.host("login"),
            authority: world.authority("login"),
            base: format!("/populations/{provider}/scim/v2"),
            token: fresh_secret(world).await,
        }
    }

    /// The same at another gateway.
    pub(super) fn at(&self, dial: Dial) -> Self {
        Self { dial, ..self.clone() }
    }

    /// A request as it is written, headers included.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Reply {
        let target = target.replace(' ', "%20").replace('"', "%22");
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.authority
        );
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if let Some(body) = body {
            head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        let mut wire = self.dial.connect(&self.host).await;
        wire.send(head.as_bytes()).await;
        wire.send(body.unwrap_or_default()).await;
        wire.reply().await.expect("an answer")
    }

    /// A request below the service's address with the secret.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let headers = [
            ("Authorization".to_owned(), format!("Bearer {}", self.token)),
            (
                "Content-Type".to_owned(),
                "application/scim+json; charset=utf-8".to_owned(),
            ),
        ];
        let body = body.map(|body| body.to_string().into_bytes());
        let target = format!("{}{path}", self.base);
        self.send(method, &target, &headers, body.as_deref()).await
    }

    /// What is found there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.ask("GET", path, None).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        json_of(&reply)
    }

    /// Makes a resource; its id.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> String {
        let reply = self.ask("POST", path, Some(body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        json_of(&reply)["id"].as_str().unwrap().to_owned()
    }

    /// Somebody with this object id and address.
    pub(crate) async fn person(&self, oid: &str, email: &str) -> String {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "externalId": oid, "userName": email, "active": true, "displayName": email,
            "emails": [{ "primary": true, "type": "work", "value": email }]
        });
        self.create("/Users", &body).await
    }

    /// A group with this object id and these members.
    pub(crate) async fn group(&self, object: &str, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "externalId": object, "displayName": name, "members": members });
        self.create("/Groups", &body).await
    }

    /// Carries out operations, which must succeed.
    pub(crate) async fn patch(&self, path: &str, operations: Value) {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations
        });
        let reply = self.ask("PATCH", path, Some(&body)).await;
        assert!(
            matches!(reply.status, 200 | 204),
            "{}: {}",
            reply.status,
            reply.text()
        );
    }

    pub(crate) async fn set_active(&self, id: &str, active: bool) {
        let value = if active { "True" } else { "False" };
        self.patch(
            &format!("/Users/{id}"),
            json!([{ "op": "Replace", "path": "active", "value": value }]),
        )
        .await;
    }

    pub(crate) async fn delete(&self, path: &str) {
        let reply = self.ask("DELETE", path, None).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
    }

    pub(crate) async fn add_member(&self, group: &str, person: &str) {
        let operations =
            json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": person }] }]);
        self.patch(&format!("/Groups/{group}"), operations).await;
    }

    pub(crate) async fn remove_member(&self, group: &str, person: &str) {
        let operations =
            json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": person }] }]);
        self.patch(&format!("/Groups/{group}"), operations).await;
    }
}

/// The world's only provider.
pub(super) fn provider(world: &World) -> IdpId {
    let snapshot = world.running().published.load();
    *snapshot.providers.keys().next().unwrap()
}

/// A new secret of the world's only provider.
pub(crate) async fn fresh_secret(world: &World) -> String {
    let actor = Actor {
        kind: ActorKind::CommandLine,
        name: "a test".to_owned(),
    };
    let secret = world
        .running()
        .manage
        .refresh_scim_secret(provider(world), actor)
        .await;
    secret.unwrap().expose_secret().to_owned()
}

pub(super) fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.text()))
}

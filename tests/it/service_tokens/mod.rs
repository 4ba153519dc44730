//! Machines with service tokens, from the first request to the last.

mod asked;
mod life;
mod outcomes;
mod streams;
mod strict;
mod written;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;
use vestibule::manage::{Issued, NewServiceToken, ServiceTokenChanges};
use vestibule::model::ids::ServiceTokenId;
use vestibule::store::{Actor, ActorKind, Document, Kind};

use crate::support::origin::Seen;
use crate::support::tenant::STAFF;
use crate::support::wire::Reply;
use crate::support::world::{Builder, World};

/// Changes reach requests within the promised second; the machine that tests may be busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// A world with applications for machines: `www` takes one service token, and on `unlisted` staff may come too.
struct Factory {
    world: World,
    /// The token that both applications take.
    ci: Credentials,
}

/// What a machine holds.
#[derive(Clone)]
struct Credentials {
    id: ServiceTokenId,
    client_id: String,
    secret: String,
}

impl From<Issued> for Credentials {
    fn from(issued: Issued) -> Self {
        Self {
            id: ServiceTokenId(issued.document.id),
            client_id: issued.document.body["client_id"].as_str().unwrap().to_owned(),
            secret: issued.client_secret.expose_secret().to_owned(),
        }
    }
}

impl Credentials {
    fn pair(&self) -> [(&'static str, &str); 2] {
        [
            ("CF-Access-Client-Id", &self.client_id),
            ("CF-Access-Client-Secret", &self.secret),
        ]
    }

    /// Both parts as one header holds them.
    fn written(&self) -> String {
        json!({"cf-access-client-id": self.client_id, "cf-access-client-secret": self.secret}).to_string()
    }

    fn with_secret(&self, secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            ..self.clone()
        }
    }
}

fn clerk() -> Actor {
    Actor {
        kind: ActorKind::CommandLine,
        name: "a test".to_owned(),
    }
}

impl Factory {
    async fn start() -> Self {
        Self::start_in(World::builder(), "localhost", json!({})).await
    }

    /// In a world like this; `settings` are of the application on `www`.
    async fn start_in(builder: Builder, domain: &str, settings: Value) -> Self {
        let upstream = |host: &str| {
            format!("[[upstreams]]\nhostname = \"{host}.{domain}\"\nservice = \"http://ORIGIN\"\n")
        };
        let world = builder
            .more(&format!("{}{}", upstream("www"), upstream("unlisted")))
            .start()
            .await;
        let ci = issue(&world, "CI", "8760h").await;
        let machines = json!({
            "name": "machines", "decision": "non_identity",
            "include": [{ "service_token": { "token_id": ci.id } }],
        });
        let provider = world
            .running()
            .published
            .load()
            .providers
            .keys()
            .next()
            .copied()
            .unwrap();
        let staff = json!({
            "name": "people", "decision": "allow",
            "include": [{ "azureAD": { "id": STAFF, "identity_provider_id": provider } }],
        });
        let factory = Self { world, ci };
        factory
            .protect("www", std::slice::from_ref(&machines), settings)
            .await;
        factory.protect("unlisted", &[machines, staff], json!({})).await;
        factory
    }

    /// Puts an application on a host, and waits until requests are decided by it.
    async fn protect(&self, host: &str, policies: &[Value], settings: Value) -> Document {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_DNS, host.as_bytes());
        let mut body = json!({
            "name": host, "type": "self_hosted", "domain": self.world.host(host), "policies": policies,
            "aud": vestibule::crypto::digest::sha256_hex(host.as_bytes()), "session_duration": "6h",
        });
        for (key, value) in settings.as_object().unwrap() {
            body[key] = value.clone();
        }
        let document = Document::new(Kind::Application, id, host.to_owned(), body);
        let running = self.world.running();
        let mut write = running.store.write(clerk()).await.unwrap();
        write.put(&document).await.unwrap();
        let position = write.commit().await.unwrap();
        let began = Instant::now();
        while running.published.load().position.seq < position.seq {
            assert!(began.elapsed() < PATIENCE, "no snapshot came");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(running.published.load().faults, []);
        document
    }

    async fn change(&self, changes: ServiceTokenChanges) {
        let manage = &self.world.running().manage;
        manage
            .update_service_token(self.ci.id, changes, clerk())
            .await
            .unwrap();
    }

    async fn enable(&self, enabled: bool) {
        let changes = ServiceTokenChanges {
            enabled: Some(enabled),
            ..ServiceTokenChanges::default()
        };
        self.change(changes).await;
    }

    /// One request of a client that keeps no cookies.
    async fn ask(&self, host: &str, headers: &[(&str, &str)]) -> Reply {
        self.world
            .anonymous()
            .fetch(&self.world.host(host), "/x", headers)
            .await
    }

    /// The same, and what the application got of it.
    async fn let_in(&self, host: &str, headers: &[(&str, &str)]) -> (Reply, Seen) {
        let hits = self.world.origin.hits();
        let reply = self.ask(host, headers).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let [seen] = self.world.origin.since(hits).try_into().unwrap();
        (reply, seen)
    }

    /// Waits until such a request is answered with this status.
    async fn until(&self, status: u16, host: &str, headers: &[(&str, &str)]) -> Reply {
        let began = Instant::now();
        loop {
            let reply = self.ask(host, headers).await;
            if reply.status == status {
                return reply;
            }
            assert!(began.elapsed() < PATIENCE, "{} instead of {status}", reply.status);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn issue(world: &World, name: &str, duration: &str) -> Credentials {
    let new = NewServiceToken {
        name: name.to_owned(),
        duration: duration.parse().unwrap(),
        enabled: true,
        secret_version: 1,
    };
    let manage = &world.running().manage;
    manage.create_service_token(new, clerk()).await.unwrap().into()
}

/// The value of the cookie with a token that an answer sets.
fn token_set(reply: &Reply) -> Option<String> {
    let line = reply
        .all("set-cookie")
        .find_map(|line| line.strip_prefix("CF_Authorization="))?;
    Some(line.split(';').next().unwrap().to_owned())
}

fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

//! A store as a large organization has it.

use serde_json::{Value, json};
use sqlx::any::AnyPoolOptions;
use uuid::Uuid;
use vestibule::store::{Actor, ActorKind, Document, Kind, Store};

pub(crate) const APPLICATIONS: u128 = 10_000;
/// Reusable policies, three of which each application has.
pub(crate) const POLICIES: u128 = 500;
pub(crate) const GROUPS: u128 = 500;
/// Of a thousand addresses each.
pub(crate) const LISTS: u128 = 100;
/// Of 60 kB each.
pub(crate) const PAGES: u128 = 100;
pub(crate) const SERVICE_TOKENS: u128 = 1_000;
pub(crate) const TAGS: u128 = 100;
const CERTIFICATES: u128 = 100;
const PROVIDERS: u128 = 50;
pub(crate) const USERS: u128 = 100_000;
/// That logins were for.
pub(crate) const LOGIN_APPS: u128 = 100;

pub(crate) fn application(number: u128) -> Uuid {
    id(1, number)
}

pub(crate) fn policy(number: u128) -> Uuid {
    id(2, number)
}

pub(crate) fn group(number: u128) -> Uuid {
    id(3, number)
}

pub(crate) fn list(number: u128) -> Uuid {
    id(4, number)
}

pub(crate) fn page(number: u128) -> Uuid {
    id(5, number)
}

pub(crate) fn service_token(number: u128) -> Uuid {
    id(6, number)
}

pub(crate) fn provider(number: u128) -> Uuid {
    id(7, number)
}

pub(crate) fn user(number: u128) -> String {
    format!("{number:08x}-0000-4000-8000-000000000001")
}

pub(crate) fn login_app(number: u128) -> String {
    format!("00000000-0000-0000-0000-{number:012x}")
}

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128((kind << 100) + number)
}

/// Writes every kind of objects.
pub(crate) async fn objects(store: &Store) -> anyhow::Result<()> {
    let actor = Actor {
        kind: ActorKind::System,
        name: "benchmark".to_owned(),
    };
    let mut write = store.write(actor).await?;
    for number in 0..POLICIES {
        let body = json!({
            "name": format!("policy {number}"), "decision": "allow",
            "include": [{ "email_domain": { "domain": format!("d{number}.example.com") } }],
        });
        write.put(&document(Kind::Policy, policy(number), body)).await?;
    }
    for number in 0..GROUPS {
        let body = json!({
            "name": format!("group {number}"),
            "include": [{ "email": { "email": format!("g{number}@example.com") } }],
        });
        write.put(&document(Kind::Group, group(number), body)).await?;
    }
    for number in 0..LISTS {
        let items: Vec<Value> = (0..1000)
            .map(|item| json!({ "value": format!("l{number}-{item}@example.com") }))
            .collect();
        let body = json!({ "name": format!("list {number}"), "type": "EMAIL", "items": items });
        write.put(&document(Kind::List, list(number), body)).await?;
    }
    for number in 0..PAGES {
        let body = json!({
            "name": format!("page {number}"), "type": "forbidden",
            "custom_html": format!("<p>{}</p>", "words ".repeat(10_000)),
        });
        write.put(&document(Kind::CustomPage, page(number), body)).await?;
    }
    for number in 0..SERVICE_TOKENS {
        let body = json!({
            "name": format!("token {number}"), "client_id": format!("{number:032x}.access"), "duration": "8760h",
            "enabled": true, "expires_at": "2099-01-01T00:00:00Z", "client_secret_version": 1,
        });
        write
            .put(&document(Kind::ServiceToken, service_token(number), body))
            .await?;
    }
    for number in 0..TAGS {
        let name = format!("tag-{number}");
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("tag {name}").as_bytes());
        write
            .put(&document(Kind::Tag, id, json!({ "name": name })))
            .await?;
    }
    for number in 0..CERTIFICATES {
        let body = json!({
            "name": format!("authority {number}"), "certificate": authority()?,
            "associated_hostnames": [format!("c{number}.localhost")],
        });
        write
            .put(&document(Kind::Certificate, id(8, number), body))
            .await?;
    }
    for number in 0..PROVIDERS {
        let body = json!({
            "name": format!("directory {number}"), "type": "azureAD",
            "config": {
                "client_id": id(9, number), "directory_id": id(10, number),
                "federated_token_file": "/nowhere", "support_groups": true,
            },
        });
        write
            .put(&document(Kind::IdentityProvider, provider(number), body))
            .await?;
    }
    for number in 0..APPLICATIONS {
        let policies: Vec<String> = (0..3)
            .map(|step| policy((number * 7 + step * 31) % POLICIES).to_string())
            .collect();
        let body = json!({
            "name": format!("application {number}"), "type": "self_hosted",
            "domain": format!("a{number}.localhost"), "session_duration": "24h",
            "policies": policies, "aud": format!("{number:064x}"), "tags": [format!("tag-{}", number % TAGS)],
        });
        write
            .put(&document(Kind::Application, application(number), body))
            .await?;
    }
    write.commit().await?;
    Ok(())
}

fn document(kind: Kind, id: Uuid, body: Value) -> Document {
    Document::new(
        kind,
        id,
        body.get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        body,
    )
}

/// The certificate of an authority.
fn authority() -> anyhow::Result<String> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    Ok(params.self_signed(&key)?.pem())
}

/// Puts people in as logins would have: each with a session and what the provider said, every tenth session live; and
/// what was written down of logins and of what directories told.
pub(crate) async fn people(url: &str, now_ms: i64) -> anyhow::Result<()> {
    const NUMBERS: &str = "CREATE TABLE n AS WITH RECURSIVE c(i) AS \
         (SELECT 0 UNION ALL SELECT i + 1 FROM c LIMIT 100000) SELECT i FROM c";
    const USERS: &str = "INSERT INTO users (id, provider, tenant, object, email, name, generation, deprovisioned, created_ms, \
         last_login_ms) SELECT printf('%08x-0000-4000-8000-000000000001', i), $1, $1, \
         printf('%08x-0000-4000-8000-000000000002', i), 'user' || i || '@corp.example', 'Person ' || i, 0, 0, \
         $2 - 1000000000 + i, $2 - 200000 + i FROM n";
    const SESSIONS: &str = "INSERT INTO sessions (nonce, user_id, provider, identity, identity_version, read_at, created_ms, \
         expires_ms, last_use_ms, address) SELECT printf('%016x', i), printf('%08x-0000-4000-8000-000000000001', i), $1, \
         '{\"user\":\"' || printf('%08x-0000-4000-8000-000000000001', i) || '\",\"person\":{\"tenant\":\"' || $1 || \
         '\",\"object\":\"' || printf('%08x-0000-4000-8000-000000000002', i) || '\"},\"provider\":\"' || $1 || \
         '\",\"email\":{\"address\":\"user' || i || '@corp.example\",\"trusted\":true},\"name\":\"Person ' || i || \
         '\",\"given_name\":null,\"family_name\":null,\"guest\":false,\"groups\":{\"state\":\"known\",\"groups\":[{\"id\":\"' || \
         $1 || '\",\"name\":\"Everybody\"}]},\"amr\":[\"pwd\",\"mfa\"],\"contexts\":[],\"claims\":{},\"provider_session\":null,' || \
         '\"login_hint\":null,\"address\":\"192.0.2.1\",\"country\":null,\"at\":1750000000}', 1, 0, $2 - 200000, \
         CASE WHEN i % 10 = 0 THEN $2 + 86400000 ELSE $2 - 1000 END, $2 - 200000, '192.0.2.1' FROM n";
    const LOGINS: &str = "INSERT INTO access_requests (id, request_id, at_ms, action, allowed, app, app_domain, app_name, \
         provider, connection, user_id, email, address, country) SELECT printf('%08x-0000-4000-8000-000000000005', i), \
         printf('%016x', i), $2 - 200000 + i, 'login', i % 97 > 0, printf('00000000-0000-0000-0000-%012x', i % 100), \
         'a1.localhost', 'application 1', $1, 'azureAD', printf('%08x-0000-4000-8000-000000000001', i), \
         'user' || i || '@corp.example', '192.0.2.1', iif(i % 1000 = 0, 'IS', 'DE') FROM n";
    const TOLD: &str = "INSERT INTO scim_updates (id, request_id, at_ms, provider, method, resource_type, resource, \
         external_id, user_email, succeeded, status, body, address) \
         SELECT $3 || printf('%08x-0000-4000-8000-00000000000', i), printf('%016x', i), $2 - 200000 + i, $1, 'PATCH', 'USER', \
         printf('%08x-0000-4000-8000-000000000001', i), printf('%08x-0000-4000-8000-000000000002', i), \
         'user' || i || '@corp.example', i % 97 > 0, iif(i % 97 > 0, 200, 409), '{\"Operations\":[]}', '192.0.2.1' FROM n";
    let pool = AnyPoolOptions::new().max_connections(1).connect(url).await?;
    sqlx::query(NUMBERS).execute(&pool).await?;
    for sql in [USERS, SESSIONS, LOGINS] {
        sqlx::query(sql)
            .bind(provider(0).to_string())
            .bind(now_ms)
            .execute(&pool)
            .await?;
    }
    for number in 0..2 {
        sqlx::query(TOLD)
            .bind(provider(number).to_string())
            .bind(now_ms)
            .bind(number.to_string())
            .execute(&pool)
            .await?;
    }
    pool.close().await;
    Ok(())
}

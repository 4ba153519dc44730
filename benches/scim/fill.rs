//! Everybody, as the store would have written them: through SCIM it would take an hour.

use std::time::Instant;

use jiff::Timestamp;
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use uuid::Uuid;
use vestibule::model::identity::{Group, Groups, Identity, PersonKey};
use vestibule::model::ids::{IdpId, ObjectId, TenantId, UserId};
use vestibule::session::table::Found;

pub(crate) const PEOPLE: u32 = 200_000;
pub(crate) const GROUPS: u32 = 20_000;
/// In the first group.
pub(crate) const MEMBERS: u32 = 100_000;
/// The first so many are signed in.
pub(crate) const SIGNED_IN: u32 = 10_000;

const NUMBERS: &str = "CREATE TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 200000) SELECT i FROM c";
const PEOPLE_TOLD: &str = "INSERT INTO scim_users (id, provider, user_name, external_id, object, active, user_id, body, created_ms, updated_ms) \
     SELECT printf('%08x-0000-4000-8000-000000000001', i), $1, 'user' || i || '@corp.example', \
     printf('%08x-0000-4000-8000-000000000002', i), printf('%08x-0000-4000-8000-000000000002', i), 1, \
     iif(i <= 10000, printf('%08x-0000-4000-8000-000000000005', i), NULL), \
     '{\"userName\":\"user' || i || '@corp.example\",\"active\":true,\"externalId\":\"' || \
     printf('%08x-0000-4000-8000-000000000002', i) || '\",\"displayName\":\"Person ' || i || '\",\"emails\":[{\"type\":\"work\",\"value\":\"user' || \
     i || '@corp.example\",\"primary\":true}],\"name\":{\"givenName\":\"Given\",\"familyName\":\"Family\"}}', i, i FROM n";
const ADDRESSES: &str = "INSERT INTO scim_emails (email, provider, scim_user) SELECT 'user' || i || '@corp.example', $1, \
     printf('%08x-0000-4000-8000-000000000001', i) FROM n";
const GROUPS_TOLD: &str = "INSERT INTO scim_groups (id, provider, name_key, display_name, external_id, object, created_ms, updated_ms) \
     SELECT printf('%08x-0000-4000-8000-000000000003', i), $1, 'group ' || i, 'Group ' || i, \
     printf('%08x-0000-4000-8000-000000000004', i), printf('%08x-0000-4000-8000-000000000004', i), i, i FROM n WHERE i <= 20000";
const IN_THE_FIRST: &str = "INSERT INTO scim_members (scim_group, scim_user) SELECT '00000001-0000-4000-8000-000000000003', \
     printf('%08x-0000-4000-8000-000000000001', i) FROM n WHERE i <= 100000";
const IN_OTHERS: &str = "INSERT INTO scim_members (scim_group, scim_user) \
     SELECT printf('%08x-0000-4000-8000-000000000003', 2 + i % 19999), printf('%08x-0000-4000-8000-000000000001', i) FROM n";
const USERS: &str = "INSERT INTO users (id, provider, tenant, object, email, generation, deprovisioned, created_ms, last_login_ms) \
     SELECT printf('%08x-0000-4000-8000-000000000005', i), $1, '00000000-0000-4000-8000-000000000007', \
     printf('%08x-0000-4000-8000-000000000002', i), 'user' || i || '@corp.example', 0, 0, i, i FROM n WHERE i > $2 AND i <= $3";
const SESSIONS: &str = "INSERT INTO sessions (nonce, user_id, provider, identity, identity_version, read_at, created_ms, \
     expires_ms, last_use_ms, address) SELECT printf('n%015d', i), printf('%08x-0000-4000-8000-000000000005', i), $1, \
     replace(replace($2, '00000000-0000-0000-0000-000000000005', printf('%08x-0000-4000-8000-000000000005', i)), \
     '00000000-0000-0000-0000-000000000002', printf('%08x-0000-4000-8000-000000000002', i)), 1, 0, i, \
     4000000000000, i, '192.0.2.1' FROM n WHERE i > $3 AND i <= $4";
const LINKS: &str = "UPDATE scim_users SET user_id = substr(id, 1, 8) || '-0000-4000-8000-000000000005' \
     WHERE user_id IS NULL AND id <= printf('%08x-0000-4000-8000-000000000001', $1)";
const IN_THE_THIRD: &str = "INSERT INTO scim_members (scim_group, scim_user) SELECT '00000003-0000-4000-8000-000000000003', \
     scim_user FROM scim_members WHERE scim_group = '00000001-0000-4000-8000-000000000003' ON CONFLICT DO NOTHING";

/// Puts everybody in.
pub(crate) async fn fill(store: &str, provider: IdpId) -> anyhow::Result<()> {
    let began = Instant::now();
    let pool = AnyPoolOptions::new().max_connections(1).connect(store).await?;
    sqlx::query(NUMBERS).execute(&pool).await?;
    let of_provider = [PEOPLE_TOLD, ADDRESSES, GROUPS_TOLD];
    for sql in of_provider {
        sqlx::query(sql).bind(provider.to_string()).execute(&pool).await?;
    }
    sign_in(&pool, provider, (0, SIGNED_IN)).await?;
    for sql in [IN_THE_FIRST, IN_OTHERS] {
        sqlx::query(sql).execute(&pool).await?;
    }
    pool.close().await;
    crate::say(&format!(
        "{PEOPLE} people, {GROUPS} groups and one with {MEMBERS} members, {SIGNED_IN} of them signed in; filled in in {:?}",
        began.elapsed(),
    ));
    Ok(())
}

/// Signs in everybody else who is in the first group, and puts all of them into the third one as well.
pub(crate) async fn sign_in_all(store: &str, provider: IdpId) -> anyhow::Result<()> {
    let pool = AnyPoolOptions::new().max_connections(1).connect(store).await?;
    sign_in(&pool, provider, (SIGNED_IN, MEMBERS)).await?;
    sqlx::query(LINKS).bind(i64::from(MEMBERS)).execute(&pool).await?;
    sqlx::query(IN_THE_THIRD).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Forgets whose groups are to be read again: the mock tenant knows none of these people, and would be asked for an hour.
pub(crate) async fn forget_rereads(store: &str) -> anyhow::Result<()> {
    let pool = AnyPoolOptions::new().max_connections(1).connect(store).await?;
    sqlx::query("DELETE FROM scim_rereads").execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Those behind the one number, up to the other.
async fn sign_in(pool: &AnyPool, provider: IdpId, (from, to): (u32, u32)) -> anyhow::Result<()> {
    sqlx::query(USERS)
        .bind(provider.to_string())
        .bind(i64::from(from))
        .bind(i64::from(to))
        .execute(pool)
        .await?;
    sqlx::query(SESSIONS)
        .bind(provider.to_string())
        .bind(serde_json::to_string(&identity(provider))?)
        .bind(i64::from(from))
        .bind(i64::from(to))
        .execute(pool)
        .await?;
    Ok(())
}

/// The session of somebody who is signed in, as a gateway has it that has seen it.
pub(crate) fn found(provider: IdpId, number: u32) -> anyhow::Result<Found> {
    let user = UserId(format!("{number:08x}-0000-4000-8000-000000000005").parse()?);
    Ok(Found {
        nonce: format!("n{number:015}")
            .parse()
            .map_err(|_| anyhow::anyhow!("a nonce"))?,
        user,
        provider,
        expires_ms: 4_000_000_000_000,
        last_use_ms: 0,
        identity: Identity {
            user,
            person: PersonKey {
                tenant: TenantId(Uuid::from_u128(7)),
                object: ObjectId(object_id(number).parse()?),
            },
            ..identity(provider)
        },
        identity_version: 1,
        epochs: Vec::new(),
    })
}

/// The groups of 100,000, by their numbers.
const LARGE: [u128; 2] = [1, 3];

fn group(number: u128) -> Group {
    Group {
        id: ObjectId(Uuid::from_u128((number << 96) + 0x4000_8000_0000_0000_0004)),
        name: Some(format!("Group {number}")),
    }
}

fn identity(provider: IdpId) -> Identity {
    Identity {
        user: UserId(Uuid::from_u128(5)),
        person: PersonKey {
            tenant: TenantId(Uuid::from_u128(7)),
            object: ObjectId(Uuid::from_u128(2)),
        },
        provider,
        email: None,
        name: Some("Somebody".to_owned()),
        given_name: None,
        family_name: None,
        guest: false,
        groups: Groups::Known {
            groups: LARGE.map(group).to_vec(),
        },
        amr: vec!["pwd".to_owned(), "mfa".to_owned()],
        contexts: Vec::new(),
        claims: serde_json::Map::new(),
        provider_session: None,
        login_hint: None,
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        country: None,
        at: Timestamp::UNIX_EPOCH,
        contexts_asked: false,
        claims_asked: Vec::new(),
        evaluations: Vec::new(),
        justifications: Vec::new(),
        approvals: Vec::new(),
    }
}

pub(crate) fn user_id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000001")
}

pub(crate) fn object_id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000002")
}

pub(crate) fn group_id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000003")
}

/// Group number so much again, as Entra knows it.
pub(crate) fn group_object_id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000004")
}

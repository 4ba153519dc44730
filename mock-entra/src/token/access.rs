//! Access tokens: for Graph opaque to everyone but the mock, for an API of the tenant signed and readable.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::TokenRequest;
use crate::aadsts::Refusal;
use crate::directory::{Tenant, User};
use crate::discovery::issuer;
use crate::grants::{Access, Login};
use crate::id_token::pairwise_subject;
use crate::jose::{signing_input, with_signature};
use crate::json::set;
use crate::random;
use crate::scope::{GRAPH_APP_ID, Resource, Scopes};

/// Life of an app's own token in seconds, as Microsoft answers it.
const APP_LIFE: i64 = 3_599;

/// Life of a person's token in seconds: "a random value ranging between 60-90 minutes".
/// <https://learn.microsoft.com/entra/identity-platform/access-tokens#token-lifetime>
const SHORTEST_LIFE: i64 = 3_600;
/// The other end of that range.
const LONGEST_LIFE: i64 = 5_400;

/// Life of a token whose client understands claims challenges: up to 28 hours.
const CHALLENGEABLE_LIFE: i64 = 86_399;

/// An access token and its life.
pub(super) struct AccessToken {
    /// The token.
    pub(super) value: String,
    /// Seconds until it expires.
    pub(super) expires_in: i64,
}

/// A token that acts for a person.
pub(super) fn for_person(
    request: &TokenRequest<'_>,
    tenant: &Tenant,
    user: &User,
    login: &Login,
) -> Result<AccessToken, Refusal> {
    let expires_in = if login.understands_challenges {
        CHALLENGEABLE_LIFE
    } else {
        random::seconds_between(SHORTEST_LIFE, LONGEST_LIFE)
    };
    let scopes: Vec<&str> = login.scopes.permissions.iter().map(String::as_str).collect();
    let mut claims = claims(request, tenant, &login.scopes.resource, expires_in);
    set(&mut claims, "oid", json!(user.oid));
    set(
        &mut claims,
        "sub",
        json!(pairwise_subject(tenant, &request.app, user)),
    );
    set(&mut claims, "scp", json!(scopes.join(" ")));
    let access = Access {
        tenant: tenant.id.clone(),
        client_id: request.app.client_id.clone(),
        oid: Some(user.oid.clone()),
        resource: login.scopes.resource.clone(),
        permissions: login.scopes.permissions.clone(),
        issued: request.now,
        expires: request.now.saturating_add(expires_in),
        generation: login.generation,
        understands_challenges: login.understands_challenges,
    };
    issue(request, access, &claims, expires_in)
}

/// A token of the app itself.
pub(super) fn for_app(
    request: &TokenRequest<'_>,
    tenant: &Tenant,
    scopes: &Scopes,
) -> Result<AccessToken, Refusal> {
    let roles: BTreeSet<String> = match scopes.resource {
        Resource::Graph => request.app.app_permissions.clone(),
        Resource::App(_) => BTreeSet::new(),
    };
    let mut claims = claims(request, tenant, &scopes.resource, APP_LIFE);
    if !roles.is_empty() {
        set(&mut claims, "roles", json!(roles));
    }
    let access = Access {
        tenant: tenant.id.clone(),
        client_id: request.app.client_id.clone(),
        oid: None,
        resource: scopes.resource.clone(),
        permissions: roles,
        issued: request.now,
        expires: request.now.saturating_add(APP_LIFE),
        generation: 0,
        understands_challenges: false,
    };
    issue(request, access, &claims, APP_LIFE)
}

fn claims(request: &TokenRequest<'_>, tenant: &Tenant, resource: &Resource, life: i64) -> Value {
    let mut claims = match resource {
        // Graph takes version 1 tokens.
        Resource::Graph => json!({
            "aud": GRAPH_APP_ID,
            "iss": format!("https://sts.windows.net/{}/", tenant.id),
            "appid": request.app.client_id,
            "ver": "1.0",
        }),
        Resource::App(client_id) => json!({
            "aud": client_id,
            "iss": issuer(&request.context.base_url, &tenant.id),
            "azp": request.app.client_id,
            "ver": "2.0",
        }),
    };
    set(&mut claims, "iat", json!(request.now));
    set(&mut claims, "nbf", json!(request.now));
    set(&mut claims, "exp", json!(request.now.saturating_add(life)));
    set(&mut claims, "tid", json!(tenant.id));
    set(&mut claims, "uti", json!(random::opaque()));
    claims
}

fn issue(
    request: &TokenRequest<'_>,
    access: Access,
    claims: &Value,
    expires_in: i64,
) -> Result<AccessToken, Refusal> {
    let value = match &access.resource {
        Resource::App(_) => {
            let keys = request
                .context
                .directory
                .keys_for(None)
                .map_err(|_| Refusal::new(50000))?;
            keys.current().ok_or_else(|| Refusal::new(50000))?.sign(claims)
        }
        Resource::Graph => {
            // Graph's tokens carry a nonce in the header that makes every foreign verification fail, on purpose.
            let header = json!({ "typ": "JWT", "nonce": random::opaque(), "alg": "RS256" });
            with_signature(&signing_input(&header, claims), random::long_opaque().as_bytes())
        }
    };
    request
        .context
        .directory
        .lock()
        .grants
        .access
        .insert(value.clone(), access);
    Ok(AccessToken { value, expires_in })
}

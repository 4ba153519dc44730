//! OIDC metadata and key sets, in Microsoft's shape.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::aadsts::Refusal;
use crate::directory::Tenant;
use crate::faults::{Endpoint, Fault};
use crate::pages;
use crate::params::Params;
use crate::recorded::Recorded;
use crate::server::Context;

/// The cloud the mock says it is.
const CLOUD: &str = "microsoftonline.com";

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`
pub(crate) async fn metadata(
    State(context): State<Context>,
    Path(segment): Path<String>,
    uri: Uri,
) -> Response {
    context
        .directory
        .arrived(Recorded::new(Endpoint::Discovery, &Method::GET, &uri))
        .await;
    let broken = context.directory.lock().faults.strike(|fault| match fault {
        Fault::Discovery { status } => Some(*status),
        _ => None,
    });
    if let Some(status) = broken {
        return pages::out_of_order(status);
    }
    let Some(realm) = Realm::find(&context, &segment) else {
        return unknown_tenant(&context, &segment);
    };
    let params = Params::parse(uri.query().unwrap_or_default());
    Json(document(&context.base_url, &realm, params.find("appid"))).into_response()
}

/// `GET /{tenant}/discovery/v2.0/keys`
pub(crate) async fn keys(State(context): State<Context>, Path(segment): Path<String>, uri: Uri) -> Response {
    context
        .directory
        .arrived(Recorded::new(Endpoint::Jwks, &Method::GET, &uri))
        .await;
    let broken = context.directory.lock().faults.strike(|fault| match fault {
        Fault::Jwks { status } => Some(*status),
        _ => None,
    });
    if let Some(status) = broken {
        return pages::out_of_order(status);
    }
    let Some(realm) = Realm::find(&context, &segment) else {
        return unknown_tenant(&context, &segment);
    };
    let params = Params::parse(uri.query().unwrap_or_default());
    let app = params
        .find("appid")
        .and_then(|client_id| context.directory.app_in(None, client_id));
    match context.directory.keys_for(app.as_ref()) {
        Ok(keys) => Json(keys.jwks(&realm.issuer(&context.base_url), CLOUD)).into_response(),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()).into_response(),
    }
}

/// The issuer of a tenant.
pub(crate) fn issuer(base_url: &str, tenant: &str) -> String {
    format!("{base_url}/{tenant}/v2.0")
}

/// Whom a tenant segment means.
enum Realm {
    /// One tenant, by GUID.
    Tenant(String),
    /// `common` or `organizations`: any.
    Alias(String),
}

impl Realm {
    fn find(context: &Context, segment: &str) -> Option<Self> {
        if is_alias(segment) {
            return Some(Self::Alias(segment.to_owned()));
        }
        let tenant: std::sync::Arc<Tenant> = context.directory.find_tenant(segment)?;
        Some(Self::Tenant(tenant.id.clone()))
    }

    /// The segment of the endpoints: a domain becomes the GUID, an alias stays.
    fn segment(&self) -> &str {
        match self {
            Self::Tenant(id) => id,
            Self::Alias(alias) => alias,
        }
    }

    /// A tenant's issuer, or the template that stands for every tenant's.
    fn issuer(&self, base_url: &str) -> String {
        match self {
            Self::Tenant(id) => issuer(base_url, id),
            Self::Alias(_) => issuer(base_url, "{tenantid}"),
        }
    }
}

/// Whether a tenant segment means any organisation.
pub(crate) fn is_alias(segment: &str) -> bool {
    matches!(segment, "common" | "organizations")
}

fn unknown_tenant(context: &Context, segment: &str) -> Response {
    Refusal::new(90002)
        .tenant(segment)
        .metadata_answer(context.directory.now(), &context.base_url)
}

fn document(base_url: &str, realm: &Realm, appid: Option<&str>) -> Value {
    let segment = realm.segment();
    let host = base_url.rsplit('/').next().unwrap_or_default();
    let appid = appid.map(|appid| format!("?appid={appid}")).unwrap_or_default();
    json!({
        "token_endpoint": format!("{base_url}/{segment}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base_url}/{segment}/discovery/v2.0/keys{appid}"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": realm.issuer(base_url),
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": format!("{base_url}/oidc/userinfo"),
        "authorization_endpoint": format!("{base_url}/{segment}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base_url}/{segment}/oauth2/v2.0/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{base_url}/{segment}/oauth2/v2.0/logout"),
        "claims_supported": [
            "sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name",
            "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid",
            "ver", "at_hash", "c_hash", "email"
        ],
        "kerberos_endpoint": format!("{base_url}/{segment}/kerberos"),
        "tenant_region_scope": match realm { Realm::Tenant(_) => json!("NA"), Realm::Alias(_) => Value::Null },
        "cloud_instance_name": CLOUD,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": host,
        "rbac_url": "https://pas.windows.net",
    })
}

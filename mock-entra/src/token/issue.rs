//! The answer to a person's grant: access token, and refresh and ID token where asked for.

use serde_json::{Value, json};

use super::{TokenRequest, access};
use crate::aadsts::Refusal;
use crate::authorize::understands_challenges;
use crate::directory::{Tenant, User};
use crate::grants::{Login, Refresh};
use crate::id_token::{self, Subject};
use crate::jose::base64url;
use crate::json::set;
use crate::random;

/// Makes the tokens of one sign-in.
pub(super) fn tokens(
    request: &TokenRequest<'_>,
    tenant: &Tenant,
    user: &User,
    mut login: Login,
    nonce: Option<&str>,
) -> Result<Value, Refusal> {
    if let Some(claims) = request.params.find("claims") {
        let claims = serde_json::from_str(claims).map_err(|_| Refusal::new(90100).value("claims"))?;
        login.understands_challenges = understands_challenges(&claims);
    }
    login.issued = request.now;
    let access = access::for_person(request, tenant, user, &login)?;
    let mut answer = json!({
        "token_type": "Bearer",
        "scope": login.scopes.granted(),
        "expires_in": access.expires_in,
        "ext_expires_in": access.expires_in,
    });
    if login.understands_challenges {
        set(&mut answer, "refresh_in", json!(access.expires_in / 2));
    }
    set(&mut answer, "access_token", json!(access.value));
    if login.scopes.has("offline_access") {
        let value = format!("1.{}", random::long_opaque());
        let refresh = Refresh {
            login: login.clone(),
            last_use: request.now,
        };
        request
            .context
            .directory
            .lock()
            .grants
            .refresh
            .insert(value.clone(), refresh);
        set(&mut answer, "refresh_token", json!(value));
    }
    if login.scopes.has("openid") {
        let subject = Subject {
            tenant,
            user,
            app: &request.app,
            login: &login,
            nonce,
        };
        set(
            &mut answer,
            "id_token",
            json!(id_token::issue(request.context, &subject)?),
        );
    }
    if request.params.find("client_info") == Some("1") {
        let info = json!({ "uid": user.oid, "utid": tenant.id });
        set(&mut answer, "client_info", json!(base64url(info.to_string())));
    }
    Ok(answer)
}

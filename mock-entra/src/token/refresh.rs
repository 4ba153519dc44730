//! Redeeming a refresh token: each use brings a new one, and the old one stays good.
//!
//! <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>

use serde_json::Value;

use super::{TokenRequest, issue, person, scopes};
use crate::aadsts::Refusal;
use crate::grants::REFRESH_IDLE;

/// `grant_type=refresh_token`.
pub(super) fn redeem(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let value = request
        .params
        .find("refresh_token")
        .ok_or_else(|| Refusal::new(900_144).value("refresh_token"))?;
    let known = request
        .context
        .directory
        .lock()
        .grants
        .refresh
        .get(value)
        .cloned();
    let refresh = known.ok_or_else(|| Refusal::new(70000).value("refresh_token"))?;
    if refresh.login.client_id != request.app.client_id {
        return Err(Refusal::new(70000).value("refresh_token"));
    }
    if request.now.saturating_sub(refresh.last_use) > REFRESH_IDLE {
        return Err(Refusal::new(700_082));
    }
    let (tenant, user) = person(request, &refresh.login)?;
    let mut login = refresh.login;
    login.scopes = match scopes(request, &tenant)? {
        Some(asked) => login.scopes.refreshed_as(asked.consented(&request.app)?),
        None => login.scopes.consented(&request.app)?,
    };
    if let Some(used) = request.context.directory.lock().grants.refresh.get_mut(value) {
        used.last_use = request.now;
    }
    // The ID token of a refresh has no nonce: there was no request that could have carried one.
    issue::tokens(request, &tenant, &user, login, None)
}

//! Redeeming an authorization code: once, in time, by its client, at its address, with its verifier.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use super::{TokenRequest, issue, person, scopes};
use crate::aadsts::Refusal;
use crate::grants::{CODE_LIFE, Challenge, Code};
use crate::jose::base64url;

/// `grant_type=authorization_code`.
pub(super) fn redeem(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let value = request
        .params
        .find("code")
        .ok_or_else(|| Refusal::new(900_144).value("code"))?;
    let known = request.context.directory.lock().grants.codes.get(value).cloned();
    let code = known.ok_or_else(|| Refusal::new(70000).value("code"))?;
    check(request, &code)?;
    let (tenant, user) = person(request, &code.login)?;
    let mut login = code.login.clone();
    if let Some(narrower) = scopes(request, &tenant)? {
        login.scopes = login.scopes.narrowed_to(narrower.consented(&request.app)?);
    }
    mark_redeemed(request, value)?;
    issue::tokens(request, &tenant, &user, login, code.nonce.as_deref())
}

fn check(request: &TokenRequest<'_>, code: &Code) -> Result<(), Refusal> {
    if code.login.client_id != request.app.client_id {
        return Err(Refusal::new(70000).value("code"));
    }
    if request
        .tenant
        .as_ref()
        .is_some_and(|tenant| tenant.id != code.login.tenant)
    {
        return Err(Refusal::new(700_005));
    }
    if code.redeemed {
        return Err(Refusal::new(54005));
    }
    if request.now.saturating_sub(code.login.issued) > CODE_LIFE {
        return Err(Refusal::new(70008));
    }
    match request.params.find("redirect_uri") {
        None => return Err(Refusal::new(900_144).value("redirect_uri")),
        Some(address) if address != code.redirect_uri => return Err(Refusal::new(500_112)),
        Some(_) => {}
    }
    verifier(request.params.find("code_verifier"), code.challenge.as_ref())
}

/// RFC 7636 §4.6; a verifier without a challenge is refused too, as it hints at a mixed-up sign-in.
fn verifier(verifier: Option<&str>, challenge: Option<&Challenge>) -> Result<(), Refusal> {
    match (verifier, challenge) {
        (None, None) => Ok(()),
        (None, Some(_)) | (Some(_), None) => Err(Refusal::new(50148)),
        (Some(verifier), Some(Challenge::S256(expected)))
            if base64url(digest(&SHA256, verifier.as_bytes())) == *expected =>
        {
            Ok(())
        }
        (Some(verifier), Some(Challenge::Plain(expected))) if verifier == expected => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::new(501_481)),
    }
}

/// Two requests with one code at the same time: only the first gets tokens.
fn mark_redeemed(request: &TokenRequest<'_>, value: &str) -> Result<(), Refusal> {
    let mut state = request.context.directory.lock();
    match state.grants.codes.get_mut(value) {
        Some(code) if !code.redeemed => {
            code.redeemed = true;
            Ok(())
        }
        _ => Err(Refusal::new(54005)),
    }
}

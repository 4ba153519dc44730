//! Who the client is, and whether it proved it: by secret, certificate or a federated token.
//!
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

mod assertion;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::aadsts::Refusal;
use crate::directory::{AppRegistration, Tenant};
use crate::params::Params;
use crate::server::Context;

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request presents.
struct Presented {
    client_id: String,
    secret: Option<String>,
    assertion: Option<String>,
}

/// The registered, enabled and authenticated client of a token request.
pub(crate) fn client(
    context: &Context,
    tenant: Option<&Tenant>,
    headers: &HeaderMap,
    params: &Params,
) -> Result<AppRegistration, Refusal> {
    let presented = presented(headers, params)?;
    let app = context
        .directory
        .app_in(tenant, &presented.client_id)
        .ok_or_else(|| {
            let tenant = tenant.map_or("common", |tenant| tenant.name.as_str());
            Refusal::new(700_016)
                .client_id(&presented.client_id)
                .tenant(tenant)
        })?;
    if !app.enabled {
        return Err(Refusal::new(7_000_112).app(&app));
    }
    match (app.public_client, &presented.secret, &presented.assertion) {
        (true, None, None) => {}
        (true, ..) => return Err(Refusal::new(700_025)),
        (false, _, Some(assertion)) => assertion::verify(context, tenant, &app, assertion)?,
        (false, Some(secret), None) => by_secret(&app, secret, context.directory.now())?,
        (false, None, None) => return Err(Refusal::new(7_000_218)),
    }
    Ok(app)
}

/// Reads the credentials from the body (`client_secret_post`, assertion) or from the header (`client_secret_basic`).
fn presented(headers: &HeaderMap, params: &Params) -> Result<Presented, Refusal> {
    let basic = match headers.get(header::AUTHORIZATION) {
        Some(value) => Some(basic(value.to_str().unwrap_or_default()).ok_or_else(|| Refusal::new(70002))?),
        None => None,
    };
    let assertion = params.find("client_assertion").map(str::to_owned);
    if assertion.is_some() && params.find("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Refusal::new(900_144).value("client_assertion_type"));
    }
    let (basic_id, basic_secret) = basic.unzip();
    let client_id = params.find("client_id").map(str::to_owned);
    if let (Some(in_body), Some(in_header)) = (&client_id, &basic_id)
        && in_body != in_header
    {
        return Err(Refusal::new(90023).value("client_id"));
    }
    Ok(Presented {
        client_id: client_id
            .or(basic_id)
            .ok_or_else(|| Refusal::new(900_144).value("client_id"))?,
        secret: params.find("client_secret").map(str::to_owned).or(basic_secret),
        assertion,
    })
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
fn basic(value: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.as_bytes())
        .map(|(name, _)| name.into_owned())
        .next()
        .unwrap_or_default()
}

fn by_secret(app: &AppRegistration, presented: &str, now: i64) -> Result<(), Refusal> {
    let known: Vec<_> = app
        .secrets
        .iter()
        .filter(|secret| secret.value == presented)
        .collect();
    if known.is_empty() {
        return Err(Refusal::new(7_000_215).app(app));
    }
    if known
        .iter()
        .all(|secret| secret.expires.is_some_and(|expires| expires <= now))
    {
        return Err(Refusal::new(7_000_222).app(app));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_secret_is_form_decoded() {
        let header = format!("Basic {}", STANDARD.encode("app:a%2Bb%3D+c"));
        assert_eq!(basic(&header), Some(("app".to_owned(), "a+b= c".to_owned())));
    }
}

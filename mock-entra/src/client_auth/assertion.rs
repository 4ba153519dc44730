//! Client assertions: a JWT signed with a registered certificate, or a token of a federated issuer.
//!
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>,
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use crate::aadsts::Refusal;
use crate::directory::{AppRegistration, FederatedCredential, Tenant};
use crate::jose::{Unverified, base64url, from_base64url};
use crate::server::Context;

/// How far a client's clock may be off, in seconds.
const SKEW: i64 = 300;

/// Checks an assertion of this app.
pub(super) fn verify(
    context: &Context,
    tenant: Option<&Tenant>,
    app: &AppRegistration,
    assertion: &str,
) -> Result<(), Refusal> {
    let token = Unverified::parse(assertion).ok_or_else(|| Refusal::new(50012).value("it is not a JWT"))?;
    if token.text("iss") == Some(&app.client_id) || token.text("sub") == Some(&app.client_id) {
        own(context, tenant, app, &token)
    } else {
        federated(context, app, &token)
    }
}

/// An assertion of the app itself.
fn own(
    context: &Context,
    tenant: Option<&Tenant>,
    app: &AppRegistration,
    token: &Unverified<'_>,
) -> Result<(), Refusal> {
    if token.text("iss") != Some(&app.client_id) || token.text("sub") != Some(&app.client_id) {
        return Err(Refusal::new(700_021));
    }
    let (certificate, algorithm) = certificate(app, token)?;
    let certificate = CertificateDer::from(certificate);
    let parsed = webpki::EndEntityCert::try_from(&certificate)
        .map_err(|_| Refusal::new(700_027).value("unreadable"))?;
    parsed
        .verify_signature(algorithm, token.signed.as_bytes(), &token.signature)
        .map_err(|_| Refusal::new(700_027).value("the signature does not match"))?;
    let audience = tenant.map(|tenant| format!("{}/{}/oauth2/v2.0/token", context.base_url, tenant.id));
    let presented = token.text("aud").unwrap_or_default();
    if audience.as_deref() != Some(presented) {
        return Err(Refusal::new(700_023).value(presented));
    }
    in_time(token, context.directory.now())?;
    first_use(context, app, token)
}

/// The registered certificate an assertion names, and the algorithm that goes with the way it names it: PS256 with
/// `x5t#S256`, or RS256 with the older `x5t`.
fn certificate<'a>(
    app: &'a AppRegistration,
    token: &Unverified<'_>,
) -> Result<(&'a [u8], &'static dyn SignatureVerificationAlgorithm), Refusal> {
    let named = |thumbprint: fn(&[u8]) -> String, header: &str| {
        let presented = token.header_text(header).unwrap_or("none");
        let registered = app
            .certificates
            .iter()
            .find(|certificate| thumbprint(certificate) == presented);
        registered
            .map(Vec::as_slice)
            .ok_or_else(|| Refusal::new(700_027).value(presented))
    };
    match token.header_text("alg") {
        Some("PS256") => {
            let thumbprint = |der: &[u8]| base64url(digest(&SHA256, der));
            Ok((
                named(thumbprint, "x5t#S256")?,
                webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            ))
        }
        Some("RS256") => {
            let thumbprint = |der: &[u8]| base64url(digest(&SHA1_FOR_LEGACY_USE_ONLY, der));
            Ok((
                named(thumbprint, "x5t")?,
                webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
            ))
        }
        other => Err(Refusal::new(50012).value(&format!("algorithm {}", other.unwrap_or("none")))),
    }
}

/// A token of somebody else whom the registration trusts.
fn federated(context: &Context, app: &AppRegistration, token: &Unverified<'_>) -> Result<(), Refusal> {
    let subject = token.text("sub").unwrap_or_default();
    let issuer = token.text("iss").unwrap_or_default();
    let audience = token.text("aud").unwrap_or_default();
    if app.federated.is_empty() {
        return Err(Refusal::new(70021).value(subject));
    }
    let trusted: Vec<_> = app
        .federated
        .iter()
        .filter(|known| known.issuer == issuer)
        .collect();
    if trusted.is_empty() {
        return Err(Refusal::new(700_211).value(issuer));
    }
    let trusted: Vec<_> = trusted
        .into_iter()
        .filter(|known| known.subject == subject)
        .collect();
    if trusted.is_empty() {
        return Err(Refusal::new(700_213).value(subject));
    }
    let trusted: Vec<_> = trusted
        .into_iter()
        .filter(|known| known.audience == audience)
        .collect();
    if trusted.is_empty() {
        return Err(Refusal::new(700_212).value(audience));
    }
    if token.header_text("alg") != Some("RS256") || !trusted.iter().any(|known| signed_by(known, token)) {
        return Err(Refusal::new(50013).value("the signature does not match"));
    }
    in_time(token, context.directory.now())
}

fn signed_by(credential: &FederatedCredential, token: &Unverified<'_>) -> bool {
    let (Some(n), Some(e)) = (
        from_base64url(&credential.key.0),
        from_base64url(&credential.key.1),
    ) else {
        return false;
    };
    let key = PublicKeyComponents { n, e };
    key.verify(
        &RSA_PKCS1_2048_8192_SHA256,
        token.signed.as_bytes(),
        &token.signature,
    )
    .is_ok()
}

fn in_time(token: &Unverified<'_>, now: i64) -> Result<(), Refusal> {
    let not_before = token.time("nbf").or_else(|| token.time("iat")).unwrap_or(now);
    match token.time("exp") {
        Some(expires) if now <= expires.saturating_add(SKEW) && not_before <= now.saturating_add(SKEW) => {
            Ok(())
        }
        _ => Err(Refusal::new(700_024)),
    }
}

/// An assertion is good once: `jti` tells one from another.
fn first_use(context: &Context, app: &AppRegistration, token: &Unverified<'_>) -> Result<(), Refusal> {
    let jti = token
        .text("jti")
        .ok_or_else(|| Refusal::new(50012).value("it has no jti"))?;
    let mut state = context.directory.lock();
    if state
        .grants
        .assertions
        .insert((app.client_id.clone(), jti.to_owned()))
    {
        return Ok(());
    }
    Err(Refusal::new(50012).value("its jti was used before"))
}

//! The token endpoint: a code or a refresh token becomes tokens.
//!
//! The OAuth library writes the request and reads the answer; the exchange itself goes through our own client, and
//! refusals are read here, where status and `Retry-After` are still at hand. `id_token` stays text: the library's own ID
//! token type reads claims eagerly and refuses a directory whose `address` claim is not the object OpenID describes.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, ExtraTokenFields, HttpRequest, HttpResponse,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::client_auth::{ASSERTION_TYPE, Proof, proofs};
use super::errors::{AadstsAnswer, EntraError};
use super::outbound::{MAX_BODY, Outbound, OutboundFailed, retry_after};
use crate::model::idp::EntraSettings;

type Answer = StandardTokenResponse<EntraFields, BasicTokenType>;

type Client = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// What OpenID adds to the answer.
#[derive(Debug, Deserialize, Serialize)]
struct EntraFields {
    #[serde(skip_serializing)]
    id_token: Option<SecretString>,
}

impl ExtraTokenFields for EntraFields {}

/// What is exchanged for tokens.
pub(super) enum Grant<'a> {
    Code {
        code: &'a SecretString,
        redirect_uri: &'a Url,
        pkce_verifier: Option<&'a SecretString>,
    },
    Refresh {
        token: &'a SecretString,
        scopes: &'a [String],
    },
    /// For the application itself, without a person: its consented application permissions.
    Application { scope: &'a str },
}

/// The tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Says who signed in. Not yet checked.
    pub(super) identity: Option<SecretString>,
    /// For Graph. Opaque: never looked into.
    pub(super) access: SecretString,
    pub(super) refresh: Option<SecretString>,
    /// The scopes that were granted, as Microsoft writes them; `None` where the answer does not say, which means those
    /// that were asked for (RFC 6749 §5.1).
    pub(super) scopes: Option<Vec<String>>,
}

/// Exchanges a grant for tokens. Where the present secret is refused the next one is tried: a refused client has not
/// used up the code.
pub(super) async fn exchange(
    outbound: &Outbound,
    settings: &EntraSettings,
    token_endpoint: &Url,
    grant: &Grant<'_>,
    now: i64,
) -> Result<Tokens, EntraError> {
    let mut refused = None;
    for proof in proofs(settings, token_endpoint, now).await? {
        match attempt(outbound, settings, token_endpoint, grant, &proof).await {
            Err(EntraError::Refused(answer)) if answer.secret_refused() => {
                refused = Some(EntraError::Refused(answer));
            }
            Ok(tokens) => {
                if let Some(error) = refused {
                    tracing::error!(
                        client_id = settings.client_id, %error,
                        "The client secret is refused; next_client_secret works and should take its place"
                    );
                }
                return Ok(tokens);
            }
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| EntraError::Misconfigured("there is no client credential".to_owned())))
}

/// One attempt with one proof.
pub(super) async fn attempt(
    outbound: &Outbound,
    settings: &EntraSettings,
    token_endpoint: &Url,
    grant: &Grant<'_>,
    proof: &Proof,
) -> Result<Tokens, EntraError> {
    let mut client = Client::new(ClientId::new(settings.client_id.clone()))
        .set_token_uri(TokenUrl::from_url(token_endpoint.clone()))
        .set_auth_type(AuthType::RequestBody);
    if let Proof::Secret(secret) = proof {
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    let assertion = match proof {
        Proof::Assertion(assertion) => Some(assertion.expose_secret().to_owned()),
        Proof::Secret(_) => None,
    };
    let http = |request: HttpRequest| bridge(outbound.clone(), request);
    let answer = match grant {
        Grant::Code {
            code,
            redirect_uri,
            pkce_verifier,
        } => {
            let mut request = client
                .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
                .set_redirect_uri(Cow::Owned(RedirectUrl::from_url((*redirect_uri).clone())));
            if let Some(verifier) = pkce_verifier {
                request =
                    request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()));
            }
            if let Some(assertion) = assertion {
                request = request
                    .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                    .add_extra_param("client_assertion", assertion);
            }
            request.request_async(&http).await
        }
        Grant::Refresh { token, scopes } => {
            let token = RefreshToken::new(token.expose_secret().to_owned());
            let mut request = client
                .exchange_refresh_token(&token)
                .add_scopes(scopes.iter().cloned().map(Scope::new));
            if let Some(assertion) = assertion {
                request = request
                    .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                    .add_extra_param("client_assertion", assertion);
            }
            request.request_async(&http).await
        }
        Grant::Application { scope } => {
            let mut request = client
                .exchange_client_credentials()
                .add_scope(Scope::new((*scope).to_owned()));
            if let Some(assertion) = assertion {
                request = request
                    .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                    .add_extra_param("client_assertion", assertion);
            }
            request.request_async(&http).await
        }
    };
    let answer = answer.map_err(|error| not_answered(token_endpoint, error))?;
    Ok(Tokens {
        access: SecretString::from(answer.access_token().secret().clone()),
        refresh: answer
            .refresh_token()
            .map(|token| SecretString::from(token.secret().clone())),
        scopes: answer
            .scopes()
            .map(|scopes| scopes.iter().map(|scope| scope.as_str().to_owned()).collect()),
        identity: answer.extra_fields().id_token.clone(),
    })
}

/// Why the exchange did not end with an answer of status 200.
#[derive(Debug, thiserror::Error)]
enum NoTokens {
    #[error(transparent)]
    Outbound(#[from] OutboundFailed),
    #[error("Microsoft refused")]
    Refused(Box<AadstsAnswer>),
    /// HTML, empty, or anything else that is no error of OAuth's.
    #[error("status {status} without an error")]
    NoAnswer {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
}

/// The library's request through our client. Whatever is not status 200 is read here.
async fn bridge(outbound: Outbound, request: HttpRequest) -> Result<HttpResponse, NoTokens> {
    let answer = outbound.send(request, MAX_BODY).await?;
    if answer.status() == StatusCode::OK {
        return Ok(answer);
    }
    let wait = retry_after(answer.headers());
    match AadstsAnswer::from_body(answer.status(), answer.body()) {
        Some(mut refusal) => {
            refusal.retry_after = wait;
            Err(NoTokens::Refused(Box::new(refusal)))
        }
        None => Err(NoTokens::NoAnswer {
            status: answer.status(),
            retry_after: wait,
        }),
    }
}

fn not_answered(endpoint: &Url, error: RequestTokenError<NoTokens, BasicErrorResponse>) -> EntraError {
    let host = endpoint.host_str().unwrap_or_default();
    let (reason, retry_after) = match error {
        RequestTokenError::Request(NoTokens::Refused(answer)) => return EntraError::Refused(answer),
        RequestTokenError::Request(NoTokens::NoAnswer { status, retry_after }) => {
            (format!("{host} answered with status {status}"), retry_after)
        }
        RequestTokenError::Request(NoTokens::Outbound(failed)) => (format!("{host}: {failed}"), None),
        // Status 200 and yet no token answer. What it was is not repeated: it may hold tokens.
        _ => ("the answer holds no tokens".to_owned(), None),
    };
    EntraError::Unavailable {
        what: "the token endpoint",
        reason,
        retry_after,
    }
}

#[cfg(test)]
mod tests;

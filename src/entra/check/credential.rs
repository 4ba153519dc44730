//! Whether the token endpoint takes the application's credential.

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::refusal;
use crate::entra::client_auth::proofs;
use crate::entra::discovery::base;
use crate::entra::errors::EntraError;
use crate::entra::outbound::Outbound;
use crate::entra::token_endpoint::{Grant, attempt};
use crate::model::check::{Check, CheckState, Step};
use crate::model::idp::{ClientCredential, EntraSettings};

/// Asks for a token of the application's own (client credentials), which takes no permission but a good credential.
/// Each secret is tried by itself.
pub(super) async fn check(
    outbound: &Outbound,
    settings: &EntraSettings,
    endpoint: &Url,
    now: Timestamp,
) -> (Check, Option<SecretString>) {
    let proofs = match proofs(settings, endpoint, now.as_second()).await {
        Ok(proofs) => proofs,
        Err(error) => return (refusal::line(Step::Credential, &error), None),
    };
    let scope = format!("{}/.default", base(&settings.cloud.graph));
    let mut first = None;
    for proof in proofs {
        let grant = Grant::Application { scope: &scope };
        match attempt(outbound, settings, endpoint, &grant, &proof).await {
            Ok(tokens) => return (taken(settings, first.as_ref()), Some(tokens.access)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let refused = match first {
        Some(error) => refusal::line(Step::Credential, &error),
        None => Check::new(Step::Credential, CheckState::Bad, "there is no client credential")
            .mend("Set client_secret, client_certificate or federated_token_file."),
    };
    (refused, None)
}

fn taken(settings: &EntraSettings, first_refused: Option<&EntraError>) -> Check {
    if let Some(error) = first_refused {
        let found = format!("client_secret is refused ({error}), next_client_secret is taken");
        return Check::new(Step::Credential, CheckState::Warning, found)
            .mend("Put next_client_secret in the place of client_secret.");
    }
    let what = match &settings.credential {
        ClientCredential::Secret { .. } => "the client secret",
        ClientCredential::Certificate { .. } => "the client certificate",
        ClientCredential::FederatedTokenFile(_) => "the federated token",
    };
    Check::new(
        Step::Credential,
        CheckState::Good,
        format!("Microsoft takes {what}"),
    )
}

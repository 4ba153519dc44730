//! Identity providers: Microsoft Entra ID with the keys of the API type `azureAD`.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::ids::{IdpId, TenantId};
use super::scim::{ScimSettings, SyncSettings};

/// An identity provider. Holds secrets, so it has no `Serialize`; `Debug` hides them.
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// The provider's id.
    pub id: IdpId,
    /// Its name on the chooser page.
    pub name: String,
    /// The Entra settings.
    pub entra: EntraSettings,
    /// How its directory tells of its people by SCIM; `None` where it does not.
    pub scim: Option<ScimSettings>,
    /// How its directory is read by Graph; `None` where it is not. Never beside SCIM.
    pub sync: Option<SyncSettings>,
}

impl IdentityProvider {
    /// What follows from what its directory tells, whichever way it does; `None` where it tells nothing.
    pub fn told(&self) -> Option<&ScimSettings> {
        self.scim.as_ref().or(self.sync.as_ref().map(|sync| &sync.told))
    }
}

/// Settings of a provider of type `azureAD`, as the API has them, and ours besides.
#[derive(Debug, Clone)]
pub struct EntraSettings {
    /// Application (client) id of the app registration.
    pub client_id: String,
    /// Directory (tenant) id.
    pub directory_id: TenantId,
    /// How the client proves itself at the token endpoint.
    pub credential: ClientCredential,
    /// Ours: when the client secret ends, where the operator wrote it down.
    pub secret_expires_at: Option<Timestamp>,
    /// The cloud the directory lives in.
    pub cloud: Cloud,
    /// Whether group membership is read from Graph at login.
    pub support_groups: bool,
    /// Whether Conditional Access' authentication contexts are read from ID tokens and asked for (*Policy Sync* at
    /// Access); rules about them are unknown where it is off.
    pub conditional_access_enabled: bool,
    /// Whether PKCE is used; `true` unless switched off.
    pub pkce_enabled: bool,
    /// The claim that holds the e-mail address, tried before `email` and UPN.
    pub email_claim_name: Option<String>,
    /// Claims copied into the identity.
    pub claims: Vec<String>,
    /// `prompt` of the authorization request.
    pub prompt: Option<Prompt>,
    /// `domain_hint` of the authorization request: skips home-realm discovery.
    pub domain_hint: Option<String>,
    /// Scopes asked for besides the usual ones, such as `Directory.Read.All`.
    pub scopes: Vec<String>,
    /// Ours: whether a guest's unverified address satisfies e-mail rules.
    pub trust_guest_email: bool,
    /// Ours: whether, and how often, refresh tokens are tried in the background.
    pub refresh_check: Option<RefreshCheck>,
    /// Whether the app has a signing key of its own: its keys are then asked for with `?appid=`.
    pub custom_signing_key: bool,
}

/// How refresh tokens are tried in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshCheck {
    /// How often each person's is.
    pub every: Duration,
    /// How long sessions go on while nobody can say whether a person is still there.
    pub grace: Duration,
}

/// How the client authenticates at the token endpoint.
#[derive(Debug, Clone)]
pub enum ClientCredential {
    /// A client secret; the second is tried where the first is refused, so that rotation needs no gap.
    Secret {
        /// The present secret.
        current: SecretString,
        /// The one that will follow.
        next: Option<SecretString>,
    },
    /// A certificate: `private_key_jwt`.
    Certificate {
        /// The certificate, PEM.
        certificate: String,
        /// Its private key (RSA), PEM.
        key: SecretString,
    },
    /// A federated token read anew from this file for every use, as Kubernetes rotates it.
    FederatedTokenFile(std::path::PathBuf),
}

/// Values of `prompt` that the API takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Credentials are asked for each time.
    Login,
    /// The account picker is shown each time.
    SelectAccount,
    /// Nothing is shown; fails where interaction is needed, and then one interactive login follows.
    None,
}

/// A Microsoft cloud: where to sign in and where Graph is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// The key in `azure_cloud`.
    pub key: String,
    /// Base address of the login host, without trailing slash in use.
    pub login: Url,
    /// Base address of Graph.
    pub graph: Url,
    /// `cloud_instance_name` of its keys, where known: a key of another cloud is refused.
    pub instance_name: Option<String>,
    /// Audience that a federated credential must name.
    pub federation_audience: String,
}

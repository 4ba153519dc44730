//! What goes into a login at Microsoft and what comes out of it.

use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use crate::model::identity::{Email, Groups, PersonKey};
use crate::model::idp::Prompt;

/// What one authorization request says besides the provider's settings.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// Where Microsoft sends the browser back to; registered there, compared byte by byte.
    pub redirect_uri: Url,
    /// The sealed login state. Microsoft gives it back; at most 1,500 characters of `[A-Za-z0-9_-]`.
    pub state: String,
    /// Comes back inside the ID token.
    pub nonce: String,
    /// PKCE challenge (S256) from [`super::pkce`]; `None` where the provider has PKCE switched off.
    pub pkce_challenge: Option<String>,
    /// Instead of the provider's own `prompt`.
    pub prompt: Option<Prompt>,
    /// Whether the person may have to do something: then the provider's own `prompt=none` is left out, which would
    /// forbid it.
    pub interactive: bool,
    /// The person who signs in, where known. Left out with `prompt=select_account`, which would contradict it.
    pub login_hint: Option<String>,
    /// JSON of the `claims` parameter, unchanged: a claims challenge of Graph's, or an authentication context.
    pub claims_challenge: Option<String>,
}

/// What is needed to redeem the code of a callback.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// The code.
    pub code: SecretString,
    /// The redirect address of the authorization request, unchanged.
    pub redirect_uri: Url,
    /// The nonce of the authorization request.
    pub nonce: String,
    /// PKCE verifier, where a challenge was sent.
    pub pkce_verifier: Option<SecretString>,
    /// Whether this login already answered a claims challenge: then a second one is not followed, and the groups are
    /// unknown instead of the person being sent round in circles.
    pub challenge_answered: bool,
}

/// What is needed to renew an identity with the refresh token.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The refresh token. A new one comes with the answer; the old one stays valid at Microsoft.
    pub refresh_token: SecretString,
    /// Whose token it is: another person's answer is refused.
    pub person: PersonKey,
}

/// A person who has signed in at Microsoft, all checks passed.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The key of the person: directory and object.
    pub person: PersonKey,
    /// The e-mail address and whether rules may rely on it.
    pub email: Option<Email>,
    /// How the address was found or why there is none, step by step, for the operator's log. Holds no address.
    pub email_steps: Vec<String>,
    /// Display name.
    pub name: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Whether the account is a guest of the directory.
    pub guest: bool,
    /// Group membership, nested groups included.
    pub groups: Groups,
    /// Authentication methods (RFC 8176); version 2 tokens of Microsoft's never tell.
    pub amr: Vec<String>,
    /// Conditional Access authentication contexts satisfied (`acrs`); `None` where the provider does not ask for them.
    pub contexts: Option<Vec<String>>,
    /// The configured claims as they came.
    pub claims: Map<String, Value>,
    /// Microsoft's session (`sid`), by which front-channel logout finds ours.
    pub provider_session: Option<String>,
    /// The opaque `login_hint` claim, for signing out without an account picker.
    pub login_hint: Option<String>,
    /// Scopes that Microsoft granted, those of Graph by their names alone; `None` where it does not say.
    pub granted: Option<Vec<String>>,
    /// The refresh token, to be sealed before it is kept.
    pub refresh_token: Option<SecretString>,
}

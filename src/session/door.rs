//! The door: from what is known of who asks to a verdict.
//!
//! The gate goes this way with every request, the login with every hand-over, and an explanation with its question, so
//! that none of them says anything else than the others.

use crate::model::identity::Identity;
use crate::model::ids::IdpId;
use crate::policy::{CompiledPolicies, Nature, Outcomes, Permit, Refusal, RequestFacts, Verdict};
use crate::snapshot::{ProtectedApplication, Snapshot};

/// What is shown of a service token, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    Nothing,
    /// Those of a token that is good.
    Good,
    /// Those that open nothing.
    Bad {
        /// Whether there have been so many that whoever sends them is told to wait.
        too_many: bool,
    },
}

/// What becomes of a request by the service token it shows, without anybody who signed in.
#[derive(Debug)]
pub enum Alone {
    /// It is let in.
    Enters(Permit),
    /// There were too many bad credentials.
    TooMany,
    /// The credentials are bad, and nobody else is asked: strict mode.
    Bad,
    /// The credentials are good, no policy lets them in, and nobody else is asked: strict mode.
    NotAuthorized(Refusal),
    /// It depends on who signed in. This is decided where nobody has; nothing yet where no service token is shown.
    Asks(Option<Verdict>),
}

/// In strict mode whoever shows a service token is judged by it alone; else a bad one is as none, and so is a good one
/// that no policy lets in.
pub fn alone(
    shown: Credentials,
    snapshot: &Snapshot,
    application: &ProtectedApplication,
    facts: &RequestFacts,
) -> Alone {
    if shown == Credentials::Nothing {
        return Alone::Asks(None);
    }
    let strict = snapshot.organization.service_tokens.strict;
    match (shown, application.policies.decide(None, facts)) {
        // Where everybody may pass it does not matter who asks.
        (_, Verdict::Permit(permit)) if permit.nature() == Nature::Bypass => Alone::Enters(permit),
        (Credentials::Bad { too_many: true }, _) => Alone::TooMany,
        (Credentials::Bad { .. }, _) if strict => Alone::Bad,
        (_, Verdict::Permit(permit)) => Alone::Enters(permit),
        (_, Verdict::Refuse(refusal)) if strict => Alone::NotAuthorized(refusal),
        (_, Verdict::SignIn | Verdict::StepUp(_)) if strict => {
            Alone::NotAuthorized(Refusal::no_policy_matched())
        }
        (_, verdict) => Alone::Asks(Some(verdict)),
    }
}

/// What the application's policies say of somebody who signed in at a provider; `None` where a login of that provider
/// does not count there: it is no longer configured, or not among those that the application takes (`allowed_idps`).
pub fn outcomes(
    snapshot: &Snapshot,
    application: &ProtectedApplication,
    provider: IdpId,
    identity: &Identity,
) -> Option<Outcomes> {
    takes_logins_of(snapshot, application, provider).then(|| application.policies.outcomes(identity))
}

/// Whether the application takes logins of a provider.
pub fn takes_logins_of(snapshot: &Snapshot, application: &ProtectedApplication, provider: IdpId) -> bool {
    let allowed = &application.app.allowed_idps;
    snapshot.providers.contains_key(&provider) && (allowed.is_empty() || allowed.contains(&provider))
}

/// The decision: by what passes whoever asks, where that is what is asked for, else by the policies.
pub fn decide(
    application: &ProtectedApplication,
    opening: Option<&CompiledPolicies>,
    outcomes: Option<&Outcomes>,
    facts: &RequestFacts,
) -> Verdict {
    opening.unwrap_or(&application.policies).decide(outcomes, facts)
}

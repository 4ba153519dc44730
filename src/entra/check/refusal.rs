//! A refusal or a failure as a line of the checklist.

use crate::entra::class::Class;
use crate::entra::errors::{AadstsAnswer, EntraError, TokenRejected};
use crate::model::check::{Check, CheckState, Step};
use crate::model::idp::EntraSettings;

use super::permissions;

/// The person is not assigned to the application.
const NOT_ASSIGNED: u32 = 50_105;

/// What a sign-in tells that Microsoft or a check of ours refused.
pub fn of_refusal(settings: &EntraSettings, error: &EntraError) -> Vec<Check> {
    if let EntraError::IdToken(rejected) = error {
        return vec![
            Check::new(Step::SignIn, CheckState::Good, "somebody signed in at Microsoft"),
            id_token(*rejected),
        ];
    }
    let mut lines = vec![line(Step::SignIn, error)];
    if error.class() == Class::Consent {
        lines.extend(permissions::without_consent(settings));
    }
    lines
}

/// An error as a line about a step.
pub(super) fn line(step: Step, error: &EntraError) -> Check {
    let state = if error.class() == Class::Transient {
        CheckState::Unknown
    } else {
        CheckState::Bad
    };
    let EntraError::Refused(said) = error else {
        return Check::new(step, state, error.to_string()).mend(mend_of_failure(error));
    };
    // Of the settings people are told that they did nothing wrong; who reads this has made them.
    let found = match said.class {
        Class::Config => error.to_string(),
        _ => format!("{error}. {}", said.person_text()),
    };
    let meaning = said
        .operator_text()
        .map(|text| format!("Meaning of the code: {text}"));
    let ids = [
        ("Trace ID", &said.trace_id),
        ("Correlation ID", &said.correlation_id),
    ];
    let ids = ids
        .into_iter()
        .filter_map(|(name, id)| Some(format!("{name} for Microsoft's support: {}", id.as_ref()?)));
    let line = Check::new(step, state, found).mend(mend_of_refusal(said));
    // For faults of the configuration the text is the mend itself.
    let meaning = meaning.filter(|_| said.class != Class::Config);
    line.details(meaning).details(ids)
}

fn mend_of_refusal(said: &AadstsAnswer) -> String {
    if said.cancelled() {
        return "Make a new link and go through with the sign-in.".to_owned();
    }
    let mend = match said.class {
        Class::Config => said
            .operator_text()
            .unwrap_or("Look the code up: the app registration or the provider's settings are wrong."),
        Class::Consent => {
            "Entra, App registrations, API permissions: add what is missing, then Grant admin consent."
        }
        Class::Denied if said.code == Some(NOT_ASSIGNED) => {
            "Entra, Enterprise applications, Users and groups: assign the account or a group of it, or switch \
             Assignment required off."
        }
        Class::Denied => {
            "Test with an account that may sign in, or change what keeps this one out at Microsoft."
        }
        Class::Interactive | Class::Restart => "Make a new link and sign in again.",
        Class::Transient => "Microsoft has a problem that passes: test again in a few minutes.",
        Class::Revoked => {
            "The account is disabled, deleted or signed out at Microsoft: test with another one."
        }
        Class::UserAction => "The account has something to do on Microsoft's own pages first.",
    };
    mend.to_owned()
}

fn mend_of_failure(error: &EntraError) -> &'static str {
    match error {
        EntraError::Unavailable { .. } => {
            "Let the gateway reach the hosts of Microsoft over https (name resolution, route, firewall), and test again."
        }
        EntraError::Misconfigured(_) => "Correct the provider's settings.",
        EntraError::ClaimsChallenge(_) => "Make a new link and sign in again.",
        EntraError::IdToken(_) | EntraError::Refused(_) => "Test again.",
    }
}

fn id_token(rejected: TokenRejected) -> Check {
    let mend = match rejected {
        TokenRejected::Expired | TokenRejected::NotYetValid => "Set the clock of this machine by NTP.",
        TokenRejected::KeyUnknown => {
            "If the app has a claims-mapping policy with a signing key of its own, set custom_signing_key = true."
        }
        TokenRejected::Tenant | TokenRejected::TenantMalformed | TokenRejected::Issuer => {
            "directory_id must be the GUID of the directory people sign in to."
        }
        TokenRejected::KeyIssuer | TokenRejected::KeyCloud => {
            "azure_cloud must be the cloud of the directory."
        }
        TokenRejected::Audience => "client_id must be the Application (client) ID of the app registration.",
        TokenRejected::ObjectMissing => "Add the delegated permission profile and grant admin consent.",
        TokenRejected::Missing => "Add the delegated permission openid and grant admin consent.",
        TokenRejected::Malformed
        | TokenRejected::MemberRepeated
        | TokenRejected::Algorithm
        | TokenRejected::Signature
        | TokenRejected::Version
        | TokenRejected::Nonce
        | TokenRejected::OtherPerson => {
            "Nobody can be let in by such a token. Test again; if it stays, something between the gateway and \
             Microsoft changes answers."
        }
    };
    let found = format!("the ID token was not accepted: {rejected}");
    Check::new(Step::IdToken, CheckState::Bad, found).mend(mend)
}

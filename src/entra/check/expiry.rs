//! When the application's credential ends: as Graph says, as the certificate says, or as the operator wrote it down.

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::entra::graph::ListedSecret;
use crate::entra::relying_party::RelyingParty;
use crate::model::check::{Check, CheckState, Step};
use crate::model::idp::{ClientCredential, EntraSettings};
use crate::model::time::to_the_minute;

/// An end this near is to be seen to.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

const ANOTHER_SECRET: &str = "Entra, App registrations, Certificates & secrets: make another client secret, and put its VALUE into \
     next_client_secret of the provider; both are taken until client_secret is replaced.";
const ANOTHER_CERTIFICATE: &str = "Make another certificate, upload it in Entra (App registrations, Certificates & secrets), and put it with \
     its key into client_certificate of the provider.";

pub(super) async fn check(
    relying_party: &RelyingParty,
    settings: &EntraSettings,
    token: Option<&SecretString>,
    now: Timestamp,
) -> Check {
    match &settings.credential {
        ClientCredential::FederatedTokenFile(_) => Check::new(
            Step::CredentialExpiry,
            CheckState::Off,
            "a federated token is renewed by who issues it",
        ),
        ClientCredential::Certificate { certificate, .. } => match certificate_ends(certificate) {
            Some(end) => ends(end, now, "the certificate says so", ANOTHER_CERTIFICATE),
            None => Check::new(
                Step::CredentialExpiry,
                CheckState::Unknown,
                "the certificate cannot be read",
            )
            .mend("Put a certificate in PEM into client_certificate of the provider."),
        },
        ClientCredential::Secret { current, .. } => {
            let listed = match token {
                Some(token) => {
                    let ask = relying_party.graph(settings, token, async |graph| {
                        graph.secrets(&settings.client_id).await
                    });
                    ask.await.map_err(|failed| failed.to_string())
                }
                None => Err("the credential is not taken".to_owned()),
            };
            let of_graph = listed.as_deref().ok().and_then(|listed| end_of(listed, current));
            match (of_graph, settings.secret_expires_at) {
                (Some(end), _) => ends(end, now, "Graph says so", ANOTHER_SECRET),
                (None, Some(end)) => ends(end, now, "client_secret_expires_at says so", ANOTHER_SECRET),
                // Graph was asked: a permission would change nothing.
                (None, None) if listed.is_ok() => unknown(
                    "Graph names no end of this secret",
                    "Write the end into client_secret_expires_at.",
                ),
                (None, None) => unknown(
                    "Graph does not tell, and client_secret_expires_at is not set",
                    "Write the end into client_secret_expires_at, or give the application the permission \
                     Application.Read.All.",
                ),
            }
        }
    }
}

/// The end of the secret that is in use. Graph shows how each begins; of several that fit, the first to end counts. One
/// that stands alone and shows nothing is taken for ours; one that begins otherwise never is.
fn end_of(listed: &[ListedSecret], secret: &SecretString) -> Option<Timestamp> {
    fn hint(listed: &ListedSecret) -> Option<&str> {
        listed.hint.as_deref().filter(|hint| !hint.is_empty())
    }
    if let [only] = listed
        && hint(only).is_none()
    {
        return only.ends;
    }
    let begins_so = |hint: &str| secret.expose_secret().starts_with(hint);
    let of_this = listed.iter().filter(|listed| hint(listed).is_some_and(begins_so));
    of_this.filter_map(|listed| listed.ends).min()
}

fn certificate_ends(pem: &str) -> Option<Timestamp> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

fn ends(end: Timestamp, now: Timestamp, source: &str, mend: &str) -> Check {
    let left = end.duration_since(now);
    let days = left.as_hours() / 24;
    let (state, found) = if left <= SignedDuration::ZERO {
        (
            CheckState::Bad,
            format!("ended at {} ({source})", to_the_minute(end)),
        )
    } else {
        let state = if left <= SOON {
            CheckState::Warning
        } else {
            CheckState::Good
        };
        (
            state,
            format!("ends at {}, days left: {days} ({source})", to_the_minute(end)),
        )
    };
    let check = Check::new(Step::CredentialExpiry, state, found);
    if state == CheckState::Good {
        check
    } else {
        check.mend(mend)
    }
}

fn unknown(found: &str, mend: &str) -> Check {
    Check::new(Step::CredentialExpiry, CheckState::Unknown, found).mend(mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_in_use_is_found_by_how_it_begins() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).ok();
        let listed = |hint: Option<&str>, ends| ListedSecret {
            hint: hint.map(str::to_owned),
            ends,
        };
        let secret = SecretString::from("abcdef");
        let of = |all: &[ListedSecret]| end_of(all, &secret);
        let (own, same, other) = (
            listed(Some("abc"), day(9)),
            listed(Some("abc"), day(8)),
            listed(Some("xyz"), day(1)),
        );
        assert_eq!(of(&[other.clone(), own.clone()]), day(9));
        assert_eq!(of(&[own, same, other.clone()]), day(8));
        assert_eq!(of(std::slice::from_ref(&other)), None, "it is another one");
        assert_eq!(of(&[listed(None, day(4))]), day(4));
        assert_eq!(of(&[other.clone(), other]), None);
        assert_eq!(of(&[listed(Some(""), day(2)), listed(None, day(3))]), None);
    }

    #[test]
    fn an_end_is_told_before_it_comes() {
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let in_days = |days: i64| ends(now + SignedDuration::from_hours(days * 24), now, "x", "y");
        assert_eq!(in_days(31).state, CheckState::Good);
        assert_eq!(in_days(30).state, CheckState::Warning);
        assert_eq!(in_days(0).state, CheckState::Bad);
        assert_eq!(in_days(-1).state, CheckState::Bad);
        assert!(in_days(31).mend.is_none() && in_days(1).mend.is_some());
    }
}

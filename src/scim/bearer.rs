//! Who asks: the secret of the provider whose directory it is.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::ScimError;
use crate::crypto::digest::sha256_hex;
use crate::crypto::equal;
use crate::model::idp::IdentityProvider;
use crate::snapshot::Snapshot;
use crate::store::{Store, StoreError};

/// The longest secret that is looked at, in bytes.
const LONGEST: usize = 512;

/// What is wrong with the secret that came.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is missing or wrong.
    Secret(ScimError),
    /// Whether it is right cannot be said now.
    Store(StoreError),
}

/// Whether the request shows the provider's secret. The answer does not tell whether there is such a provider.
///
/// # Errors
/// [`Refused`]
pub(super) async fn check(
    headers: &HeaderMap,
    provider: Option<&IdentityProvider>,
    store: &Store,
) -> Result<(), Refused> {
    let missing = Refused::Secret(ScimError::Unauthorized("a bearer secret is needed"));
    let Some(secret) = bearer(headers) else {
        return Err(missing);
    };
    let wrong = Refused::Secret(ScimError::Unauthorized(
        "the bearer secret is not this provider's",
    ));
    let Some((provider, scim)) = provider.and_then(|provider| Some((provider, provider.scim.as_ref()?)))
    else {
        return Err(wrong);
    };
    let hash = match &scim.declared_secret_hash {
        Some(declared) => Some(declared.clone()),
        None => store
            .scim_secret_hash(provider.id)
            .await
            .map_err(Refused::Store)?,
    };
    let shown = sha256_hex(secret.as_bytes());
    match hash {
        Some(hash) if equal::constant_time(shown.as_bytes(), hash.as_bytes()) => Ok(()),
        _ => Err(wrong),
    }
}

/// Whether the request shows a secret that there is, of whatever provider. It decides nothing but how much of the body is
/// worth waiting for, and whether somebody who has to wait is worth a look into the store. A secret that is new is known
/// once the change has been followed, some milliseconds later.
pub fn shows_a_secret(headers: &HeaderMap, snapshot: &Snapshot) -> bool {
    bearer(headers).is_some_and(|secret| snapshot.scim_secrets.contains(&sha256_hex(secret.as_bytes())))
}

/// The secret of `Authorization: Bearer …`. Several such lines are none (RFC 6750 §2).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (line, None) = (lines.next()?.to_str().ok()?, lines.next()) else {
        return None;
    };
    let (scheme, secret) = line.split_once(' ')?;
    let secret = secret.trim();
    let fine = scheme.eq_ignore_ascii_case("bearer") && (1..=LONGEST).contains(&secret.len());
    fine.then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_in_one_line_and_no_other_way() {
        let headers = |lines: &[&'static str]| {
            let lines = lines.iter().map(|line| (AUTHORIZATION, line.parse().unwrap()));
            lines.collect::<HeaderMap>()
        };
        assert_eq!(bearer(&headers(&["Bearer x"])), Some("x"));
        assert_eq!(bearer(&headers(&["bearer  x "])), Some("x"));
        for lines in [
            &["Basic x"] as &[_],
            &["Bearer"],
            &["Bearer "],
            &["Bearer x", "Bearer x"],
            &[],
        ] {
            assert_eq!(bearer(&headers(lines)), None, "{lines:?}");
        }
    }
}

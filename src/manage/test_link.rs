//! The link that opens the test of an identity provider: made by the API and by `vestibule idp test`, taken by the auth
//! host (`login::test_idp`).
//!
//! The link is its own leave: whoever has it may go through one sign-in at that provider and see what comes of it. So it
//! is sealed, good for ten minutes and for one test. Nothing of it is kept before it is used, but that it was made.

use jiff::Timestamp;

use super::{Manage, ManageError};
use crate::clock::Clock;
use crate::crypto::digest::{Sha256, sha256};
use crate::crypto::random;
use crate::crypto::seal::{Purpose, Sealer};
use crate::model::ids::IdpId;
use crate::store::{Actor, AuditEntry, Kind};

/// How long a link opens a test, in seconds.
const LIFE_SECONDS: i64 = 600;
/// Bytes by which links of one second differ.
const SALT: usize = 16;
/// The longest text of a link. Ours have about 80 characters.
const MAX_LENGTH: usize = 256;

/// Where a test is opened, on the auth host; the provider's id follows.
pub const TEST_PAGE: &str = "/cdn-cgi/access/test-idp/";

/// A link that was made.
#[derive(Clone)]
pub struct TestLink {
    /// The address to open in a browser. It opens the test: as good as a password while it lives.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A link that was opened within its time. Whether it was used before is for the store to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedTestLink {
    /// What is spent when the test begins.
    pub spent_key: Sha256,
    /// When the link ends by itself, in milliseconds since 1970.
    pub until_ms: i64,
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TestLinkRefused {
    /// Missing, forged, cut, of another gateway or for another provider.
    #[error("the link of a provider's test is missing, or was not made here for this provider")]
    Foreign,
    /// Ours, but older than ten minutes.
    #[error("the link of a provider's test is older than ten minutes")]
    Expired,
    /// Its test has begun already.
    #[error("the link of a provider's test was used before")]
    Used,
}

impl Manage {
    /// A link that opens one test of this provider, for ten minutes. Whoever makes it stands in the audit log.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Store`].
    pub async fn test_link(&self, provider: IdpId, actor: Actor) -> Result<TestLink, ManageError> {
        let kind = Kind::IdentityProvider;
        let mut write = self.store.write(actor).await?;
        if write.document(kind, provider.0).await?.is_none() {
            return Err(ManageError::NotFound { kind, id: provider.0 });
        }
        let entry = AuditEntry {
            action: "make_test_link",
            kind,
            id: provider.0,
            before: None,
            after: None,
        };
        write.audit(&entry).await?;
        write.commit().await?;
        let now = self.clock.now_seconds();
        let mut plain = now.to_be_bytes().to_vec();
        plain.extend(random::bytes::<SALT>());
        let of = provider.0.as_bytes();
        let token = self
            .sealer
            .seal_text(Purpose::TestLink, of, &plain, self.clock.now_ms());
        let page = self.organization.auth.address(&format!("{TEST_PAGE}{provider}"));
        let expires = now.saturating_add(LIFE_SECONDS);
        Ok(TestLink {
            url: format!("{page}?token={token}"),
            expires_at: Timestamp::from_second(expires).unwrap_or(Timestamp::MAX),
        })
    }
}

/// Opens the token of a link.
///
/// # Errors
/// [`TestLinkRefused::Foreign`], [`TestLinkRefused::Expired`].
pub fn open_test_link(
    token: &str,
    provider: IdpId,
    sealer: &Sealer,
    clock: &Clock,
) -> Result<OpenedTestLink, TestLinkRefused> {
    if token.len() > MAX_LENGTH {
        return Err(TestLinkRefused::Foreign);
    }
    let of = provider.0.as_bytes();
    let plain = sealer
        .open_text(Purpose::TestLink, of, token, clock.now_ms())
        .map_err(|_| TestLinkRefused::Foreign)?;
    let made = plain.first_chunk().ok_or(TestLinkRefused::Foreign)?;
    let until = i64::from_be_bytes(*made).saturating_add(LIFE_SECONDS);
    if clock.now_seconds() >= until {
        return Err(TestLinkRefused::Expired);
    }
    Ok(OpenedTestLink {
        // Of what was sealed, not of the text: no spelling of it makes a second link.
        spent_key: sha256(&[b"test-link\n".as_slice(), &plain].concat()),
        until_ms: until.saturating_mul(1000),
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn sealed(sealer: &Sealer, provider: IdpId, clock: &Clock) -> String {
        let mut plain = clock.now_seconds().to_be_bytes().to_vec();
        plain.extend([7; SALT]);
        sealer.seal_text(Purpose::TestLink, provider.0.as_bytes(), &plain, clock.now_ms())
    }

    #[test]
    fn a_link_is_good_for_ten_minutes_at_one_provider_of_one_gateway() {
        let (sealer, clock) = (Sealer::new(vec![7; 32].into(), "o"), Clock::system());
        let other = Sealer::new(vec![8; 32].into(), "o");
        let [one, two] = [1, 2].map(|id| IdpId(uuid::Uuid::from_u128(id)));
        let token = sealed(&sealer, one, &clock);
        let open = |provider, sealer| open_test_link(&token, provider, sealer, &clock);
        let first = open(one, &sealer).unwrap();
        assert_eq!(open(one, &sealer), Ok(first));
        assert_eq!(open(two, &sealer), Err(TestLinkRefused::Foreign));
        assert_eq!(open(one, &other), Err(TestLinkRefused::Foreign));
        clock.advance(SignedDuration::from_secs(LIFE_SECONDS - 2));
        assert!(open(one, &sealer).is_ok());
        clock.advance(SignedDuration::from_secs(2));
        assert_eq!(open(one, &sealer), Err(TestLinkRefused::Expired));
    }

    #[test]
    fn what_is_no_link_opens_nothing() {
        let (sealer, clock) = (Sealer::new(vec![7; 32].into(), "o"), Clock::system());
        let one = IdpId(uuid::Uuid::from_u128(1));
        let short = sealer.seal_text(Purpose::TestLink, one.0.as_bytes(), b"short", clock.now_ms());
        let form = sealer.seal_text(Purpose::Form, one.0.as_bytes(), &[0; 24], clock.now_ms());
        for text in ["", "x", &short, &form, &"A".repeat(MAX_LENGTH + 1)] {
            assert_eq!(
                open_test_link(text, one, &sealer, &clock),
                Err(TestLinkRefused::Foreign),
                "{text}"
            );
        }
    }
}

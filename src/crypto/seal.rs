//! Sealing: AES-256-GCM under keys derived from the master key, one per purpose.
//!
//! A sealed text can be opened only with the same purpose and the same associated data, so that what was sealed as
//! login state can never be read as a hand-over ticket, nor one row's secret as another's.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::digest::Sha256;

/// What something is sealed for. Each purpose has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `state` of an authorization request.
    LoginState,
    /// `meta` of the redirect to the login page.
    Meta,
    /// The ticket that hands a session over to an application's host.
    HandOver,
    /// The way round the hosts of an application.
    Eager,
    /// A program's wish for tokens, on its way to the person who approves it.
    Transfer,
    /// What the page of an approval sends back.
    Consent,
    /// What a form of ours is about.
    Form,
    /// The link that opens the test of an identity provider.
    TestLink,
    /// Secrets of identity providers in the store.
    ProviderSecret,
    /// Private signing keys in the store.
    SigningKey,
    /// Refresh tokens in the store.
    RefreshToken,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::LoginState => "login-state",
            Self::Meta => "meta",
            Self::HandOver => "hand-over",
            Self::Eager => "eager",
            Self::Transfer => "transfer",
            Self::Consent => "consent",
            Self::Form => "form",
            Self::TestLink => "test-link",
            Self::ProviderSecret => "provider-secret",
            Self::SigningKey => "signing-key",
            Self::RefreshToken => "refresh-token",
        }
    }

    /// Short-lived texts are sealed under a key of the day, so that no key seals more than a day's worth.
    fn transient(self) -> bool {
        matches!(
            self,
            Self::LoginState
                | Self::Meta
                | Self::HandOver
                | Self::Eager
                | Self::Transfer
                | Self::Consent
                | Self::Form
                | Self::TestLink
        )
    }
}

/// Seals and opens. Holds the master key; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Sealer {
    master: std::sync::Arc<SecretSlice<u8>>,
    organization: Box<str>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// What was given is not something sealed here for this purpose: forged, cut, of another purpose or too old a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed text cannot be opened")]
pub struct NotSealedHere;

/// Version of the sealed form, its first byte.
const VERSION: u8 = 1;
const DAY_MS: i64 = 86_400_000;

impl Sealer {
    /// A sealer under the master key. `organization` (the account id) separates organizations that share a key.
    ///
    /// The key must have at least 32 bytes of entropy; `config` refuses shorter ones.
    pub fn new(master: SecretSlice<u8>, organization: &str) -> Self {
        Self {
            master: std::sync::Arc::new(master),
            organization: organization.into(),
        }
    }

    /// Seals for storage or transport as bytes. `now_ms` chooses the day's key of transient purposes.
    pub fn seal(&self, purpose: Purpose, associated: &[u8], plain: &[u8], now_ms: i64) -> Vec<u8> {
        let day = day_of(purpose, now_ms);
        let mut sealed = Vec::with_capacity(1 + 4 + NONCE_LEN + plain.len() + 16);
        let mut body = plain.to_vec();
        let aad = self.associated(purpose, day, associated);
        // Sealing fails only for texts beyond AES-GCM's 64 GiB; nothing here comes near.
        let Ok(nonce) = self.key(purpose, day).and_then(|key| {
            key.seal_in_place_append_tag(Aad::from(&aad), &mut body)
                .map_err(|_| NotSealedHere)
        }) else {
            return Vec::new();
        };
        sealed.push(VERSION);
        sealed.extend_from_slice(&day.to_be_bytes());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut body);
        sealed
    }

    /// Opens what [`Sealer::seal`] made with the same purpose and associated data.
    ///
    /// # Errors
    /// [`NotSealedHere`] for everything else. Transient texts open on their day and the next.
    pub fn open(
        &self,
        purpose: Purpose,
        associated: &[u8],
        sealed: &[u8],
        now_ms: i64,
    ) -> Result<Vec<u8>, NotSealedHere> {
        let (&version, rest) = sealed.split_first().ok_or(NotSealedHere)?;
        let (day, rest) = rest.split_first_chunk::<4>().ok_or(NotSealedHere)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(NotSealedHere)?;
        let day = u32::from_be_bytes(*day);
        let today = day_of(purpose, now_ms);
        if version != VERSION || day > today.saturating_add(1) || day.saturating_add(1) < today {
            return Err(NotSealedHere);
        }
        let aad = self.associated(purpose, day, associated);
        let mut body = body.to_vec();
        let length = self
            .key(purpose, day)?
            .open_in_place(Nonce::from(nonce), Aad::from(&aad), &mut body)
            .map_err(|_| NotSealedHere)?
            .len();
        body.truncate(length);
        Ok(body)
    }

    /// [`Sealer::seal`] as text of `[A-Za-z0-9_-]`, for addresses and cookies.
    pub fn seal_text(&self, purpose: Purpose, associated: &[u8], plain: &[u8], now_ms: i64) -> String {
        URL_SAFE_NO_PAD.encode(self.seal(purpose, associated, plain, now_ms))
    }

    /// Opens what [`Sealer::seal_text`] made.
    ///
    /// # Errors
    /// As [`Sealer::open`]; other spellings of the same bytes are refused too.
    pub fn open_text(
        &self,
        purpose: Purpose,
        associated: &[u8],
        sealed: &str,
        now_ms: i64,
    ) -> Result<Vec<u8>, NotSealedHere> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| NotSealedHere)?;
        self.open(purpose, associated, &bytes, now_ms)
    }

    /// A digest that only who has the master key can make: equal for equal texts, and telling nothing about them, so
    /// that it may lie beside what is sealed. `label` separates uses.
    pub fn fingerprint(&self, label: &str, text: &[u8]) -> Sha256 {
        // HMAC hashes longer keys itself; the label and the organization stand before the text, lengths first.
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.master.expose_secret());
        let mut context = hmac::Context::with_key(&key);
        for part in [
            b"vestibule fingerprint v1".as_slice(),
            label.as_bytes(),
            self.organization.as_bytes(),
            text,
        ] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    fn key(&self, purpose: Purpose, day: u32) -> Result<RandomizedNonceKey, NotSealedHere> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"vestibule sealing v1");
        let info = [purpose.label().as_bytes(), &day.to_be_bytes()];
        let mut key = [0; 32];
        salt.extract(self.master.expose_secret())
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(|_| NotSealedHere)?;
        RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| NotSealedHere)
    }

    fn associated(&self, purpose: Purpose, day: u32, associated: &[u8]) -> Vec<u8> {
        // Lengths stand before the parts, so that no two sets of parts make the same bytes.
        let mut aad = vec![VERSION];
        aad.extend_from_slice(&day.to_be_bytes());
        for part in [
            purpose.label().as_bytes(),
            self.organization.as_bytes(),
            associated,
        ] {
            aad.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            aad.extend_from_slice(part);
        }
        aad
    }
}

/// The day whose key seals; 0 for what is kept.
fn day_of(purpose: Purpose, now_ms: i64) -> u32 {
    if purpose.transient() {
        u32::try_from(now_ms.div_euclid(DAY_MS)).unwrap_or(0)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_226_200_000;

    fn sealer() -> Sealer {
        Sealer::new(vec![7; 32].into(), "0123456789abcdef0123456789abcdef")
    }

    #[test]
    fn what_is_sealed_opens_again_and_nothing_of_it_shows() {
        let sealed = sealer().seal_text(Purpose::LoginState, b"row", b"secret", NOW);
        assert!(!sealed.contains("secret"));
        assert_eq!(
            sealer()
                .open_text(Purpose::LoginState, b"row", &sealed, NOW)
                .unwrap(),
            b"secret"
        );
    }

    #[test]
    fn purpose_row_key_organization_and_every_byte_are_bound() {
        let sealed = sealer().seal(Purpose::LoginState, b"row", b"secret", NOW);
        assert!(sealer().open(Purpose::HandOver, b"row", &sealed, NOW).is_err());
        assert!(
            sealer()
                .open(Purpose::LoginState, b"other", &sealed, NOW)
                .is_err()
        );
        let other_key = Sealer::new(vec![8; 32].into(), "0123456789abcdef0123456789abcdef");
        assert!(other_key.open(Purpose::LoginState, b"row", &sealed, NOW).is_err());
        let other_organization = Sealer::new(vec![7; 32].into(), "ffffffffffffffffffffffffffffffff");
        assert!(
            other_organization
                .open(Purpose::LoginState, b"row", &sealed, NOW)
                .is_err()
        );
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(
                sealer().open(Purpose::LoginState, b"row", &changed, NOW).is_err(),
                "byte {index}"
            );
        }
        assert!(
            sealer()
                .open(Purpose::LoginState, b"row", &sealed[..4], NOW)
                .is_err()
        );
    }

    #[test]
    fn transient_texts_outlive_midnight_but_not_two() {
        let sealed = sealer().seal(Purpose::Meta, b"", b"x", NOW);
        assert!(sealer().open(Purpose::Meta, b"", &sealed, NOW + DAY_MS).is_ok());
        assert!(
            sealer()
                .open(Purpose::Meta, b"", &sealed, NOW + 2 * DAY_MS)
                .is_err()
        );
    }

    #[test]
    fn fingerprints_hang_on_key_label_organization_and_text() {
        let own = sealer().fingerprint("a", b"text");
        assert_eq!(own, sealer().fingerprint("a", b"text"));
        let other_key = Sealer::new(vec![8; 32].into(), "0123456789abcdef0123456789abcdef");
        let other_organization = Sealer::new(vec![7; 32].into(), "ffffffffffffffffffffffffffffffff");
        for other in [
            sealer().fingerprint("b", b"text"),
            sealer().fingerprint("a", b"texts"),
            other_key.fingerprint("a", b"text"),
            other_organization.fingerprint("a", b"text"),
        ] {
            assert_ne!(own, other);
        }
    }

    #[test]
    fn kept_texts_do_not_age() {
        let sealed = sealer().seal(Purpose::SigningKey, b"", b"x", NOW);
        assert!(
            sealer()
                .open(Purpose::SigningKey, b"", &sealed, NOW + 4000 * DAY_MS)
                .is_ok()
        );
    }
}

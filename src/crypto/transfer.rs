//! The box in which tokens travel to a program at a command line: NaCl's `crypto_box` (Curve25519, XSalsa20, Poly1305),
//! as cloudflared opens it.
//!
//! The program makes a pair of keys for each transfer and tells the public one in an address. Nobody else can open what
//! is sealed for it, not even whoever reads the store.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use crypto_box::aead::Aead as _;
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use serde::{Deserialize, Serialize};

use super::digest::{Sha256, hex, sha256};
use super::random;

/// Bytes of the nonce, which stands before the box.
const NONCE: usize = 24;

/// Digits of [`TransferKey::code`] (Crockford's base 32: none is taken for another).
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The public key of one side of a transfer. In text it is base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransferKey([u8; 32]);

/// A text that is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a public key")]
pub struct NotAKey;

/// What was sealed for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boxed {
    /// The nonce, followed by the box.
    pub body: Vec<u8>,
    /// The key that the other side opens it with, besides its own.
    pub service_key: TransferKey,
}

impl TransferKey {
    /// Seals something for the owner of the key; `None` where the cipher refuses, which it does for no text that fits
    /// into memory. The other key is made for this one box.
    pub fn seal(&self, plain: &[u8]) -> Option<Boxed> {
        let own = SecretKey::from(random::bytes::<32>());
        let nonce = random::bytes::<NONCE>();
        let sealed = SalsaBox::new(&PublicKey::from(self.0), &own).encrypt(&nonce.into(), plain);
        Some(Boxed {
            body: [&nonce, sealed.ok()?.as_slice()].concat(),
            service_key: Self(*own.public_key().as_bytes()),
        })
    }

    /// What the transfer is kept under.
    pub fn digest(&self) -> Sha256 {
        sha256(&self.0)
    }

    /// Eight digits by which a person sees that the page and the program speak of the same transfer. Forty bits: to
    /// find another key with the same code takes far longer than a transfer lives.
    pub fn code(&self) -> String {
        let digest = sha256(&[b"vestibule transfer code v1\n".as_slice(), &self.0].concat());
        let bits = digest
            .iter()
            .take(5)
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digit = |place: u32| {
            let value = usize::try_from(bits >> (35 - 5 * place) & 31).unwrap_or(0);
            DIGITS.get(value).map_or('0', |digit| char::from(*digit))
        };
        let digits: String = (0..8).map(digit).collect();
        let (left, right) = digits.split_at(4);
        format!("{left}-{right}")
    }
}

/// As cloudflared writes it: with padding.
impl fmt::Display for TransferKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE.encode(self.0))
    }
}

/// With or without padding; other spellings of the same bytes are refused.
impl FromStr for TransferKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bare = match text.len() {
            44 => text.strip_suffix('=').ok_or(NotAKey)?,
            43 => text,
            _ => return Err(NotAKey),
        };
        let bytes = URL_SAFE_NO_PAD.decode(bare).map_err(|_| NotAKey)?;
        bytes.try_into().map(Self).map_err(|_| NotAKey)
    }
}

impl TryFrom<String> for TransferKey {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        text.parse()
    }
}

impl From<TransferKey> for String {
    fn from(key: TransferKey) -> String {
        key.to_string()
    }
}

/// The program's side: a pair of keys for one transfer. `Debug` shows the public one.
pub struct TransferPair {
    secret: SecretKey,
    public: TransferKey,
}

impl fmt::Debug for TransferPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransferPair").field(&hex(&self.public.0)).finish()
    }
}

impl TransferPair {
    /// A new pair.
    pub fn generate() -> Self {
        let secret = SecretKey::from(random::bytes::<32>());
        let public = TransferKey(*secret.public_key().as_bytes());
        Self { secret, public }
    }

    /// The public key.
    pub fn public(&self) -> &TransferKey {
        &self.public
    }

    /// Opens what was sealed for it; `None` where it was not.
    pub fn open(&self, boxed: &Boxed) -> Option<Vec<u8>> {
        let (nonce, sealed) = boxed.body.split_first_chunk::<NONCE>()?;
        let other = PublicKey::from(boxed.service_key.0);
        SalsaBox::new(&other, &self.secret)
            .decrypt(&(*nonce).into(), sealed)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(pair).collect()
    }

    #[test]
    fn what_is_sealed_for_a_key_opens_with_its_pair_alone() {
        let pair = TransferPair::generate();
        let boxed = pair.public().seal(b"tokens").unwrap();
        assert_eq!(pair.open(&boxed).unwrap(), b"tokens");
        assert_eq!(TransferPair::generate().open(&boxed), None);
        for index in 0..boxed.body.len() {
            let mut changed = boxed.clone();
            changed.body[index] ^= 1;
            assert_eq!(pair.open(&changed), None, "byte {index}");
        }
        let cut = Boxed {
            body: boxed.body[..20].to_vec(),
            ..boxed
        };
        assert_eq!(pair.open(&cut), None);
    }

    /// The example of NaCl's own documentation (`crypto_box`, Cryptography in NaCl §10).
    #[test]
    fn the_box_is_that_of_nacl() {
        let secret: [u8; 32] = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
            .try_into()
            .unwrap();
        let secret = SecretKey::from(secret);
        let other: [u8; 32] = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
            .try_into()
            .unwrap();
        let pair = TransferPair {
            public: TransferKey(*secret.public_key().as_bytes()),
            secret,
        };
        let nonce = bytes("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let sealed = bytes(concat!(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a",
            "c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae",
            "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74",
            "e355a5"
        ));
        let boxed = Boxed {
            body: [nonce, sealed].concat(),
            service_key: TransferKey(other),
        };
        let plain = pair.open(&boxed).unwrap();
        assert_eq!(plain.len(), 131);
        assert_eq!(plain[..8], bytes("be075fc53c81f2d5")[..]);
    }

    #[test]
    fn keys_are_read_with_and_without_padding_and_in_no_other_spelling() {
        let key = TransferPair::generate().public().clone();
        let text = key.to_string();
        assert_eq!(text.len(), 44);
        assert_eq!(text.parse(), Ok(key.clone()));
        assert_eq!(text[..43].parse(), Ok(key));
        for wrong in [
            "",
            "AAAA",
            &"A".repeat(44),
            &format!("{}B=", "A".repeat(42)),
            &text[1..],
        ] {
            assert_eq!(wrong.parse::<TransferKey>(), Err(NotAKey), "{wrong}");
        }
    }

    #[test]
    fn a_code_is_short_and_hangs_on_the_key() {
        let key: TransferKey = "A".repeat(43).parse().unwrap();
        assert_eq!(key.code(), key.code());
        assert_eq!(key.code().len(), 9);
        assert_ne!(key.code(), TransferPair::generate().public().code());
    }

    proptest! {
        #[test]
        fn whatever_is_read_as_a_key_is_written_so_again(text in "[A-Za-z0-9_=+/-]{40,46}") {
            if let Ok(key) = text.parse::<TransferKey>() {
                let written = key.to_string();
                prop_assert_eq!(written.trim_end_matches('='), text.trim_end_matches('='));
            }
        }
    }
}

//! `[secrets] master_key`: the key that seals everything else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::SecretSlice;

use super::secret;
use super::tree::{Keys, Node};

const KEYS: Keys = Keys {
    known: &["master_key"],
    refused: &[],
};

/// The sealing keys derived from it are AES-256: less would be the weakest part.
const MIN_BYTES: usize = 32;
/// Random bytes have more; a key below is a word repeated, not a key.
const MIN_DIFFERENT_BYTES: usize = 8;

pub(super) fn read(node: &Node<'_>) -> Option<SecretSlice<u8>> {
    let table = node.table(&KEYS)?;
    let node = table.need(
        "master_key",
        "write master_key = { file = \"/run/secrets/vestibule-master-key\" }",
    )?;
    let key = secret::bytes(&node).map(key_of)?;
    let mut different = key.clone();
    different.sort_unstable();
    different.dedup();
    if key.len() < MIN_BYTES || different.len() < MIN_DIFFERENT_BYTES {
        node.fault(
            format!("the master key is too weak: {MIN_BYTES} random bytes are needed"),
            "make one with: openssl rand -hex 32",
        );
        return None;
    }
    Some(key.into())
}

/// The key behind its spelling: hexadecimal, Base64, or the bytes themselves.
fn key_of(written: Vec<u8>) -> Vec<u8> {
    if written.len().is_multiple_of(2) && written.iter().all(u8::is_ascii_hexdigit) {
        let digit = |byte: &u8| {
            char::from(*byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let digits: Vec<u8> = written.iter().filter_map(digit).collect();
        return digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .filter_map(|engine| engine.decode(&written).ok())
        .find(|key| key.len() >= MIN_BYTES)
        .unwrap_or(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_each_of_its_spellings() {
        let key: Vec<u8> = (0..32).collect();
        assert_eq!(key_of(crate::crypto::digest::hex(&key).into_bytes()), key);
        assert_eq!(key_of(STANDARD.encode(&key).into_bytes()), key);
        assert_eq!(key_of(URL_SAFE_NO_PAD.encode(&key).into_bytes()), key);
        let text = b"correct horse battery staple, and then some".to_vec();
        assert_eq!(key_of(text.clone()), text);
        let raw: Vec<u8> = (200..=231).collect();
        assert_eq!(key_of(raw.clone()), raw);
    }

    #[test]
    fn hexadecimal_digits_count_half() {
        assert_eq!(key_of(b"0123456789abcdef0123456789abcdef".to_vec()).len(), 16);
    }
}

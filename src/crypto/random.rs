//! Random numbers, from the operating system's generator and nowhere else.

use rand::TryRng as _;
use rand::rngs::SysRng;

use super::digest::hex;

/// Random bytes.
///
/// # Panics
/// Where the operating system has no random numbers: nothing secret could be made then.
#[expect(
    clippy::expect_used,
    reason = "without random numbers no request may be answered"
)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    SysRng
        .try_fill_bytes(&mut out)
        .expect("the operating system gives random numbers");
    out
}

/// `2 × N` lower-case hexadecimal digits.
pub fn hex_digits<const N: usize>() -> String {
    hex(&bytes::<N>())
}

/// `length` letters and digits, each of the 62 equally likely.
pub fn alphanumeric(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // 248 is the largest multiple of 62 below 256: bytes above it would favour the first letters.
        let fair = bytes::<32>().into_iter().filter(|&byte| byte < 248);
        let letters = fair.filter_map(|byte| LETTERS.get(usize::from(byte % 62)));
        text.extend(
            letters
                .map(|&letter| char::from(letter))
                .take(length - text.len()),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_have_their_length_and_differ() {
        assert_eq!(alphanumeric(16).len(), 16);
        assert_eq!(hex_digits::<32>().len(), 64);
        assert_ne!(alphanumeric(16), alphanumeric(16));
    }
}

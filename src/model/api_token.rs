//! The shape of tokens of the API.

use std::ops::RangeInclusive;

/// The shortest and the longest token: what Terraform's provider for Cloudflare takes as `api_token`.
const LENGTHS: RangeInclusive<usize> = 40..=80;

/// How many characters a new token has: it fits `api_key` of the same provider too, which takes 37 to 60.
pub const NEW_LENGTH: usize = 48;

/// Whether a text has the shape of a token.
pub fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    LENGTHS.contains(&text.len()) && text.bytes().all(fits)
}

//! Tokens of the API: what opens `/client/v4`.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::ids::ApiTokenId;
use super::permission::Permissions;

/// Under which name the hash of a token stands among an object's secrets.
pub const TOKEN_HASH: &str = "token_hash";

/// The shortest and the longest token: what Terraform's provider for Cloudflare takes as `api_token`.
const LENGTHS: RangeInclusive<usize> = 40..=80;

/// How many characters a new token has: it fits `api_key` of the same provider too, which takes 37 to 60.
pub const NEW_LENGTH: usize = 48;

/// A token of the API. The token itself is known to its holder alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Addresses it may be used from; empty means all.
    pub addresses: Vec<IpNet>,
    /// When it ends, milliseconds since 1970; `None` means never.
    pub expires_ms: Option<i64>,
    /// SHA-256 of the token, lower-case hexadecimal.
    pub hash: String,
}

impl ApiToken {
    /// Whether it may be used from an address. Where that is not known for certain, a bound token is of no use.
    pub fn opens_from(&self, address: IpAddr, is_certain: bool) -> bool {
        let address = address.to_canonical();
        self.addresses.is_empty()
            || (is_certain && self.addresses.iter().any(|range| range.contains(&address)))
    }

    /// Whether it has ended.
    pub fn has_ended(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|end| end <= now_ms)
    }
}

/// Whether a text has the shape of a token.
pub fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    LENGTHS.contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_shape_that_terraform_takes() {
        assert!(is_token(&"a".repeat(40)) && is_token(&"Z9-_".repeat(20)));
        assert!(!is_token(&"a".repeat(39)) && !is_token(&"a".repeat(81)) && !is_token(&"é".repeat(30)));
    }

    #[test]
    fn a_bound_token_opens_from_its_addresses_alone() {
        let token = ApiToken {
            id: ApiTokenId(uuid::Uuid::nil()),
            name: "ci".to_owned(),
            permissions: Permissions::everything(),
            addresses: vec!["198.51.100.0/24".parse().unwrap()],
            expires_ms: Some(10),
            hash: String::new(),
        };
        assert!(token.opens_from("198.51.100.7".parse().unwrap(), true));
        assert!(token.opens_from("::ffff:198.51.100.7".parse().unwrap(), true));
        assert!(!token.opens_from("198.51.100.7".parse().unwrap(), false));
        assert!(!token.opens_from("203.0.113.1".parse().unwrap(), true));
        assert!(token.has_ended(10) && !token.has_ended(9));
    }
}

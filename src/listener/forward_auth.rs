//! Who may ask for decisions: proxies at known addresses that know the secret.

use std::net::IpAddr;

use http::HeaderMap;
use secrecy::ExposeSecret as _;

use crate::config::forward_auth::ForwardAuth;
use crate::crypto::equal;

/// The header field that carries the secret.
pub(super) const SECRET: &str = "x-vestibule-forward-auth";

/// Somebody who may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stranger {
    /// Not one of the peers.
    #[error("its address is not among the peers")]
    Address,
    /// Not exactly one secret.
    #[error("it sends no secret, or several")]
    NoSecret,
    /// Another secret.
    #[error("it sends another secret")]
    WrongSecret,
}

/// Whether a connection from `peer` may ask what this head asks.
///
/// # Errors
/// What shows it to be a [`Stranger`].
pub(super) fn knows(allowed: &ForwardAuth, peer: IpAddr, headers: &HeaderMap) -> Result<(), Stranger> {
    let peer = peer.to_canonical();
    if !allowed.peers.iter().any(|net| net.contains(&peer)) {
        return Err(Stranger::Address);
    }
    let mut lines = headers.get_all(SECRET).iter();
    let (Some(shown), None) = (lines.next(), lines.next()) else {
        return Err(Stranger::NoSecret);
    };
    if !equal::constant_time(shown.as_bytes(), allowed.secret.expose_secret().as_bytes()) {
        return Err(Stranger::WrongSecret);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, secrets: &[&str]) -> Result<(), Stranger> {
        let allowed = ForwardAuth {
            address: "127.0.0.1:9091".parse().unwrap(),
            peers: vec!["10.0.0.0/30".parse().unwrap()],
            secret: "a secret of some length".into(),
        };
        let mut headers = HeaderMap::new();
        for secret in secrets {
            headers.append(SECRET, secret.parse().unwrap());
        }
        knows(&allowed, peer.parse().unwrap(), &headers)
    }

    #[test]
    fn a_proxy_is_known_by_address_and_secret_together() {
        let right = "a secret of some length";
        assert_eq!(seen("10.0.0.1", &[right]), Ok(()));
        assert_eq!(seen("::ffff:10.0.0.1", &[right]), Ok(()));
        assert_eq!(seen("10.0.0.9", &[right]), Err(Stranger::Address));
        assert_eq!(seen("10.0.0.1", &[]), Err(Stranger::NoSecret));
        assert_eq!(seen("10.0.0.1", &[right, right]), Err(Stranger::NoSecret));
        assert_eq!(seen("10.0.0.1", &[right, "x"]), Err(Stranger::NoSecret));
        for wrong in [
            "",
            "a secret of some lengt",
            "A secret of some length",
            "a secret of some length2",
        ] {
            assert_eq!(seen("10.0.0.1", &[wrong]), Err(Stranger::WrongSecret), "{wrong}");
        }
    }
}

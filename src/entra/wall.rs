//! The wall around addresses that are no part of the public internet.
//!
//! An address that administrators write through pages or the API must not lead the gateway to a metadata service, a
//! database or its own listeners. What counts is the address that is connected to, not the name: it is looked at after
//! the name has been resolved, and nothing resolves it again (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Which addresses may be connected to: public ones, and those the operator names.
#[derive(Debug, Clone)]
pub(super) struct Wall {
    allow: Arc<[IpNet]>,
}

/// A target behind the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the target is a private, loopback or link-local address that [outbound] allow does not name")]
pub(super) struct Walled;

impl Wall {
    pub(super) fn new(allow: Vec<IpNet>) -> Self {
        Self { allow: allow.into() }
    }

    fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allow.iter().any(|network| network.contains(&address))
    }

    /// Whether an address names itself a target that may be connected to. Of a name only its addresses tell, when they
    /// are resolved; names are let through here.
    pub(super) fn permits_literal(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.permits(address.into()),
            Some(Host::Ipv6(address)) => self.permits(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        }
    }
}

impl Resolve for Wall {
    fn resolve(&self, name: Name) -> Resolving {
        let wall = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|found| wall.permits(found.ip())).collect();
            if permitted.is_empty() {
                return Err(Walled.into());
            }
            let permitted: Addrs = Box::new(permitted.into_iter());
            Ok(permitted)
        })
    }
}

/// Whether an address is one of the public internet
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 | 224.. => true,
        100 => (64..=127).contains(&b), // carrier-grade NAT
        169 => b == 254,
        172 => (16..=31).contains(&b),
        192 => b == 168 || (b == 0 && matches!(c, 0 | 2)) || (b == 88 && c == 99),
        198 => matches!(b, 18 | 19) || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    };
    !special
}

/// Only `2000::/3` is given out. Of it, addresses that wrap an IPv4 one (6to4, Teredo) lead to it, whatever it is.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let special = match a {
        0x2001 => b < 0x0200 || b == 0x0db8, // protocol assignments with Teredo; documentation
        0x2002 => true,                      // 6to4
        0x3fff => b < 0x1000,                // documentation
        _ => false,
    };
    (0x2000..0x4000).contains(&a) && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(wall: &Wall, address: &str) -> bool {
        wall.permits(address.parse().unwrap())
    }

    #[test]
    fn only_the_public_internet_lies_outside_the_wall() {
        let wall = Wall::new(Vec::new());
        for outside in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(permits(&wall, outside), "{outside}");
        }
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!permits(&wall, inside), "{inside}");
        }
    }

    #[test]
    fn the_operator_opens_what_is_named_and_nothing_else() {
        let wall = Wall::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for opened in ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1"] {
            assert!(permits(&wall, opened), "{opened}");
        }
        for closed in ["127.0.0.1", "192.168.1.1", "fe80::1"] {
            assert!(!permits(&wall, closed), "{closed}");
        }
    }

    #[test]
    fn an_address_is_seen_in_every_spelling() {
        let wall = Wall::new(Vec::new());
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://127.0.0.1.:8443/",
        ] {
            assert!(!wall.permits_literal(&url.parse().unwrap()), "{url}");
        }
        assert!(wall.permits_literal(&"https://1.1.1.1/".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let resolved = |wall: Wall| async move {
            wall.resolve("localhost".parse().unwrap())
                .await
                .map(Iterator::count)
        };
        let refused = resolved(Wall::new(Vec::new())).await.unwrap_err();
        assert_eq!(refused.downcast_ref(), Some(&Walled));
        let loopback = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        assert!(resolved(Wall::new(loopback)).await.unwrap() > 0);
    }
}

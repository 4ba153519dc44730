//! The client's address behind trusted proxies.
//!
//! Each proxy appends to `X-Forwarded-For` the address that it saw. So the list is read from its right end, as long
//! as the one who vouches for an entry is trusted; the first address that is not a trusted proxy's is the client.
//! Everything to the left of it anybody could have written.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// Entries read at most: nobody has so many proxies of his own, and the list is the client's to fill.
const HOPS: usize = 16;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The address to decide by.
    pub address: IpAddr,
    /// A trusted proxy vouched for something that is no address: `address` is the proxy's, and rules about addresses
    /// cannot be answered.
    pub unreadable: bool,
    /// The peer is a trusted proxy.
    pub through_trusted_proxy: bool,
    /// The client speaks https: to us, or to the trusted proxy, which says so in `X-Forwarded-Proto`.
    pub https: bool,
}

/// Reads the client's address off a request. `tls` says whether this connection is encrypted.
pub fn client(peer: IpAddr, tls: bool, headers: &HeaderMap, trusted: &[IpNet]) -> ClientAddress {
    let peer = peer.to_canonical();
    let direct = ClientAddress {
        address: peer,
        unreadable: false,
        through_trusted_proxy: false,
        https: tls,
    };
    if !is_trusted(peer, trusted) {
        return direct;
    }
    let proxied = ClientAddress {
        through_trusted_proxy: true,
        https: last(headers, "x-forwarded-proto").map_or(tls, |scheme| scheme.eq_ignore_ascii_case(b"https")),
        ..direct
    };
    match vouched_for(peer, headers, trusted) {
        Some(address) => ClientAddress { address, ..proxied },
        None => ClientAddress {
            unreadable: true,
            ..proxied
        },
    }
}

/// The right-most address that is no trusted proxy's; nothing if an entry on the way there cannot be read.
fn vouched_for(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let entries = lines
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
    let mut address = peer;
    for entry in entries.take(HOPS) {
        address = parse(entry)?;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    Some(address)
}

fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address: IpAddr = text.parse().ok()?;
    // `::ffff:10.0.0.1` is 10.0.0.1, whichever way a rule is written.
    Some(address.to_canonical())
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let line = headers.get_all(name).iter().next_back()?;
    line.as_bytes()
        .rsplit(|&byte| byte == b',')
        .next()
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn seen(peer: &str, forwarded_for: &[&str]) -> ClientAddress {
        let mut headers = HeaderMap::new();
        for line in forwarded_for {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        client(
            peer.parse().unwrap(),
            false,
            &headers,
            &["10.0.0.0/8".parse().unwrap()],
        )
    }

    fn address(peer: &str, forwarded_for: &[&str]) -> String {
        let seen = seen(peer, forwarded_for);
        assert!(!seen.unreadable, "{forwarded_for:?}");
        seen.address.to_string()
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        assert_eq!(address("192.0.2.9", &["10.0.0.7"]), "192.0.2.9");
        assert!(!seen("192.0.2.9", &[]).through_trusted_proxy);
        assert_eq!(address("::ffff:192.0.2.9", &[]), "192.0.2.9");
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        assert_eq!(address(PROXY, &["192.0.2.1, 192.0.2.2"]), "192.0.2.2");
        assert_eq!(address(PROXY, &["192.0.2.1, 192.0.2.2, 10.0.0.2"]), "192.0.2.2");
        assert_eq!(
            address(PROXY, &["192.0.2.1", "192.0.2.2", "10.0.0.2, 10.0.0.3"]),
            "192.0.2.2"
        );
        assert_eq!(address("::ffff:10.0.0.1", &["::ffff:192.0.2.2"]), "192.0.2.2");
        assert_eq!(address(PROXY, &[]), PROXY);
    }

    /// Abuse case 30.
    #[test]
    fn what_cannot_be_read_leaves_the_proxys_address_and_a_flag() {
        for line in [
            "a",
            "192.0.2.1, a",
            "192.0.2.1:80",
            "",
            "192.0.2.1,",
            "unknown, 10.0.0.2",
        ] {
            let seen = seen(PROXY, &[line]);
            assert!(seen.unreadable, "{line}");
            assert_eq!(seen.address.to_string(), PROXY);
        }
        assert_eq!(address(PROXY, &["a, 192.0.2.2"]), "192.0.2.2");
    }

    #[test]
    fn a_long_list_is_read_from_its_trusted_end_only() {
        let long = vec!["10.0.0.9"; 300].join(",");
        assert_eq!(address(PROXY, &[&format!("192.0.2.1,{long}")]), "10.0.0.9");
    }

    #[test]
    fn only_a_trusted_proxy_may_say_https() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", "http, HTTPS".parse().unwrap());
        let nets = ["10.0.0.0/8".parse().unwrap()];
        assert!(client(PROXY.parse().unwrap(), false, &headers, &nets).https);
        assert!(!client("192.0.2.9".parse().unwrap(), false, &headers, &nets).https);
        headers.insert("x-forwarded-proto", "http".parse().unwrap());
        assert!(!client(PROXY.parse().unwrap(), true, &headers, &nets).https);
    }
}

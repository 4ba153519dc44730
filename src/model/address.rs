//! Ranges of network addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A range of addresses: `198.51.100.0/24`, or one address, which Access takes for `/32` or `/128`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange(IpNet);

/// A text that is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address or a range such as 198.51.100.0/24 is needed")]
pub struct AddressRangeMalformed;

impl AddressRange {
    /// The first address of the range.
    pub fn first(&self) -> IpAddr {
        self.0.network()
    }

    /// The last address of the range.
    pub fn last(&self) -> IpAddr {
        self.0.broadcast()
    }

    /// Whether `address` lies in the range. IPv4 addresses written as IPv6 count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// A network as an operator writes it: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = AddressRangeMalformed;

    /// Leading zeros are refused: some readers take `010` for eight.
    fn from_str(text: &str) -> Result<Self, AddressRangeMalformed> {
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| AddressRangeMalformed);
        let Some((network, length)) = text.split_once('/') else {
            return Ok(Self(address(text)?.into()));
        };
        let plain = length.bytes().all(|byte| byte.is_ascii_digit());
        let plain = plain && (length == "0" || !length.starts_with('0'));
        let length = length.parse().ok().filter(|_| plain);
        let network = IpNet::new(address(network)?, length.ok_or(AddressRangeMalformed)?);
        network.map(Self).map_err(|_| AddressRangeMalformed)
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeMalformed;

    fn from_str(text: &str) -> Result<Self, AddressRangeMalformed> {
        let range = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text.parse::<Network>()?.0,
        };
        match range {
            // Requests come with canonical addresses, so `::ffff:198.51.100.0/120` could never match.
            IpNet::V6(range) if range.network().to_ipv4_mapped().is_some() => Err(AddressRangeMalformed),
            range => Ok(Self(range.trunc())),
        }
    }
}

impl TryFrom<String> for AddressRange {
    type Error = AddressRangeMalformed;
    fn try_from(text: String) -> Result<Self, AddressRangeMalformed> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> String {
        range.to_string()
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_addresses_are_read() {
        for (range, address, contains) in [
            ("198.51.100.0/24", "198.51.100.77", true),
            ("198.51.100.7/24", "198.51.100.77", true),
            ("198.51.100.0/24", "198.51.101.1", false),
            ("198.51.100.7", "198.51.100.7", true),
            ("198.51.100.7", "::ffff:198.51.100.7", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let range: AddressRange = range.parse().unwrap();
            assert_eq!(
                range.contains(address.parse().unwrap()),
                contains,
                "{range} {address}"
            );
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for text in [
            "",
            "198.51.100",
            "198.51.100.0/33",
            "a",
            "::ffff:198.51.100.0/120",
            "010.0.0.0/8",
            "10.0.0.010",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.0/8/8",
        ] {
            assert!(text.parse::<AddressRange>().is_err(), "{text:?}");
        }
    }
}

//! The id of a request: on every page, in every log line and in `X-Request-Id`.

use std::cell::Cell;
use std::fmt;

use http::HeaderValue;

use crate::crypto::random;

/// The id of one request, written as two groups of eight hexadecimal digits that can be read out on the telephone.
///
/// It names a request; it is no secret and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// The id as the value of a header.
    pub fn header(self) -> HeaderValue {
        // Sixteen hexadecimal digits and a hyphen are always a header value.
        HeaderValue::from_str(&self.to_string()).unwrap_or(const { HeaderValue::from_static("-") })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:08x}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A source of request ids, one for each core: seeded once from the operating system, then without a system call or a
/// shared cache line for each request.
#[derive(Debug)]
pub struct RequestIds {
    state: Cell<u64>,
}

impl RequestIds {
    /// A source of its own seed.
    pub fn new() -> Self {
        Self {
            state: Cell::new(u64::from_ne_bytes(random::bytes())),
        }
    }

    /// The next id. One source repeats none before 2⁶⁴; two sources meet by the chance of 64 random bits.
    pub fn next(&self) -> RequestId {
        // SplitMix64 (Steele, Lea, Flood 2014): a counter whose values are spread by a bijection.
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        RequestId(mixed ^ (mixed >> 31))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_have_one_shape() {
        let (here, there) = (RequestIds::new(), RequestIds::new());
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            assert!(seen.insert(here.next()) && seen.insert(there.next()));
        }
        let text = here.next().to_string();
        assert_eq!(text.len(), 17);
        assert!(
            text.bytes()
                .all(|b| b == b'-' || b.is_ascii_digit() || b.is_ascii_lowercase())
        );
        assert_eq!(RequestId(0x7f3c).to_string(), "00000000-00007f3c");
        assert_eq!(RequestId(u64::MAX).header(), "ffffffff-ffffffff");
    }
}

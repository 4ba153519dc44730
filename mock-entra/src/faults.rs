//! Misbehaviour on demand: what goes wrong next, or from now on.

use serde_json::{Map, Value};

/// The parts of the mock that answer requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/.well-known/openid-configuration`.
    Discovery,
    /// `/discovery/v2.0/keys`.
    Jwks,
    /// `/oauth2/v2.0/authorize`.
    Authorize,
    /// `/oauth2/v2.0/token`.
    Token,
    /// `/oauth2/v2.0/logout`.
    Logout,
    /// Everything under `/v1.0/` and `/oidc/`.
    Graph,
}

/// One thing that goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The authorize endpoint refuses with this AADSTS code, at the place Microsoft shows it.
    Authorize {
        /// The AADSTS number.
        code: u32,
    },
    /// The token endpoint refuses with this AADSTS code.
    Token {
        /// The AADSTS number.
        code: u32,
    },
    /// The token endpoint answers an HTML page, as Microsoft's front door does on bad days.
    TokenHtml {
        /// The HTTP status.
        status: u16,
    },
    /// The token endpoint has too much to do: status 429.
    TokenBusy {
        /// The header `Retry-After`, in seconds.
        retry_after: u32,
    },
    /// The metadata endpoint answers an HTML page with this status.
    Discovery {
        /// The HTTP status.
        status: u16,
    },
    /// The key set endpoint answers an HTML page with this status.
    Jwks {
        /// The HTTP status.
        status: u16,
    },
    /// Graph answers an error.
    Graph {
        /// The HTTP status.
        status: u16,
        /// Graph's error code (`TooManyRequests`, `ServiceUnavailable` …).
        code: String,
        /// The header `Retry-After`; Graph also sends fractions (`2.128`).
        retry_after: Option<String>,
        /// Only pages of a list from this one on fail; the first page is 1, and 0 means every request.
        from_page: u32,
    },
    /// Graph answers 200 with this text, whatever it is.
    GraphText {
        /// Requests whose path ends so.
        path_ends: &'static str,
        /// Only pages of a list from this one on; the first page is 1, and 0 means every request.
        from_page: u32,
        /// The body.
        body: String,
    },
    /// Graph's answer breaks off in the middle of its body.
    GraphBreaksOff {
        /// Requests whose path ends so.
        path_ends: &'static str,
        /// Only pages of a list from this one on; the first page is 1, and 0 means every request.
        from_page: u32,
    },
    /// Graph answers 401 with a claims challenge (continuous access evaluation).
    GraphClaimsChallenge,
    /// An endpoint takes its time.
    Slow {
        /// Which one.
        endpoint: Endpoint,
        /// How long, in milliseconds.
        ms: u64,
    },
    /// The ID token is wrong.
    IdToken(IdTokenFault),
}

/// What is wrong with an ID token. All but the three of the signature are properly signed.
#[derive(Debug, Clone)]
pub enum IdTokenFault {
    /// Another `nonce` than the request carried.
    WrongNonce,
    /// `aud` is another application.
    WrongAudience,
    /// `iss` is another issuer.
    WrongIssuer,
    /// `tid` and `iss` are those of another tenant.
    OtherTenant,
    /// Unsigned, `alg` is `none`.
    AlgNone,
    /// `alg` is HS256 with the public modulus as secret.
    Hs256,
    /// Signed with a key nobody publishes.
    UnknownKey,
    /// Expired an hour ago.
    Expired,
    /// Begins to be valid only in an hour.
    NotYetValid,
    /// Without `oid`.
    NoOid,
    /// These claims added, or put in place of others.
    ExtraClaims(Map<String, Value>),
}

impl IdTokenFault {
    /// [`IdTokenFault::ExtraClaims`] from a JSON object.
    pub fn extra(claims: Value) -> Self {
        match claims {
            Value::Object(claims) => Self::ExtraClaims(claims),
            _ => Self::ExtraClaims(Map::new()),
        }
    }
}

/// The faults that wait for their request.
#[derive(Default)]
pub(crate) struct Faults {
    waiting: Vec<(Fault, Lasting)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Once,
    Always,
}

impl Faults {
    /// Strikes the next request it fits.
    pub(crate) fn once(&mut self, fault: Fault) {
        self.waiting.push((fault, Lasting::Once));
    }

    /// Strikes every request it fits.
    pub(crate) fn always(&mut self, fault: Fault) {
        self.waiting.push((fault, Lasting::Always));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The first waiting fault of which `pick` makes something.
    pub(crate) fn strike<T>(&mut self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let (place, struck) = self
            .waiting
            .iter()
            .enumerate()
            .find_map(|(place, (fault, _))| Some((place, pick(fault)?)))?;
        if self
            .waiting
            .get(place)
            .is_some_and(|(_, lasting)| *lasting == Lasting::Once)
        {
            self.waiting.remove(place);
        }
        Some(struck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_code(fault: &Fault) -> Option<u32> {
        match fault {
            Fault::Token { code } => Some(*code),
            _ => None,
        }
    }

    #[test]
    fn a_fault_for_the_next_request_strikes_once_and_only_where_it_fits() {
        let mut faults = Faults::default();
        faults.once(Fault::GraphClaimsChallenge);
        faults.once(Fault::Token { code: 90033 });
        assert_eq!(faults.strike(token_code), Some(90033));
        assert_eq!(faults.strike(token_code), None);
    }

    #[test]
    fn a_lasting_fault_strikes_until_it_is_cleared() {
        let mut faults = Faults::default();
        faults.always(Fault::Token { code: 50173 });
        assert_eq!(faults.strike(token_code), Some(50173));
        assert_eq!(faults.strike(token_code), Some(50173));
        faults.clear();
        assert_eq!(faults.strike(token_code), None);
    }
}

//! Header names that carry identity here and so belong to the gateway alone.

/// All names that begin so are ours, towards the upstream (`Cf-Access-Jwt-Assertion`,
/// `Cf-Access-Authenticated-User-Email`) and from clients (`CF-Access-Client-Id`, `cf-access-token`).
const PREFIX: &str = "cf-access-";

/// How a header name stands to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// One of ours: never passed on from a client or an upstream.
    Ours,
    /// Not one of ours, but an upstream that maps punctuation (CGI, WSGI, PHP read `-` as `_`) would take it for one:
    /// such requests are refused (CVE-2025-64484 and its class).
    LookAlike,
    /// Any other name.
    Foreign,
}

/// How `name` stands to our names. `name` is lower case, as `http::HeaderName` keeps it.
pub fn standing(name: &str) -> Standing {
    if name.starts_with(PREFIX) {
        return Standing::Ours;
    }
    let folded = name.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() {
            byte.to_ascii_lowercase()
        } else {
            b'-'
        }
    });
    if name.len() >= PREFIX.len() && folded.take(PREFIX.len()).eq(PREFIX.bytes()) {
        Standing::LookAlike
    } else {
        Standing::Foreign
    }
}

/// Whether an upstream that maps punctuation would take the name that was sent for this one. Both are lower case.
pub fn reads_as(sent: &str, name: &str) -> bool {
    let folded = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    sent.len() == name.len() && sent.bytes().map(folded).eq(name.bytes().map(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_known_by_their_beginning() {
        for name in [
            "cf-access-jwt-assertion",
            "cf-access-authenticated-user-email",
            "cf-access-client-secret",
            "cf-access-token",
        ] {
            assert_eq!(standing(name), Standing::Ours, "{name}");
        }
    }

    /// Abuse case 22.
    #[test]
    fn a_name_that_differs_in_punctuation_looks_alike() {
        for name in [
            "cf_access_authenticated_user_email",
            "cf-access_jwt-assertion",
            "cf_access-token",
            "cf.access.jwt.assertion",
        ] {
            assert_eq!(standing(name), Standing::LookAlike, "{name}");
        }
    }

    #[test]
    fn other_names_are_foreign() {
        for name in [
            "cf-ray",
            "cf-accessory",
            "cf",
            "accept",
            "x-cf-access-jwt-assertion",
        ] {
            assert_eq!(standing(name), Standing::Foreign, "{name}");
        }
    }
}

//! The header fields of an upstream's response on their way to the client.
//!
//! Nothing is touched but what belongs to the connection or to us: an application's caching, cookies and policies
//! are its own.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::request_headers::{Withheld, announce_allowed_trailers, is_hop_by_hop, named_by_connection};
use crate::model::cookie_names;
use crate::model::header_names::{self, Standing};

/// Makes the upstream's header fields the ones that the client receives.
///
/// # Errors
/// Says why where the framing is one that cannot be passed on.
pub(super) fn prepare(headers: &mut HeaderMap) -> Result<(), &'static str> {
    settle_framing(headers)?;
    let mut doomed = named_by_connection(headers);
    let unwanted = headers
        .keys()
        .filter(|name| is_hop_by_hop(name) || header_names::standing(name.as_str()) != Standing::Foreign);
    doomed.extend(unwanted.cloned());
    for name in doomed {
        // The length is ours to keep: a client would wait for ever, or stop early, without it.
        if name != header::CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    announce_allowed_trailers(headers, &Withheld::default());
    drop_our_cookies(headers);
    Ok(())
}

/// Leaves the one length that hyper has read the body by.
fn settle_framing(headers: &mut HeaderMap) -> Result<(), &'static str> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let mut lines = headers.get_all(header::TRANSFER_ENCODING).iter();
        let only = lines.next().map(|line| line.as_bytes().trim_ascii());
        if lines.next().is_some() || !only.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
            // The body would still be encoded, and the header that says so is hop-by-hop.
            return Err("a transfer coding that was not asked for");
        }
        // RFC 9112 §6.3: Transfer-Encoding overrides Content-Length, which is removed before forwarding.
        headers.remove(header::CONTENT_LENGTH);
    } else if headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        // hyper has checked that they are equal.
        let length = headers.get(header::CONTENT_LENGTH).cloned();
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length);
        }
    }
    Ok(())
}

/// An application cannot set, change or expire the cookies by which we know people.
fn drop_our_cookies(headers: &mut HeaderMap) {
    let is_ours = |line: &HeaderValue| cookie_names::is_ours(cookie_name(line.as_bytes()));
    if !headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
        return;
    }
    let lines = headers.get_all(header::SET_COOKIE).iter();
    let kept: Vec<HeaderValue> = lines.filter(|line| !is_ours(line)).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for line in kept {
        headers.append(HeaderName::clone(&header::SET_COOKIE), line);
    }
}

/// The name under which a browser sends the cookie of a `Set-Cookie` line back. One without a name (`=a=b`) comes back
/// as its value alone (RFC 6265bis §5.8.3), which reads as a cookie `a`.
fn cookie_name(line: &[u8]) -> &[u8] {
    let pair = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let nameless = |byte: &u8| *byte == b'=' || byte.is_ascii_whitespace();
    let start = pair.iter().take_while(|byte| nameless(byte)).count();
    let pair = pair.get(start..).unwrap_or_default();
    match pair.iter().position(|&byte| byte == b'=') {
        Some(at) => pair.get(..at).unwrap_or_default().trim_ascii(),
        None => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_on(lines: &[(&str, &str)]) -> Result<Vec<(String, String)>, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        prepare(&mut headers)?;
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        Ok(headers.iter().map(text).collect())
    }

    fn pairs(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        lines.iter().map(owned).collect()
    }

    #[test]
    fn an_applications_own_headers_are_untouched() {
        let lines = [
            ("cache-control", "public, max-age=60"),
            ("set-cookie", "session=1; Path=/"),
            ("set-cookie", "CF_Authorization_x=2"),
            ("server", "x"),
            ("content-length", "5"),
            ("trailer", "x-sum"),
        ];
        let mut expected = pairs(&lines);
        let mut passed = passed_on(&lines).unwrap();
        expected.sort();
        passed.sort();
        assert_eq!(passed, expected);
    }

    #[test]
    fn what_belongs_to_the_connection_or_to_us_is_dropped() {
        let passed = passed_on(&[
            ("connection", "close, x-internal"),
            ("connection", "content-length"),
            ("x-internal", "1"),
            ("keep-alive", "timeout=5"),
            ("cf-access-aud", "forged"),
            ("cf_access_domain", "forged"),
            ("content-length", "5"),
        ]);
        assert_eq!(passed.unwrap(), pairs(&[("content-length", "5")]));
    }

    #[test]
    fn an_upstream_cannot_set_our_cookies() {
        let passed = passed_on(&[
            ("set-cookie", "CF_Authorization=x; Path=/"),
            ("set-cookie", "a=1"),
            ("set-cookie", " CF_Session =; Max-Age=0"),
            ("set-cookie", "=CF_Authorization=x; Path=/"),
            ("set-cookie", " = CF_Authorization=x"),
            ("set-cookie", "CF_AppSession=x"),
            ("set-cookie", "CF_Binding=x"),
            ("set-cookie", "__Host-CF_Session=x"),
            ("set-cookie", "b=2"),
        ]);
        assert_eq!(
            passed.unwrap(),
            pairs(&[("set-cookie", "a=1"), ("set-cookie", "b=2")])
        );
    }

    #[test]
    fn one_length_goes_on() {
        let chunked = [("transfer-encoding", "Chunked"), ("content-length", "5")];
        assert_eq!(passed_on(&chunked).unwrap(), []);
        let twice = [("content-length", "5"), ("content-length", "5")];
        assert_eq!(passed_on(&twice).unwrap(), pairs(&[("content-length", "5")]));
    }

    #[test]
    fn a_transfer_coding_that_was_not_asked_for_is_refused() {
        assert!(passed_on(&[("transfer-encoding", "gzip, chunked")]).is_err());
        assert!(passed_on(&[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")]).is_err());
    }
}

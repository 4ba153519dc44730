//! The `Cookie` header on its way to an upstream: our cookies go, everything else stays byte for byte.

use http::HeaderMap;
use http::header::{COOKIE, Entry, HeaderValue};

use crate::model::cookie_names::{AUTHORIZATION, is_ours};

/// The application token's cookie. It goes on at most once, and only the verified one.
const TOKEN: &[u8] = AUTHORIZATION.as_bytes();

/// Takes our cookies out of all `Cookie` lines, but for one `CF_Authorization` whose value is `token`.
pub(super) fn strip(headers: &mut HeaderMap, token: Option<&[u8]>) {
    let Entry::Occupied(mut entry) = headers.entry(COOKIE) else {
        return;
    };
    // Almost every line has a token of ours and nothing else to change.
    let several = entry.iter().nth(1).is_some();
    if !several && is_clean(entry.get().as_bytes(), token) {
        return;
    }
    let mut token = token;
    let mut kept = Vec::new();
    for line in entry.iter() {
        // HTTP/2 clients may split the header into lines (RFC 9113 §8.2.3); an HTTP/1.1 server expects one.
        let mut separator = &b"; "[..];
        for pair in line.as_bytes().split(|&byte| byte == b';') {
            if keeps(pair, &mut token) {
                if !kept.is_empty() {
                    kept.extend_from_slice(separator);
                }
                kept.extend_from_slice(pair);
                separator = b";";
            }
        }
    }
    let start = kept.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match HeaderValue::from_bytes(kept.get(start..).unwrap_or_default()) {
        Ok(line) if !line.is_empty() => {
            entry.insert(line);
        }
        _ => {
            entry.remove();
        }
    }
}

/// Adds the cookie with a token to what is left of the client's.
pub(super) fn add(headers: &mut HeaderMap, token: &HeaderValue) {
    let mut line = match headers.get(COOKIE) {
        Some(line) => [line.as_bytes(), b"; "].concat(),
        None => Vec::new(),
    };
    line.extend_from_slice(TOKEN);
    line.push(b'=');
    line.extend_from_slice(token.as_bytes());
    if let Ok(line) = HeaderValue::from_bytes(&line) {
        headers.insert(COOKIE, line);
    }
}

fn is_clean(line: &[u8], mut token: Option<&[u8]>) -> bool {
    line.split(|&byte| byte == b';')
        .all(|pair| keeps(pair, &mut token))
}

/// Whether a pair goes on. The one pair with the token does so once.
fn keeps(pair: &[u8], token: &mut Option<&[u8]>) -> bool {
    let pair = pair.trim_ascii();
    let (name, value) = match pair.iter().position(|&byte| byte == b'=') {
        Some(at) => (
            pair.get(..at).unwrap_or_default().trim_ascii_end(),
            pair.get(at + 1..).unwrap_or_default().trim_ascii_start(),
        ),
        None => (pair, &b""[..]),
    };
    if name == TOKEN && token.is_some_and(|token| token == value) {
        *token = None;
        return true;
    }
    !is_ours(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_on(lines: &[&str], token: Option<&str>) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        strip(&mut headers, token.map(str::as_bytes));
        let all = headers.get_all(COOKIE).iter();
        all.map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn other_cookies_pass_in_order_and_byte_for_byte() {
        for line in [
            "a=1; b=\"x y\"; a=2",
            "a=1;b=2;  c",
            "=x; ;",
            "cf_session=1; XCF_Session=2",
        ] {
            assert_eq!(sent_on(&[line], None), [line]);
        }
        assert_eq!(sent_on(&["a=1; CF_Session=s; b=2;c=3"], None), ["a=1; b=2;c=3"]);
        assert_eq!(sent_on(&["CF_Session=s; a=1"], None), ["a=1"]);
    }

    #[test]
    fn only_the_verified_token_passes_and_only_once() {
        assert_eq!(
            sent_on(
                &["CF_Authorization=good; a=1; CF_Authorization=good; CF_Authorization=bad"],
                Some("good")
            ),
            ["CF_Authorization=good; a=1"]
        );
        assert_eq!(sent_on(&["CF_Authorization=bad; a=1"], Some("good")), ["a=1"]);
        assert_eq!(
            sent_on(&["CF_Authorization=good"], Some("good")),
            ["CF_Authorization=good"]
        );
    }

    #[test]
    fn no_token_passes_on_bypass() {
        assert_eq!(sent_on(&["CF_Authorization=good; a=1"], None), ["a=1"]);
    }

    #[test]
    fn our_other_cookies_never_pass() {
        let line =
            "CF_AppSession=1; CF_Session=2; CF_Binding=3; __Host-CF_Authorization=4; __Host-CF_Session=5";
        assert!(sent_on(&[line], None).is_empty());
        assert!(sent_on(&["CF_Bounce=2.1767226200"], None).is_empty());
        assert!(sent_on(&["CF_Session", " CF_Session =1;CF_Binding\t=2"], None).is_empty());
    }

    #[test]
    fn a_token_is_added_behind_the_clients_own_cookies() {
        let token = HeaderValue::from_static("good");
        let mut headers = HeaderMap::new();
        add(&mut headers, &token);
        assert_eq!(headers[COOKIE], "CF_Authorization=good");
        let mut headers: HeaderMap = [(COOKIE, HeaderValue::from_static("a=1; CF_Authorization=bad"))]
            .into_iter()
            .collect();
        strip(&mut headers, None);
        add(&mut headers, &token);
        assert_eq!(headers[COOKIE], "a=1; CF_Authorization=good");
    }

    #[test]
    fn several_lines_become_one() {
        assert_eq!(sent_on(&["a=1", "CF_Session=2", "b=3"], None), ["a=1; b=3"],);
    }
}

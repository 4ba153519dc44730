//! Whether a form was sent by a page of ours.

use http::HeaderMap;
use http::header::ORIGIN;

/// Whether a request comes from a page of this origin: by `Sec-Fetch-Site`, which scripts cannot set (Fetch Metadata
/// §2), by `Origin` where a browser does not say so, which is why pages with a form let it be told
/// ([`Page::sends`](crate::pages::person::Page::sends)). What strips referrers makes it `null` (Fetch §3.2), so beside
/// the former that is no sign of a foreign page; a request that says neither comes from no browser.
pub(super) fn sent_by_our_page(headers: &HeaderMap, own: &str) -> bool {
    let origin = headers.get(ORIGIN);
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin" && origin.is_none_or(|origin| origin == own || origin == "null"),
        None => origin.is_some_and(|origin| origin == own),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const OWN: &str = "https://login.example.com";

    fn taken(fields: &[(&'static str, &'static str)]) -> bool {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        sent_by_our_page(&fields.collect(), OWN)
    }

    #[test]
    fn only_the_own_origin_is_taken() {
        assert!(taken(&[("origin", OWN)]));
        assert!(taken(&[("sec-fetch-site", "same-origin")]));
        assert!(taken(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(taken(&[("sec-fetch-site", "same-origin"), ("origin", OWN)]));
        for fields in [
            &[][..],
            &[("sec-fetch-site", "same-site"), ("origin", OWN)],
            &[("sec-fetch-site", "none"), ("origin", OWN)],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[("sec-fetch-site", "same-site"), ("origin", "null")],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://wiki.example.com"),
            ],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://wiki.example.com"),
            ],
            &[("origin", "null")],
            &[("origin", "https://login.example.com.evil.com")],
            &[("origin", "http://login.example.com")],
        ] {
            assert!(!taken(fields), "{fields:?}");
        }
    }
}

//! Bytes that stay the same as long as the process lives, with the tag by which clients know them again.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::crypto::digest::sha256_hex;

/// What is sent to everybody who may read it.
#[derive(Debug)]
pub(super) struct Kept {
    body: Bytes,
    tag: HeaderValue,
}

impl Kept {
    pub(super) fn new(body: Bytes) -> Self {
        let digest = sha256_hex(&body);
        let tag = format!("\"{}\"", digest.get(..32).unwrap_or_default());
        Self {
            body,
            // Hexadecimal digits in quotes always are a header's value.
            tag: HeaderValue::from_str(&tag).unwrap_or(const { HeaderValue::from_static("\"\"") }),
        }
    }

    /// All of it, or 304 where the client says that it has it. It is the browser's to keep and to ask again each time:
    /// whether somebody may read it is decided by each request.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response<Bytes> {
        let known = self.is_known(headers);
        let mut answer = Response::new(if known { Bytes::new() } else { self.body.clone() });
        if known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let fields = answer.headers_mut();
        fields.insert(ETAG, self.tag.clone());
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        answer
    }

    /// `If-None-Match`, by the weak comparison (RFC 9110 §13.1.2).
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let listed = headers.get_all(IF_NONE_MATCH).iter();
        let mut tags = listed
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        tags.any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag
        })
    }
}

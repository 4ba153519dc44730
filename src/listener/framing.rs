//! Heads that can be read in two ways: their body's length is stated twice, or their target has a fragment.
//!
//! hyper reads `Transfer-Encoding` beside `Content-Length` as RFC 9112 §6.3 allows, by the former, and closes
//! afterwards, so nothing can be smuggled past it. It hides the contradiction from us though, and an honest client
//! has no reason for it: such requests get 400. The bytes of a head are therefore looked at as they come in. A head
//! that came with the bytes of an earlier request (pipelined) is not seen here; hyper's reading holds for it.
//!
//! A fragment belongs into no target (RFC 9112 §3.2). The `http` crate cuts it off in silence, so that it too is only
//! to be seen here; where it is not seen, decision and forwarded bytes both lack it.

use http::header::{self, HeaderMap};

/// Looks at bytes of a head.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    request_line_over: bool,
    transfer_encoding: bool,
    content_length: bool,
    over: bool,
}

impl Lengths {
    /// Reads on. True if the length is stated twice or the target has a fragment. A field's name split between two
    /// reads is missed.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        if self.over {
            // On a connection that is kept the next head begins here.
            *self = Self::default();
        }
        if !self.request_line_over && self.has_fragment(bytes) {
            return true;
        }
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            rest = rest.get(at + 1..).unwrap_or_default();
            match rest {
                [b'\n', ..] | [b'\r', b'\n', ..] => self.over = true,
                _ if self.over => {}
                _ if begins_with(rest, b"transfer-encoding") => self.transfer_encoding = true,
                _ if begins_with(rest, b"content-length") => {
                    if self.content_length || self.transfer_encoding {
                        return true;
                    }
                    self.content_length = true;
                }
                _ => {}
            }
            if self.over {
                // What follows is a body, or another head.
                return false;
            }
            if self.transfer_encoding && self.content_length {
                return true;
            }
        }
        false
    }

    fn has_fragment(&mut self, bytes: &[u8]) -> bool {
        // Empty lines may stand before a request (RFC 9112 §2.2).
        let begin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
        let bytes = begin.and_then(|begin| bytes.get(begin..)).unwrap_or_default();
        let end = memchr::memchr(b'\n', bytes);
        self.request_line_over = end.is_some();
        let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        memchr::memchr(b'#', line).is_some()
    }
}

fn begins_with(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Whether the body's coding is one that we understand and pass on: `chunked`, once. hyper takes `gzip, chunked` too,
/// whose body would reach the upstream encoded but no longer saying so.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_statements_are_seen_in_any_order_and_case() {
        for head in [
            "POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\nA: b\r\nCONTENT-LENGTH: 6\r\n\r\n",
            "POST / HTTP/1.1\nContent-Length: 6\nTransfer-Encoding: chunked\n\n",
            "POST / HTTP/1.1\r\nContent-Length: 6\r\nContent-Length: 6\r\n\r\n",
        ] {
            assert!(Lengths::default().read(head.as_bytes()), "{head}");
        }
    }

    #[test]
    fn one_statement_is_enough() {
        for head in [
            "POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nTransfer-Encoding: x\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nContent-Length: 1\r\n",
            "GET /\nX-Content-Length: 6\r\nX-Transfer-Encoding: 1\r\n\r\n",
        ] {
            assert!(!Lengths::default().read(head.as_bytes()), "{head}");
        }
    }

    #[test]
    fn a_fragment_is_seen_in_the_request_line_and_nowhere_else() {
        for head in ["GET /a#b HTTP/1.1\r\n", "\r\n\r\nGET /?x#b HTTP/1.1\r\n"] {
            assert!(Lengths::default().read(head.as_bytes()), "{head}");
        }
        let mut lengths = Lengths::default();
        assert!(!lengths.read(b"GET /a") && lengths.read(b"#b HTTP/1.1\r\n"));
        let mut lengths = Lengths::default();
        assert!(!lengths.read(b"GET /a HTTP/1.1\r\nA: #\r\n") && !lengths.read(b"B: #\r\n"));
    }

    #[test]
    fn a_head_that_comes_in_pieces_is_seen_whole() {
        let mut lengths = Lengths::default();
        assert!(!lengths.read(b"POST / HTTP/1.1\r\nContent-Length: 6\r\nA: "));
        assert!(lengths.read(b"b\r\nTransfer-Encoding: chunked\r\n\r\n"));
    }

    #[test]
    fn each_head_of_a_kept_connection_is_read_anew() {
        let mut heads = Lengths::default();
        assert!(!heads.read(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
        assert!(!heads.read(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(heads.read(b"GET /#/ HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn only_chunked_once_is_plain() {
        let headers = |lines: &[&'static str]| {
            let mut map = HeaderMap::new();
            for line in lines {
                map.append(header::TRANSFER_ENCODING, header::HeaderValue::from_static(line));
            }
            map
        };
        assert!(is_plain(&headers(&[])) && is_plain(&headers(&["Chunked"])));
        for lines in [
            &["gzip, chunked"][..],
            &["chunked, chunked"],
            &["chunked", "chunked"],
        ] {
            assert!(!is_plain(&headers(lines)), "{lines:?}");
        }
    }
}

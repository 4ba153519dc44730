//! The target of a request: host and path, parsed once.
//!
//! What hyper already refuses before this point (each in the abuse table over raw sockets): control bytes in the
//! request line, white space before a header's colon, folded lines, bytes that no header name may have, malformed and
//! differing `Content-Length`, `Transfer-Encoding` that does not end in `chunked` or comes with HTTP/1.0, and on HTTP/2
//! connection-specific headers, malformed and repeated pseudo-headers. What survives hyper is refused here.
//!
//! A fragment never reaches this point: the listener refuses it, and the `http` crate cuts off what the listener could
//! not see (HTTP/2, pipelined requests), so that decision and forwarded bytes both lack it.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::model::header_names::{self, Standing};
use crate::model::host::Host;
use crate::model::own_path::is_own;

use super::{authority, path};

/// The protocol that a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Where a request is directed, in the one reading that everything uses.
#[derive(Debug, Clone)]
pub struct Target {
    host: Host,
    authority: HeaderValue,
    decision: Option<Box<str>>,
    second: Option<Box<str>>,
    encoded_slash: bool,
    resolved: bool,
    forward: PathAndQuery,
}

/// Why a request has no target that everyone would read alike. Answered 400, or 405 for [`TargetRefused::Method`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TargetRefused {
    /// CONNECT (also the extended one of HTTP/2) and TRACE: this is no forward proxy, and no echo.
    #[error("the method is not served here")]
    Method,
    /// Neither `Host` nor `:authority`.
    #[error("the request names no host")]
    HostMissing,
    /// More than one `Host` line.
    #[error("the request names several hosts")]
    SeveralHosts,
    /// A host that is none: user name, odd characters, a port that is no number.
    #[error("the host is malformed")]
    HostMalformed,
    /// `Host` says another than the target itself.
    #[error("the request names two different hosts")]
    HostsDiffer,
    /// `*`, the authority form, another scheme, or a path without leading slash.
    #[error("the target is not a path")]
    NotOriginForm,
    /// `%` that is not followed by two hexadecimal digits.
    #[error("the path has a malformed escape")]
    BadEscape,
    /// Control characters, raw or escaped; raw backslash or bytes beyond ASCII; escapes that are no UTF-8.
    #[error("the path has a character that is not allowed")]
    BadByte,
    /// `..;` and the like, which servlets read as a parent directory.
    #[error("the path has a dot segment with a parameter")]
    DotSegmentWithParameter,
    /// `..%2f` and the like, which some upstreams decode and resolve, some decode only, and some leave as they are.
    #[error("the path has a dot segment next to an escaped slash")]
    DotSegmentByEncodedSlash,
    /// An escaped slash or backslash where the application does not allow it.
    #[error("the path has an escaped slash")]
    EncodedSlash,
    /// The path can be read in two ways that lead to different places.
    #[error("the path has two readings that lead to different places")]
    Ambiguous,
    /// `Transfer-Encoding` together with `Content-Length` (RFC 9112 §6.1).
    #[error("the length of the body is stated in two ways")]
    TwoLengths,
    /// A header that an upstream could take for one of ours.
    #[error("a header name imitates one of this gateway's")]
    HeaderLookAlike,
}

impl TargetRefused {
    /// The status to answer with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl Target {
    /// Reads a request's head as hyper gives it.
    ///
    /// # Errors
    /// Where two parties could read the request differently, or it asks for what is never served.
    pub fn parse(method: &Method, uri: &Uri, headers: &HeaderMap, via: Via) -> Result<Self, TargetRefused> {
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(TargetRefused::Method);
        }
        if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
            return Err(TargetRefused::TwoLengths);
        }
        let imitates = |name: &http::HeaderName| header_names::standing(name.as_str()) == Standing::LookAlike;
        if headers.keys().any(imitates) {
            return Err(TargetRefused::HeaderLookAlike);
        }
        let (host, authority) = authority::read(uri, headers, via)?;
        let paths = path::read(uri.path())?;
        if uri.query().is_some_and(|query| !query.is_ascii()) {
            return Err(TargetRefused::BadByte);
        }
        Ok(Self {
            host,
            authority,
            decision: paths.decision,
            second: paths.second,
            encoded_slash: paths.encoded_slash,
            resolved: paths.resolved,
            forward: forward(uri, paths.forward)?,
        })
    }

    /// The host, for routing.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Host and port as the client wrote them: the `Host` that an upstream gets.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The path, for decisions and routing: decoded once, dot segments resolved, slashes merged. Starts with a slash.
    pub fn path(&self) -> &str {
        self.decision.as_deref().unwrap_or_else(|| self.forward.path())
    }

    /// The other meaning that an upstream may give the path. What decides must hold for it as well.
    pub fn second_path(&self) -> Option<&str> {
        self.second.as_deref()
    }

    /// Whether the path has an escaped slash or backslash, which only some applications allow.
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }

    /// Whether dot segments or empty segments were taken out of the path as it came. Who sends it on as it came sends
    /// something else than what was decided on, to an upstream that does not take them out likewise.
    pub fn is_resolved(&self) -> bool {
        self.resolved
    }

    /// The query, as it came, without question mark. Takes no part in decisions.
    pub fn query(&self) -> Option<&str> {
        self.forward.query()
    }

    /// What an upstream is asked for: it means to it what [`Target::path`] means here.
    pub fn forward(&self) -> &PathAndQuery {
        &self.forward
    }

    /// Whether the path is one of the gateway's own, in either reading and any case. Such a request never reaches an
    /// upstream.
    pub fn is_reserved(&self) -> bool {
        is_own(self.path()) || self.second_path().is_some_and(is_own)
    }
}

fn forward(uri: &Uri, path: Option<String>) -> Result<PathAndQuery, TargetRefused> {
    match (path, uri.path_and_query()) {
        // The client's own bytes, shared. `http://host?x` has no slash of its own.
        (None, Some(whole)) if whole.as_str().starts_with('/') => Ok(whole.clone()),
        (path, _) => {
            let mut bytes = path.unwrap_or_else(|| uri.path().to_owned());
            if let Some(query) = uri.query() {
                bytes.push('?');
                bytes.push_str(query);
            }
            PathAndQuery::from_maybe_shared(bytes::Bytes::from(bytes)).map_err(|_| TargetRefused::BadByte)
        }
    }
}

#[cfg(test)]
mod tests;

//! The host that a request is for, from its `Host` header, `:authority` and absolute form.

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Uri};

use crate::model::host::Host;

use super::target::{TargetRefused, Via};

/// The host for routing, and the authority as the client wrote it, for the upstream's `Host`.
///
/// RFC 9112 §3.2: a request without `Host`, with several, or with an invalid one is answered 400. Where the target has
/// an authority of its own (absolute form, `:authority`) it must say the same, so that no route is chosen by the one
/// while the upstream is told the other.
///
/// The port takes no part in routing (Access: ports are dropped); a listener serves every application on its port.
pub(super) fn read(uri: &Uri, headers: &HeaderMap, via: Via) -> Result<(Host, HeaderValue), TargetRefused> {
    let mut lines = headers.get_all(HOST).iter();
    let header = lines.next();
    if lines.next().is_some() {
        return Err(TargetRefused::SeveralHosts);
    }
    let named = header.map(host_and_port).transpose()?;
    let Some(authority) = uri.authority() else {
        let (host, _) = named.ok_or(TargetRefused::HostMissing)?;
        return Ok((host, header.ok_or(TargetRefused::HostMissing)?.clone()));
    };
    // `GET host:80`, the authority form, is for CONNECT only; `ftp://host/` is for other servers.
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(TargetRefused::NotOriginForm);
    }
    let written = HeaderValue::from_str(authority.as_str()).map_err(|_| TargetRefused::HostMalformed)?;
    let own = host_and_port(&written)?;
    match named {
        Some(named) if named == own => Ok((own.0, written)),
        Some(_) => Err(TargetRefused::HostsDiffer),
        // HTTP/2 has `:authority` in the place of `Host` (RFC 9113 §8.3.1).
        None if via == Via::Http2 => Ok((own.0, written)),
        None => Err(TargetRefused::HostMissing),
    }
}

fn host_and_port(value: &HeaderValue) -> Result<(Host, Option<u16>), TargetRefused> {
    let text = value.to_str().map_err(|_| TargetRefused::HostMalformed)?;
    // The colons of an IPv6 literal stand inside brackets and are followed by `]`.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host = host.parse().map_err(|_| TargetRefused::HostMalformed)?;
    let port = match port {
        None | Some("") => None, // RFC 3986 §3.2.3: the port may be empty
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| TargetRefused::HostMalformed)?)
        }
        Some(_) => return Err(TargetRefused::HostMalformed),
    };
    Ok((host, port))
}

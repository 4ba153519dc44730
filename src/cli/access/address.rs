//! The address of an application, as it is typed.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::model::host::Host;

/// An https address, or an http one on this machine. `wiki.example.com/path` is taken as https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct AppAddress {
    url: Url,
    host: Host,
}

/// Why a text is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum NotAnAddress {
    #[error("not an address such as https://wiki.example.com")]
    Malformed,
    #[error("http would send the token for everybody on the way to read; use https")]
    PlainHttp,
    #[error("an address with a user name is not taken")]
    UserName,
}

impl AppAddress {
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// The same host with another path and query.
    pub(super) fn at(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl FromStr for AppAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let mut url: Url = text.parse().map_err(|_| NotAnAddress::Malformed)?;
        let host: Host = url
            .host_str()
            .and_then(|host| host.parse().ok())
            .ok_or(NotAnAddress::Malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAnAddress::UserName);
        }
        match url.scheme() {
            "https" => {}
            "http" if host.is_loopback() => {}
            "http" => return Err(NotAnAddress::PlainHttp),
            _ => return Err(NotAnAddress::Malformed),
        }
        url.set_fragment(None);
        Ok(Self { url, host })
    }
}

impl fmt::Display for AppAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_or_on_this_machine() {
        let read = |text: &str| text.parse::<AppAddress>();
        assert_eq!(
            read("wiki.example.com/a?b=1#c").unwrap().to_string(),
            "https://wiki.example.com/a?b=1"
        );
        assert!(read("http://wiki.localhost:8080/").is_ok());
        assert_eq!(read("http://wiki.example.com"), Err(NotAnAddress::PlainHttp));
        assert_eq!(read("https://a@wiki.example.com"), Err(NotAnAddress::UserName));
        for wrong in [
            "",
            "ftp://wiki.example.com",
            "https://",
            "file:///etc/passwd",
            "javascript://x",
        ] {
            assert_eq!(read(wrong), Err(NotAnAddress::Malformed), "{wrong}");
        }
    }
}

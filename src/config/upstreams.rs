//! `[[upstreams]]`: where allowed requests are sent, in cloudflared's ingress vocabulary.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::bounds::Bounds;
use super::certificate;
use super::tree::{Keys, Node};
use crate::model::destination::Destination;
use crate::model::host::Host;
use crate::model::upstream::{OriginRequest, Service, Upstream};

pub(super) const KEYS: Keys = Keys {
    known: &["hostname", "path", "service", "origin_request"],
    refused: &[],
};
pub(super) const ORIGIN_REQUEST_KEYS: Keys = Keys {
    known: &[
        "connect_timeout",
        "origin_server_name",
        "ca_pool",
        "no_tls_verify",
        "http_host_header",
    ],
    refused: &[],
};
const SERVICE: &str = "write http://host:port, https://host:port or unix:/path/to/socket";
const HOSTNAME: &str = "write hostname = \"wiki.example.com\" or \"*.example.com\"";

/// Beyond a few minutes the browser has given up.
const CONNECT_TIMEOUT: Bounds = Bounds {
    least: Duration::from_millis(100),
    most: Duration::from_mins(5),
    said: "100ms to 5m",
};

/// Reads one upstream; its node comes back for faults found later.
pub(super) fn read(node: &Node<'_>) -> Option<Upstream> {
    let table = node.table(&KEYS)?;
    let hostname = table.need("hostname", HOSTNAME);
    let path = table.node("path");
    let covers = hostname.and_then(|hostname| covers(&hostname, path.as_ref()));
    let service = table.need("service", SERVICE).and_then(|node| service(&node));
    let origin_request = table
        .node("origin_request")
        .map_or_else(|| Some(OriginRequest::default()), |node| origin_request(&node));
    Some(Upstream {
        covers: covers?,
        service: service?,
        origin_request: origin_request?,
    })
}

fn covers(hostname: &Node<'_>, path: Option<&Node<'_>>) -> Option<Destination> {
    let host = hostname.text()?;
    if host.contains('/') {
        hostname.fault("a path stands in hostname", "put it into path");
        return None;
    }
    let host: Destination = hostname.parsed(HOSTNAME)?;
    let Some(path) = path else {
        return Some(host);
    };
    let text = path.text()?;
    match format!("{}/{}", host.host(), text.trim_start_matches('/')).parse() {
        Ok(destination) => Some(destination),
        Err(error) => {
            path.fault(format!("{error}"), "write a plain path such as /docs or /docs/*");
            None
        }
    }
}

fn service(node: &Node<'_>) -> Option<Service> {
    let text = node.text()?;
    let service = parse_service(text);
    if let Err(reason) = &service {
        node.fault(reason.clone(), SERVICE);
    }
    service.ok()
}

fn parse_service(text: &str) -> Result<Service, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.starts_with('/') {
            Ok(Service::Unix(PathBuf::from(path)))
        } else {
            Err("the socket's path must start with a slash".to_owned())
        };
    }
    let url: Url = text
        .parse()
        .map_err(|error| format!("\"{text}\" is no service: {error}"))?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let host: Option<Host> = url.host_str().and_then(|host| host.parse().ok());
    match (url.scheme(), host, url.port_or_known_default()) {
        ("http" | "https", _, _) if !bare || !anonymous => {
            Err("a service is scheme, host and port: requests bring their own path".to_owned())
        }
        ("http", Some(host), Some(port)) => Ok(Service::Http { host, port }),
        ("https", Some(host), Some(port)) => Ok(Service::Https { host, port }),
        ("http" | "https", _, _) => Err("the service names no host".to_owned()),
        (scheme, _, _) => Err(format!("services by {scheme} are not forwarded to")),
    }
}

fn origin_request(node: &Node<'_>) -> Option<OriginRequest> {
    let table = node.table(&ORIGIN_REQUEST_KEYS)?;
    let default = OriginRequest::default();
    let connect_timeout = table
        .node("connect_timeout")
        .map_or(Some(default.connect_timeout), |node| {
            Some(CONNECT_TIMEOUT.parse(&node)?.length())
        });
    let origin_server_name = table
        .node("origin_server_name")
        .map(|node| node.parsed("write the name in the upstream's certificate"));
    let ca_pool = table.node("ca_pool").map(|node| {
        certificate::authorities(&node)
            .then(|| node.text().map(|path| node.reader.path(path)))
            .flatten()
    });
    let no_tls_verify = table.node("no_tls_verify").map_or(Some(false), |node| {
        let off = node.boolean()?;
        if off {
            node.warn(
                "the upstream's certificate is not verified: whoever is between can read and change everything",
                "name its authority in ca_pool",
            );
        }
        Some(off)
    });
    let http_host_header = table.node("http_host_header").map(|node| host_header(&node));
    Some(OriginRequest {
        connect_timeout: connect_timeout?,
        origin_server_name: origin_server_name.map_or(Some(None), |name| name.map(Some))?,
        ca_pool: ca_pool.map_or(Some(None), |path| path.map(Some))?,
        no_tls_verify: no_tls_verify?,
        http_host_header: http_host_header.map_or(Some(None), |host| host.map(Some))?,
    })
}

fn host_header(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let authority = text.parse::<http::uri::Authority>();
    let fine = authority.is_ok_and(|authority| !authority.as_str().contains('@'));
    if !fine {
        node.fault(
            format!("\"{text}\" is no value for Host"),
            "write a host name, with a port if the upstream wants one",
        );
    }
    fine.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_as_cloudflared_reads_them() {
        assert_eq!(
            parse_service("http://10.0.0.5:3000"),
            Ok(Service::Http {
                host: "10.0.0.5".parse().unwrap(),
                port: 3000
            })
        );
        assert_eq!(
            parse_service("https://[::1]"),
            Ok(Service::Https {
                host: "[::1]".parse().unwrap(),
                port: 443
            })
        );
        assert_eq!(
            parse_service("unix:/run/app.sock"),
            Ok(Service::Unix("/run/app.sock".into()))
        );
    }

    #[test]
    fn other_services_are_refused() {
        for text in [
            "10.0.0.5:3000",
            "tcp://10.0.0.5:22",
            "http_status:404",
            "http://",
            "http://user:word@10.0.0.5",
            "http://10.0.0.5/path",
            "http://10.0.0.5/?x",
            "unix:app.sock",
            "",
        ] {
            assert!(parse_service(text).is_err(), "{text:?}");
        }
    }
}

//! A request as a client sent it to another proxy, and as that proxy asks about it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::support::wire::{Dial, Reply};
use crate::support::world::FORWARD_AUTH_SECRET;

/// The proxies, by how they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Nginx,
    Traefik,
    Caddy,
    Envoy,
}

pub(crate) const ASKERS: [Asker; 4] = [Asker::Nginx, Asker::Traefik, Asker::Caddy, Asker::Envoy];

/// What is asked, and what stands beside it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) method: Vec<u8>,
    pub(crate) host: String,
    pub(crate) target: Vec<u8>,
    /// The client's header lines, which go along.
    pub(crate) lines: Vec<Vec<u8>>,
    /// Whose request it is.
    pub(crate) address: String,
}

impl Question {
    pub(crate) fn about(method: &str, host: &str, target: &str) -> Self {
        Self {
            method: method.as_bytes().to_vec(),
            host: host.to_owned(),
            target: target.as_bytes().to_vec(),
            lines: vec![b"Accept: text/html".to_vec()],
            address: "192.0.2.7".to_owned(),
        }
    }

    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.push(line.as_bytes().to_vec());
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.address = address.to_owned();
        self
    }

    /// The bytes that such a proxy sends.
    pub(crate) fn asked_by(&self, asker: Asker) -> Vec<u8> {
        let (method, host, target) = (&self.method, self.host.as_bytes(), &self.target);
        let mut bytes = match asker {
            Asker::Nginx => b"GET /auth/nginx HTTP/1.1\r\nHost: vestibule\r\n".to_vec(),
            Asker::Traefik => b"GET /auth/traefik HTTP/1.1\r\nHost: 127.0.0.1:9091\r\n".to_vec(),
            Asker::Caddy => b"GET /auth/caddy HTTP/1.1\r\nHost: 127.0.0.1:9091\r\n".to_vec(),
            Asker::Envoy => [
                method,
                &b" /auth/envoy"[..],
                target,
                b" HTTP/1.1\r\nHost: ",
                host,
                b"\r\n",
            ]
            .concat(),
        };
        let mut line = |name: &str, value: &[u8]| {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        line("X-Vestibule-Forward-Auth", FORWARD_AUTH_SECRET.as_bytes());
        line("X-Forwarded-For", self.address.as_bytes());
        match asker {
            Asker::Nginx => {
                line("X-Original-Method", method);
                line("X-Original-URL", &[&b"http://"[..], host, target].concat());
            }
            Asker::Traefik | Asker::Caddy => {
                line("X-Forwarded-Method", method);
                line("X-Forwarded-Proto", b"http");
                line("X-Forwarded-Host", host);
                line("X-Forwarded-Uri", target);
            }
            Asker::Envoy => line("X-Forwarded-Proto", b"http"),
        }
        for own in &self.lines {
            bytes.extend_from_slice(own);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// The answer; `None` where the connection is closed without one.
    pub(crate) async fn answer(&self, asker: Asker, at: SocketAddr) -> Option<Reply> {
        ask(&self.asked_by(asker), at).await
    }
}

/// Sends bytes to a listener for proxies that ask.
pub(crate) async fn ask(bytes: &[u8], at: SocketAddr) -> Option<Reply> {
    let mut wire = Dial::plain(at).connect("").await;
    wire.send(bytes).await;
    if bytes.starts_with(b"HEAD ") {
        wire.head().await
    } else {
        wire.reply().await
    }
}

/// A question of Caddy's with these lines in place of all that it writes.
pub(crate) fn with_lines(endpoint: &str, lines: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("GET {endpoint} HTTP/1.1\r\nHost: vestibule\r\n");
    for (name, value) in lines {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    text.push_str("\r\n");
    text.into_bytes()
}

//! One request at a time over plain HTTP/1.1, for applications on the same machine.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

/// Nobody answers, or not so that a job could go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreachable;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

#[derive(Clone)]
pub(super) struct Client {
    tenant_url: String,
    secret: String,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    pub(super) fn new(tenant_url: &str, secret: &str) -> Self {
        Self {
            tenant_url: tenant_url.trim_end_matches('/').to_owned(),
            secret: secret.to_owned(),
        }
    }

    /// A request to a path below the Tenant URL.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Unreachable> {
        let asked = tokio::time::timeout(PATIENCE, self.once(method, path, body)).await;
        asked.ok().flatten().ok_or(Unreachable)
    }

    async fn once(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let url = Url::parse(&format!("{}{path}", self.tenant_url)).ok()?;
        if url.scheme() != "http" {
            return None;
        }
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        let mut stream = if host == "localhost" || host.ends_with(".localhost") {
            // Loopback by standard (RFC 6761 §6.3), though not every resolver knows it.
            TcpStream::connect((IpAddr::V4(Ipv4Addr::LOCALHOST), port))
                .await
                .ok()?
        } else {
            TcpStream::connect((host, port)).await.ok()?
        };
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {}\r\n\
             Accept: application/scim+json\r\nContent-Type: application/scim+json; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.secret,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await.ok()?;
        read(&answer)
    }
}

/// Reads an answer after which the connection was closed.
fn read(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = answer.split_at_checked(end + 4)?;
    let head = std::str::from_utf8(head).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        body: serde_json::from_slice(body).unwrap_or(Value::Null),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_its_body_or_without() {
        let found = read(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\": 1}").unwrap();
        assert_eq!((found.status, found.body["a"].as_i64()), (200, Some(1)));
        let empty = read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        assert!(empty.is_success() && empty.body.is_null());
        assert!(read(b"nonsense").is_none());
    }
}

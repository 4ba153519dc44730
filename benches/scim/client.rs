//! Requests over one connection, one after the other.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    authority: String,
    base: String,
    header: String,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Client {
    /// A client whose addresses begin with `base`, and whose requests carry this header.
    pub(crate) fn connect(
        address: SocketAddr,
        host: &str,
        base: String,
        header: String,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            authority: format!("{host}:{}", address.port()),
            base,
            header,
        })
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\n{}\r\nContent-Length: {}\r\n\r\n{body}",
            self.base,
            self.authority,
            self.header,
            body.len()
        );
        let began = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length) = (String::new(), 0_usize);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if status.is_empty() {
                line.clone_into(&mut status);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        let took = began.elapsed();
        let status = status.split(' ').nth(1).unwrap_or_default();
        Ok(Answer {
            status: status.parse()?,
            body: String::from_utf8_lossy(&answer).into_owned(),
            took,
        })
    }

    /// The same, where it must succeed; how long it took.
    pub(crate) fn must(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        let answer = self.ask(method, path, body)?;
        anyhow::ensure!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.body.chars().take(500).collect::<String>()
        );
        Ok(answer)
    }
}

//! Whoever asks: many connections that read, or one that writes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

const CLIENTS: usize = 16;
const ROUND: Duration = Duration::from_secs(2);

/// Whom to ask, and by which token.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) listen: SocketAddr,
    pub(crate) token: &'static str,
}

/// One line of the table.
pub(crate) struct Line {
    pub(crate) rate: f64,
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
}

impl Line {
    fn of(mut latencies: Vec<u32>, took: Duration) -> Self {
        latencies.sort_unstable();
        let count = f64::from(u32::try_from(latencies.len()).unwrap_or(u32::MAX));
        let at = |percent: usize| {
            let found = latencies.get(latencies.len() * percent / 100);
            found.copied().unwrap_or(0)
        };
        Self {
            rate: count / took.as_secs_f64(),
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

/// Reads over all connections at once, each one request after the other.
pub(crate) fn reads(target: Target, path: &(dyn Fn(u64) -> String + Sync)) -> anyhow::Result<Line> {
    let (stop, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let read = || -> anyhow::Result<Vec<u32>> {
        let mut connection = Connection::to(target)?;
        let mut latencies = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let path = path(next.fetch_add(1, Ordering::Relaxed));
            latencies.push(connection.ask("GET", &path, "")?);
        }
        Ok(latencies)
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(read)).collect();
        std::thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for client in clients {
            latencies.extend(client.join().map_err(|_| anyhow::anyhow!("a client failed"))??);
        }
        Ok(Line::of(latencies, began.elapsed()))
    })
}

/// Writes over one connection, one after the other.
pub(crate) fn writes(
    target: Target,
    write: &dyn Fn(u64) -> (&'static str, String, String),
) -> anyhow::Result<Line> {
    let mut connection = Connection::to(target)?;
    let began = Instant::now();
    let mut latencies = Vec::new();
    while began.elapsed() < ROUND {
        let (method, path, body) = write(u64::try_from(latencies.len())?);
        latencies.push(connection.ask(method, &path, &body)?);
    }
    Ok(Line::of(latencies, began.elapsed()))
}

struct Connection {
    stream: TcpStream,
    target: Target,
    answer: Vec<u8>,
}

impl Connection {
    fn to(target: Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target.listen)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            target,
            answer: Vec::new(),
        })
    }

    /// One request; how long it took, in microseconds.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<u32> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.target.listen.port(),
            self.target.token,
            body.len()
        );
        let began = Instant::now();
        self.stream.write_all(request.as_bytes())?;
        self.read_answer().with_context(|| format!("{method} {path}"))?;
        Ok(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX))
    }

    /// Reads head and body by their `Content-Length`.
    fn read_answer(&mut self) -> anyhow::Result<()> {
        self.answer.clear();
        let mut part = vec![0; 64 * 1024];
        let mut wanted = None;
        while wanted.is_none_or(|wanted| self.answer.len() < wanted) {
            let read = self.stream.read(&mut part)?;
            anyhow::ensure!(read > 0, "the gateway closed the connection");
            self.answer
                .extend_from_slice(part.get(..read).unwrap_or_default());
            if wanted.is_none() {
                wanted = length(&self.answer)?;
            }
        }
        Ok(())
    }
}

/// How long the whole answer is, once its head is there.
fn length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    anyhow::ensure!(
        head.starts_with("http/1.1 20"),
        "{}",
        String::from_utf8_lossy(answer)
    );
    let length = head.split("content-length:").nth(1).context("no length")?;
    let length: usize = length.lines().next().unwrap_or_default().trim().parse()?;
    Ok(Some(end + 4 + length))
}

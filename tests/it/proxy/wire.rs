//! A socket that speaks bytes, for both ends of the gateway, and upstreams scripted with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// One end of a connection.
pub(super) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(super) async fn to(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).await.unwrap())
    }

    fn of(stream: TcpStream) -> Self {
        let read = Vec::new();
        Self { stream, read }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends, if the other end has not closed.
    pub(super) async fn still_takes(&mut self, bytes: &str) -> bool {
        let closed = timeout(Duration::from_millis(1), self.stream.read_buf(&mut self.read)).await;
        closed.is_err() && self.stream.write_all(bytes.as_bytes()).await.is_ok()
    }

    /// Sends until the other end takes no more for a moment.
    pub(super) async fn send_until_blocked(&mut self) {
        let chunk = vec![b'x'; 64 * 1024];
        while let Ok(Ok(_)) = timeout(Duration::from_millis(300), self.stream.write(&chunk)).await {}
    }

    /// Everything up to and with `end`.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let end = end.as_bytes();
        loop {
            let found = self.read.windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            let more = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            let so_far = || String::from_utf8_lossy(&self.read).into_owned();
            match more {
                Ok(Ok(n)) if n > 0 => {}
                other => panic!(
                    "{other:?} instead of {:?} after {:?}",
                    String::from_utf8_lossy(end),
                    so_far()
                ),
            }
        }
    }

    /// A message's head.
    pub(super) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// A message with a body of known length, or none.
    pub(super) async fn message(&mut self) -> String {
        let head = self.head().await;
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            })
            .map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            let more = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            assert!(more.unwrap().unwrap() > 0, "closed within the body of {head}");
        }
        let rest = self.read.split_off(length);
        head + &String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap()
    }

    /// Everything until the other end closes, with or without grace.
    pub(super) async fn rest(&mut self) -> String {
        while let Ok(n) = timeout(PATIENCE, self.stream.read_buf(&mut self.read))
            .await
            .expect("closed in time")
        {
            if n == 0 {
                break;
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// How long it takes until the other end has closed; nothing may come before.
    pub(super) async fn closes_after(&mut self) -> Duration {
        let start = Instant::now();
        let rest = self.rest().await;
        assert_eq!(rest, "");
        start.elapsed()
    }

    /// Whether nothing comes for a while.
    pub(super) async fn is_silent(&mut self) -> bool {
        assert!(self.read.is_empty(), "{:?}", String::from_utf8_lossy(&self.read));
        timeout(Duration::from_millis(300), self.stream.read_buf(&mut self.read))
            .await
            .is_err()
    }
}

/// An upstream that does what a test says.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Runs `script` on each connection.
    pub(super) async fn scripted<F>(script: impl Fn(Wire) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(Wire::of(stream)));
            }
        });
        Self { address, connections }
    }

    /// Answers each request of a connection with what it received, head and body.
    pub(super) async fn echo() -> Self {
        Self::scripted(|mut wire| async move {
            loop {
                let request = wire.message().await;
                let length = request.len();
                wire.send(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{request}"
                ))
                .await;
            }
        })
        .await
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

//! The application behind the gateway: a server on bare sockets that keeps every request as it came.
//!
//! What it does depends on the last segment of the path: `ws` switches protocols and echoes, `events` and `download`
//! begin an answer and fall silent, `upload` takes a body without a word, and so on. Everything else is echoed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Stands in every body of the origin, so that a test can say that not one byte of it came through.
pub(crate) const MARK: &str = "served-by-the-origin";

/// A running origin. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    requests: Mutex<Vec<Seen>>,
    streaming: AtomicUsize,
    uploaded: AtomicUsize,
}

/// One request as the origin got it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Request line and header lines, byte for byte.
    pub(crate) head: String,
    /// Trailer lines of a chunked body.
    pub(crate) trailers: Vec<String>,
}

impl Seen {
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// Every value of a header, by its name in any case.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(
            values.len() < 2,
            "{name} came {} times: {}",
            values.len(),
            self.head
        );
        values.first().copied()
    }
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = Self {
            address: listener.local_addr().unwrap(),
            kept: Arc::default(),
        };
        let serving = origin.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let origin = serving.clone();
                tokio::spawn(async move { origin.serve(Connection::new(stream)).await });
            }
        });
        origin
    }

    /// How many requests came so far.
    pub(crate) fn hits(&self) -> usize {
        self.kept.requests.lock().unwrap().len()
    }

    /// The requests from this one on.
    pub(crate) fn since(&self, hits: usize) -> Vec<Seen> {
        self.kept.requests.lock().unwrap()[hits..].to_vec()
    }

    /// The request that came last.
    pub(crate) fn last(&self) -> Seen {
        let requests = self.kept.requests.lock().unwrap();
        requests.last().expect("a request reached the origin").clone()
    }

    /// How many streams are open: sockets, events, downloads, uploads.
    pub(crate) fn streaming(&self) -> usize {
        self.kept.streaming.load(Ordering::SeqCst)
    }

    /// How many bytes of uploads came.
    pub(crate) fn uploaded(&self) -> usize {
        self.kept.uploaded.load(Ordering::SeqCst)
    }

    async fn serve(&self, mut connection: Connection) {
        while let Some(head) = connection.head().await {
            let keep = |trailers: Vec<String>| {
                let head = head.clone();
                self.kept.requests.lock().unwrap().push(Seen { head, trailers });
            };
            let path = head.split(' ').nth(1).unwrap_or_default();
            let path = path.split('?').next().unwrap_or_default();
            let goes_on = match path.rsplit('/').next().unwrap_or_default() {
                "ws" => {
                    keep(Vec::new());
                    self.stream(connection, Begin::Switch).await;
                    return;
                }
                "events" => {
                    keep(Vec::new());
                    self.stream(connection, Begin::Events).await;
                    return;
                }
                "download" => {
                    keep(Vec::new());
                    self.stream(connection, Begin::Download).await;
                    return;
                }
                "upload" => {
                    keep(Vec::new());
                    self.stream(connection, Begin::Upload).await;
                    return;
                }
                "early" => {
                    keep(Vec::new());
                    connection
                        .write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 5\r\n\r\nearly")
                        .await;
                    return;
                }
                "trailers" => {
                    let trailers = connection.body(&head).await;
                    keep(trailers);
                    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n\
                                  4\r\nbody\r\n0\r\nx-checksum: 7\r\nconnection: x\r\n\r\n";
                    connection.write(answer).await
                }
                "cookies" => {
                    keep(Vec::new());
                    let planted = [
                        "CF_Authorization=planted; Path=/",
                        "CF_AppSession=planted",
                        "CF_Session=planted",
                        "CF_Binding=planted",
                        "own=1; Path=/",
                    ];
                    let planted = planted.join("\r\nset-cookie: ");
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nset-cookie: {planted}\r\ncontent-length: 2\r\n\r\nok");
                    connection.write(&answer).await
                }
                "away" => {
                    keep(Vec::new());
                    let elsewhere = self.address;
                    let answer = format!(
                        "HTTP/1.1 302 Found\r\nlocation: http://{elsewhere}/elsewhere\r\ncontent-length: 0\r\n\r\n"
                    );
                    connection.write(&answer).await
                }
                "cors" => {
                    keep(Vec::new());
                    let answer = "HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\n\
                                  access-control-allow-credentials: true\r\naccess-control-max-age: 7\r\n\
                                  content-length: 2\r\n\r\nok";
                    connection.write(answer).await
                }
                "cacheable" => {
                    keep(Vec::new());
                    connection.write("HTTP/1.1 200 OK\r\ncache-control: public, max-age=3600\r\ncontent-length: 2\r\n\r\nok").await
                }
                _ => {
                    let trailers = connection.body(&head).await;
                    let echo = format!("{MARK}\n{head}");
                    let status = if head.starts_with("HEAD ") {
                        String::new()
                    } else {
                        echo.clone()
                    };
                    keep(trailers);
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{status}",
                        echo.len()
                    );
                    connection.write(&answer).await
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Begins as told, then says no more and reads until the other side ends.
    async fn stream(&self, mut connection: Connection, begin: Begin) {
        self.kept.streaming.fetch_add(1, Ordering::SeqCst);
        let first = match begin {
            Begin::Switch => {
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
            }
            Begin::Events => {
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
                 9\r\ndata: 1\n\n\r\n"
            }
            Begin::Download => "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nthe first bytes",
            Begin::Upload => "",
        };
        if connection.write(first).await {
            loop {
                let bytes = std::mem::take(&mut connection.read);
                match begin {
                    Begin::Switch if !connection.write_bytes(&bytes).await => break,
                    Begin::Upload => {
                        self.kept.uploaded.fetch_add(bytes.len(), Ordering::SeqCst);
                    }
                    _ => {}
                }
                if !connection.more().await {
                    break;
                }
            }
        }
        self.kept.streaming.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy)]
enum Begin {
    Switch,
    Events,
    Download,
    Upload,
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(1..))
    }

    async fn write(&mut self, text: &str) -> bool {
        self.write_bytes(text.as_bytes()).await
    }

    async fn write_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                let head = std::mem::replace(&mut self.read, rest);
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads a body and gives its trailers.
    async fn body(&mut self, head: &str) -> Vec<String> {
        let lower = head.to_ascii_lowercase();
        if lower.contains("transfer-encoding: chunked") {
            return self.chunks().await;
        }
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length = length.map_or(0, |value| value.trim().parse().unwrap());
        self.take(length).await;
        Vec::new()
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length && self.more().await {}
        let rest = self.read.split_off(length.min(self.read.len()));
        std::mem::replace(&mut self.read, rest)
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.read, b"\r\n") {
                let line = self.take(end + 2).await;
                return String::from_utf8_lossy(&line).trim().to_owned();
            }
            if !self.more().await {
                return String::new();
            }
        }
    }

    async fn chunks(&mut self) -> Vec<String> {
        loop {
            let size = usize::from_str_radix(self.line().await.split(';').next().unwrap(), 16).unwrap_or(0);
            if size == 0 {
                break;
            }
            self.take(size + 2).await;
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return trailers;
            }
            trailers.push(line);
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

//! What the API answers in a second: one object, and a page of a list, with many of them stored, on SQLite.
//!
//! Prints requests a second and latency. Everything runs in this process, clients included: the gateway alone does more.
//! Compare figures of one machine only.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;
use vestibule::app;
use vestibule::clock::Clock;
use vestibule::config::{self, Surroundings};
use vestibule::store::{Actor, ActorKind, Document, Kind, Store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const APPLICATIONS: u128 = 10_000;
/// Reusable policies, three of which each application has.
const POLICIES: u128 = 500;
const CLIENTS: usize = 16;
const ROUND: Duration = Duration::from_secs(3);
/// Requests a second that each line is to reach.
const TARGET: f64 = 2_000.0;

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "a-token-for-the-benchmark-which-opens-nothing";

fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite://{}/bench.db", directory.path().display());
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let gateway = control.block_on(start(&url, listen))?;
    println_all(&measure(listen)?);
    control.block_on(async {
        gateway.shutdown().clone().finish(Duration::ZERO).await;
    });
    Ok(())
}

/// A gateway over a store that is full.
async fn start(url: &str, listen: SocketAddr) -> anyhow::Result<app::Running> {
    let clock = Clock::system();
    let store = Store::open(&SecretString::from(url), clock.clone()).await?;
    fill(&store).await?;
    store.close().await;
    let text = format!(
        r#"
[organization]
name = "Benchmark"
auth_url = "http://localhost:{}"
account_id = "{ACCOUNT}"
[listen]
http = "{listen}"
[store]
url = "{url}"
[secrets]
master_key = "a key for the benchmark, which keeps nothing worth keeping"
[[upstreams]]
hostname = "*.localhost"
service = "http://127.0.0.1:9"
[[api_tokens]]
name = "benchmark"
token = "{TOKEN}"
permissions = ["*"]
"#,
        listen.port()
    );
    let surroundings = Surroundings {
        env: &|_| None,
        read: &|path| std::fs::read(path),
    };
    let config = config::load_text(Path::new("bench.toml"), &text, surroundings)
        .map_err(|faults| anyhow::anyhow!("{faults}"))?;
    app::start(config, None, clock).await
}

async fn fill(store: &Store) -> anyhow::Result<()> {
    let actor = Actor {
        kind: ActorKind::System,
        name: "benchmark".to_owned(),
    };
    let mut write = store.write(actor).await?;
    for number in 0..POLICIES {
        let body = json!({
            "name": format!("policy {number}"), "decision": "allow",
            "include": [{ "email_domain": { "domain": format!("d{number}.example.com") } }],
        });
        write.put(&document(Kind::Policy, policy(number), body)).await?;
    }
    for number in 0..APPLICATIONS {
        let policies: Vec<String> = (0..3)
            .map(|step| policy((number * 7 + step * 31) % POLICIES).to_string())
            .collect();
        let body = json!({
            "name": format!("application {number}"), "type": "self_hosted",
            "domain": format!("a{number}.localhost"), "session_duration": "24h",
            "policies": policies, "aud": format!("{number:064x}"),
        });
        write
            .put(&document(Kind::Application, application(number), body))
            .await?;
    }
    write.commit().await?;
    Ok(())
}

fn application(number: u128) -> Uuid {
    Uuid::from_u128((1 << 100) + number)
}

fn policy(number: u128) -> Uuid {
    Uuid::from_u128((2 << 100) + number)
}

fn document(kind: Kind, id: Uuid, body: Value) -> Document {
    Document {
        kind,
        id,
        name: body
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        body,
        secrets: None,
        declared: false,
        version: 0,
        created_ms: 0,
        updated_ms: 0,
    }
}

/// One line of the table.
struct Line {
    name: &'static str,
    rate: f64,
    p50_us: u32,
    p99_us: u32,
}

fn measure(gateway: SocketAddr) -> anyhow::Result<Vec<Line>> {
    let base = format!("/client/v4/accounts/{ACCOUNT}/access");
    let middle = APPLICATIONS / 2;
    let cases = [
        (
            "get an application",
            format!("{base}/apps/{}", application(middle)),
        ),
        ("get a policy", format!("{base}/policies/{}", policy(7))),
        ("list applications, page 1", format!("{base}/apps?per_page=25")),
        (
            "list applications, page 200",
            format!("{base}/apps?per_page=25&page=200"),
        ),
        ("list policies", format!("{base}/policies?per_page=25")),
        (
            "applications by name",
            format!("{base}/apps?per_page=25&name=application%20{middle}"),
        ),
        ("verify the token", "/client/v4/user/tokens/verify".to_owned()),
    ];
    let mut lines = Vec::new();
    for (name, path) in cases {
        lines.push(line(gateway, name, &path)?);
    }
    Ok(lines)
}

fn line(gateway: SocketAddr, name: &'static str, path: &str) -> anyhow::Result<Line> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
        gateway.port()
    );
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (request, stop) = (request.clone(), Arc::clone(&stop));
            std::thread::spawn(move || client(gateway, &request, &stop))
        })
        .collect();
    std::thread::sleep(ROUND);
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.join().map_err(|_| anyhow::anyhow!("a client failed"))??);
    }
    let seconds = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let count = f64::from(u32::try_from(latencies.len()).unwrap_or(u32::MAX));
    let at = |percent: usize| {
        latencies
            .get(latencies.len() * percent / 100)
            .copied()
            .unwrap_or(0)
    };
    Ok(Line {
        name,
        rate: count / seconds,
        p50_us: at(50),
        p99_us: at(99),
    })
}

/// One connection, one request after the other.
fn client(gateway: SocketAddr, request: &str, stop: &AtomicBool) -> anyhow::Result<Vec<u32>> {
    let mut stream = TcpStream::connect(gateway)?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut answer = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        stream.write_all(request.as_bytes())?;
        read_answer(&mut stream, &mut answer)?;
        latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(latencies)
}

/// Reads head and body by their `Content-Length`.
fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> anyhow::Result<()> {
    answer.clear();
    let mut part = [0; 16 * 1024];
    let mut wanted = None;
    while wanted.is_none_or(|wanted| answer.len() < wanted) {
        let read = stream.read(&mut part)?;
        anyhow::ensure!(read > 0, "the gateway closed the connection");
        answer.extend_from_slice(part.get(..read).unwrap_or_default());
        if wanted.is_none() {
            wanted = length(answer)?;
        }
    }
    Ok(())
}

/// How long the whole answer is, once its head is there.
fn length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    anyhow::ensure!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.split("content-length:").nth(1).context("no length")?;
    let length: usize = length.lines().next().unwrap_or_default().trim().parse()?;
    Ok(Some(end + 4 + length))
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn println_all(lines: &[Line]) {
    println!("\n{APPLICATIONS} applications, {POLICIES} policies, SQLite, {CLIENTS} connections");
    println!("{:<30}{:>10}{:>10}{:>10}", "", "req/s", "p50 us", "p99 us");
    for line in lines {
        let short = if line.rate < TARGET {
            "  short of the target"
        } else {
            ""
        };
        println!(
            "{:<30}{:>10.0}{:>10}{:>10}{short}",
            line.name, line.rate, line.p50_us, line.p99_us
        );
    }
}

//! SCIM at scale, over HTTP: 200,000 people, 20,000 groups, one of them with 100,000 members, in SQLite on the disk.
//!
//! Prints the median and the slowest hundredth of each kind of request, asked one after the other over one connection, what
//! becomes of 25 requests a second, and how much memory the process has before and after.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mock_entra::{Directory, MockEntra, demo};
use sqlx::any::AnyPoolOptions;
use vestibule::app;
use vestibule::clock::Clock;
use vestibule::config::{self, Surroundings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRET: &str = "a-secret-of-the-benchmark-which-guards-nothing";
const PEOPLE: u32 = 200_000;
const GROUPS: u32 = 20_000;
const MEMBERS: u32 = 100_000;
/// Requests of each kind.
const ROUNDS: u32 = 300;
/// What Entra may send, and for how long.
const RATE: u32 = 25;
const SUSTAINED: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = format!("sqlite://{}", directory.path().join("vestibule.db").display());
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (_entra, gateway) = runtime.block_on(start(listen, &store))?;
    let snapshot = gateway.published.load();
    let provider = snapshot
        .providers
        .keys()
        .next()
        .context("a provider")?
        .to_string();
    runtime.block_on(fill(&store, &provider))?;
    let base = format!("/populations/{provider}/scim/v2");
    let mut client = Client::connect(listen, base)?;

    let before = memory_kb()?;
    let person = |round: u32| round.wrapping_mul(2_654_435_761) % PEOPLE + 1;
    let big = group_id(1);
    let newcomer = |round: u32| user_id(MEMBERS + 1 + round / 2 % (PEOPLE - MEMBERS));
    let cases: [Case<'_>; 7] = [
        ("look up by userName", &|round| {
            let name = format!(
                "/Users?filter=userName+eq+%22USER{}%40corp.example%22",
                person(round)
            );
            ("GET", name, String::new())
        }),
        ("look up by externalId", &|round| {
            let path = format!("/Users?filter=externalId+eq+%22{}%22", object_id(person(round)));
            ("GET", path, String::new())
        }),
        ("look up by work address", &|round| {
            let filter = "emails%5Btype+eq+%22work%22%5D.value+eq+";
            let path = format!("/Users?filter={filter}%22user{}%40corp.example%22", person(round));
            ("GET", path, String::new())
        }),
        ("look up a group by displayName", &|round| {
            let number = round.wrapping_mul(2_654_435_761) % GROUPS + 1;
            let path =
                format!("/Groups?excludedAttributes=members&filter=displayName+eq+%22Group+{number}%22");
            ("GET", path, String::new())
        }),
        ("is somebody in the large group", &|round| {
            let (group, user) = (&big, user_id(person(round)));
            let path =
                format!("/Groups?attributes=id&filter=id+eq+%22{group}%22+and+members+eq+%22{user}%22");
            ("GET", path, String::new())
        }),
        ("one member of 100,000 comes or goes", &|round| {
            let op = if round % 2 == 0 { "Add" } else { "Remove" };
            let member = newcomer(round);
            let body = format!(
                r#"{{"Operations":[{{"op":"{op}","path":"members","value":[{{"$ref":null,"value":"{member}"}}]}}]}}"#
            );
            ("PATCH", format!("/Groups/{big}"), body)
        }),
        ("a person is renamed", &|round| {
            let body = format!(
                r#"{{"Operations":[{{"op":"Replace","path":"displayName","value":"Name {round}"}}]}}"#
            );
            ("PATCH", format!("/Users/{}", user_id(person(round))), body)
        }),
    ];
    for (name, request) in &cases {
        let mut took = Vec::new();
        for round in 0..ROUNDS {
            let (method, path, body) = request(round);
            took.push(client.ask(method, &path, &body)?);
        }
        report(name, took);
    }
    let began = Instant::now();
    let mut took = Vec::new();
    let every = SUSTAINED / (RATE * u32::try_from(SUSTAINED.as_secs())?);
    for round in 0_u32.. {
        let due = every * round;
        if due >= SUSTAINED {
            break;
        }
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let (_, request) = cases.get(round as usize % cases.len()).context("a case")?;
        let (method, path, body) = request(round);
        took.push(client.ask(method, &path, &body)?);
    }
    report("25 requests a second, all of these", took);
    say(&format!(
        "memory: {} MB before, {} MB after",
        before / 1024,
        memory_kb()? / 1024
    ));
    runtime.block_on(gateway.stop(Duration::from_secs(1)));
    Ok(())
}

/// Its name, and the request of a round: method, path, body.
type Case<'c> = (&'static str, &'c dyn Fn(u32) -> (&'static str, String, String));

async fn start(listen: SocketAddr, store: &str) -> anyhow::Result<(MockEntra, app::Running)> {
    let entra = MockEntra::start(Directory::demo()).await?;
    let (tenant, client, secret) = (demo::TENANT, demo::CLIENT_ID, demo::CLIENT_SECRET);
    let (port, base) = (listen.port(), entra.base_url());
    let text = format!(
        r#"
[organization]
name = "Benchmark"
auth_url = "http://localhost:{port}"
[listen]
http = "{listen}"
[store]
url = "{store}"
[secrets]
master_key = "a key for the benchmark, which keeps nothing worth keeping"
[clouds.mock]
login = "{base}"
graph = "{base}"
[[upstreams]]
hostname = "app.localhost"
service = "http://127.0.0.1:9"
[[identity_providers]]
name = "Entra ID"
type = "azureAD"
config = {{ client_id = "{client}", client_secret = "{secret}", directory_id = "{tenant}", support_groups = true, azure_cloud = "mock" }}
scim_config = {{ enabled = true, user_deprovision = true, identity_update_behavior = "automatic" }}
scim_secret = "{SECRET}"
"#
    );
    let surroundings = Surroundings {
        env: &|_| None,
        read: &|path| std::fs::read(path),
    };
    let config = config::load_text(Path::new("bench.toml"), &text, surroundings)
        .map_err(|faults| anyhow::anyhow!("{faults}"))?;
    Ok((entra, app::start(config, None, Clock::system()).await?))
}

/// Puts everybody in, as the store would write them.
async fn fill(store: &str, provider: &str) -> anyhow::Result<()> {
    const NUMBERS: &str = "CREATE TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 200000) SELECT i FROM c";
    const USERS: &str = "INSERT INTO scim_users (id, provider, user_name, external_id, object, active, body, created_ms, updated_ms) \
         SELECT printf('%08x-0000-4000-8000-000000000001', i), $1, 'user' || i || '@corp.example', \
         printf('%08x-0000-4000-8000-000000000002', i), printf('%08x-0000-4000-8000-000000000002', i), 1, \
         '{\"userName\":\"user' || i || '@corp.example\",\"active\":true,\"externalId\":\"' || \
         printf('%08x-0000-4000-8000-000000000002', i) || '\",\"displayName\":\"Person ' || i || '\",\"emails\":[{\"type\":\"work\",\"value\":\"user' || \
         i || '@corp.example\",\"primary\":true}],\"name\":{\"givenName\":\"Given\",\"familyName\":\"Family\"}}', i, i FROM n";
    const EMAILS: &str = "INSERT INTO scim_emails (email, provider, scim_user) SELECT 'user' || i || '@corp.example', $1, \
         printf('%08x-0000-4000-8000-000000000001', i) FROM n";
    const GROUPS: &str = "INSERT INTO scim_groups (id, provider, name_key, display_name, external_id, object, created_ms, updated_ms) \
         SELECT printf('%08x-0000-4000-8000-000000000003', i), $1, 'group ' || i, 'Group ' || i, \
         printf('%08x-0000-4000-8000-000000000004', i), printf('%08x-0000-4000-8000-000000000004', i), i, i FROM n WHERE i <= 20000";
    const LARGE: &str = "INSERT INTO scim_members (scim_group, scim_user) SELECT '00000001-0000-4000-8000-000000000003', \
         printf('%08x-0000-4000-8000-000000000001', i) FROM n WHERE i <= 100000";
    const OTHERS: &str = "INSERT INTO scim_members (scim_group, scim_user) \
         SELECT printf('%08x-0000-4000-8000-000000000003', 2 + i % 19999), printf('%08x-0000-4000-8000-000000000001', i) FROM n";
    let pool = AnyPoolOptions::new().max_connections(1).connect(store).await?;
    let began = Instant::now();
    sqlx::query(NUMBERS).execute(&pool).await?;
    for sql in [USERS, EMAILS, GROUPS] {
        sqlx::query(sql).bind(provider).execute(&pool).await?;
    }
    for sql in [LARGE, OTHERS] {
        sqlx::query(sql).execute(&pool).await?;
    }
    pool.close().await;
    say(&format!(
        "{PEOPLE} people, {GROUPS} groups and one with {MEMBERS} members, filled in in {:?}",
        began.elapsed(),
        GROUPS = self::GROUPS
    ));
    Ok(())
}

fn user_id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000001")
}

fn object_id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000002")
}

fn group_id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000003")
}

struct Client {
    stream: BufReader<TcpStream>,
    authority: String,
    base: String,
}

impl Client {
    fn connect(address: SocketAddr, base: String) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            authority: format!("localhost:{}", address.port()),
            base,
        })
    }

    /// One request; how long its answer took.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<Duration> {
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
            self.base,
            self.authority,
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
        ensure!(
            status.contains(" 200 ") || status.contains(" 204 "),
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(took)
    }
}

fn report(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
    say(&format!(
        "{name:<38} median {:>9.3?}   99th {:>9.3?}",
        at(50),
        at(99)
    ));
}

fn memory_kb() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line
        .and_then(|line| line.split_whitespace().next())
        .context("VmRSS")?;
    Ok(figure.parse()?)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn say(line: &str) {
    println!("{line}");
}

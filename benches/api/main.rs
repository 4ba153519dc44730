//! What the API answers in a second: one object, a page of each list, and writes, with many objects and people stored,
//! on SQLite.
//!
//! Prints requests a second and latency. Everything runs in this process, clients included: the gateway alone does more.
//! Compare figures of one machine only. Arguments choose lines by parts of their names: `cargo bench --bench api -- users`.

#[path = "../support/figures.rs"]
mod figures;

mod client;
mod fill;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use vestibule::app;
use vestibule::clock::Clock;
use vestibule::config::{self, Surroundings};
use vestibule::store::Store;

use client::{Line, Target};
use figures::{memory_kb, say};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests a second that each line of reads is to reach.
const READS_A_SECOND: f64 = 2_000.0;
/// Writes a second, one after the other.
const WRITES_A_SECOND: f64 = 100.0;

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "a-token-for-the-benchmark-which-opens-nothing";

fn main() -> anyhow::Result<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite://{}/bench.db", directory.path().display());
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let gateway = control.block_on(start(&url, listen))?;
    say(&format!(
        "\n{} applications, {} policies, {} users, SQLite; {} MB in memory",
        fill::APPLICATIONS,
        fill::POLICIES,
        fill::USERS,
        memory_kb()? / 1024
    ));
    let target = Target { listen, token: TOKEN };
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    say(&format!(
        "{:<40}{:>10}{:>10}{:>10}",
        "", "per s", "p50 us", "p99 us"
    ));
    for (name, template) in READS {
        if is_wanted(name) {
            let line = client::reads(target, &|number| path(template, number))?;
            print(name, &line, READS_A_SECOND);
        }
    }
    for (name, write) in WRITES {
        if is_wanted(name) {
            let line = client::writes(target, write)?;
            print(name, &line, WRITES_A_SECOND);
        }
    }
    say(&format!("{} MB in memory", memory_kb()? / 1024));
    control.block_on(gateway.stop(Duration::ZERO));
    Ok(())
}

/// A gateway over a store that is full.
async fn start(url: &str, listen: SocketAddr) -> anyhow::Result<app::Running> {
    let clock = Clock::system();
    let store = Store::open(&SecretString::from(url), clock.clone()).await?;
    fill::objects(&store).await?;
    store.close().await;
    fill::people(url, clock.now_ms()).await?;
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

/// What is read, below the account: what stands in braces differs from one request to the next.
const READS: &[(&str, &str)] = &[
    ("apps: one", "/access/apps/{app}"),
    ("apps: page 1", "/access/apps?per_page=25"),
    ("apps: page 390", "/access/apps?per_page=25&page=390"),
    ("apps: any page", "/access/apps?per_page=25&page={400}"),
    (
        "apps: by name",
        "/access/apps?per_page=25&name=application%20{9999}",
    ),
    ("apps: search", "/access/apps?per_page=25&search=TION%20{9999}"),
    (
        "apps: by domain",
        "/access/apps?per_page=25&domain=a{9999}.localhost",
    ),
    (
        "apps: the policies of one",
        "/access/apps/{app}/policies?per_page=25",
    ),
    ("policies: one", "/access/policies/{policy}"),
    ("policies: page 1", "/access/policies?per_page=25"),
    ("policies: page 18", "/access/policies?per_page=25&page=18"),
    ("groups: one", "/access/groups/{group}"),
    ("groups: page 1", "/access/groups?per_page=25"),
    ("groups: page 18", "/access/groups?per_page=25&page=18"),
    ("lists: one", "/gateway/lists/{list}"),
    ("lists: page 1", "/gateway/lists?per_page=25"),
    ("lists: page 4", "/gateway/lists?per_page=25&page=4"),
    (
        "lists: items of one, page 20",
        "/gateway/lists/{list}/items?per_page=25&page=20",
    ),
    ("custom pages: one", "/access/custom_pages/{page}"),
    ("custom pages: page 1", "/access/custom_pages?per_page=25"),
    ("custom pages: page 4", "/access/custom_pages?per_page=25&page=4"),
    ("service tokens: one", "/access/service_tokens/{service_token}"),
    ("service tokens: page 1", "/access/service_tokens?per_page=25"),
    (
        "service tokens: page 36",
        "/access/service_tokens?per_page=25&page=36",
    ),
    ("tags: one", "/access/tags/tag-{99}"),
    ("tags: page 1", "/access/tags?per_page=25"),
    ("tags: page 4", "/access/tags?per_page=25&page=4"),
    ("certificates: page 1", "/access/certificates?per_page=25"),
    ("certificates: page 4", "/access/certificates?per_page=25&page=4"),
    (
        "identity providers: page 1",
        "/access/identity_providers?per_page=25",
    ),
    (
        "identity providers: page 2",
        "/access/identity_providers?per_page=25&page=2",
    ),
    ("organization", "/access/organizations"),
    ("users: one", "/access/users/{user}"),
    ("users: page 1", "/access/users?per_page=25"),
    ("users: page 3900", "/access/users?per_page=25&page=3900"),
    ("users: any page", "/access/users?per_page=25&page={4000}"),
    (
        "users: by email",
        "/access/users?per_page=25&email=user{99999}@corp.example",
    ),
    (
        "users: by name",
        "/access/users?per_page=25&name=Person%20{99999}",
    ),
    ("users: search", "/access/users?per_page=25&search=SER{99999}@"),
    (
        "users: search, a word that 1 % have",
        "/access/users?per_page=25&search=r{99}7",
    ),
    (
        "users: search, what everybody has",
        "/access/users?per_page=25&search=corp&page={4000}",
    ),
    ("users: sessions of one", "/access/users/{user}/active_sessions"),
    ("logs: logins, page 1", "/access/logs/access_requests?per_page=25"),
    (
        "logs: logins, page 100",
        "/access/logs/access_requests?per_page=25&page=100",
    ),
    (
        "logs: logins, any page",
        "/access/logs/access_requests?per_page=25&page={4000}",
    ),
    (
        "logs: logins of a person",
        "/access/logs/access_requests?per_page=25&email_exact=true&email=user{99999}@corp.example",
    ),
    (
        "logs: logins to an application",
        "/access/logs/access_requests?per_page=25&app_uid={login_app}",
    ),
    (
        "logs: logins refused",
        "/access/logs/access_requests?per_page=25&allowed=false&page={40}",
    ),
    (
        "logs: refused at an application",
        "/access/logs/access_requests?per_page=25&allowed=false&app_uid={login_app}",
    ),
    (
        "logs: logins of a country",
        "/access/logs/access_requests?per_page=25&country_code=IS",
    ),
    (
        "logs: refused in a time",
        "/access/logs/access_requests?per_page=25&allowed=false&since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z",
    ),
    (
        "logs: logins by a part of the address",
        "/access/logs/access_requests?per_page=25&email=user12",
    ),
    (
        "logs: logins by a part nobody has",
        "/access/logs/access_requests?per_page=25&email=nobody",
    ),
    (
        "logs: provisioning, page 1",
        "/access/logs/scim/updates?limit=25&idp_id={directory}",
    ),
    (
        "logs: provisioning, page 100",
        "/access/logs/scim/updates?limit=25&page=100&idp_id={directory}",
    ),
    (
        "logs: provisioning that failed",
        "/access/logs/scim/updates?limit=25&idp_id={directory}&status=FAILURE",
    ),
    (
        "logs: provisioning of a person",
        "/access/logs/scim/updates?limit=25&idp_id={directory}&cf_resource_id={user}",
    ),
    (
        "logs: provisioning of two",
        "/access/logs/scim/updates?limit=25&idp_id={directory}&idp_id={other_directory}",
    ),
];

/// The path of the request of this number.
fn path(template: &str, number: u64) -> String {
    let mut path = format!("/client/v4/accounts/{ACCOUNT}");
    let mut parts = template.split(['{', '}']);
    while let Some(part) = parts.next() {
        path.push_str(part);
        let filled = parts.next().map(|what| match what {
            "app" => fill::application(any(number, fill::APPLICATIONS)).to_string(),
            "policy" => fill::policy(any(number, fill::POLICIES)).to_string(),
            "group" => fill::group(any(number, fill::GROUPS)).to_string(),
            "list" => fill::list(any(number, fill::LISTS)).to_string(),
            "page" => fill::page(any(number, fill::PAGES)).to_string(),
            "service_token" => fill::service_token(any(number, fill::SERVICE_TOKENS)).to_string(),
            "user" => fill::user(any(number, fill::USERS)),
            "login_app" => fill::login_app(any(number, fill::LOGIN_APPS)),
            "directory" => fill::provider(0).to_string(),
            "other_directory" => fill::provider(1).to_string(),
            most => (1 + any(number, most.parse().unwrap_or(1))).to_string(),
        });
        path.extend(filled);
    }
    path
}

/// Method, path and body of a write by its number.
type Write = fn(u64) -> (&'static str, String, String);

const WRITES: &[(&str, Write)] = &[
    ("write: make an application", |number| {
        ("POST", path("/access/apps", number), application(number, "made"))
    }),
    ("write: replace an application", |number| {
        let body = application(u64::try_from(any(number, fill::APPLICATIONS)).unwrap_or(0), "");
        ("PUT", path("/access/apps/{app}", number), body)
    }),
    ("write: replace a policy", |number| {
        let include = format!(r#"[{{"email_domain":{{"domain":"w{number}.example.com"}}}}]"#);
        let body = format!(r#"{{"name":"policy","decision":"allow","include":{include}}}"#);
        ("PUT", path("/access/policies/{policy}", number), body)
    }),
];

fn application(number: u64, below: &str) -> String {
    format!(
        r#"{{"name":"application {number}","type":"self_hosted","domain":"a{number}.localhost/{below}","policies":["{}"]}}"#,
        fill::policy(any(number, fill::POLICIES))
    )
}

/// A number below `most`, spread out.
fn any(number: u64, most: u128) -> u128 {
    u128::from(number.wrapping_mul(2_654_435_761) % (1 << 40)) % most
}

fn print(name: &str, line: &Line, target: f64) {
    let short = if line.rate < target {
        "  short of the target"
    } else {
        ""
    };
    say(&format!(
        "{name:<40}{:>10.0}{:>10}{:>10}{short}",
        line.rate, line.p50_us, line.p99_us
    ));
}

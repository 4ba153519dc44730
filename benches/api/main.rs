//! What the API answers in a second: one object, a page of each list, and writes, with many objects and people stored,
//! on SQLite.
//!
//! Prints requests a second and latency. Everything runs in this process, clients included: the gateway alone does more.
//! Compare figures of one machine only. Arguments choose lines by parts of their names: `cargo bench --bench api -- users`.

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

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests a second that each line of reads is to reach.
const READS: f64 = 2_000.0;
/// Writes a second, one after the other.
const WRITES: f64 = 100.0;

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
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    say(&format!(
        "{:<40}{:>10}{:>10}{:>10}",
        "", "per s", "p50 us", "p99 us"
    ));
    for (name, path) in reads() {
        if is_wanted(name) {
            let line = client::reads(Target { listen, token: TOKEN }, &*path)?;
            print(name, &line, READS);
        }
    }
    for (name, write) in writes() {
        if is_wanted(name) {
            let line = client::writes(Target { listen, token: TOKEN }, &*write)?;
            print(name, &line, WRITES);
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

/// The path of a request by its number: what is asked for differs from one to the next.
type Ask = Box<dyn Fn(u64) -> String + Send + Sync>;
/// Method, path and body of a write by its number.
type Write = Box<dyn Fn(u64) -> (&'static str, String, String)>;

fn reads() -> Vec<(&'static str, Ask)> {
    let base = format!("/client/v4/accounts/{ACCOUNT}");
    let of = |path: String| {
        let base = base.clone();
        move |query: &str| format!("{base}{path}{query}")
    };
    let fixed = |path: String| -> Ask {
        let path = format!("{base}{path}");
        Box::new(move |_| path.clone())
    };
    let page = |resource: &'static str, number: u128| fixed(format!("/{resource}?per_page=25&page={number}"));
    let each = |path: &'static str, make: fn(u64) -> String| -> Ask {
        let at = of(path.to_owned());
        Box::new(move |number| at(&make(number)))
    };
    vec![
        (
            "verify the token",
            Box::new(|_| "/client/v4/user/tokens/verify".to_owned()),
        ),
        (
            "apps: one",
            each("/access/apps/", |n| {
                fill::application(any(n, fill::APPLICATIONS)).to_string()
            }),
        ),
        ("apps: page 1", page("access/apps", 1)),
        ("apps: page 390", page("access/apps", 390)),
        (
            "apps: any page",
            each("/access/apps?per_page=25&page=", |n| {
                (1 + any(n, 400)).to_string()
            }),
        ),
        (
            "apps: by name",
            each("/access/apps?per_page=25&name=application%20", |n| {
                any(n, fill::APPLICATIONS).to_string()
            }),
        ),
        (
            "apps: search",
            each("/access/apps?per_page=25&search=TION%20", |n| {
                any(n, fill::APPLICATIONS).to_string()
            }),
        ),
        (
            "apps: by domain",
            each("/access/apps?per_page=25&domain=a", |n| {
                format!("{}.localhost", any(n, fill::APPLICATIONS))
            }),
        ),
        (
            "apps: the policies of one",
            each("/access/apps/", |n| {
                format!(
                    "{}/policies?per_page=25",
                    fill::application(any(n, fill::APPLICATIONS))
                )
            }),
        ),
        (
            "policies: one",
            each("/access/policies/", |n| {
                fill::policy(any(n, fill::POLICIES)).to_string()
            }),
        ),
        ("policies: page 1", page("access/policies", 1)),
        ("policies: page 18", page("access/policies", 18)),
        (
            "groups: one",
            each("/access/groups/", |n| {
                fill::group(any(n, fill::GROUPS)).to_string()
            }),
        ),
        ("groups: page 1", page("access/groups", 1)),
        ("groups: page 18", page("access/groups", 18)),
        (
            "lists: one",
            each("/gateway/lists/", |n| fill::list(any(n, fill::LISTS)).to_string()),
        ),
        ("lists: page 1", page("gateway/lists", 1)),
        ("lists: page 4", page("gateway/lists", 4)),
        (
            "lists: items of one, page 20",
            each("/gateway/lists/", |n| {
                format!("{}/items?per_page=25&page=20", fill::list(any(n, fill::LISTS)))
            }),
        ),
        (
            "custom pages: one",
            each("/access/custom_pages/", |n| {
                fill::page(any(n, fill::PAGES)).to_string()
            }),
        ),
        ("custom pages: page 1", page("access/custom_pages", 1)),
        ("custom pages: page 4", page("access/custom_pages", 4)),
        (
            "service tokens: one",
            each("/access/service_tokens/", |n| {
                fill::service_token(any(n, fill::SERVICE_TOKENS)).to_string()
            }),
        ),
        ("service tokens: page 1", page("access/service_tokens", 1)),
        ("service tokens: page 36", page("access/service_tokens", 36)),
        (
            "tags: one",
            each("/access/tags/", |n| format!("tag-{}", any(n, fill::TAGS))),
        ),
        ("tags: page 1", page("access/tags", 1)),
        ("tags: page 4", page("access/tags", 4)),
        ("certificates: page 1", page("access/certificates", 1)),
        ("certificates: page 4", page("access/certificates", 4)),
        ("identity providers: page 1", page("access/identity_providers", 1)),
        ("identity providers: page 2", page("access/identity_providers", 2)),
        ("organization", fixed("/access/organizations".to_owned())),
        (
            "users: one",
            each("/access/users/", |n| fill::user(any(n, fill::USERS))),
        ),
        ("users: page 1", page("access/users", 1)),
        ("users: page 3900", page("access/users", 3_900)),
        (
            "users: any page",
            each("/access/users?per_page=25&page=", |n| {
                (1 + any(n, 4_000)).to_string()
            }),
        ),
        (
            "users: page after page",
            each("/access/users?per_page=25&page=", |n| (1 + n % 4_000).to_string()),
        ),
        (
            "users: by email",
            each("/access/users?per_page=25&email=user", |n| {
                format!("{}@corp.example", any(n, fill::USERS))
            }),
        ),
        (
            "users: by name",
            each("/access/users?per_page=25&name=Person%20", |n| {
                any(n, fill::USERS).to_string()
            }),
        ),
        (
            "users: search",
            each("/access/users?per_page=25&search=SER", |n| {
                format!("{}@", any(n, fill::USERS))
            }),
        ),
        (
            "users: sessions of one",
            each("/access/users/", |n| {
                format!("{}/active_sessions", fill::user(any(n, fill::USERS)))
            }),
        ),
        ("logs: logins, page 1", page("access/logs/access_requests", 1)),
        ("logs: logins, page 100", page("access/logs/access_requests", 100)),
        (
            "logs: logins of a person",
            each(
                "/access/logs/access_requests?per_page=25&email_exact=true&email=user",
                |n| format!("{}@corp.example", any(n, fill::USERS)),
            ),
        ),
        (
            "logs: provisioning, page 1",
            fixed(format!(
                "/access/logs/scim/updates?limit=25&idp_id={}",
                fill::provider(0)
            )),
        ),
        (
            "logs: provisioning, page 100",
            fixed(format!(
                "/access/logs/scim/updates?limit=25&page=100&idp_id={}",
                fill::provider(0)
            )),
        ),
        (
            "logs: provisioning of two, page 1",
            fixed(format!(
                "/access/logs/scim/updates?limit=25&idp_id={}&idp_id={}",
                fill::provider(0),
                fill::provider(1)
            )),
        ),
    ]
}

fn writes() -> Vec<(&'static str, Write)> {
    let base = format!("/client/v4/accounts/{ACCOUNT}/access");
    let app = |number: u64, name: &str, path: &str| {
        format!(
            r#"{{"name":"{name} {number}","type":"self_hosted","domain":"a{number}.localhost/{path}","policies":["{}"]}}"#,
            fill::policy(any(number, fill::POLICIES))
        )
    };
    let (apps, one, policies) = (
        format!("{base}/apps"),
        format!("{base}/apps"),
        format!("{base}/policies"),
    );
    vec![
        (
            "write: make an application",
            Box::new(move |n| ("POST", apps.clone(), app(n, "made", "made"))),
        ),
        (
            "write: replace an application",
            Box::new(move |n| {
                let number = any(n, fill::APPLICATIONS);
                (
                    "PUT",
                    format!("{one}/{}", fill::application(number)),
                    app(u64::try_from(number).unwrap_or(0), "application", ""),
                )
            }),
        ),
        (
            "write: replace a policy",
            Box::new(move |n| {
                let id = fill::policy(any(n, fill::POLICIES));
                let body = format!(
                    r#"{{"name":"policy {n}","decision":"allow","include":[{{"email_domain":{{"domain":"w{n}.example.com"}}}}]}}"#
                );
                ("PUT", format!("{policies}/{id}"), body)
            }),
        ),
    ]
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

fn memory_kb() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.unwrap_or("0").parse()?)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn say(line: &str) {
    println!("{line}");
}

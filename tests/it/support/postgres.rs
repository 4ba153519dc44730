//! A PostgreSQL server for the tests: the one that `VESTIBULE_TEST_POSTGRES` names, or a private one, started once a
//! process from installed binaries and gone with it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::any::AnyConnectOptions;
use tokio::sync::OnceCell;

/// A server on which databases can be made.
#[derive(Debug)]
pub(crate) struct Server {
    /// Address of its maintenance database.
    pub(crate) admin_url: String,
    // Its end of the pipe keeps a private server running.
    process: Option<Child>,
}

impl Server {
    /// Whether the server is gone when the tests are over.
    pub(crate) fn private(&self) -> bool {
        self.process.is_some()
    }
}

/// Makes a cluster, serves it while anybody holds the other end of standard input, and leaves nothing behind: however
/// the test process ends, the pipe ends with it.
const SERVE: &str = r#"
bin=$1 dir=$2 port=$3
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || exit 1
"$bin/postgres" -D "$dir/data" -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 -c fsync=off \
    -c full_page_writes=off -c autovacuum=off -c max_connections=200 >>"$dir/log" 2>&1 &
read -r _
kill -INT $!
wait $!
rm -rf "$dir"
"#;

/// The server, or `None` with one visible line where there is none.
///
/// # Panics
/// Where there is none and `CI` is set: then a test that does not run must not pass.
pub(crate) async fn server() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    SERVER.get_or_init(find).await.as_ref()
}

async fn find() -> Option<Server> {
    if let Some(admin_url) = environment("VESTIBULE_TEST_POSTGRES") {
        return Some(Server {
            admin_url,
            process: None,
        });
    }
    if let Some(binaries) = binaries() {
        return Some(start(&binaries).await);
    }
    assert!(environment("CI").is_none(), "CI has PostgreSQL to test with");
    // Not `eprintln!`, which the harness would swallow.
    let line = "SKIPPED on PostgreSQL: no binaries found and VESTIBULE_TEST_POSTGRES is not set\n";
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// The newest installed server's directory of programs.
fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    let packaged = versions.into_iter().rev().map(|(_, path)| path);
    let on_path = environment("PATH").unwrap_or_default();
    packaged
        .chain(std::env::split_paths(&on_path))
        .find(|directory| directory.join("initdb").is_file() && directory.join("postgres").is_file())
}

async fn start(binaries: &Path) -> Server {
    let directory = tempfile::Builder::new()
        .prefix("vestibule-pg-")
        .tempdir()
        .unwrap()
        .keep();
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|free| free.local_addr())
        .unwrap()
        .port();
    let mut command = Command::new("sh");
    command
        .args(["-c", SERVE, "sh"])
        .args([binaries, &directory])
        .arg(port.to_string())
        .stdin(Stdio::piped())
        // A group of its own: an interrupt at the keyboard must not end the shell before it has cleaned up.
        .process_group(0);
    // PostgreSQL refuses to run as root.
    if let Some((user, group)) = unprivileged() {
        std::os::unix::fs::chown(&directory, Some(user), Some(group)).unwrap();
        command.uid(user).gid(group).current_dir(&directory);
    }
    let server = Server {
        admin_url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        process: Some(command.spawn().unwrap()),
    };
    wait_for(&server.admin_url, &directory.join("log")).await;
    server
}

async fn wait_for(url: &str, log: &Path) {
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = url.parse().unwrap();
    for _ in 0..200 {
        if options.connect().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!(
        "PostgreSQL did not start: {}",
        std::fs::read_to_string(log).unwrap_or_default()
    );
}

/// User and group to run as, for root only.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"].iter().find_map(|wanted| {
        let account = accounts
            .lines()
            .find(|line| line.split(':').next() == Some(wanted))?;
        let mut numbers = account.split(':').skip(2);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    std::env::var(name).ok()
}

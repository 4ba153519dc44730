//! Connections: how they are made, how many there are, and how long anything may wait.

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Connection as _};

use super::{Backend, StoreError};

/// The pools of an open store.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) backend: Backend,
    pub(super) writers: AnyPool,
    pub(super) readers: AnyPool,
    /// What follows the changes waits for nobody's reading.
    pub(super) followers: AnyPool,
}

/// How long a call waits for a connection, connecting included.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How long a connection may take to answer when it comes back from a call.
const RELEASE: Duration = Duration::from_secs(2);
/// Logins, feed and administration together use few connections at a time; a PostgreSQL server takes 100 by default,
/// which leaves room for several gateways.
const POSTGRES_CONNECTIONS: u32 = 10;
/// Readers of SQLite run beside the one writer (WAL). More of them would only wait for the same disk.
pub(super) const SQLITE_READERS: u32 = 4;

/// WAL lets readers and the writer work side by side. FULL writes each commit through to the disk
/// (<https://www.sqlite.org/pragma.html#pragma_synchronous>): a session that was ended stays ended through a loss of
/// power. Commits are logins, endings and object writes, never requests. The timeout comes first: the change to WAL
/// itself may have to wait.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 5000; \
     PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON";
/// The order of changes rests on READ COMMITTED, whatever the server's default is. The limits are the server's own,
/// shorter than ours, so that a stuck statement is ended there too.
const POSTGRES_SESSION: &str = "SET default_transaction_isolation = 'read committed'; \
     SET statement_timeout = '8s'; \
     SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '30s'";

/// Whether there can be no store yet: a database in memory, or a file that does not exist.
pub(super) fn is_absent(url: &SecretString) -> bool {
    match sqlite_path(url.expose_secret()) {
        Some(path) => path == ":memory:" || !Path::new(path).exists(),
        None => false,
    }
}

pub(super) async fn connect(url: &SecretString) -> Result<Pools, StoreError> {
    sqlx::any::install_default_drivers();
    let url = url.expose_secret();
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return postgres(url).await;
    }
    match sqlite_path(url) {
        Some(":memory:") => sqlite_in_memory(url).await,
        Some(path) => sqlite_file(url, path).await,
        None => Err(StoreError::Unavailable(
            "a store address begins with sqlite: or postgres:".into(),
        )),
    }
}

async fn postgres(url: &str) -> Result<Pools, StoreError> {
    let pool = options(POSTGRES_SESSION)
        .max_connections(POSTGRES_CONNECTIONS)
        .after_release(|connection, _| Box::pin(still_answers(connection)))
        .connect_with(url.parse()?)
        .await?;
    Ok(Pools {
        backend: Backend::Postgres,
        writers: pool.clone(),
        readers: pool.clone(),
        followers: pool,
    })
}

/// A connection that was given up in the middle of a call goes back to the pool only if it answers. Without a limit the
/// pool would wait for it as long as TCP does, a quarter of an hour in a cut network, and run out of connections.
async fn still_answers(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(RELEASE, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(elapsed) => Err(sqlx::Error::Io(elapsed.into())),
    }
}

async fn sqlite_file(url: &str, path: &str) -> Result<Pools, StoreError> {
    create_private(Path::new(path)).map_err(|error| StoreError::Unavailable(error.into()))?;
    let address: AnyConnectOptions = url.parse()?;
    let writers = sqlite_options()
        .max_connections(1)
        .connect_with(address.clone())
        .await?;
    let readers = sqlite_options()
        .max_connections(SQLITE_READERS)
        .connect_lazy_with(address.clone());
    let followers = sqlite_options().max_connections(1).connect_lazy_with(address);
    Ok(Pools {
        backend: Backend::Sqlite,
        writers,
        readers,
        followers,
    })
}

/// A database in memory lives in its one connection, which therefore never ends.
async fn sqlite_in_memory(url: &str) -> Result<Pools, StoreError> {
    let pool = sqlite_options()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(url.parse()?)
        .await?;
    Ok(Pools {
        backend: Backend::Sqlite,
        writers: pool.clone(),
        readers: pool.clone(),
        followers: pool,
    })
}

/// A connection to a file in this process does not break while it rests. To ask it before each use whether it is still
/// there would be a third of all that is said to its thread.
fn sqlite_options() -> AnyPoolOptions {
    options(SQLITE_SESSION).test_before_acquire(false)
}

fn options(session: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .acquire_timeout(ACQUIRE)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(session).execute(connection).await?;
                Ok(())
            })
        })
}

/// The path in an address of SQLite, as sqlx reads it: `sqlite:path`, `sqlite://path` or `sqlite:///path`.
fn sqlite_path(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    Some(rest.split_once('?').map_or(rest, |(path, _)| path))
}

/// Makes a new database file that only its owner reads: it holds sessions and sealed secrets. SQLite gives its WAL
/// files the same mode. A file that exists keeps the mode its owner chose.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let created = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

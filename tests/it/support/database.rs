//! A fresh database for each test, on both kinds through one macro.

use secrecy::SecretString;
use sqlx::{AnyPool, AssertSqlSafe};
use vestibule::clock::Clock;
use vestibule::crypto::random;
use vestibule::store::Store;

use super::postgres::{self, Server};

/// An empty database, alone for one test.
#[derive(Debug)]
pub(crate) struct Database {
    url: String,
    // For PostgreSQL: the server and the database's name on it.
    served: Option<(&'static Server, String)>,
    // For SQLite: where its file is, gone with this value.
    _directory: Option<tempfile::TempDir>,
}

impl Database {
    /// A file of SQLite.
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite://{}", directory.path().join("vestibule.db").display()),
            served: None,
            _directory: Some(directory),
        }
    }

    /// A database on PostgreSQL; `None` where there is no server.
    pub(crate) async fn postgres() -> Option<Self> {
        let server = postgres::server().await?;
        let name = format!("vestibule_test_{}", random::hex_digits::<8>());
        run(&server.admin_url, format!("CREATE DATABASE {name}")).await;
        let mut url: url::Url = server.admin_url.parse().unwrap();
        url.set_path(&name);
        Some(Self {
            url: url.into(),
            served: Some((server, name)),
            _directory: None,
        })
    }

    /// Its address, as the configuration has it.
    pub(crate) fn url(&self) -> SecretString {
        self.url.clone().into()
    }

    /// A store on it, by the system's clock.
    pub(crate) async fn store(&self) -> Store {
        self.store_at(&Clock::system()).await
    }

    /// A store on it, by a clock that the test moves.
    pub(crate) async fn store_at(&self, clock: &Clock) -> Store {
        Store::open(&self.url(), clock.clone()).await.unwrap()
    }

    /// Runs a statement behind the store's back.
    pub(crate) async fn run(&self, sql: &'static str) {
        run(&self.url, sql.to_owned()).await;
    }

    /// A pool of one connection to it, for transactions behind the store's back.
    pub(crate) async fn pool(&self) -> AnyPool {
        pool(&self.url).await
    }

    /// Cuts all connections and refuses new ones, until [`Database::return_to_work`]. PostgreSQL only.
    pub(crate) async fn vanish(&self) {
        let (server, name) = self.served.as_ref().expect("only a server goes away");
        run(
            &server.admin_url,
            format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        )
        .await;
        let cut =
            format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'");
        run(&server.admin_url, cut).await;
    }

    /// Takes connections again.
    pub(crate) async fn return_to_work(&self) {
        let (server, name) = self.served.as_ref().expect("only a server comes back");
        run(
            &server.admin_url,
            format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
        )
        .await;
    }

    /// Removes it; for the macros below. A private server goes as a whole.
    pub(crate) async fn remove(&self) {
        if let Some((server, name)) = &self.served
            && !server.private()
        {
            run(&server.admin_url, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn run(url: &str, sql: String) {
    let pool = pool(url).await;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn pool(url: &str) -> AnyPool {
    sqlx::any::install_default_drivers();
    let options = sqlx::any::AnyPoolOptions::new().max_connections(1);
    options.connect(url).await.unwrap()
}

/// Runs a test's body, removes the database, and only then lets a failure through.
pub(crate) async fn with<F, T>(database: Database, body: F)
where
    F: FnOnce(std::sync::Arc<Database>) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let database = std::sync::Arc::new(database);
    let outcome = tokio::spawn(body(std::sync::Arc::clone(&database))).await;
    database.remove().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

/// Each test twice: on SQLite and on PostgreSQL, each time in an empty database.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($database: std::sync::Arc<crate::support::database::Database>) $body

        mod $name {
            use crate::support::database::{Database, with};

            #[tokio::test]
            async fn sqlite() {
                with(Database::sqlite(), super::$name).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(database) = Database::postgres().await {
                    with(database, super::$name).await;
                }
            }
        }
    )*};
}

/// For what only a server can show.
macro_rules! on_postgres {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block)*) => {$(
        $(#[$meta])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            use crate::support::database::{Database, with};

            async fn body($database: std::sync::Arc<Database>) $body

            if let Some(database) = Database::postgres().await {
                with(database, body).await;
            }
        }
    )*};
}

pub(crate) use {on_both, on_postgres};

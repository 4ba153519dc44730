//! The database gone, and back again: no restart in between.

use std::net::Ipv4Addr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use vestibule::clock::Clock;
use vestibule::store::{Store, StoreError};

use super::documents::{application, file, put};
use super::people::Person;
use crate::support::database::{Database, on_both, on_postgres};

on_both! {
    async fn a_closed_store_says_so(database) {
        let store = database.store().await;
        store.close().await;
        let error = store.head().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)));
        // The line in the log says why, a full disk as well as this.
        let said = error.to_string();
        assert!(said.contains("closed pool"), "{said}");
        assert!(matches!(store.write(file()).await, Err(StoreError::Unavailable(_))));
    }
}

on_postgres! {
    async fn a_server_that_went_and_came_back_serves_again(database) {
        let store = database.store().await;
        let (nonce, _) = Person::new().sign_in(&store).await;
        database.vanish().await;
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.session(&nonce).await, Err(StoreError::Unavailable(_))));
        database.return_to_work().await;
        store.ping().await.unwrap();
        assert!(store.may_mint(&nonce).await.unwrap());
    }

    async fn a_write_cut_in_the_middle_has_not_happened(database) {
        let store = database.store().await;
        let mut write = store.write(file()).await.unwrap();
        let wiki = write.put(&application("Wiki")).await.unwrap();
        database.vanish().await;
        assert!(matches!(write.commit().await, Err(StoreError::Unavailable(_))));
        database.return_to_work().await;
        assert!(store.document(wiki.kind, wiki.id).await.unwrap().is_none());
        put(&store, &wiki).await;
    }

    async fn listening_goes_on_after_a_lost_connection(database) {
        let (store, other) = (database.store().await, database.store().await);
        database.vanish().await;
        database.return_to_work().await;
        let mut woken = false;
        for _ in 0..20 {
            let wake_up = other.woken();
            put(&store, &application("Wiki")).await;
            woken = tokio::time::timeout(Duration::from_millis(250), wake_up).await.is_ok();
            if woken {
                break;
            }
        }
        assert!(woken);
    }

    /// No reset, no refusal, simply silence on every connection: the worst a network does.
    async fn a_network_gone_silent_costs_seconds_and_no_connection(database) {
        let relay = Relay::to(&database.url()).await;
        let store = Store::open(&relay.url, Clock::system()).await.unwrap();
        let mut held = store.write(file()).await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..9 {
            let store = store.clone();
            waiting.spawn(async move { store.write(file()).await.is_err() });
        }
        all_wait(&database, 9).await;
        relay.silence();
        let wiki = application("Wiki");
        let (cut, waiting) = tokio::join!(held.put(&wiki), waiting.join_all());
        assert!(matches!(cut, Err(StoreError::Unavailable(_))) && waiting.into_iter().all(|failed| failed));
        drop(held);
        let mut back = store.ping().await;
        if back.is_err() {
            back = store.ping().await; // the first may come before the silent connections are given up
        }
        back.unwrap();
    }
}

/// Returns when so many connections wait for a lock.
async fn all_wait(database: &Database, wanted: i64) {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let pool = database.pool().await;
    for _ in 0..200 {
        let waiting: i64 = sqlx::query_scalar(WAITING).fetch_one(&pool).await.unwrap();
        if waiting == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{wanted} connections never waited at once");
}

/// A network between gateway and database.
struct Relay {
    url: SecretString,
    silent: watch::Sender<()>,
}

impl Relay {
    async fn to(database: &SecretString) -> Self {
        let mut url: url::Url = database.expose_secret().parse().unwrap();
        let server = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_ip_host(Ipv4Addr::LOCALHOST.into()).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (silent, silenced) = watch::channel(());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut silenced) = (server.clone(), silenced.clone());
                silenced.mark_unchanged();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        // Open on both sides, and nothing passes any more.
                        _ = silenced.changed() => tokio::time::sleep(Duration::from_mins(1)).await,
                    }
                });
            }
        });
        Self {
            url: String::from(url).into(),
            silent,
        }
    }

    /// Every connection so far goes silent; new ones work.
    fn silence(&self) {
        self.silent.send(()).unwrap();
    }
}

/// Another process writes for longer than any call waits: the answer is a clear one, not a hang.
#[tokio::test]
async fn a_locked_file_is_unavailable_and_recovers() {
    let database = Database::sqlite();
    let store = database.store().await;
    let pool = database.pool().await;
    let held = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.write(file()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    store.head().await.unwrap();
    held.rollback().await.unwrap();
    put(&store, &application("Wiki")).await;
}

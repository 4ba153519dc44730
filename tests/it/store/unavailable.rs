//! The database gone, and back again: no restart in between.

use std::time::Duration;

use vestibule::store::StoreError;

use super::documents::{application, file, put};
use super::people::Person;
use crate::support::database::{on_both, on_postgres};

on_both! {
    async fn a_closed_store_says_so(database) {
        let store = database.store().await;
        store.close().await;
        assert!(matches!(store.head().await, Err(StoreError::Unavailable(_))));
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
}

/// Another process writes for longer than any call waits: the answer is a clear one, not a hang.
#[tokio::test]
async fn a_locked_file_is_unavailable_and_recovers() {
    let database = crate::support::database::Database::sqlite();
    let store = database.store().await;
    let pool = database.pool().await;
    let held = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.write(file()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    store.head().await.unwrap();
    held.rollback().await.unwrap();
    put(&store, &application("Wiki")).await;
}

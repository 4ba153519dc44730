//! Opening: migrations, restarts, foreign schemas, files.

use vestibule::clock::Clock;
use vestibule::store::{Store, StoreError};

use super::people::Person;
use crate::support::database::on_both;

on_both! {
    async fn everything_outlives_a_restart(database) {
        let store = database.store().await;
        let person = Person::new();
        let (nonce, user) = person.sign_in(&store).await;
        let head = store.head().await.unwrap();
        store.close().await;

        let store = database.store().await;
        assert_eq!(store.user(user.id).await.unwrap().unwrap().id, user.id);
        assert_eq!(store.session(&nonce).await.unwrap().unwrap().user, user.id);
        assert_eq!(store.head().await.unwrap(), head);
        store.ping().await.unwrap();
    }

    async fn two_gateways_that_start_at_once_share_one_schema(database) {
        let (first, second) = (database.url(), database.url());
        let (first, second) = tokio::join!(
            Store::open(&first, Clock::system()),
            Store::open(&second, Clock::system()),
        );
        assert_eq!(
            first.unwrap().head().await.unwrap(),
            second.unwrap().head().await.unwrap()
        );
    }

    async fn who_only_looks_finds_a_store_or_none_and_makes_none(database) {
        let url = database.url();
        let look = || Store::open_existing(&url, Clock::system());
        assert!(look().await.unwrap().is_none());
        assert!(look().await.unwrap().is_none(), "looking made nothing");
        let head = database.store().await.head().await.unwrap();
        assert_eq!(look().await.unwrap().unwrap().head().await.unwrap(), head);
    }

    async fn a_schema_of_a_much_newer_release_is_refused_by_name(database) {
        database.store().await.close().await;
        database.run("INSERT INTO schema_migrations (number, readable_by, checksum, applied_ms) VALUES (900, 899, '', 0)").await;
        let refused = Store::open(&database.url(), Clock::system()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Schema { found: 900, known: 1..900 }), "{refused:?}");
        assert!(refused.to_string().contains("newer release"), "{refused}");
    }

    async fn the_schema_of_the_next_release_is_read_when_it_says_it_can_be(database) {
        database.store().await.close().await;
        database.run("INSERT INTO schema_migrations (number, readable_by, checksum, applied_ms) VALUES (900, 1, '', 0)").await;
        database.store().await.ping().await.unwrap();
    }

    async fn a_schema_that_is_not_what_this_release_made_is_refused(database) {
        database.store().await.close().await;
        database.run("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1").await;
        let refused = Store::open(&database.url(), Clock::system()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { table: "schema_migrations", .. }), "{refused:?}");
    }

    async fn a_cell_that_cannot_be_read_is_named(database) {
        let store = database.store().await;
        let (nonce, _) = Person::new().sign_in(&store).await;
        database.run("UPDATE sessions SET identity = '{'").await;
        let corrupt = store.session(&nonce).await.unwrap_err();
        let StoreError::Corrupt { table, column, row } = &corrupt else {
            panic!("{corrupt:?}");
        };
        assert_eq!((*table, *column), ("sessions", "identity"));
        assert!(nonce.as_str().starts_with(row) && row.len() < nonce.as_str().len());
    }
}

#[tokio::test]
async fn a_database_in_memory_works_on_its_one_connection() {
    let store = Store::open(&"sqlite::memory:".into(), Clock::system())
        .await
        .unwrap();
    let (nonce, _) = Person::new().sign_in(&store).await;
    assert!(store.may_mint(&nonce).await.unwrap());
    let other = Store::open(&"sqlite::memory:".into(), Clock::system())
        .await
        .unwrap();
    assert!(other.session(&nonce).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/vestibule.db");
    let url = format!("sqlite://{}", path.display());
    let store = Store::open(&url.into(), Clock::system()).await.unwrap();
    Person::new().sign_in(&store).await;
    for file in ["vestibule.db", "vestibule.db-wal"] {
        let mode = std::fs::metadata(path.with_file_name(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mode = std::fs::metadata(path.parent().unwrap())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn an_address_of_another_database_is_refused() {
    let refused = Store::open(&"mysql://localhost/x".into(), Clock::system()).await;
    assert!(refused.is_err());
}

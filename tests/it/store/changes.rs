//! The feed: order, wake-ups, restored databases.

use std::time::Duration;

use vestibule::store::{ChangeKind, Ending, Feed, Kind, Position, Store};

use super::documents::{application, file, put};
use super::people::{NEVER_MS, Person};
use crate::support::database::{on_both, on_postgres};

on_both! {
    async fn the_feed_tells_what_came_after_a_position(database) {
        let store = database.store().await;
        let person = Person::new();
        person.sign_in(&store).await;
        let start = store.head().await.unwrap();
        assert_eq!(store.changes_since(&start).await.unwrap(), Feed::Same);

        let (nonce, user) = person.sign_in(&store).await;
        assert_eq!(store.changes_since(&start).await.unwrap(), Feed::Same, "a login is no change");

        put(&store, &application("Wiki")).await;
        store.end_sessions(&Ending::Session(nonce.clone()), "logout").await.unwrap();
        store.end_sessions(&Ending::User(user.id), "administrator").await.unwrap();
        store.end_sessions(&Ending::Everybody, "administrator").await.unwrap();
        let (told, behind) = read(&store, &start).await;
        assert_eq!(told, vec![
            (ChangeKind::Objects, String::new()),
            (ChangeKind::SessionEnded, nonce.to_string()),
            (ChangeKind::UserEnded, user.id.to_string()),
            (ChangeKind::EverybodyEnded, String::new()),
        ]);
        assert_eq!(behind, store.head().await.unwrap());
        assert_eq!(store.changes_since(&behind).await.unwrap(), Feed::Same);
    }

    async fn a_position_of_a_database_that_was_restored_is_lost(database) {
        let store = database.store().await;
        put(&store, &application("Wiki")).await;
        let known = store.head().await.unwrap();

        database.run("DELETE FROM changes WHERE seq = 1").await;
        assert_eq!(store.changes_since(&known).await.unwrap(), Feed::Lost, "its last change is missing");

        database.run("UPDATE change_head SET seq = 0").await;
        put(&store, &application("Docs")).await;
        assert_eq!(store.head().await.unwrap().seq, known.seq);
        assert_eq!(store.changes_since(&known).await.unwrap(), Feed::Lost, "another change has its number");
    }

    async fn whoever_waits_is_woken_by_a_change(database) {
        let (store, other) = (database.store().await, database.store().await);
        // On PostgreSQL the other gateway is told; on SQLite there is one process, and its clones are.
        let listener = if store.is_postgres() { &other } else { &store };
        let mut woken = false;
        for _ in 0..50 {
            let wake_up = listener.woken();
            put(&store, &application("Wiki")).await;
            woken = tokio::time::timeout(Duration::from_millis(200), wake_up).await.is_ok();
            if woken {
                break; // the listener of a store just opened may need a moment
            }
        }
        assert!(woken);
    }

    async fn changes_long_followed_are_forgotten_but_never_the_last(database) {
        let store = database.store().await;
        let start = store.head().await.unwrap();
        put(&store, &application("Wiki")).await;
        let head = store.head().await.unwrap();
        store.forget_expired(NEVER_MS).await.unwrap();
        assert_eq!(store.head().await.unwrap(), head);
        assert_eq!(store.changes_since(&head).await.unwrap(), Feed::Same);
        assert_eq!(store.changes_since(&start).await.unwrap(), Feed::Lost);
    }

    async fn thousands_of_changes_are_forgotten_a_part_at_a_time_and_all_of_them(database) {
        const MANY: &str = "INSERT INTO changes (seq, id, kind, subject, at_ms) \
             WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1203) \
             SELECT (SELECT seq FROM change_head) + i, 'of many', 'keys', '', 0 FROM c";
        let store = database.store().await;
        database.run(MANY).await;
        database.run("UPDATE change_head SET seq = seq + 1203").await;
        let head = store.head().await.unwrap();
        store.forget_expired(NEVER_MS).await.unwrap();
        assert_eq!(store.head().await.unwrap(), head);
        let before = Position { seq: head.seq - 1, id: "of many".to_owned() };
        assert_eq!(store.changes_since(&before).await.unwrap(), Feed::Lost, "only the last is left");
    }
}

on_postgres! {
    /// Were numbers given before the commit order is known, the fast transaction would show the higher number first,
    /// and a reader that moved on would never see the slow one.
    async fn a_slow_transaction_beside_fast_ones_loses_no_change(database) {
        let (slow, fast) = (database.store().await, database.store().await);
        let (nonce, _) = Person::new().sign_in(&fast).await;
        let start = fast.head().await.unwrap();

        let mut write = slow.write(file()).await.unwrap();
        write.put(&application("Slow")).await.unwrap();
        let ending = tokio::spawn({
            let fast = fast.clone();
            async move { fast.end_sessions(&Ending::Session(nonce), "logout").await }
        });
        let other = tokio::spawn({
            let fast = fast.clone();
            async move { put(&fast, &application("Fast")).await }
        });
        let mut followed = start;
        let mut kinds = Vec::new();
        let deadline = tokio::time::Instant::now() + Duration::from_millis(700);
        while tokio::time::Instant::now() < deadline {
            follow(&fast, &mut followed, &mut kinds).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(kinds.is_empty(), "nothing overtakes the slow transaction: {kinds:?}");
        write.commit().await.unwrap();
        ending.await.unwrap().unwrap();
        other.await.unwrap();
        follow(&fast, &mut followed, &mut kinds).await;
        assert_eq!(kinds[0], ChangeKind::Objects);
        let endings = kinds.iter().filter(|kind| **kind == ChangeKind::SessionEnded).count();
        assert_eq!((kinds.len(), endings), (3, 1), "{kinds:?}");
        assert_eq!(fast.documents(Kind::Application).await.unwrap().len(), 2);
    }
}

async fn follow(store: &Store, followed: &mut Position, kinds: &mut Vec<ChangeKind>) {
    match store.changes_since(followed).await.unwrap() {
        Feed::Same => {}
        Feed::Changes(changes, behind) => {
            kinds.extend(changes.iter().map(|change| change.kind));
            *followed = behind;
        }
        Feed::Lost => panic!("the position is lost"),
    }
}

async fn read(store: &Store, since: &Position) -> (Vec<(ChangeKind, String)>, Position) {
    match store.changes_since(since).await.unwrap() {
        Feed::Changes(changes, behind) => {
            assert!(changes.is_sorted_by(|left, right| left.seq + 1 == right.seq));
            (
                changes
                    .into_iter()
                    .map(|change| (change.kind, change.subject))
                    .collect(),
                behind,
            )
        }
        other => panic!("no changes: {other:?}"),
    }
}

//! Rounds of reading a directory: of two, one writes, however long the other has waited.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection as _;
use uuid::Uuid;
use vestibule::clock::Clock;
use vestibule::model::ids::{IdpId, ObjectId};
use vestibule::model::scim::{GroupRecord, IdentityUpdate, UserRecord};
use vestibule::store::{Kind, Membership, ScimGroup, ScimRules, ScimUser, Store, StoreError};

use super::documents::file;
use crate::support::database::{on_both, on_postgres};
use crate::support::telling::Fixed;

fn rules(round: Option<Uuid>) -> Fixed {
    Fixed(ScimRules {
        user_deprovision: true,
        seat_deprovision: true,
        identity_update: IdentityUpdate::Automatic,
        names_repeat: true,
        round,
        journal: None,
        actor: None,
    })
}

fn record(name: &str) -> UserRecord {
    let record = json!({ "userName": name, "active": true });
    UserRecord(record.as_object().unwrap().clone())
}

fn group(name: &str) -> GroupRecord {
    GroupRecord {
        display_name: name.to_owned(),
        external_id: None,
    }
}

/// A round takes what no other holds, for no longer than it is looked at.
async fn take(store: &Store, provider: IdpId) -> Uuid {
    let round = Uuid::new_v4();
    let seen = store.directory_sync(provider).await.unwrap();
    let until_ms = Clock::system().now_ms();
    let taken = store.take_directory_sync(provider, round, seen.as_ref(), until_ms);
    assert!(taken.await.unwrap());
    tokio::time::sleep(Duration::from_millis(5)).await;
    round
}

macro_rules! refused {
    ($written:expr) => {
        let written = $written.await;
        assert!(matches!(written, Err(StoreError::LeaseLost)), "{written:?}");
    };
}

on_both! {
    async fn a_round_writes_nothing_after_another_has_taken_over(database) {
        let store = database.store().await;
        let provider = IdpId(Uuid::new_v4());
        let first = rules(Some(take(&store, provider).await));
        let alice = store.insert_scim_user(provider, &record("alice"), &first).await.unwrap().user.id;
        let team = store.insert_scim_group(provider, &group("Team"), &[alice], &first).await.unwrap().group.id;
        let held = [(ObjectId(Uuid::new_v4()), ObjectId(Uuid::new_v4()))];
        store.change_scim_nesting(provider, &held, &[], &first).await.unwrap();

        let second = rules(Some(take(&store, provider).await));
        let renamed = |_: &UserRecord| Ok::<_, ()>(record("alicia"));
        let emptied = |before: &GroupRecord| Ok::<_, ()>((before.clone(), vec![Membership::Replace(Vec::new())]));
        refused!(store.insert_scim_user(provider, &record("adam"), &first));
        refused!(store.update_scim_user(provider, alice, &renamed, &first));
        refused!(store.delete_scim_user(provider, alice, &first));
        refused!(store.insert_scim_group(provider, &group("Staff"), &[], &first));
        refused!(store.update_scim_group(provider, team, &emptied, &first));
        refused!(store.delete_scim_group(provider, team, &first));
        refused!(store.change_scim_nesting(provider, &[], &held, &first));
        refused!(store.forget_scim_held(provider, &held, &first));
        assert_eq!(store.count_scim::<ScimUser>(provider).await.unwrap(), 1);
        assert_eq!(store.count_scim::<ScimGroup>(provider).await.unwrap(), 1);
        assert_eq!(store.scim_members(team, None, 10).await.unwrap(), [(alice, "alice".to_owned())]);
        assert_eq!(store.scim_nesting(provider).await.unwrap(), held);

        // The other may, and so may whoever asks in the directory's place.
        store.update_scim_user(provider, alice, &renamed, &second).await.unwrap().unwrap().unwrap();
        store.delete_scim_group(provider, team, &rules(None)).await.unwrap().unwrap();
        // Of another provider it is another round.
        refused!(store.insert_scim_user(IdpId(Uuid::new_v4()), &record("alice"), &second));
    }

    async fn a_write_that_waited_while_another_took_over_is_not_made(database) {
        let store = database.store().await;
        let provider = IdpId(Uuid::new_v4());
        let first = rules(Some(take(&store, provider).await));
        let pool = database.pool().await;
        let mut other = pool.acquire().await.unwrap();
        let mut taking = other.begin().await.unwrap();
        sqlx::query("UPDATE directory_syncs SET holder = 'another'").execute(&mut *taking).await.unwrap();
        let written = tokio::spawn({
            let store = store.clone();
            async move { store.insert_scim_user(provider, &record("alice"), &first).await }
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(!written.is_finished(), "it waits for whoever takes over");
        taking.commit().await.unwrap();
        refused!(async { written.await.unwrap() });
        assert_eq!(store.count_scim::<ScimUser>(provider).await.unwrap(), 0);
        drop(other);
        pool.close().await;
    }
}

on_postgres! {
    /// A write that is under way is not seen by whoever deletes, and must not be missed.
    async fn what_a_round_writes_while_its_provider_is_deleted_is_deleted_too(database) {
        let store = database.store().await;
        let provider = IdpId(Uuid::new_v4());
        take(&store, provider).await;
        let pool = database.pool().await;
        let mut other = pool.acquire().await.unwrap();
        let mut writing = other.begin().await.unwrap();
        sqlx::query("UPDATE directory_syncs SET holder = holder").execute(&mut *writing).await.unwrap();
        sqlx::query(
            "INSERT INTO scim_users (id, provider, user_name, active, body, created_ms, updated_ms) \
             SELECT 'x', provider, 'x', 1, '{}', 0, 0 FROM directory_syncs",
        )
        .execute(&mut *writing)
        .await
        .unwrap();
        let deleting = tokio::spawn({
            let store = store.clone();
            async move {
                let mut write = store.write(file()).await.unwrap();
                write.delete(Kind::IdentityProvider, provider.0).await.unwrap();
                write.commit().await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!deleting.is_finished(), "it waits for the write");
        writing.commit().await.unwrap();
        deleting.await.unwrap();
        assert_eq!(store.count_scim::<ScimUser>(provider).await.unwrap(), 0);
        drop(other);
        pool.close().await;
    }
}

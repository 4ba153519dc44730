//! Signing keys: rotation by compare and set, revocation, forgetting.

use serde_json::json;
use vestibule::crypto::random;
use vestibule::store::{ChangeKind, Feed, KeyState, SigningKeyRow, Store, StoreError};

use crate::support::database::on_both;
use crate::support::somebody;

on_both! {
    async fn a_key_comes_back_as_it_was_added(database) {
        let store = database.store().await;
        let key = next_key();
        store.add_signing_key(&key).await.unwrap();
        assert_eq!(store.signing_keys().await.unwrap(), vec![key.clone()]);
        assert!(matches!(store.add_signing_key(&key).await, Err(StoreError::Conflict(_))));
    }

    async fn of_two_gateways_that_rotate_at_once_one_does(database) {
        let store = database.store().await;
        let keys = [next_key(), next_key(), next_key()];
        for key in &keys {
            store.add_signing_key(key).await.unwrap();
        }
        assert!(store.promote_signing_key(None, &keys[0].kid, (100, 0), &somebody()).await.unwrap());
        let current = Some(&keys[0].kid);
        let actor = somebody();
        let (first, second) = tokio::join!(
            store.promote_signing_key(current, &keys[1].kid, (200, 900), &actor),
            store.promote_signing_key(current, &keys[2].kid, (200, 900), &actor),
        );
        assert!(first.unwrap() ^ second.unwrap());
        assert_eq!(states(&store).await.iter().filter(|state| **state == KeyState::Current).count(), 1);
        let previous = find(&store, &keys[0]).await;
        assert_eq!((previous.state, previous.signs_from_ms, previous.retires_ms), (KeyState::Previous, Some(100), Some(900)));
    }

    async fn promoting_a_key_that_is_not_next_changes_nothing(database) {
        let store = database.store().await;
        let key = next_key();
        store.add_signing_key(&key).await.unwrap();
        assert!(store.promote_signing_key(None, &key.kid, (100, 0), &somebody()).await.unwrap());
        let head = store.head().await.unwrap();
        assert!(!store.promote_signing_key(Some(&key.kid), &next_key().kid, (200, 0), &somebody()).await.unwrap());
        assert_eq!(states(&store).await, vec![KeyState::Current]);
        assert_eq!(store.head().await.unwrap(), head);
    }

    async fn every_change_of_a_key_is_told(database) {
        let store = database.store().await;
        let start = store.head().await.unwrap();
        let key = next_key();
        store.add_signing_key(&key).await.unwrap();
        store.promote_signing_key(None, &key.kid, (100, 0), &somebody()).await.unwrap();
        assert!(store.revoke_signing_key(&key.kid, &somebody()).await.unwrap());
        assert!(!store.revoke_signing_key(&key.kid, &somebody()).await.unwrap(), "it is revoked already");
        assert_eq!(states(&store).await, vec![KeyState::Revoked]);
        let now = find(&store, &key).await.retires_ms.unwrap();
        assert_eq!(store.forget_signing_keys(now).await.unwrap(), 0);
        assert_eq!(store.forget_signing_keys(now + 1).await.unwrap(), 1);
        assert!(store.signing_keys().await.unwrap().is_empty());
        let Feed::Changes(changes, _) = store.changes_since(&start).await.unwrap() else {
            panic!("no changes");
        };
        assert_eq!(changes.len(), 4);
        assert!(changes.iter().all(|change| change.kind == ChangeKind::Keys));
    }
}

fn next_key() -> SigningKeyRow {
    SigningKeyRow {
        kid: random::hex_digits::<32>().parse().unwrap(),
        private_sealed: vec![0, 1, 2, 255],
        public_jwk: json!({ "kty": "RSA", "n": "x" }),
        certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        state: KeyState::Next,
        created_ms: 1,
        signs_from_ms: None,
        retires_ms: None,
    }
}

async fn find(store: &Store, key: &SigningKeyRow) -> SigningKeyRow {
    let keys = store.signing_keys().await.unwrap();
    keys.into_iter().find(|found| found.kid == key.kid).unwrap()
}

async fn states(store: &Store) -> Vec<KeyState> {
    store
        .signing_keys()
        .await
        .unwrap()
        .iter()
        .map(|key| key.state)
        .collect()
}

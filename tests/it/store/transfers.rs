//! Tokens on their way to a command line: read once, for a while, and no more of them than there can be people.

use std::time::Duration;

use vestibule::clock::Clock;
use vestibule::crypto::digest::{hex, sha256};
use vestibule::store::Transfer;

use crate::support::database::on_both;

fn transfer(body: &[u8]) -> Transfer {
    Transfer {
        body: body.to_vec(),
        service_key: "key".to_owned(),
    }
}

on_both! {
    async fn a_transfer_is_read_once(database) {
        let store = database.store().await;
        let (name, until) = (sha256(b"name"), Clock::system().now_ms() + 60_000);
        assert!(store.put_transfer(&name, &transfer(b"\0box\xff"), until).await.unwrap());
        assert!(!store.put_transfer(&name, &transfer(b"another"), until).await.unwrap());
        assert_eq!(store.transfers_ready().await.unwrap(), vec![hex(&name)]);
        assert_eq!(store.take_transfer(&sha256(b"other")).await.unwrap(), None);
        let (first, second) = tokio::join!(store.take_transfer(&name), store.take_transfer(&name));
        let taken: Vec<Transfer> = [first.unwrap(), second.unwrap()].into_iter().flatten().collect();
        assert_eq!(taken, vec![transfer(b"\0box\xff")]);
        assert!(store.transfers_ready().await.unwrap().is_empty());
    }

    async fn a_transfer_that_nobody_fetches_is_forgotten(database) {
        let clock = Clock::system();
        let store = database.store_at(&clock).await;
        let name = sha256(b"name");
        assert!(store.put_transfer(&name, &transfer(b"box"), clock.now_ms() + 60_000).await.unwrap());
        clock.advance(jiff::SignedDuration::from_secs(61));
        assert_eq!(store.take_transfer(&name).await.unwrap(), None);
        assert!(store.transfers_ready().await.unwrap().is_empty());
        store.forget_expired(0).await.unwrap();
        clock.advance(jiff::SignedDuration::from_secs(-61));
        assert_eq!(store.take_transfer(&name).await.unwrap(), None);
    }

    async fn who_waits_is_woken_by_a_transfer(database) {
        let store = database.store().await;
        let other = database.store().await;
        let woken = store.woken();
        // Over PostgreSQL the other process' word takes a moment to be listened for.
        let told = async {
            loop {
                let name = sha256(vestibule::crypto::random::hex_digits::<4>().as_bytes());
                let until = Clock::system().now_ms() + 60_000;
                let who = if other.is_postgres() { &other } else { &store };
                who.put_transfer(&name, &transfer(b"box"), until).await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = woken => {}
            () = told => {}
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("nobody was woken"),
        }
    }
}

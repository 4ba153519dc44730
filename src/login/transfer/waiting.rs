//! Programs that wait for their tokens here, and how they learn that these have come: perhaps through another gateway.
//!
//! One task asks the store for all who wait at once, when the store says that something changed and once a second, and
//! only while anybody waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::crypto::digest::hex;
use crate::crypto::transfer::TransferKey;
use crate::session::limits::{FailureLimit, Prefix};
use crate::shutdown::Shutdown;
use crate::store::Store;

/// Programs that may wait at once. Each holds one of the control plane's places, most of which are for logins.
const MOST: usize = 128;
/// Programs of one address that may wait at once: a person has one or two, an office behind one address some more.
const MOST_OF_AN_ADDRESS: usize = 16;
/// Between two looks into the store; a wake-up of the store's comes sooner.
const LOOK: Duration = Duration::from_secs(1);

/// Who waits. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Transfers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    waiting: Mutex<HashMap<u64, Place>>,
    // Somebody came, or something was put into the store here.
    stir: Notify,
    asked: FailureLimit,
}

#[derive(Debug)]
struct Place {
    key: String,
    address: IpAddr,
    ready: Arc<Notify>,
    over: Arc<Notify>,
}

/// A place among those who wait; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    inner: Arc<Inner>,
    number: u64,
    ready: Arc<Notify>,
    over: Arc<Notify>,
}

/// Too many of this address wait already, or it asks again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Transfers {
    /// Starts looking on the present (control) runtime.
    pub fn start(store: Store, shutdown: &Shutdown) -> Self {
        let inner = Arc::new(Inner {
            waiting: Mutex::default(),
            stir: Notify::new(),
            asked: FailureLimit::default(),
        });
        let (looking, stop) = (Arc::clone(&inner), shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = keep_looking(&looking, &store) => {}
                () = stop.hard() => {}
            }
        });
        Self { inner }
    }

    /// A place for a program with this key.
    pub(super) fn wait(&self, key: &TransferKey, address: IpAddr, now_ms: i64) -> Result<Waiting, Full> {
        let inner = &self.inner;
        if inner.asked.must_wait(address, now_ms) {
            return Err(Full);
        }
        // Whoever waits asks about once a minute.
        inner.asked.failed(address, now_ms);
        let mut waiting = inner.places();
        let own = Prefix::of(address);
        let of_address = waiting.values().filter(|place| Prefix::of(place.address) == own);
        if of_address.count() >= MOST_OF_AN_ADDRESS {
            return Err(Full);
        }
        if waiting.len() >= MOST {
            // Anybody may wait, from many addresses: whoever has waited longest asks again.
            let oldest = waiting.keys().min().copied();
            if let Some(place) = oldest.and_then(|oldest| waiting.remove(&oldest)) {
                place.over.notify_one();
            }
        }
        let (ready, over) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let number = waiting.keys().max().map_or(0, |last| last.wrapping_add(1));
        let place = Place {
            key: hex(&key.digest()),
            address,
            ready: Arc::clone(&ready),
            over: Arc::clone(&over),
        };
        waiting.insert(number, place);
        drop(waiting);
        inner.stir.notify_one();
        Ok(Waiting {
            inner: Arc::clone(inner),
            number,
            ready,
            over,
        })
    }

    /// Where a program with this key waits, if it does so at this gateway.
    pub(super) fn waits_at(&self, key: &TransferKey) -> Option<IpAddr> {
        let key = hex(&key.digest());
        let waiting = self.inner.places();
        waiting
            .values()
            .find(|place| place.key == key)
            .map(|place| place.address)
    }

    /// Something was put into the store.
    pub(super) fn look_again(&self) {
        self.inner.stir.notify_one();
    }
}

impl Waiting {
    /// Resolves when the tokens may have come; with `false` where the place was given to somebody else.
    pub(super) async fn ready(&self) -> bool {
        tokio::select! {
            () = self.ready.notified() => true,
            () = self.over.notified() => false,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inner.places().remove(&self.number);
    }
}

impl Inner {
    fn places(&self) -> MutexGuard<'_, HashMap<u64, Place>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, ready: &[String]) {
        for place in self.places().values() {
            if ready.contains(&place.key) {
                place.ready.notify_one();
            }
        }
    }
}

async fn keep_looking(inner: &Inner, store: &Store) {
    loop {
        while inner.places().is_empty() {
            inner.stir.notified().await;
        }
        let woken = store.woken();
        match store.transfers_ready().await {
            Ok(ready) => inner.tell(&ready),
            // Those who wait ask again by themselves.
            Err(error) => tracing::debug!(%error, "Transfers could not be looked for"),
        }
        tokio::select! {
            () = woken => {}
            () = inner.stir.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::crypto::transfer::TransferPair;

    async fn transfers() -> Transfers {
        let clock = Clock::system();
        let store = Store::open(&"sqlite::memory:".into(), clock).await.unwrap();
        Transfers::start(store, &Shutdown::new())
    }

    fn address(number: usize) -> IpAddr {
        IpAddr::from([198, 51, 100, u8::try_from(number).unwrap()])
    }

    #[tokio::test]
    async fn an_address_has_a_few_places_and_all_have_a_bounded_number() {
        let transfers = transfers().await;
        let pair = TransferPair::generate();
        let mut waiting = Vec::new();
        for number in 0..MOST / MOST_OF_AN_ADDRESS {
            for _ in 0..MOST_OF_AN_ADDRESS {
                waiting.push(transfers.wait(pair.public(), address(number), 0).unwrap());
            }
            assert_eq!(
                transfers.wait(pair.public(), address(number), 0).unwrap_err(),
                Full
            );
        }
        // Nobody keeps others out for long: whoever came first asks again.
        let later = transfers.wait(pair.public(), address(200), 0).unwrap();
        assert!(!waiting[0].ready().await);
        assert_eq!(transfers.inner.places().len(), MOST);
        drop(waiting.remove(0));
        assert_eq!(transfers.inner.places().len(), MOST);
        drop(later);
        assert_eq!(transfers.inner.places().len(), MOST - 1);
    }

    #[tokio::test]
    async fn where_a_program_waits_is_known_while_it_does() {
        let transfers = transfers().await;
        let pair = TransferPair::generate();
        let waiting = transfers.wait(pair.public(), address(7), 0).unwrap();
        assert_eq!(transfers.waits_at(pair.public()), Some(address(7)));
        assert_eq!(transfers.waits_at(TransferPair::generate().public()), None);
        drop(waiting);
        assert_eq!(transfers.waits_at(pair.public()), None);
    }
}

//! The switches of a mock: clock, keys, faults, paging, and the record of requests.

use super::Directory;
use crate::clock::Clock;
use crate::faults::{Endpoint, Fault};
use crate::keys::SigningKey;
use crate::provisioning::Provisioning;
use crate::recorded::Recorded;

impl Directory {
    /// Replaces the machine's clock.
    pub fn clock(&self, clock: Clock) -> &Self {
        self.lock().clock = clock;
        self
    }

    /// Shifts every time the mock stamps or compares, in seconds.
    pub fn set_clock_offset(&self, seconds: i64) -> &Self {
        self.lock().offset = seconds;
        self
    }

    /// Gives the provisioning page this job, which it runs after each change.
    pub fn provision_with(&self, job: &Provisioning) -> &Self {
        self.lock().provisioning = Some(job.clone());
        self
    }

    /// Lets a new key sign from now on; the ones before stay published for two more rotations.
    ///
    /// # Panics
    /// If the machine cannot make an RSA key.
    pub fn rotate_keys(&self) -> &Self {
        self.ensure_keys()
            .and_then(|()| SigningKey::generate())
            .map_or_else(
                |failure| panic!("{failure}"),
                |fresh| {
                    if let Some(keys) = &mut self.lock().keys {
                        keys.rotate(fresh);
                    }
                },
            );
        self
    }

    /// Withdraws every key but the one that signs, as after a compromise.
    pub fn forget_old_keys(&self) -> &Self {
        if let Some(keys) = &mut self.lock().keys {
            keys.forget_old();
        }
        self
    }

    /// Lets the next request go wrong that the fault fits.
    pub fn fail_next(&self, fault: Fault) -> &Self {
        self.lock().faults.once(fault);
        self
    }

    /// Lets every request go wrong that the fault fits.
    pub fn fail_always(&self, fault: Fault) -> &Self {
        self.lock().faults.always(fault);
        self
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) -> &Self {
        self.lock().faults.clear();
        self
    }

    /// Gives Graph lists pages of this many entries, whatever `$top` says.
    pub fn graph_page_size(&self, entries: usize) -> &Self {
        self.lock().page_size = Some(entries.max(1));
        self
    }

    /// Lets Graph lists begin with an empty page that only links to the next, as Graph may.
    pub fn graph_empty_first_page(&self, empty: bool) -> &Self {
        self.lock().empty_first_page = empty;
        self
    }

    /// Lets delta queries tell the changes of the round before once more, as Graph may.
    pub fn graph_delta_replays(&self, replays: bool) -> &Self {
        self.lock().delta_replays = replays;
        self
    }

    /// Lets every delta token that was handed out expire: whoever shows one is answered 410 and has to start over.
    pub fn expire_delta_tokens(&self) -> &Self {
        self.lock().grants.deltas.clear();
        self
    }

    /// Lets every access token that was handed out be good no longer: whoever shows one is answered 401.
    pub fn revoke_access_tokens(&self) -> &Self {
        self.lock().grants.access.clear();
        self
    }

    /// The requests so far, in the order they came.
    pub fn requests(&self) -> Vec<Recorded> {
        self.lock().requests.clone()
    }

    /// How many requests an endpoint had.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.lock()
            .requests
            .iter()
            .filter(|request| request.endpoint == endpoint)
            .count()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) -> &Self {
        self.lock().requests.clear();
        self
    }

    /// The time in the mock, in Unix seconds.
    pub fn now(&self) -> i64 {
        self.lock().now()
    }
}

//! Directories that provision by SCIM or are read by Graph: who has fallen silent, and what was written down of them long
//! ago.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::ids::IdpId;
use crate::snapshot::Snapshot;
use crate::store::{DirectorySync, Store, StoreError};

/// How long what was written down stays of providers that are there no more.
const KEPT: Duration = Duration::from_hours(183 * 24);

/// What is known of each directory's silence.
#[derive(Debug, Default)]
pub(super) struct Silences(HashMap<IdpId, Silence>);

#[derive(Debug, Clone, Copy)]
struct Silence {
    /// Since when it is waited for, where nothing has been heard.
    since_ms: i64,
    /// When it was last heard of at the time of the alarm.
    alarmed: Option<i64>,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Silent,
    Back,
}

impl Silences {
    /// What is to be told of a directory now, once each time it falls silent and once when it is heard again.
    fn heard(&mut self, provider: IdpId, last_ms: Option<i64>, limit: Duration, now_ms: i64) -> Option<Told> {
        let silence = self.0.entry(provider).or_insert(Silence {
            since_ms: now_ms,
            alarmed: None,
        });
        let limit_ms = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        if let Some(then) = silence.alarmed {
            // What was heard last may have been forgotten meanwhile.
            let is_back = last_ms.is_some_and(|last_ms| last_ms > then);
            silence.alarmed = silence.alarmed.filter(|_| !is_back);
            return is_back.then_some(Told::Back);
        }
        // What was heard before this process began counts.
        let last_ms = last_ms.unwrap_or(silence.since_ms);
        if now_ms.saturating_sub(last_ms) <= limit_ms {
            return None;
        }
        silence.alarmed = Some(last_ms);
        Some(Told::Silent)
    }
}

/// Looks after the directories of all providers.
///
/// # Errors
/// The store does not answer.
pub(super) async fn round(
    store: &Store,
    snapshot: &Snapshot,
    silences: &mut Silences,
    now_ms: i64,
) -> Result<(), StoreError> {
    silences.0.retain(|id, _| {
        snapshot
            .providers
            .get(id)
            .is_some_and(|provider| provider.told().is_some())
    });
    for provider in snapshot.providers.values() {
        let Some(told) = provider.told() else { continue };
        let (id, name) = (provider.id, provider.name.as_str());
        let last_ms = store.last_scim_update(id).await?;
        store
            .forget_scim_updates(Some(id), before(now_ms, told.log_kept))
            .await?;
        let Some(limit) = told.silence else { continue };
        let read = match provider.sync {
            Some(_) => store.directory_sync(id).await?,
            None => None,
        };
        // One that was never read is waited for since this process began.
        let succeeded = |read: &DirectorySync| Some(read.succeeded_ms).filter(|ms| *ms > 0);
        let last_ms = read.as_ref().map_or(last_ms, succeeded);
        let why = read.and_then(|read| read.failure).unwrap_or_default();
        match silences.heard(id, last_ms, limit, now_ms) {
            None => {}
            Some(Told::Silent) if provider.sync.is_some() => tracing::error!(
                alarm = true, provider.id = %id, provider = name,
                "The directory could not be read for {} minutes: people who leave are not signed out by it. {why}",
                limit.as_secs() / 60
            ),
            Some(Told::Silent) => tracing::error!(
                alarm = true, provider.id = %id, provider = name,
                "The directory has not provisioned for {} minutes: people who leave are not signed out by it. Is the job quarantined?",
                limit.as_secs() / 60
            ),
            Some(Told::Back) => {
                tracing::info!(provider.id = %id, provider = name, "The directory is heard of again");
            }
        }
    }
    store
        .forget_scim_updates(None, before(now_ms, longest(snapshot)))
        .await
}

/// Nothing is forgotten that some provider keeps.
fn longest(snapshot: &Snapshot) -> Duration {
    let kept = snapshot.providers.values().filter_map(|provider| provider.told());
    kept.map(|told| told.log_kept).fold(KEPT, Duration::max)
}

fn before(now_ms: i64, kept: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_told_of_once_when_it_falls_silent_and_once_when_it_is_back() {
        let provider = IdpId(uuid::Uuid::from_u128(1));
        let limit = Duration::from_secs(100);
        let mut silences = Silences::default();
        let mut heard = |last, now: i64| silences.heard(provider, last, limit, now * 1000);
        assert_eq!(heard(None, 1_000), None, "nobody is late at the beginning");
        assert_eq!(heard(None, 1_100), None);
        assert_eq!(heard(None, 1_101), Some(Told::Silent));
        assert_eq!(heard(None, 2_000), None, "once");
        assert_eq!(heard(Some(2_000_000), 2_001), Some(Told::Back));
        assert_eq!(heard(Some(2_000_000), 2_050), None);
        assert_eq!(heard(Some(2_000_000), 2_101), Some(Told::Silent));
        assert_eq!(heard(None, 9_000), None, "forgotten is not heard");
        assert_eq!(heard(Some(9_001_000), 9_001), Some(Told::Back));
    }

    #[test]
    fn a_process_that_begins_knows_how_long_a_directory_has_been_silent() {
        let provider = IdpId(uuid::Uuid::from_u128(1));
        let mut silences = Silences::default();
        let mut heard = |last, now: i64| silences.heard(provider, last, Duration::from_secs(100), now * 1000);
        assert_eq!(heard(Some(500_000), 1_000), Some(Told::Silent));
        assert_eq!(heard(Some(500_000), 1_060), None, "once");
        assert_eq!(heard(Some(1_100_000), 1_120), Some(Told::Back));
    }
}

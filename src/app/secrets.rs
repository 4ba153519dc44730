//! Client secrets that are about to end: told to the operator while there is time.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::ids::IdpId;
use crate::snapshot::Snapshot;
use crate::telemetry::metrics::Metrics;

/// Days ahead at which the end of a secret is announced, the last first.
const ANNOUNCED: [i64; 5] = [0, 1, 7, 14, 30];

/// The announcements made: for each provider the end that was announced, and how many days ahead.
#[derive(Debug, Default)]
pub(super) struct Warned(HashMap<IdpId, (Timestamp, i64)>);

impl Warned {
    /// The days ahead that are to be announced now, once each.
    fn due(&mut self, provider: IdpId, ends: Timestamp, now: Timestamp) -> Option<i64> {
        let left = ends.duration_since(now);
        let reached = |days: &i64| left <= SignedDuration::from_hours(days * 24);
        let days = ANNOUNCED.into_iter().find(reached)?;
        let announced = self.0.insert(provider, (ends, days));
        (announced != Some((ends, days))).then_some(days)
    }
}

/// Tells of secrets that end within thirty days or have ended, and shows the end of each as a metric.
pub(super) fn announce(snapshot: &Snapshot, metrics: &Metrics, warned: &mut Warned, now: Timestamp) {
    let known = snapshot.providers.values();
    let ending = known.filter_map(|provider| Some((provider, provider.entra.secret_expires_at?)));
    let ending: Vec<_> = ending.collect();
    for (provider, ends) in &ending {
        let (id, name) = (provider.id, provider.name.as_str());
        match warned.due(id, *ends, now) {
            None => {}
            Some(0) => tracing::error!(
                alarm = true, provider.id = %id, provider = name, %ends,
                "The client secret has ended: nobody can sign in with it. Make a new one at Entra"
            ),
            Some(days) => tracing::warn!(
                alarm = true, provider.id = %id, provider = name, %ends,
                "The client secret ends in {days} days or less. Make a new one at Entra and write it as next_client_secret"
            ),
        }
    }
    let ends = ending
        .iter()
        .map(|(provider, ends)| (provider.name.as_str(), *ends));
    metrics.client_secrets_end(ends);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_secret_is_announced_four_times_and_when_it_has_come() {
        let provider = IdpId(uuid::Uuid::from_u128(1));
        let ends: Timestamp = "2027-03-31T00:00:00Z".parse().unwrap();
        let mut warned = Warned::default();
        let mut told = Vec::new();
        for hours_left in (-48..=24 * 40).rev() {
            let now = ends - SignedDuration::from_hours(hours_left);
            told.extend(warned.due(provider, ends, now).map(|days| (days, hours_left)));
        }
        assert_eq!(told, [(30, 720), (14, 336), (7, 168), (1, 24), (0, 0)]);
    }

    #[test]
    fn another_end_is_announced_anew() {
        let provider = IdpId(uuid::Uuid::from_u128(1));
        let now: Timestamp = "2027-03-31T00:00:00Z".parse().unwrap();
        let mut warned = Warned::default();
        let soon = now + SignedDuration::from_hours(10);
        assert_eq!(warned.due(provider, soon, now), Some(1));
        assert_eq!(warned.due(provider, soon, now), None);
        assert_eq!(
            warned.due(provider, now + SignedDuration::from_hours(100), now),
            Some(7)
        );
    }
}

//! Trials of policies: what is written down of them comes back, and few are kept.

use uuid::Uuid;
use vestibule::model::ids::UserId;
use vestibule::store::{TrialCounts, TrialOutcome, TrialProgress, TrialStanding};

use crate::support::database::on_both;

on_both! {
    async fn outcomes_come_back_a_page_at_a_time_in_their_order(database) {
        use TrialOutcome::{Approved, Blocked, Uncertain};
        let store = database.store().await;
        let trial = Uuid::new_v4();
        store.begin_trial(trial).await.unwrap();
        assert_eq!(store.trial(trial).await.unwrap(), Some(TrialProgress::default()));
        let users: Vec<UserId> = (0..5).map(|number| UserId(Uuid::from_u128(number))).collect();
        let first = [(users[0], Approved), (users[1], Blocked), (users[2], Uncertain)];
        let second = [(users[3], Blocked), (users[4], Approved)];
        let counts = |approved, blocked, uncertain| TrialCounts { approved, blocked, uncertain };
        let standing = TrialStanding::UnderWay;
        let progress = TrialProgress { standing, total: 5, batches: 1, counts: counts(1, 1, 1) };
        assert!(store.note_trial(trial, &progress, &first).await.unwrap());
        let progress = TrialProgress { batches: 2, counts: counts(2, 2, 1), ..progress };
        assert!(store.note_trial(trial, &progress, &second).await.unwrap());
        let done = TrialProgress { standing: TrialStanding::Done, ..progress };
        assert!(store.note_trial(trial, &done, &[]).await.unwrap());
        assert_eq!(store.trial(trial).await.unwrap(), Some(done));
        for (wanted, place, found) in [
            (None, (10, 0), &[0, 1, 2, 3, 4][..]),
            (None, (2, 2), &[2, 3]),
            (None, (2, 5), &[]),
            (Some(Blocked), (10, 0), &[1, 3]),
            (Some(Blocked), (1, 1), &[3]),
            (Some(Approved), (10, 1), &[4]),
            (Some(Uncertain), (10, 1), &[]),
        ] {
            let page = store.trial_outcomes(trial, wanted, place).await.unwrap();
            let numbers: Vec<u128> = page.iter().map(|(user, _)| user.0.as_u128()).collect();
            assert_eq!(numbers, found, "{wanted:?} {place:?}");
        }
    }

    async fn only_the_newest_trials_are_kept(database) {
        let store = database.store().await;
        let trials: Vec<Uuid> = (0..18).map(|_| Uuid::new_v4()).collect();
        for trial in &trials {
            store.begin_trial(*trial).await.unwrap();
            let one = [(UserId(*trial), TrialOutcome::Blocked)];
            let progress = TrialProgress { batches: 1, ..TrialProgress::default() };
            assert!(store.note_trial(*trial, &progress, &one).await.unwrap());
        }
        let mut kept = 0;
        for trial in &trials {
            let outcomes = store.trial_outcomes(*trial, None, (10, 0)).await.unwrap();
            let there = store.trial(*trial).await.unwrap().is_some();
            assert_eq!(outcomes.len(), usize::from(there));
            kept += outcomes.len();
            assert_eq!(store.note_trial(*trial, &TrialProgress::default(), &[]).await.unwrap(), there);
        }
        assert_eq!(kept, 16);
        assert!(store.trial(trials[17]).await.unwrap().is_some(), "the newest");
    }
}

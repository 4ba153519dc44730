//! Sessions: a login against every ending, before, after and at once.

use std::time::Duration;

use jiff::SignedDuration;
use vestibule::clock::Clock;
use vestibule::model::identity::Identity;
use vestibule::store::{Amended, ChangeKind, Ending, Feed, Kind, SessionInserted};

use super::documents::file;
use super::people::{ADDRESS, NEVER_MS, Person};
use crate::support::database::{on_both, on_postgres};

on_both! {
    async fn a_login_makes_one_user_and_a_session_each_time(database) {
        let store = database.store().await;
        let person = Person::new();
        let (first, user) = person.sign_in(&store).await;
        let (second, again) = person.sign_in(&store).await;
        assert_eq!(user.id, again.id);
        assert_eq!(user.email.as_deref(), Some("zoe@example.com"));
        assert_eq!(store.user_of(person.provider, person.key).await.unwrap().unwrap(), again);
        assert!(store.user_of(Person::new().provider, person.key).await.unwrap().is_none());

        let row = store.session(&first).await.unwrap().unwrap();
        assert_eq!(row.identity, person.identity(user.id), "the identity comes back as it was");
        assert_eq!((row.address, row.identity_version, row.expires_ms), (ADDRESS, 1, NEVER_MS));
        assert_eq!((row.provider_session.as_deref(), row.ended_ms), (Some("sid-1"), None));
        assert_eq!(store.sessions_of(user.id).await.unwrap().len(), 2);
        assert!(store.may_mint(&first).await.unwrap() && store.may_mint(&second).await.unwrap());
    }

    async fn the_same_object_of_another_provider_is_another_user(database) {
        let store = database.store().await;
        let person = Person::new();
        let elsewhere = Person { provider: Person::new().provider, ..person };
        assert_ne!(person.sign_in(&store).await.1.id, elsewhere.sign_in(&store).await.1.id);
    }

    async fn a_login_under_way_does_not_outlive_the_ending_of_its_user(database) {
        let store = database.store().await;
        let person = Person::new();
        let (old, user) = person.sign_in(&store).await;
        let read_at = store.head().await.unwrap().seq;
        assert_eq!(store.end_sessions(&Ending::User(user.id), "revoked").await.unwrap(), vec![old.clone()]);

        let (refused, outcome) = person.try_sign_in(&store, read_at).await;
        assert_eq!(outcome, SessionInserted::UserEndedMeanwhile);
        assert!(store.session(&refused).await.unwrap().is_none());
        assert!(!store.may_mint(&old).await.unwrap());
        let (fresh, user) = person.sign_in(&store).await;
        assert!(store.may_mint(&fresh).await.unwrap(), "a login that began afterwards is welcome");
        assert_eq!(user.generation, store.head().await.unwrap().seq);
    }

    async fn a_first_login_under_way_does_not_outlive_the_ending_of_its_provider(database) {
        let store = database.store().await;
        for ending in [Ending::Everybody, Ending::Provider(Person::new().provider)] {
            let person = match ending {
                Ending::Provider(provider) => Person::at(provider),
                _ => Person::new(),
            };
            let read_at = store.head().await.unwrap().seq;
            store.end_sessions(&ending, "directory changed").await.unwrap();
            let (_, outcome) = person.try_sign_in(&store, read_at).await;
            assert_eq!(outcome, SessionInserted::UserEndedMeanwhile, "{ending:?}");
            assert!(store.user_of(person.provider, person.key).await.unwrap().is_none());
            person.sign_in(&store).await;
        }
    }

    /// By a gateway that has not heard yet that the provider was deleted.
    async fn nobody_signs_in_with_a_provider_that_is_there_no_more(database) {
        let store = database.store().await;
        let person = Person::new();
        person.sign_in(&store).await;
        let mut write = store.write(file()).await.unwrap();
        write.end_sessions(&Ending::Provider(person.provider), "deleted").await.unwrap();
        assert!(write.delete(Kind::IdentityProvider, person.provider.0).await.unwrap());
        write.commit().await.unwrap();
        let read_at = store.head().await.unwrap().seq;
        for person in [person, Person::at(person.provider)] {
            let (nonce, outcome) = person.try_sign_in_anyway(&store, read_at, None, None).await;
            assert_eq!(outcome, SessionInserted::UserEndedMeanwhile);
            assert!(store.session(&nonce).await.unwrap().is_none());
        }
    }

    async fn the_ending_of_one_provider_leaves_the_others_alone(database) {
        let store = database.store().await;
        let (ended, kept) = (Person::new(), Person::new());
        let (gone, _) = ended.sign_in(&store).await;
        let read_at = store.head().await.unwrap().seq;
        let (stays, _) = kept.sign_in(&store).await;
        let told = store.end_sessions(&Ending::Provider(ended.provider), "deleted").await.unwrap();
        assert_eq!(told, vec![gone]);
        assert!(store.may_mint(&stays).await.unwrap());
        assert!(matches!(kept.try_sign_in(&store, read_at).await.1, SessionInserted::Yes(_)));
    }

    async fn a_deprovisioned_person_does_not_sign_in(database) {
        let store = database.store().await;
        let person = Person::new();
        let (nonce, _) = person.sign_in(&store).await;
        database.run("UPDATE users SET deprovisioned = 1").await;
        let read_at = store.head().await.unwrap().seq;
        assert_eq!(person.try_sign_in(&store, read_at).await.1, SessionInserted::Deprovisioned);
        assert!(!store.may_mint(&nonce).await.unwrap());
    }

    async fn a_session_ends_once_and_says_why(database) {
        let store = database.store().await;
        let (nonce, _) = Person::new().sign_in(&store).await;
        let ending = Ending::Session(nonce.clone());
        assert_eq!(store.end_sessions(&ending, "logout").await.unwrap(), vec![nonce.clone()]);
        let head = store.head().await.unwrap();
        assert!(store.end_sessions(&ending, "again").await.unwrap().is_empty());
        assert_eq!(store.head().await.unwrap(), head, "nothing ended, nothing to tell");
        let row = store.session(&nonce).await.unwrap().unwrap();
        assert_eq!(row.ended_cause.as_deref(), Some("logout"));
        assert!(row.ended_ms.is_some() && !store.may_mint(&nonce).await.unwrap());
    }

    async fn another_identity_of_the_same_user_is_told_and_counted(database) {
        let store = database.store().await;
        let person = Person::new();
        let (nonce, user) = person.sign_in(&store).await;
        let head = store.head().await.unwrap();
        let fresh = Identity { amr: vec!["mfa".to_owned()], ..person.identity(user.id) };
        let put = async |identity: &Identity| {
            let put = |known: &mut Identity| *known = identity.clone();
            let amended = store.amend_identities(Amended::Session(&nonce), &put).await.unwrap();
            amended.iter().any(|session| (&session.nonce, &session.identity) == (&nonce, identity))
        };
        assert!(put(&fresh).await);
        let row = store.session(&nonce).await.unwrap().unwrap();
        assert_eq!((row.identity, row.identity_version), (fresh.clone(), 2));
        let Feed::Changes(changes, _) = store.changes_since(&head).await.unwrap() else {
            panic!("no change");
        };
        assert_eq!((changes[0].kind, changes[0].subject.as_str()), (ChangeKind::IdentityChanged, nonce.as_str()));

        let foreign = Person::new().sign_in(&store).await.1;
        assert!(!put(&person.identity(foreign.id)).await);
        store.end_sessions(&Ending::Session(nonce.clone()), "logout").await.unwrap();
        assert!(!put(&fresh).await);
    }

    async fn a_session_at_the_provider_ends_those_that_came_from_it(database) {
        let store = database.store().await;
        let person = Person::new();
        let ((first, _), (second, _)) = (person.sign_in(&store).await, person.sign_in(&store).await);
        let (other, _) = Person::new().sign_in(&store).await;
        let sid = |sid: &str| Ending::ProviderSession { provider: person.provider, sid: sid.to_owned() };
        assert!(store.end_sessions(&sid("sid-2"), "front channel").await.unwrap().is_empty());
        let mut ended = store.end_sessions(&sid("sid-1"), "front channel").await.unwrap();
        ended.sort();
        let mut both = vec![first, second];
        both.sort();
        assert_eq!(ended, both);
        assert!(store.may_mint(&other).await.unwrap(), "the same sid of another provider is another session");
    }

    async fn an_expired_session_mints_nothing_and_is_forgotten(database) {
        let clock = Clock::system();
        let store = database.store_at(&clock).await;
        let (nonce, _) = Person::new().sign_in(&store).await;
        clock.advance(SignedDuration::from_millis(NEVER_MS - clock.now_ms() + 1));
        assert!(!store.may_mint(&nonce).await.unwrap());
        store.forget_expired(NEVER_MS).await.unwrap();
        assert!(store.session(&nonce).await.unwrap().is_some(), "it expires at that time, not before");
        store.forget_expired(NEVER_MS + 1).await.unwrap();
        assert!(store.session(&nonce).await.unwrap().is_none());
    }

    async fn use_is_written_down_and_never_moves_backwards(database) {
        let store = database.store().await;
        let (nonce, _) = Person::new().sign_in(&store).await;
        store.touch_sessions(&[(nonce.clone(), NEVER_MS), (nonce.clone(), 5)]).await.unwrap();
        store.touch_sessions(&[(nonce.clone(), 7)]).await.unwrap();
        assert_eq!(store.session(&nonce).await.unwrap().unwrap().last_use_ms, NEVER_MS);
    }

    async fn whatever_may_be_used_once_is_used_once(database) {
        let clock = Clock::system();
        let store = database.store_at(&clock).await;
        let (hash, until) = ([7; 32], clock.now_ms() + 60_000);
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let store = store.clone();
            tries.spawn(async move { store.spend(&hash, until).await.unwrap() });
        }
        assert_eq!(tries.join_all().await.into_iter().filter(|first| *first).count(), 1);
        assert!(store.spend(&[8; 32], until).await.unwrap());
        store.forget_expired(0).await.unwrap();
        assert!(!store.spend(&hash, until).await.unwrap());
        clock.advance(SignedDuration::from_mins(2));
        store.forget_expired(0).await.unwrap();
        assert!(store.spend(&hash, until).await.unwrap());
    }
}

on_postgres! {
    /// The login holds the user's row, its session not yet visible; the ending must wait and find it.
    async fn an_ending_during_the_insert_catches_the_session(database) {
        let store = database.store().await;
        let person = Person::new();
        let (first, user) = person.sign_in(&store).await;

        let pool = database.pool().await;
        let mut login = pool.begin().await.unwrap();
        sqlx::query("UPDATE users SET last_login_ms = last_login_ms + 1").execute(&mut *login).await.unwrap();
        sqlx::query(
            "INSERT INTO sessions (nonce, user_id, provider, identity, identity_version, read_at, created_ms, \
             expires_ms, last_use_ms, address) SELECT 'AAAAAAAAAAAAAAAA', user_id, provider, identity, 1, read_at, \
             created_ms, expires_ms, last_use_ms, address FROM sessions",
        )
        .execute(&mut *login)
        .await
        .unwrap();
        let ending = tokio::spawn({
            let store = store.clone();
            async move { store.end_sessions(&Ending::User(user.id), "revoked").await }
        });
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(!ending.is_finished(), "the ending waits for the login");
        login.commit().await.unwrap();
        let ended = ending.await.unwrap().unwrap();
        assert_eq!(ended.len(), 2);
        assert!(ended.contains(&first));
    }

    /// Logins and endings of everything at once, on two gateways: whatever is live in the end began after the last.
    async fn logins_and_endings_at_once_leave_nothing_behind(database) {
        let (one, two) = (database.store().await, database.store().await);
        let person = Person::new();
        let (_, user) = person.sign_in(&one).await;
        let logins = tokio::spawn(async move {
            for round in 0..30_usize {
                // Every third login is of somebody new, whom only the provider's ending can catch.
                let who = if round % 3 == 0 { Person::at(person.provider) } else { person };
                let read_at = one.head().await.unwrap().seq;
                let (nonce, outcome) = who.try_sign_in(&one, read_at).await;
                if let SessionInserted::Yes(user) = outcome {
                    let row = one.session(&nonce).await.unwrap().unwrap();
                    assert!(user.generation <= read_at && (row.ended_ms.is_some() || row.user == user.id));
                }
            }
        });
        let endings = tokio::spawn({
            let two = two.clone();
            async move {
                for round in 0..20_usize {
                    let ending = if round % 2 == 0 { Ending::User(user.id) } else { Ending::Provider(person.provider) };
                    two.end_sessions(&ending, "storm").await.unwrap();
                }
            }
        });
        logins.await.unwrap();
        endings.await.unwrap();
        // A live session has read the feed after the last ending of its user and of its provider.
        let pool = database.pool().await;
        let survivors = sqlx::query(
            "SELECT nonce FROM sessions WHERE ended_ms IS NULL AND read_at < \
             (SELECT max(seq) FROM changes WHERE kind = 'provider_ended')",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(survivors.len(), 0);
    }

    /// The write took its number first and wants the user's row; the ending has the row and wants a number. PostgreSQL
    /// would break the knot by ending whichever waited first, here the write, which nobody repeats.
    async fn an_object_write_that_ends_sessions_and_an_ending_do_not_block_each_other(database) {
        let store = database.store().await;
        let (_, user) = Person::new().sign_in(&store).await;
        let pool = database.pool().await;
        let mut touch = pool.begin().await.unwrap();
        sqlx::query("UPDATE sessions SET last_use_ms = 1").execute(&mut *touch).await.unwrap();
        let mut write = store.write(file()).await.unwrap();
        let ending = tokio::spawn({
            let store = store.clone();
            async move { store.end_sessions(&Ending::User(user.id), "revoked").await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        // The ending now has the user's row and waits for the session's.
        let release = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            touch.commit().await.unwrap();
        });
        write.end_sessions(&Ending::User(user.id), "deprovisioned").await.unwrap();
        write.commit().await.unwrap();
        release.await.unwrap();
        ending.await.unwrap().unwrap();
    }
}

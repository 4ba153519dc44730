//! Leave to enter: who may give it, and what it does to sessions.

use uuid::Uuid;
use vestibule::model::identity::PersonKey;
use vestibule::model::ids::{AppId, IdpId, ObjectId, PolicyId, TenantId, UserId};
use vestibule::store::{ApprovalRequest, ApprovalState, Store, User, Vote, Voted};

use super::people::Person;
use crate::support::database::on_both;

const HOUR_MS: i64 = 3_600_000;

fn request(user: &User, now_ms: i64) -> ApprovalRequest {
    ApprovalRequest {
        id: Uuid::new_v4(),
        user: user.id,
        person: user.person,
        address: None,
        email: None,
        name: None,
        app: AppId(Uuid::nil()),
        policy: PolicyId(Uuid::nil()),
        reason: "on call".to_owned(),
        length_ms: HOUR_MS,
        created_ms: now_ms,
        state: ApprovalState::Waiting,
        until_ms: None,
    }
}

fn somebody() -> PersonKey {
    PersonKey {
        tenant: TenantId(Uuid::new_v4()),
        object: ObjectId(Uuid::new_v4()),
    }
}

fn yes(approver: UserId, person: PersonKey, email: &str) -> Vote {
    Vote {
        approver,
        person,
        email: email.to_owned(),
        length_ms: Some(HOUR_MS),
        word: None,
    }
}

async fn say(store: &Store, request: Uuid, vote: &Vote) -> Voted {
    store.vote(request, vote, &|yes| !yes.is_empty()).await.unwrap()
}

on_both! {
    async fn whoever_asked_has_no_vote(database) {
        let store = database.store().await;
        let asker = Person::new();
        let (_, user) = asker.sign_in(&store).await;
        let elsewhere = Person { provider: IdpId(Uuid::new_v4()), ..asker };
        let (_, by_another_provider) = elsewhere.sign_in(&store).await;
        let request = request(&user, vestibule::clock::Clock::system().now_ms());
        assert!(store.request_approval(&request).await.unwrap());
        for own in [
            yes(user.id, somebody(), "adam@example.com"),
            yes(by_another_provider.id, asker.key, "adam@example.com"),
            // The label of the user, which no sign-in vouches for.
            yes(UserId(Uuid::new_v4()), somebody(), "zoe@example.com"),
        ] {
            assert_eq!(say(&store, request.id, &own).await, Voted::Closed, "{own:?}");
        }
        let another = yes(UserId(Uuid::new_v4()), somebody(), "adam@example.com");
        let said = say(&store, request.id, &another).await;
        assert!(matches!(said, Voted::Granted { .. }), "{said:?}");
    }

    async fn one_person_has_one_vote_by_whatever_account(database) {
        let store = database.store().await;
        let (_, user) = Person::new().sign_in(&store).await;
        let request = request(&user, vestibule::clock::Clock::system().now_ms());
        assert!(store.request_approval(&request).await.unwrap());
        let approver = Person::new();
        let elsewhere = Person { provider: IdpId(Uuid::new_v4()), ..approver };
        let (_, one) = approver.sign_in(&store).await;
        let (_, two) = elsewhere.sign_in(&store).await;
        let say = async |vote: Vote| store.vote(request.id, &vote, &|yes| yes.len() > 1).await.unwrap();
        assert_eq!(say(yes(one.id, approver.key, "adam@example.com")).await, Voted::Counted);
        assert_eq!(say(yes(two.id, approver.key, "a.adam@example.com")).await, Voted::Closed);
        let another = yes(UserId(Uuid::new_v4()), somebody(), "eve@example.com");
        let said = say(another).await;
        assert!(matches!(said, Voted::Granted { .. }), "{said:?}");
    }

    async fn leave_is_taken_up_by_later_sessions_until_it_is_taken_back(database) {
        let store = database.store().await;
        let asker = Person::new();
        let (_, user) = asker.sign_in(&store).await;
        let now_ms = vestibule::clock::Clock::system().now_ms();
        let (first, second) = (request(&user, now_ms), request(&user, now_ms + 1));
        let adam = yes(UserId(Uuid::new_v4()), somebody(), "adam@example.com");
        for asked in [&first, &second] {
            assert!(store.request_approval(asked).await.unwrap());
            let said = say(&store, asked.id, &adam).await;
            assert!(matches!(said, Voted::Granted { .. }), "{said:?}");
        }
        let (later, _) = asker.sign_in(&store).await;
        let taken_up = store.take_up_leave(user.id, &later).await.unwrap();
        assert_eq!(taken_up.len(), 1);
        assert_eq!(taken_up[0].identity.approvals.len(), 1);
        // Nobody else's.
        let (other, _) = Person::new().sign_in(&store).await;
        let others = store.take_up_leave(user.id, &other).await.unwrap();
        assert!(others.iter().all(|session| session.identity.approvals.is_empty()), "{others:?}");

        // What was given anew is one leave, and taking it back takes back all of it.
        assert!(store.withdraw_approval(first.id).await.unwrap().is_none());
        let (_, sessions) = store.withdraw_approval(second.id).await.unwrap().unwrap();
        assert!(sessions.iter().all(|session| session.identity.approvals.is_empty()), "{sessions:?}");
        let (latest, _) = asker.sign_in(&store).await;
        assert_eq!(store.take_up_leave(user.id, &latest).await.unwrap(), []);
    }

    async fn leave_taken_back_while_it_is_taken_up_is_gone(database) {
        let store = database.store().await;
        let asker = Person::new();
        let (_, user) = asker.sign_in(&store).await;
        let now_ms = vestibule::clock::Clock::system().now_ms();
        for round in 0..20 {
            let request = request(&user, now_ms + round);
            let adam = yes(UserId(Uuid::new_v4()), somebody(), "adam@example.com");
            assert!(store.request_approval(&request).await.unwrap());
            say(&store, request.id, &adam).await;
            let (session, _) = asker.sign_in(&store).await;
            let (taken_up, withdrawn) = tokio::join!(
                store.take_up_leave(user.id, &session),
                store.withdraw_approval(request.id),
            );
            taken_up.unwrap();
            assert!(withdrawn.unwrap().is_some());
            for row in store.live_sessions_of(user.id).await.unwrap() {
                assert_eq!(row.identity.approvals, [], "round {round}");
            }
        }
    }
}

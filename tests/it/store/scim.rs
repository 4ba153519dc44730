//! What directories tell, in the store: one transaction, indexes, and people who come and go at once.

use std::time::{Duration, Instant};

use serde_json::json;
use vestibule::model::ids::{IdpId, ObjectId, ScimUserId};
use vestibule::model::scim::{GroupRecord, IdentityUpdate, UserRecord};
use vestibule::store::{
    Membership, ScimAtLogin, ScimGroup, ScimKey, ScimRules, ScimSearch, ScimUpdate, ScimUpdateFilter,
    ScimUser, SessionInserted, Store, StoreError,
};

use super::people::Person;
use crate::support::database::on_both;
use crate::support::telling::Fixed;

const RULES: Fixed = Fixed(ScimRules {
    user_deprovision: true,
    seat_deprovision: true,
    identity_update: IdentityUpdate::Automatic,
    names_repeat: false,
    round: None,
    journal: None,
    actor: None,
});

fn record(name: &str, external: Option<&str>, active: bool) -> UserRecord {
    let mut record =
        json!({ "userName": name, "active": active, "emails": [{ "type": "work", "value": name }] });
    if let Some(external) = external {
        record["externalId"] = external.into();
    }
    UserRecord(record.as_object().unwrap().clone())
}

async fn told(store: &Store, provider: IdpId, name: &str) -> ScimUserId {
    let written = store
        .insert_scim_user(provider, &record(name, None, true), &RULES)
        .await;
    written.unwrap().user.id
}

fn group(name: &str) -> GroupRecord {
    GroupRecord {
        display_name: name.to_owned(),
        external_id: None,
    }
}

fn told_at(provider: IdpId, at_ms: i64, request: &str) -> ScimUpdate {
    ScimUpdate {
        request_id: request.to_owned(),
        at_ms,
        provider,
        method: "GET".to_owned(),
        resource_type: None,
        resource: None,
        external_id: None,
        user_email: None,
        group_name: None,
        succeeded: true,
        status: 200,
        error: None,
        body: None,
        effect: None,
        address: "192.0.2.1".parse().unwrap(),
        actor: None,
    }
}

on_both! {
    async fn the_log_of_several_directories_loses_no_line_between_pages(database) {
        let store = database.store().await;
        let ids = [(); 3].map(|()| IdpId(uuid::Uuid::new_v4()));
        let lines: Vec<ScimUpdate> = (0..30)
            .map(|number| told_at(ids[usize::try_from(number % 3).unwrap()], number / 4, &format!("line {number}")))
            .collect();
        store.log_scim(&lines).await.unwrap();
        for (asked, oldest_first) in [(&ids[..2], true), (&ids[..2], false), (&ids[..1], true), (&[][..], false)] {
            let mut found = Vec::new();
            for page in 1..20 {
                let filter = ScimUpdateFilter { providers: asked.to_vec(), oldest_first, limit: 3, page, ..ScimUpdateFilter::default() };
                found.extend(store.scim_updates(&filter).await.unwrap());
            }
            let times: Vec<i64> = found.iter().map(|line| line.at_ms).collect();
            assert!(if oldest_first { times.is_sorted() } else { times.iter().rev().is_sorted() }, "{times:?}");
            let wanted = lines.iter().filter(|line| asked.is_empty() || asked.contains(&line.provider));
            let mut wanted: Vec<&str> = wanted.map(|line| line.request_id.as_str()).collect();
            let mut found: Vec<&str> = found.iter().map(|line| line.request_id.as_str()).collect();
            wanted.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, wanted);
        }
    }

    async fn what_is_old_is_forgotten_of_one_directory_or_of_all(database) {
        let store = database.store().await;
        let [here, there] = [(); 2].map(|()| IdpId(uuid::Uuid::new_v4()));
        // More than are deleted at once.
        let lines: Vec<ScimUpdate> = (0..1100).map(|number| told_at(here, number, "here")).collect();
        store.log_scim(&lines).await.unwrap();
        store.log_scim(&[told_at(there, 1, "there"), told_at(there, 2000, "there")]).await.unwrap();
        let left = async || {
            let filter = ScimUpdateFilter { oldest_first: true, limit: 10, ..ScimUpdateFilter::default() };
            let lines = store.scim_updates(&filter).await.unwrap();
            lines.iter().map(|line| (line.request_id.clone(), line.at_ms)).collect::<Vec<_>>()
        };
        let line = |name: &str, at_ms| (name.to_owned(), at_ms);
        store.forget_scim_updates(Some(here), 1098).await.unwrap();
        assert_eq!(left().await, [line("there", 1), line("here", 1098), line("here", 1099), line("there", 2000)]);
        store.forget_scim_updates(None, 1099).await.unwrap();
        assert_eq!(left().await, [line("here", 1099), line("there", 2000)]);
    }

    async fn a_name_is_taken_in_every_case_and_free_elsewhere(database) {
        let store = database.store().await;
        let (here, there) = (IdpId(uuid::Uuid::new_v4()), IdpId(uuid::Uuid::new_v4()));
        told(&store, here, "Zoë@corp.example").await;
        let again = store.insert_scim_user(here, &record("ZOË@CORP.EXAMPLE", None, true), &RULES).await;
        assert!(matches!(again, Err(StoreError::Conflict("userName"))), "{again:?}");
        told(&store, there, "zoë@corp.example").await;
        let found = store.scim_with::<ScimUser>(here, ScimKey::Name("zoË@corp.example")).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(store.scim_with::<ScimUser>(here, ScimKey::Email("ZOË@corp.example")).await.unwrap(), found);
        store.insert_scim_group(here, &group("Team"), &[], &RULES).await.unwrap();
        let again = store.insert_scim_group(here, &group("TEAM"), &[], &RULES).await;
        assert!(matches!(again, Err(StoreError::Conflict("displayName"))), "{again:?}");
    }

    async fn what_is_refused_is_not_written(database) {
        let store = database.store().await;
        let provider = IdpId(uuid::Uuid::new_v4());
        let (one, two) = (told(&store, provider, "one").await, told(&store, provider, "two").await);
        let team = store.insert_scim_group(provider, &group("Team"), &[one], &RULES).await.unwrap().group.id;
        let refused = store
            .update_scim_user(provider, one, &|_| Err::<UserRecord, _>("no"), &RULES)
            .await
            .unwrap();
        assert_eq!(refused, Some(Err("no")));
        let taken = store
            .update_scim_user(provider, one, &|_| Ok::<_, ()>(record("TWO", None, false)), &RULES)
            .await;
        assert!(matches!(taken, Err(StoreError::Conflict("userName"))));
        assert!(store.scim_user(provider, one).await.unwrap().unwrap().record.is_active());
        // A group's name that is taken undoes its members too.
        store.insert_scim_group(provider, &group("Other"), &[], &RULES).await.unwrap();
        let change = |_: &GroupRecord| Ok::<_, ()>((group("other"), vec![Membership::Add(vec![two])]));
        let taken = store.update_scim_group(provider, team, &change, &RULES).await;
        assert!(matches!(taken, Err(StoreError::Conflict("displayName"))));
        assert_eq!(store.scim_members(team, None, 10).await.unwrap(), [(one, "one".to_owned())]);
        assert!(store.update_scim_user(provider, ScimUserId(uuid::Uuid::new_v4()), &|_| Err::<UserRecord, _>(()), &RULES).await.unwrap().is_none());
    }

    async fn what_is_asserted_again_is_told_to_nobody(database) {
        let store = database.store().await;
        let person = Person::new();
        person.sign_in(&store).await;
        let object = person.key.object.to_string();
        let id = store.insert_scim_user(person.provider, &record("a", Some(&object), true), &RULES).await.unwrap().user.id;
        let team = GroupRecord { display_name: "Team".to_owned(), external_id: Some(uuid::Uuid::new_v4().to_string()) };
        let team = store.insert_scim_group(person.provider, &team, &[id], &RULES).await.unwrap().group;
        let head = store.head().await.unwrap();
        let same = store
            .update_scim_user(person.provider, id, &|before| Ok::<_, ()>(before.clone()), &RULES)
            .await.unwrap().unwrap().unwrap();
        assert_eq!(same.user.updated_ms, same.user.created_ms);
        let change = |before: &GroupRecord| Ok::<_, ()>((before.clone(), vec![Membership::Add(vec![id]), Membership::Remove(vec![id]), Membership::Add(vec![id])]));
        let same = store.update_scim_group(person.provider, team.id, &change, &RULES).await.unwrap().unwrap().unwrap();
        assert!(same.added.is_empty() && same.removed.is_empty());
        assert_eq!(store.head().await.unwrap(), head);
    }

    async fn a_session_is_ended_in_the_same_write_and_a_login_in_flight_refused(database) {
        let store = database.store().await;
        let person = Person::new();
        let (nonce, user) = person.sign_in(&store).await;
        let object = person.key.object.to_string();
        let id = store.insert_scim_user(person.provider, &record("a", Some(&object), true), &RULES).await.unwrap().user.id;
        let read_at = store.head().await.unwrap().seq;
        let written = store
            .update_scim_user(person.provider, id, &|_| Ok::<_, ()>(record("a", Some(&object), false)), &RULES)
            .await.unwrap().unwrap().unwrap();
        assert_eq!(written.consequences.out, [(user.id, vec![nonce.clone()])]);
        assert!(!store.may_mint(&nonce).await.unwrap());
        let asks = ScimAtLogin { stays_out: true, reactivates: false, regroups: true };
        assert_eq!(person.try_sign_in_asking(&store, read_at, Some(asks.clone())).await.1, SessionInserted::Deprovisioned);
        // The directory takes it back: the login that began before is still too old, the next one is not.
        store
            .update_scim_user(person.provider, id, &|_| Ok::<_, ()>(record("a", Some(&object), true)), &RULES)
            .await.unwrap().unwrap().unwrap();
        assert_eq!(person.try_sign_in_asking(&store, read_at, Some(asks.clone())).await.1, SessionInserted::UserEndedMeanwhile);
        let read_at = store.head().await.unwrap().seq;
        assert!(matches!(person.try_sign_in_asking(&store, read_at, Some(asks)).await.1, SessionInserted::Yes(_)));
    }

    async fn whoever_is_deleted_before_the_first_login_stays_out(database) {
        let store = database.store().await;
        let person = Person::new();
        let object = person.key.object.to_string();
        let id = store.insert_scim_user(person.provider, &record("a", Some(&object), true), &RULES).await.unwrap().user.id;
        assert!(store.delete_scim_user(person.provider, id, &RULES).await.unwrap().is_some());
        assert!(store.delete_scim_user(person.provider, id, &RULES).await.unwrap().is_none());
        let read_at = store.head().await.unwrap().seq;
        let asks = |stays_out| Some(ScimAtLogin { stays_out, reactivates: false, regroups: true });
        assert_eq!(person.try_sign_in_asking(&store, read_at, asks(true)).await.1, SessionInserted::Deprovisioned);
        assert!(matches!(person.try_sign_in_asking(&store, read_at, asks(false)).await.1, SessionInserted::Yes(_)));
        // Of another provider it is another person.
        let elsewhere = Person { provider: IdpId(uuid::Uuid::new_v4()), ..person };
        assert!(matches!(elsewhere.try_sign_in_asking(&store, read_at, asks(true)).await.1, SessionInserted::Yes(_)));
    }

    async fn an_address_links_once_whoever_comes_first(database) {
        let store = database.store().await;
        let asks = || Some(ScimAtLogin { stays_out: true, reactivates: false, regroups: true });
        let linked = |user: vestibule::model::ids::UserId| {
            let store = store.clone();
            async move { store.scim_user_of(user).await.unwrap().map(|told| told.id) }
        };
        let sign_in = |person: Person| {
            let (store, asks) = (store.clone(), asks());
            async move {
                let read_at = store.head().await.unwrap().seq;
                match person.try_sign_in_asking(&store, read_at, asks).await.1 {
                    SessionInserted::Yes(user) => user.id,
                    other => panic!("{other:?}"),
                }
            }
        };
        // Signed in first, told of later.
        let first = Person::new();
        let user = sign_in(first).await;
        let told = store.insert_scim_user(first.provider, &record("Zoe@Example.com", Some("zoe"), true), &RULES).await.unwrap().user;
        assert_eq!((told.user, linked(user).await), (Some(user), Some(told.id)));
        let again = store.insert_scim_user(first.provider, &record("z@example.com", Some("z"), true), &RULES).await.unwrap().user;
        assert_eq!(again.user, None, "nobody is two people");
        // Told of first.
        let second = Person::new();
        let mut by_mail = record("u4711", None, true);
        by_mail.0.insert("emails".to_owned(), json!([{ "type": "work", "value": "ZOE@example.com" }]));
        let told = store.insert_scim_user(second.provider, &by_mail, &RULES).await.unwrap().user;
        let user = sign_in(second).await;
        assert_eq!(linked(user).await, Some(told.id));
        // Two candidates are none, and an object speaks against an address.
        let third = Person::new();
        let mail = |name: &str, external: Option<&str>| {
            let mut told = record(name, external, true);
            told.0.insert("emails".to_owned(), json!([{ "type": "work", "value": "zoe@example.com" }]));
            told
        };
        store.insert_scim_user(third.provider, &mail("a", None), &RULES).await.unwrap();
        let object = uuid::Uuid::new_v4().to_string();
        store.insert_scim_user(third.provider, &mail("b", Some(&object)), &RULES).await.unwrap();
        store.insert_scim_user(third.provider, &mail("c", None), &RULES).await.unwrap();
        assert_eq!(linked(sign_in(third).await).await, None);
        // What the directory told of groups is found for who signs in, linked or by object.
        let team = GroupRecord { display_name: "Team".to_owned(), external_id: Some(object.clone()) };
        store.insert_scim_group(second.provider, &team, &[told.id], &RULES).await.unwrap();
        let groups = store.scim_groups_of(second.provider, second.key).await.unwrap();
        assert_eq!(groups.iter().map(|group| group.id.to_string()).collect::<Vec<_>>(), [object]);
        assert!(store.scim_groups_of(third.provider, third.key).await.unwrap().is_empty());
    }

    async fn an_address_goes_to_whoever_comes_new_with_it_and_to_nobody_who_was_here(database) {
        let store = database.store().await;
        let provider = IdpId(uuid::Uuid::new_v4());
        let (there, first, second) = (Person::at(provider), Person::at(provider), Person::at(provider));
        let asks = || Some(ScimAtLogin { stays_out: true, reactivates: false, regroups: true });
        let sign_in = |person: Person| {
            let store = store.clone();
            async move {
                let read_at = store.head().await.unwrap().seq;
                let (nonce, done) = person.try_sign_in_asking(&store, read_at, asks()).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                match done {
                    SessionInserted::Yes(user) => (nonce, user.id),
                    other => panic!("{other:?}"),
                }
            }
        };
        let linked = |id: ScimUserId| {
            let store = store.clone();
            async move { store.scim_user(provider, id).await.unwrap().unwrap().user }
        };
        let (_, there_id) = sign_in(there).await;
        let (old, first_id) = sign_in(first).await;
        let told = store.insert_scim_user(provider, &record("zoe@example.com", Some("zoe"), true), &RULES).await.unwrap().user;
        assert_eq!(told.user, Some(first_id), "the address was hers before, and is his now");
        // Who was here before he came takes nothing, however often she comes.
        sign_in(there).await;
        assert_eq!(linked(told.id).await, Some(first_id));
        assert!(store.may_mint(&old).await.unwrap());
        let (new, second_id) = sign_in(second).await;
        assert_eq!(linked(told.id).await, Some(second_id));
        assert!(!store.may_mint(&old).await.unwrap(), "nobody watches over it any more");
        let ended = store.session(&old).await.unwrap().unwrap();
        assert_eq!(ended.ended_cause.as_deref(), Some("address_passed_on"));
        sign_in(first).await;
        assert_eq!(linked(told.id).await, Some(second_id));
        // By an object it is certain, whatever becomes of the directory's id.
        let object = second.key.object.to_string();
        for external in [Some(&*object), None] {
            store.update_scim_user(provider, told.id, &|_| Ok::<_, ()>(record("zoe@example.com", external, true)), &RULES)
                .await.unwrap().unwrap().unwrap();
        }
        sign_in(Person::at(provider)).await;
        assert_eq!(linked(told.id).await, Some(second_id));
        assert!(store.may_mint(&new).await.unwrap());
        assert_ne!(there_id, first_id);
    }

    async fn what_is_said_of_whoever_left_concerns_nobody_who_got_the_address(database) {
        let store = database.store().await;
        let provider = IdpId(uuid::Uuid::new_v4());
        let (left, came) = (Person::at(provider), Person::at(provider));
        let (_, left_id) = left.sign_in(&store).await;
        let told = store.insert_scim_user(provider, &record("zoe@example.com", Some("zoe"), true), &RULES).await.unwrap().user;
        assert_eq!(told.user, Some(left_id.id));
        let say = async |external: &str, active| {
            let record = record("zoe@example.com", Some(external), active);
            store.update_scim_user(provider, told.id, &|_| Ok::<_, ()>(record.clone()), &RULES).await.unwrap().unwrap().unwrap()
        };
        say("zoe", false).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        let read_at = store.head().await.unwrap().seq;
        let asks = ScimAtLogin { stays_out: true, reactivates: false, regroups: true };
        let (nonce, done) = came.try_sign_in_asking(&store, read_at, Some(asks.clone())).await;
        let SessionInserted::Yes(came_id) = done else { panic!("{done:?}") };
        let written = say("zoe2", false).await;
        assert_eq!((written.user.user, written.consequences.out), (Some(left_id.id), vec![]));
        // Active again, it means whoever has the address; inactive again, it means them still.
        assert_eq!(say("zoe2", true).await.user.user, Some(came_id.id));
        assert_eq!(say("zoe2", false).await.consequences.out, [(came_id.id, vec![nonce])]);
        // And the next one is nobody whom deleting it concerns.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let next = Person::at(provider);
        let (nonce, done) = next.try_sign_in_asking(&store, store.head().await.unwrap().seq, Some(asks)).await;
        assert!(matches!(done, SessionInserted::Yes(_)), "{done:?}");
        let deleted = store.delete_scim_user(provider, told.id, &RULES).await.unwrap().unwrap();
        assert_eq!(deleted.user.user, Some(came_id.id));
        assert!(store.may_mint(&nonce).await.unwrap());
    }

    async fn whoever_is_deleted_without_an_object_or_a_link_stays_out_by_address(database) {
        let store = database.store().await;
        let person = Person::new();
        let provider = person.provider;
        let by_mail = |active| {
            let mut told = record("u4711", Some("zoe"), active);
            told.0.insert("emails".to_owned(), json!([{ "type": "work", "value": "ZOE@Example.com" }]));
            told
        };
        let asks = |reactivates| Some(ScimAtLogin { stays_out: true, reactivates, regroups: true });
        let told = store.insert_scim_user(provider, &by_mail(true), &RULES).await.unwrap().user;
        store.delete_scim_user(provider, told.id, &RULES).await.unwrap().unwrap();
        let read_at = store.head().await.unwrap().seq;
        for _ in 0..2 {
            assert_eq!(person.try_sign_in_asking(&store, read_at, asks(false)).await.1, SessionInserted::Deprovisioned);
        }
        store.insert_scim_user(provider, &by_mail(false), &RULES).await.unwrap();
        assert_eq!(person.try_sign_in_asking(&store, read_at, asks(false)).await.1, SessionInserted::Deprovisioned);
        let told = store.scim_with::<ScimUser>(provider, ScimKey::ExternalId("zoe")).await.unwrap().remove(0);
        store.update_scim_user(provider, told.id, &|_| Ok::<_, ()>(by_mail(true)), &RULES).await.unwrap().unwrap().unwrap();
        assert!(matches!(person.try_sign_in_asking(&store, read_at, asks(false)).await.1, SessionInserted::Yes(_)));
        // Deleted again, it is the object that is known now: somebody else with the address is somebody else.
        store.delete_scim_user(provider, told.id, &RULES).await.unwrap().unwrap();
        let read_at = store.head().await.unwrap().seq;
        assert_eq!(person.try_sign_in_asking(&store, read_at, asks(false)).await.1, SessionInserted::Deprovisioned);
        assert!(matches!(Person::at(provider).try_sign_in_asking(&store, read_at, asks(false)).await.1, SessionInserted::Yes(_)));
        assert!(matches!(person.try_sign_in_asking(&store, read_at, asks(true)).await.1, SessionInserted::Yes(_)));
        // With its provider goes what it said.
        let other = Person::new();
        let told = store.insert_scim_user(other.provider, &by_mail(true), &RULES).await.unwrap().user;
        store.delete_scim_user(other.provider, told.id, &RULES).await.unwrap().unwrap();
        assert_eq!(other.try_sign_in_asking(&store, read_at, asks(false)).await.1, SessionInserted::Deprovisioned);
    }

    async fn a_group_taken_while_a_login_is_under_way_is_not_in_its_session(database) {
        let store = database.store().await;
        let person = Person::new();
        let object = person.key.object.to_string();
        let id = store.insert_scim_user(person.provider, &record("a", Some(&object), true), &RULES).await.unwrap().user.id;
        let of_entra = uuid::Uuid::new_v4();
        let team = GroupRecord { display_name: "Team".to_owned(), external_id: Some(of_entra.to_string()) };
        let team = store.insert_scim_group(person.provider, &team, &[id], &RULES).await.unwrap().group.id;
        let member = |membership: Membership| {
            let store = store.clone();
            async move {
                let change = |before: &GroupRecord| Ok::<_, ()>((before.clone(), vec![membership.clone()]));
                store.update_scim_group(person.provider, team, &change, &RULES).await.unwrap().unwrap().unwrap()
            }
        };
        let holding = Some(of_entra);
        let asks = |regroups| Some(ScimAtLogin { stays_out: true, reactivates: false, regroups });
        let groups_of = |nonce| {
            let store = store.clone();
            async move { store.session(&nonce).await.unwrap().unwrap().identity.groups }
        };
        let read_at = store.head().await.unwrap().seq;
        member(Membership::Remove(vec![id])).await;
        let (nonce, done) = person.try_sign_in_holding(&store, read_at, asks(true), holding).await;
        assert!(matches!(done, SessionInserted::Regrouped(..)), "{done:?}");
        let groups = groups_of(nonce).await;
        assert!(groups.held().is_empty() && !groups.complete(), "{groups:?}");
        // Where the directory is to change nothing of what is open, the sign-in stands.
        let (_, done) = person.try_sign_in_holding(&store, read_at, asks(false), holding).await;
        assert!(matches!(done, SessionInserted::Yes(_)), "{done:?}");
        member(Membership::Add(vec![id])).await;
        let (nonce, done) = person.try_sign_in_holding(&store, read_at, asks(true), holding).await;
        assert!(matches!(done, SessionInserted::Yes(_)), "{done:?}");
        assert_eq!(groups_of(nonce).await.held().len(), 1);
        store.delete_scim_group(person.provider, team, &RULES).await.unwrap().unwrap();
        let (_, done) = person.try_sign_in_holding(&store, read_at, asks(true), holding).await;
        assert!(matches!(done, SessionInserted::Regrouped(..)), "{done:?}");
    }

    async fn a_group_that_is_inherited_no_longer_while_a_login_is_under_way_is_not_in_its_session(database) {
        let store = database.store().await;
        let person = Person::new();
        let object = person.key.object.to_string();
        let id = store.insert_scim_user(person.provider, &record("a", Some(&object), true), &RULES).await.unwrap().user.id;
        let [team, staff] = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
        for (name, of_entra, members) in [("Team", team, &[id][..]), ("Staff", staff, &[])] {
            let record = GroupRecord { display_name: name.to_owned(), external_id: Some(of_entra.to_string()) };
            store.insert_scim_group(person.provider, &record, members, &RULES).await.unwrap();
        }
        let held = [(ObjectId(staff), ObjectId(team))];
        store.change_scim_nesting(person.provider, &held, &[], &RULES).await.unwrap();
        let asks = Some(ScimAtLogin { stays_out: true, reactivates: false, regroups: true });
        let read_at = store.head().await.unwrap().seq;
        let (_, done) = person.try_sign_in_holding(&store, read_at, asks.clone(), Some(staff)).await;
        assert!(matches!(done, SessionInserted::Yes(_)), "{done:?}");
        store.change_scim_nesting(person.provider, &[], &held, &RULES).await.unwrap();
        let (nonce, done) = person.try_sign_in_holding(&store, read_at, asks, Some(staff)).await;
        assert!(matches!(done, SessionInserted::Regrouped(..)), "{done:?}");
        assert!(store.session(&nonce).await.unwrap().unwrap().identity.groups.held().is_empty());
    }

    async fn whoever_was_told_of_while_first_signing_in_loses_groups_like_all_others(database) {
        let store = database.store().await;
        let person = Person::new();
        let object = person.key.object.to_string();
        let id = store.insert_scim_user(person.provider, &record("a", Some(&object), true), &RULES).await.unwrap().user.id;
        let of_entra = uuid::Uuid::new_v4();
        let team = GroupRecord { display_name: "Team".to_owned(), external_id: Some(of_entra.to_string()) };
        let team = store.insert_scim_group(person.provider, &team, &[id], &RULES).await.unwrap().group.id;
        let read_at = store.head().await.unwrap().seq;
        // Neither saw the other: as if both had committed at once.
        let (nonce, done) = person.try_sign_in_holding(&store, read_at, None, Some(of_entra)).await;
        assert!(matches!(done, SessionInserted::Yes(_)), "{done:?}");
        assert_eq!(store.scim_user(person.provider, id).await.unwrap().unwrap().user, None);
        let change = |before: &GroupRecord| Ok::<_, ()>((before.clone(), vec![Membership::Remove(vec![id])]));
        let written = store.update_scim_group(person.provider, team, &change, &RULES).await.unwrap().unwrap().unwrap();
        assert_eq!(written.consequences.amended.len(), 1);
        assert!(store.session(&nonce).await.unwrap().unwrap().identity.groups.held().is_empty());
    }

    async fn a_refresh_token_is_tried_by_one_gateway_and_once_a_person(database) {
        let store = database.store().await;
        let person = Person::new();
        let (_, user) = person.sign_in(&store).await;
        let (newest, _) = person.sign_in(&store).await;
        let soon = vestibule::clock::Clock::system().now_ms() + 60_000;
        assert!(store.take_due_refreshes(person.provider, soon - 3_600_000).await.unwrap().is_empty(), "not due");
        let other = store.clone();
        let (here, there) = tokio::join!(
            store.take_due_refreshes(person.provider, soon),
            other.take_due_refreshes(person.provider, soon)
        );
        let mut taken: Vec<_> = here.unwrap().into_iter().chain(there.unwrap()).collect();
        // The time of trying is before `soon`, so it may be taken twice, but never for both sessions.
        assert!(taken.iter().all(|due| due.nonce == newest && due.user == user.id));
        let due = taken.pop().unwrap();
        store.refresh_done(&due.nonce, Some(vec![7])).await.unwrap();
        let again = store.take_due_refreshes(person.provider, soon + 120_000).await.unwrap();
        assert_eq!(again[0].token_sealed, [7]);
        // The first answer that does not come is remembered, until one comes.
        assert_eq!(again[0].failing_since_ms, None);
        store.refresh_failed(&due.nonce).await.unwrap();
        let failing = store.take_due_refreshes(person.provider, soon + 180_000).await.unwrap().remove(0);
        let since_ms = failing.failing_since_ms.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.refresh_failed(&due.nonce).await.unwrap();
        let failing = store.take_due_refreshes(person.provider, soon + 240_000).await.unwrap().remove(0);
        assert_eq!(failing.failing_since_ms, Some(since_ms));
        store.refresh_done(&due.nonce, None).await.unwrap();
        let done = store.take_due_refreshes(person.provider, soon + 300_000).await.unwrap().remove(0);
        assert_eq!(done.failing_since_ms, None);
        // One that is given up is not tried again, and one that came instead is not given up with it.
        store.give_up_refresh(&due).await.unwrap();
        let kept = store.take_due_refreshes(person.provider, soon + 360_000).await.unwrap().remove(0);
        assert_eq!(kept.nonce, newest);
        store.give_up_refresh(&kept).await.unwrap();
        let older = store.take_due_refreshes(person.provider, soon + 420_000).await.unwrap();
        assert!(older.iter().all(|due| due.nonce != newest), "that of the other session instead");
    }

    async fn changes_of_one_group_at_once_all_happen(database) {
        let store = database.store().await;
        let provider = IdpId(uuid::Uuid::new_v4());
        let mut people = Vec::new();
        for number in 0..12 {
            people.push(told(&store, provider, &format!("user{number}")).await);
        }
        let team = store.insert_scim_group(provider, &group("Team"), &[], &RULES).await.unwrap().group.id;
        let adding = people.iter().map(|person| {
            let (store, person) = (store.clone(), *person);
            tokio::spawn(async move {
                let change = |before: &GroupRecord| Ok::<_, ()>((before.clone(), vec![Membership::Add(vec![person])]));
                store.update_scim_group(provider, team, &change, &RULES).await.unwrap().unwrap().unwrap();
            })
        });
        for added in adding.collect::<Vec<_>>() {
            added.await.unwrap();
        }
        assert_eq!(store.scim_members(team, None, 100).await.unwrap().len(), 12);
    }

    async fn lists_are_searched_and_paged(database) {
        let store = database.store().await;
        let provider = IdpId(uuid::Uuid::new_v4());
        for name in ["ann_a", "annXa", "bob%"] {
            told(&store, provider, name).await;
            store.insert_scim_group(provider, &group(name), &[], &RULES).await.unwrap();
        }
        let names = |search: ScimSearch| {
            let store = store.clone();
            async move {
                let users = store.scim_list::<ScimUser>(provider, &search, 0, 10).await.unwrap();
                let groups = store.scim_list::<ScimGroup>(provider, &search, 0, 10).await.unwrap();
                let users: Vec<String> = users.iter().map(|user| user.record.user_name().to_owned()).collect();
                let groups: Vec<String> = groups.into_iter().map(|group| group.record.display_name).collect();
                assert_eq!(users, groups);
                users
            }
        };
        assert_eq!(names(ScimSearch { contains: Some("N_A".to_owned()), ..ScimSearch::default() }).await, ["ann_a"]);
        assert_eq!(names(ScimSearch { starts_with: Some("ann".to_owned()), ..ScimSearch::default() }).await, ["ann_a", "annXa"]);
        assert_eq!(names(ScimSearch { name: Some("BOB%".to_owned()), ..ScimSearch::default() }).await, ["bob%"]);
        assert_eq!(store.scim_list::<ScimUser>(provider, &ScimSearch::default(), 2, 2).await.unwrap().len(), 1);
        assert_eq!(store.count_scim::<ScimUser>(provider).await.unwrap(), 3);
        assert_eq!(store.count_scim::<ScimGroup>(provider).await.unwrap(), 3);
    }

    async fn one_membership_among_many_costs_as_little_as_among_few(database) {
        let store = database.store().await;
        let provider = IdpId(uuid::Uuid::new_v4());
        let team = store.insert_scim_group(provider, &group("Team"), &[], &RULES).await.unwrap().group.id;
        // Rows as the store writes them, by thousands at a time.
        database.run("CREATE TABLE n (i BIGINT)").await;
        database.run("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000) INSERT INTO n SELECT i FROM c").await;
        let pool = database.pool().await;
        for sql in [
            "INSERT INTO scim_users (id, provider, user_name, active, body, created_ms, updated_ms) \
             SELECT 'p' || i, $1, 'user' || i, 1, '{\"userName\":\"x\",\"active\":true}', i, i FROM n",
            "INSERT INTO scim_members (scim_group, scim_user) SELECT $1, 'p' || i FROM n",
        ] {
            let key = if sql.contains("scim_members") { team.to_string() } else { provider.to_string() };
            sqlx::query(sql).bind(key).execute(&pool).await.unwrap();
        }
        pool.close().await;
        let person = told(&store, provider, "alice").await;
        let mut took: Vec<Duration> = Vec::new();
        for round in 0..20 {
            let began = Instant::now();
            let which = if round % 2 == 0 { Membership::Add(vec![person]) } else { Membership::Remove(vec![person]) };
            let change = |before: &GroupRecord| Ok::<_, ()>((before.clone(), vec![which.clone()]));
            store.update_scim_group(provider, team, &change, &RULES).await.unwrap().unwrap().unwrap();
            took.push(began.elapsed());
        }
        took.sort();
        println!("one of 20,000 members came or went in {:?} at the median", took[took.len() / 2]);
        assert!(took[took.len() / 2] < Duration::from_millis(100), "{took:?}");
        let began = Instant::now();
        assert_eq!(store.scim_with::<ScimUser>(provider, ScimKey::Name("ALICE")).await.unwrap().len(), 1);
        println!("looked up in {:?}", began.elapsed());
    }
}

//! Groups with thousands of people who are signed in: what is written of one is written of all, and soon.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::SignedDuration;
use uuid::Uuid;
use vestibule::clock::Clock;
use vestibule::model::identity::{Group, Groups, Identity};
use vestibule::model::ids::{IdpId, ObjectId, ScimUserId, SessionNonce, UserId};
use vestibule::model::scim::{GroupRecord, IdentityUpdate};
use vestibule::store::{Amended, ChangeKind, Feed, Membership, ScimRules, Store};

use super::people::{NEVER_MS, Person};
use crate::support::database::{Database, on_both};
use crate::support::telling::Fixed;

const MANY: usize = 3000;
const AUTOMATIC: Fixed = Fixed(ScimRules {
    user_deprovision: true,
    seat_deprovision: true,
    identity_update: IdentityUpdate::Automatic,
    names_repeat: false,
    round: None,
    journal: None,
    actor: None,
});
const REAUTH: Fixed = Fixed(ScimRules {
    identity_update: IdentityUpdate::Reauth,
    ..AUTOMATIC.0
});

/// An id of a kind, as the statements below write it.
fn id(kind: u8, number: usize) -> Uuid {
    format!("0000000{kind}-0000-4000-8000-{number:012}")
        .parse()
        .unwrap()
}

fn people() -> Vec<ScimUserId> {
    (1..=MANY).map(|number| ScimUserId(id(1, number))).collect()
}

fn nonce(number: usize) -> SessionNonce {
    format!("n{number:015}").parse().unwrap()
}

/// People whom the directory has told of and who are signed in.
async fn fill(database: &Database, provider: IdpId) {
    let identity = Person::at(provider).identity(UserId(id(2, 0)));
    let identity = serde_json::to_string(&identity).unwrap();
    let pool = database.pool().await;
    for sql in [
        "CREATE TABLE n (i BIGINT, digits TEXT)",
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) INSERT INTO n \
         SELECT i, substr('000000000000' || CAST(i AS TEXT), length(CAST(i AS TEXT)) + 1) FROM c",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let users = "INSERT INTO users (id, provider, tenant, object, generation, deprovisioned, created_ms, last_login_ms) \
         SELECT '00000002-0000-4000-8000-' || digits, $1, '00000004-0000-4000-8000-000000000000', \
         '00000003-0000-4000-8000-' || digits, 0, 0, i, i FROM n";
    let told = "INSERT INTO scim_users (id, provider, user_name, external_id, object, active, user_id, body, created_ms, updated_ms) \
         SELECT '00000001-0000-4000-8000-' || digits, $1, 'user' || digits, '00000003-0000-4000-8000-' || digits, \
         '00000003-0000-4000-8000-' || digits, 1, '00000002-0000-4000-8000-' || digits, \
         '{\"userName\":\"user\",\"active\":true}', i, i FROM n";
    for sql in [users, told] {
        sqlx::query(sql)
            .bind(provider.to_string())
            .execute(&pool)
            .await
            .unwrap();
    }
    let sessions = "INSERT INTO sessions (nonce, user_id, provider, identity, identity_version, read_at, created_ms, \
         expires_ms, last_use_ms, address) SELECT 'n000' || digits, '00000002-0000-4000-8000-' || digits, $1, \
         replace($2, '00000002-0000-4000-8000-000000000000', '00000002-0000-4000-8000-' || digits), 1, 0, i, $3, i, \
         '192.0.2.1' FROM n";
    let query = sqlx::query(sessions).bind(provider.to_string()).bind(identity);
    query.bind(NEVER_MS).execute(&pool).await.unwrap();
    pool.close().await;
}

fn team(name: &str) -> GroupRecord {
    GroupRecord {
        display_name: name.to_owned(),
        external_id: Some(id(5, 1).to_string()),
    }
}

/// The changes of this kind behind a position, each with its subject; all numbers in a row.
async fn told(store: &Store, position: &vestibule::store::Position, kind: ChangeKind) -> BTreeSet<String> {
    let (mut position, mut subjects) = (position.clone(), BTreeSet::new());
    while let Feed::Changes(changes, reached) = store.changes_since(&position).await.unwrap() {
        for (change, seq) in changes.iter().zip(position.seq + 1..) {
            assert_eq!((change.seq, change.kind), (seq, kind));
            assert!(subjects.insert(change.subject.clone()), "told twice");
        }
        position = reached;
    }
    subjects
}

on_both! {
    async fn thousands_come_and_go_and_each_of_their_identities_follows(database) {
        let store = database.store().await;
        let provider = IdpId(Uuid::new_v4());
        fill(&database, provider).await;
        let group = store.insert_scim_group(provider, &team("Team"), &[], &AUTOMATIC).await.unwrap().group.id;
        let nonces: Vec<SessionNonce> = (1..=MANY).map(nonce).collect();
        let in_group = |name: &'static str| {
            let (store, nonces) = (store.clone(), nonces.clone());
            async move {
                let found = store.identities(&nonces).await.unwrap();
                assert_eq!(found.len(), MANY);
                let holds = found.iter().filter(|session| {
                    let mut held = session.identity.groups.held().iter();
                    held.any(|group| group.id == ObjectId(id(5, 1)) && group.name.as_deref() == Some(name))
                });
                holds.count()
            }
        };
        let write = |name: &'static str, membership: Option<Membership>| {
            let store = store.clone();
            async move {
                let began = Instant::now();
                let change = |_: &GroupRecord| Ok::<_, ()>((team(name), membership.clone().into_iter().collect()));
                let written = store.update_scim_group(provider, group, &change, &AUTOMATIC).await;
                println!("written in {:?}", began.elapsed());
                written.unwrap().unwrap().unwrap()
            }
        };

        // Somebody unknown among them is passed over.
        let before = store.head().await.unwrap();
        let mut all = people();
        all.push(ScimUserId(Uuid::new_v4()));
        let written = write("Team", Some(Membership::Add(all.clone()))).await;
        assert_eq!((written.added, written.removed.len()), (people(), 0));
        assert_eq!(written.consequences.amended.len(), MANY);
        assert!(written.consequences.amended.iter().all(|session| session.version == 2));
        assert_eq!(written.consequences.regrouped.len(), MANY);
        assert_eq!(in_group("Team").await, MANY);
        let subjects = told(&store, &before, ChangeKind::IdentityChanged).await;
        assert_eq!(subjects, nonces.iter().map(|nonce| nonce.as_str().to_owned()).collect());

        let written = write("Team", Some(Membership::Add(all))).await;
        assert!(written.added.is_empty() && written.consequences.amended.is_empty(), "asserted again");

        let half = people().split_off(MANY / 2);
        let written = write("Team", Some(Membership::Replace(half.clone()))).await;
        assert_eq!(written.removed.len(), MANY / 2);
        assert_eq!(in_group("Team").await, MANY / 2);

        // A name is a label: those who hold the group have it in their own time, and nobody's groups are read again.
        let before = store.head().await.unwrap();
        let written = write("Crew", None).await;
        assert!(written.renames_on && written.consequences.amended.is_empty());
        assert_eq!(store.head().await.unwrap(), before);
        let (mut behind, mut renamed) = (None, 0);
        while let Some((last, amended)) = store.rename_in_sessions(provider, group, behind).await.unwrap() {
            assert!(amended.len() <= 500);
            (behind, renamed) = (Some(last), renamed + amended.len());
        }
        assert_eq!(renamed, MANY / 2);
        assert_eq!(in_group("Crew").await, MANY / 2);
        assert_eq!(told(&store, &before, ChangeKind::IdentityChanged).await.len(), MANY / 2);

        let one = half[7];
        let written = write("Crew", Some(Membership::Remove(vec![one, one]))).await;
        assert_eq!(written.removed, [one]);
        assert_eq!(in_group("Crew").await, MANY / 2 - 1);

        let began = Instant::now();
        let deleted = store.delete_scim_group(provider, group, &AUTOMATIC).await.unwrap().unwrap();
        println!("deleted in {:?}", began.elapsed());
        assert_eq!(deleted.consequences.amended.len(), MANY / 2 - 1);
        assert_eq!(in_group("Crew").await, 0);
        assert!(store.scim_members(group, None, 10).await.unwrap().is_empty());
    }

    async fn thousands_of_sessions_end_with_their_group(database) {
        let store = database.store().await;
        let provider = IdpId(Uuid::new_v4());
        fill(&database, provider).await;
        let before = store.head().await.unwrap();
        let written = store.insert_scim_group(provider, &team("Team"), &people(), &AUTOMATIC).await.unwrap();
        assert_eq!(written.added.len(), MANY);
        let group = written.group.id;
        assert_eq!(told(&store, &before, ChangeKind::IdentityChanged).await.len(), MANY);

        let before = store.head().await.unwrap();
        let began = Instant::now();
        let mut reauth = Vec::new();
        while let Some(done) = store.thin_scim_group(provider, group, &REAUTH).await.unwrap() {
            assert_eq!(done.reauth.len(), 500, "others write in between");
            reauth.extend(done.reauth);
        }
        assert_eq!(reauth.len(), MANY - 500);
        let deleted = store.delete_scim_group(provider, group, &REAUTH).await.unwrap().unwrap();
        println!("deleted in {:?}", began.elapsed());
        reauth.extend(deleted.consequences.reauth);
        assert_eq!(reauth.len(), MANY);
        assert_eq!(store.thin_scim_group(provider, group, &REAUTH).await.unwrap(), None, "it is there no more");
        for (user, nonces) in &reauth {
            let number: usize = user.to_string()[24..].parse().unwrap();
            assert_eq!(nonces, &[nonce(number)]);
        }
        for number in [1, 500, 501, MANY] {
            assert!(!store.may_mint(&nonce(number)).await.unwrap());
            let row = store.session(&nonce(number)).await.unwrap().unwrap();
            assert_eq!(row.ended_cause.as_deref(), Some("groups_changed"));
            let user = store.user(UserId(id(2, number))).await.unwrap().unwrap();
            assert!(user.generation > before.seq, "a login under way is too old");
        }
        let users: BTreeSet<String> = reauth.iter().map(|(user, _)| user.to_string()).collect();
        assert_eq!(told(&store, &before, ChangeKind::UserEnded).await, users);
    }

    async fn a_new_name_of_a_group_is_under_the_sessions_of_a_few_at_once_and_nothing_else_changes(database) {
        let store = database.store().await;
        let provider = IdpId(Uuid::new_v4());
        fill(&database, provider).await;
        let few: Vec<ScimUserId> = people().into_iter().take(3).collect();
        let written = store.insert_scim_group(provider, &team("Team"), &few, &AUTOMATIC).await.unwrap();
        for user in written.consequences.regrouped {
            let reread = store.begin_reread(user).await.unwrap().unwrap();
            store.reread_done(&reread).await.unwrap();
        }
        let nonces: Vec<SessionNonce> = (1..=3).map(nonce).collect();
        let read = Groups::Known { groups: vec![Group { id: ObjectId(id(5, 1)), name: Some("Team".to_owned()) }] };
        for nonce in &nonces {
            let known = |identity: &mut Identity| identity.groups = read.clone();
            store.amend_identities(Amended::Session(nonce), &known).await.unwrap();
        }
        let change = |_: &GroupRecord| Ok::<_, ()>((team("Crew"), Vec::new()));
        let renamed = store.update_scim_group(provider, written.group.id, &change, &AUTOMATIC).await;
        let renamed = renamed.unwrap().unwrap().unwrap();
        assert_eq!((renamed.consequences.amended.len(), renamed.renames_on), (3, false));
        assert!(renamed.consequences.regrouped.is_empty(), "nobody is in another group");
        for session in store.identities(&nonces).await.unwrap() {
            let Groups::Known { groups } = &session.identity.groups else { panic!("{session:?}") };
            assert_eq!(groups[0].name.as_deref(), Some("Crew"));
        }
        let ending = store.update_scim_group(provider, written.group.id, &|_| Ok::<_, ()>((team("Team"), Vec::new())), &REAUTH).await;
        assert!(ending.unwrap().unwrap().unwrap().consequences.reauth.is_empty(), "a name ends nothing");
    }

    async fn what_thousands_inherit_follows_from_thousands_of_pairs(database) {
        let store = database.store().await;
        let provider = IdpId(Uuid::new_v4());
        fill(&database, provider).await;
        let [team_object, staff, everybody] = [1, 2, 3].map(|number| ObjectId(id(5, number)));
        let named = GroupRecord { display_name: "Staff".to_owned(), external_id: Some(staff.to_string()) };
        store.insert_scim_group(provider, &named, &[], &AUTOMATIC).await.unwrap();
        store.insert_scim_group(provider, &team("Team"), &people(), &AUTOMATIC).await.unwrap();
        // Of most that a group holds nothing else is known.
        let mut pairs: Vec<_> = (1..=1200).map(|number| (staff, ObjectId(id(6, number)))).collect();
        pairs.extend([(staff, team_object), (everybody, staff)]);
        let nonces: Vec<SessionNonce> = (1..=MANY).map(nonce).collect();
        let inherit = || async {
            let found = store.identities(&nonces).await.unwrap();
            let inherits = found.iter().filter(|session| {
                let groups = session.identity.groups.held();
                let name = |object| groups.iter().find(|group| group.id == object).map(|group| group.name.as_deref());
                name(staff) == Some(Some("Staff")) && name(everybody) == Some(None)
            });
            inherits.count()
        };
        let began = Instant::now();
        let done = store.change_scim_nesting(provider, &pairs, &[], &AUTOMATIC).await.unwrap();
        println!("nested in {:?}", began.elapsed());
        assert_eq!((done.amended.len(), done.regrouped.len()), (MANY, MANY));
        assert_eq!(inherit().await, MANY);
        let again = store.change_scim_nesting(provider, &pairs, &[], &AUTOMATIC).await.unwrap();
        assert!(again.amended.is_empty(), "told again");
        assert_eq!(store.scim_nesting(provider).await.unwrap().len(), pairs.len());

        let before = store.head().await.unwrap();
        let began = Instant::now();
        let done = store.change_scim_nesting(provider, &[], &pairs, &AUTOMATIC).await.unwrap();
        println!("nested no more in {:?}", began.elapsed());
        assert_eq!(done.amended.len(), MANY);
        assert_eq!(inherit().await, 0);
        assert_eq!(told(&store, &before, ChangeKind::IdentityChanged).await.len(), MANY);
        assert!(store.scim_nesting(provider).await.unwrap().is_empty());
        // For sign-ins that are under way: each of them, and both groups.
        let pool = database.pool().await;
        let taken = sqlx::query("SELECT scim_user FROM scim_taken").fetch_all(&pool).await.unwrap();
        pool.close().await;
        assert_eq!(taken.len(), 2 * MANY);
    }
    async fn whoever_is_left_to_be_read_again_is_taken_up_by_one_gateway(database) {
        const LEFT: usize = 40;
        let clock = Clock::system();
        let (store, other) = (database.store_at(&clock).await, database.store_at(&clock).await);
        let provider = IdpId(Uuid::new_v4());
        fill(&database, provider).await;
        let few: Vec<ScimUserId> = people().into_iter().take(LEFT).collect();
        let written = store.insert_scim_group(provider, &team("Team"), &few, &AUTOMATIC).await.unwrap();
        assert_eq!(written.consequences.regrouped.len(), LEFT);
        let left_before = |minutes: i64| clock.now_ms() - minutes * 60_000;
        assert!(store.take_rereads_left(left_before(1), 100).await.unwrap().is_empty(), "not left yet");
        clock.advance(SignedDuration::from_mins(2));
        let mut taken: Vec<UserId> = Vec::new();
        // Both at once, and whoever finds the other at work comes again.
        while taken.len() < LEFT {
            let (here, there) = tokio::join!(
                store.take_rereads_left(left_before(1), 15),
                other.take_rereads_left(left_before(1), 15)
            );
            let (here, there) = (here.unwrap(), there.unwrap());
            assert!(here.len() <= 15 && there.len() <= 15 && here.len() + there.len() > 0);
            taken.extend(here.into_iter().chain(there));
        }
        let each: BTreeSet<UserId> = taken.iter().copied().collect();
        assert_eq!((taken.len(), each.len()), (LEFT, LEFT));
        // One is begun with a minute later, and is not left when the others are again.
        clock.advance(SignedDuration::from_mins(1));
        let begun = store.begin_reread(taken[0]).await.unwrap().unwrap();
        clock.advance(SignedDuration::from_secs(30));
        let again = other.take_rereads_left(left_before(1), 100).await.unwrap();
        assert_eq!(again.len(), LEFT - 1);
        assert!(!again.contains(&begun.user));
        store.reread_done(&begun).await.unwrap();
        assert_eq!(other.begin_reread(begun.user).await.unwrap(), None);
    }
}

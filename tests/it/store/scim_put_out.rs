//! Putting out whoever a directory has deactivated already: everybody with one write, and nobody slips past it.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;
use vestibule::crypto::random;
use vestibule::model::identity::Identity;
use vestibule::model::ids::{IdpId, SessionNonce, UserId};
use vestibule::model::scim::{IdentityUpdate, UserRecord};
use vestibule::store::{
    Document, Kind, NewSession, ScimAtLogin, ScimRules, ScimUser, SessionInserted, Store, StoreError, Telling,
};

use super::documents::file;
use super::people::{ADDRESS, NEVER_MS, Person};
use crate::support::database::{on_both, on_postgres};
use crate::support::telling::Fixed;

/// What a directory brings about as long as nothing is to follow.
const NOTHING: Fixed = Fixed(ScimRules {
    user_deprovision: false,
    seat_deprovision: false,
    identity_update: IdentityUpdate::NoAction,
    names_repeat: false,
    round: None,
    journal: None,
    actor: None,
});

fn provider(id: IdpId, keeps_out: bool) -> Document {
    Document::new(
        Kind::IdentityProvider,
        id.0,
        "Entra".to_owned(),
        json!({ "keeps_out": keeps_out }),
    )
}

/// What a sign-in asks by the provider as the store has it.
fn asks(provider: &Value) -> Option<ScimAtLogin> {
    Some(ScimAtLogin {
        stays_out: provider.get("keeps_out")?.as_bool()?,
        reactivates: false,
        regroups: false,
    })
}

fn inactive(person: Person) -> UserRecord {
    let object = person.key.object.to_string();
    let record = json!({ "userName": object, "externalId": object, "active": false });
    UserRecord(record.as_object().unwrap().clone())
}

async fn told_inactive(store: &Store, person: Person) {
    store
        .insert_scim_user(person.provider, &inactive(person), &NOTHING)
        .await
        .unwrap();
}

/// Turns deprovisioning on, as the writer of providers does; how many people had something open.
async fn turn_on(store: &Store, id: IdpId) -> usize {
    let mut write = store.write(file()).await.unwrap();
    write.put(&provider(id, true)).await.unwrap();
    let people = write.put_out_inactive(id, true, "deprovisioned").await.unwrap();
    write.commit().await.unwrap();
    people
}

async fn turned_off(store: &Store) -> IdpId {
    let id = IdpId(Uuid::new_v4());
    let mut write = store.write(file()).await.unwrap();
    write.put(&provider(id, false)).await.unwrap();
    write.commit().await.unwrap();
    id
}

on_both! {
    async fn many_are_put_out_with_one_write_and_their_logins_under_way_with_them(database) {
        const MANY: usize = 601;
        let store = database.store().await;
        let id = turned_off(&store).await;
        let mut people = Vec::new();
        for _ in 0..MANY {
            let person = Person::at(id);
            people.push((person, person.sign_in(&store).await));
            told_inactive(&store, person).await;
        }
        let staying = Person::at(id);
        let (stays, _) = staying.sign_in(&store).await;
        let head = store.head().await.unwrap().seq;
        assert_eq!(turn_on(&store, id).await, MANY);
        for (_, (nonce, user)) in &people {
            assert!(!store.may_mint(nonce).await.unwrap());
            assert!(store.user(user.id).await.unwrap().unwrap().deprovisioned);
        }
        assert!(store.may_mint(&stays).await.unwrap());
        // One change of the provider, and one for each person.
        let changes = i64::try_from(MANY).unwrap() + 1;
        assert_eq!(store.head().await.unwrap().seq, head + changes);
        let (person, _) = people.pop().unwrap();
        let (_, refused) = person.try_sign_in(&store, head).await;
        assert_eq!(refused, SessionInserted::Deprovisioned);
    }

    async fn a_sign_in_goes_by_the_provider_as_the_store_has_it(database) {
        let store = database.store().await;
        let id = turned_off(&store).await;
        let (before, after) = (Person::at(id), Person::at(id));
        told_inactive(&store, before).await;
        told_inactive(&store, after).await;
        let sign_in = async |person: Person| {
            let nonce = random::alphanumeric(16).parse().unwrap();
            let identity_of = |user| person.identity(user);
            let read_at = store.head().await.unwrap().seq;
            store.insert_session(&new_session(person, nonce, read_at, &identity_of, &asks)).await.unwrap()
        };
        assert!(matches!(sign_in(before).await, SessionInserted::Yes(_)));
        assert_eq!(turn_on(&store, id).await, 1);
        assert_eq!(sign_in(after).await, SessionInserted::Deprovisioned);
    }
}

/// Goes by what the provider says, and then waits until it is told to go on.
struct Waiting {
    under_way: Arc<Notify>,
    told_to: Mutex<mpsc::Receiver<()>>,
}

impl Telling for Waiting {
    fn rules(&self, provider: Option<&Value>) -> Option<ScimRules<'_>> {
        let keeps_out = provider?.get("keeps_out")?.as_bool()?;
        self.under_way.notify_one();
        tokio::task::block_in_place(|| self.told_to.lock().unwrap().recv_timeout(Duration::from_secs(5)))
            .unwrap();
        Some(ScimRules {
            user_deprovision: keeps_out,
            ..NOTHING.0
        })
    }
}

on_postgres! {
    async fn a_deactivation_under_way_by_what_the_provider_said_before_is_put_out_with_the_others(database) {
        let store = database.store().await;
        let id = turned_off(&store).await;
        let person = Person::at(id);
        let (nonce, _) = person.sign_in(&store).await;
        let under_way = Arc::new(Notify::new());
        let (goes_on, told_to) = mpsc::channel::<()>();
        let waiting = Waiting { under_way: Arc::clone(&under_way), told_to: Mutex::new(told_to) };
        let telling = tokio::spawn({
            let store = store.clone();
            async move { store.insert_scim_user(id, &inactive(person), &waiting).await.unwrap().consequences.out }
        });
        under_way.notified().await;
        let turned_on = tokio::spawn({
            let store = store.clone();
            async move { turn_on(&store, id).await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!turned_on.is_finished(), "it waits for what is told");
        goes_on.send(()).unwrap();
        assert!(telling.await.unwrap().is_empty(), "nothing was to follow");
        assert_eq!(turned_on.await.unwrap(), 1);
        assert!(!store.may_mint(&nonce).await.unwrap());
    }

    async fn what_is_told_while_its_provider_is_deleted_goes_with_it(database) {
        let store = database.store().await;
        let id = turned_off(&store).await;
        let under_way = Arc::new(Notify::new());
        let (goes_on, told_to) = mpsc::channel::<()>();
        let waiting = Arc::new(Waiting { under_way: Arc::clone(&under_way), told_to: Mutex::new(told_to) });
        let telling = tokio::spawn({
            let (store, waiting) = (store.clone(), Arc::clone(&waiting));
            async move { store.insert_scim_user(id, &inactive(Person::at(id)), &*waiting).await }
        });
        under_way.notified().await;
        let deleting = tokio::spawn({
            let store = store.clone();
            async move {
                let mut write = store.write(file()).await.unwrap();
                assert!(write.delete(Kind::IdentityProvider, id.0).await.unwrap());
                write.commit().await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!deleting.is_finished(), "it waits for what is told");
        goes_on.send(()).unwrap();
        telling.await.unwrap().unwrap();
        deleting.await.unwrap();
        assert_eq!(store.count_scim::<ScimUser>(id).await.unwrap(), 0);
        let late = store.insert_scim_user(id, &inactive(Person::at(id)), &*waiting).await;
        assert!(matches!(late, Err(StoreError::NotTold)), "{late:?}");
    }

    async fn a_first_login_under_way_is_waited_for_and_put_out_with_the_others(database) {
        let store = database.store().await;
        let id = turned_off(&store).await;
        let person = Person::at(id);
        told_inactive(&store, person).await;
        let read_at = store.head().await.unwrap().seq;
        let nonce: SessionNonce = random::alphanumeric(16).parse().unwrap();
        // The login has read the provider, and is not done, when deprovisioning is turned on.
        let under_way = Arc::new(Notify::new());
        let (goes_on, told_to) = mpsc::channel::<()>();
        let told_to = Mutex::new(told_to);
        let login = tokio::spawn({
            let (store, nonce, under_way) = (store.clone(), nonce.clone(), Arc::clone(&under_way));
            async move {
                let identity_of = |user| person.identity(user);
                let waits = |provider: &Value| {
                    under_way.notify_one();
                    tokio::task::block_in_place(|| told_to.lock().unwrap().recv_timeout(Duration::from_secs(5))).unwrap();
                    asks(provider)
                };
                store.insert_session(&new_session(person, nonce, read_at, &identity_of, &waits)).await.unwrap()
            }
        });
        under_way.notified().await;
        let turned_on = tokio::spawn({
            let store = store.clone();
            async move { turn_on(&store, id).await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        goes_on.send(()).unwrap();
        assert!(matches!(login.await.unwrap(), SessionInserted::Yes(_)));
        assert_eq!(turned_on.await.unwrap(), 1);
        assert!(!store.may_mint(&nonce).await.unwrap());
    }
}

fn new_session<'a>(
    person: Person,
    nonce: SessionNonce,
    read_at: i64,
    identity_of: &'a (dyn Fn(UserId) -> Identity + Send + Sync),
    asks: &'a (dyn Fn(&Value) -> Option<ScimAtLogin> + Send + Sync),
) -> NewSession<'a> {
    NewSession {
        nonce,
        signs_in: true,
        provider: person.provider,
        person: person.key,
        email: None,
        name: None,
        identity_of,
        provider_session: None,
        expires_ms: NEVER_MS,
        address: ADDRESS,
        agent: None,
        refresh_token_sealed: None,
        linkable: false,
        read_at,
        began_ms: 0,
        asks,
    }
}

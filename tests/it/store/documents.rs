//! Objects: the echo, versions, one write at a time, audit.

use serde_json::json;
use uuid::Uuid;
use vestibule::store::{Actor, ActorKind, AuditEntry, Document, Ending, Kind, ObjectFilter, Objects, Store};

use super::people::Person;
use crate::support::database::on_both;

on_both! {
    async fn an_object_comes_back_as_it_was_accepted(database) {
        let store = database.store().await;
        let text = r#"{"z":null,"a":[3,1,2],"empty":{},"name":"Zoë \u0000 \"quoted\" 😀","n":1.0,"big":9007199254740993}"#;
        let mut given = application("Zoë");
        given.body = serde_json::from_str(text).unwrap();
        given.secrets = Some(vec![0, 1, 255]);
        given.declared = true;
        put(&store, &given).await;

        let found = store.document(Kind::Application, given.id).await.unwrap().unwrap();
        assert_eq!(found.body.to_string(), given.body.to_string());
        assert_eq!((found.secrets, found.declared, found.version), (given.secrets, true, 1));
        assert!(store.document(Kind::Policy, given.id).await.unwrap().is_none());
    }

    async fn every_write_counts_the_version_and_keeps_the_time_of_birth(database) {
        let store = database.store().await;
        let first = put(&store, &application("Wiki")).await;
        let second = put(&store, &Document { name: "Docs".to_owned(), secrets: Some(vec![1]), ..first.clone() }).await;
        assert_eq!((second.version, second.created_ms), (2, first.created_ms));
        assert_eq!(store.documents(Kind::Application).await.unwrap(), vec![second]);
    }

    async fn a_write_that_is_not_committed_has_not_happened(database) {
        let store = database.store().await;
        let before = store.head().await.unwrap();
        let mut write = store.write(file()).await.unwrap();
        let wiki = write.put(&application("Wiki")).await.unwrap();
        assert_eq!(write.documents(Kind::Application).await.unwrap(), vec![wiki]);
        drop(write);
        assert!(store.documents(Kind::Application).await.unwrap().is_empty());
        assert_eq!(store.head().await.unwrap(), before);
    }

    async fn writes_wait_for_each_other_so_that_none_is_lost(database) {
        let store = database.store().await;
        let counter = put(&store, &Document { body: json!({ "n": 0 }), ..application("Counter") }).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, id) = (store.clone(), counter.id);
            tasks.spawn(async move {
                let mut write = store.write(file()).await.unwrap();
                let mut counter = write.document(Kind::Application, id).await.unwrap().unwrap();
                counter.body = json!({ "n": counter.body["n"].as_i64().unwrap() + 1 });
                write.put(&counter).await.unwrap();
                write.commit().await.unwrap();
            });
        }
        tasks.join_all().await;
        let found = store.document(Kind::Application, counter.id).await.unwrap().unwrap();
        assert_eq!((found.body, found.version), (json!({ "n": 8 }), 9));
    }

    async fn all_objects_are_read_with_the_change_they_stand_at(database) {
        let store = database.store().await;
        put(&store, &application("Wiki")).await;
        let (position, objects) = store.objects().await.unwrap();
        assert_eq!(objects.all().count(), 1);
        assert_eq!(position, store.head().await.unwrap());
    }

    async fn what_was_written_since_is_all_that_is_read_anew(database) {
        let (store, other) = (database.store().await, database.store().await);
        let wiki = put(&store, &application("Wiki")).await;
        let docs = put(&store, &application("Docs")).await;
        let (_, before) = store.objects().await.unwrap();
        // By another gateway.
        let wiki = put(&other, &Document { name: "Wiki 2".to_owned(), ..wiki }).await;
        let news = put(&other, &application("News")).await;
        let mut write = other.write(file()).await.unwrap();
        assert!(write.delete(Kind::Application, docs.id).await.unwrap());
        write.commit().await.unwrap();
        store.end_sessions(&Ending::Everybody, "in between").await.unwrap();

        let (position, after) = store.objects().await.unwrap();
        assert_eq!(position, store.head().await.unwrap());
        assert_eq!(named(&after), [news.name.as_str(), wiki.name.as_str()]);
        assert_eq!(named(&before), ["Docs", "Wiki"], "a state stays as it was");
        assert_eq!(after.get(Kind::Application, wiki.id).unwrap().document(), wiki);
        let (_, anew) = database.store().await.objects().await.unwrap();
        let documents = |objects: &Objects| objects.all().map(|object| object.document()).collect::<Vec<_>>();
        assert_eq!(documents(&after), documents(&anew));
    }

    async fn a_write_finds_the_objects_as_they_stand_before_it(database) {
        let store = database.store().await;
        put(&store, &application("Wiki")).await;
        let mut write = store.write(file()).await.unwrap();
        assert_eq!(named(&write.objects().await.unwrap()), ["Wiki"]);
        write.put(&application("Docs")).await.unwrap();
        drop(write);
        assert_eq!(named(&store.objects().await.unwrap().1), ["Wiki"]);
        put(&store, &application("News")).await;
        let mut write = store.write(file()).await.unwrap();
        assert_eq!(named(&write.objects().await.unwrap()), ["News", "Wiki"]);
    }

    async fn a_change_that_does_not_say_what_it_wrote_has_everything_read(database) {
        let store = database.store().await;
        let wiki = put(&store, &application("Wiki")).await;
        store.objects().await.unwrap();
        put(&store, &Document { name: "Docs".to_owned(), ..wiki }).await;
        // As a release leaves it that does not know what is written down there.
        database.run("DELETE FROM written_objects").await;
        assert_eq!(named(&store.objects().await.unwrap().1), ["Docs"]);
    }

    async fn a_page_of_objects_knows_how_many_there_are(database) {
        let store = database.store().await;
        for name in ["Wiki", "wiki of 100%", "Other"] {
            put(&store, &application(name)).await;
        }
        let (_, objects) = store.objects().await.unwrap();
        let named = |name: &str| ObjectFilter { name: Some(name.to_owned()), search: None };
        let holding = |part: &str| ObjectFilter { name: None, search: Some(part.to_owned()) };
        for (filter, place, shown, total) in [
            (ObjectFilter::default(), (2, 0), 2, 3),
            (ObjectFilter::default(), (2, 2), 1, 3),
            (ObjectFilter::default(), (2, u64::MAX), 0, 3),
            (named("Wiki"), (10, 0), 1, 1),
            (holding("WIKI"), (1, 0), 1, 2),
            (holding("0%"), (10, 0), 1, 1),
            (holding("_"), (10, 0), 0, 0),
        ] {
            let (page, counted) = objects.page(Kind::Application, &filter, place);
            assert_eq!((page.len(), counted), (shown, total), "{filter:?} {place:?}");
        }
        let (page, counted) = objects.page(Kind::Policy, &ObjectFilter::default(), (5, 0));
        assert!(page.is_empty() && counted == 0);
    }

    async fn a_deletion_its_audit_and_the_end_of_sessions_are_one(database) {
        let store = database.store().await;
        let person = Person::new();
        let (nonce, _) = person.sign_in(&store).await;
        let mut given = application("Entra ID");
        (given.kind, given.id) = (Kind::IdentityProvider, person.provider.0);
        let given = put(&store, &given).await;

        let mut write = store.write(file()).await.unwrap();
        assert!(write.delete(given.kind, given.id).await.unwrap());
        assert!(!write.delete(given.kind, given.id).await.unwrap());
        let entry = AuditEntry { action: "delete", kind: given.kind, id: given.id, before: Some(given.body.clone()), after: None };
        write.audit(&entry).await.unwrap();
        let ended = write.end_sessions(&Ending::Provider(person.provider), "provider deleted").await.unwrap();
        assert_eq!(ended, vec![nonce.clone()]);
        let position = write.commit().await.unwrap();

        assert_eq!(position, store.head().await.unwrap());
        assert!(store.session(&nonce).await.unwrap().unwrap().ended_ms.is_some());
        let log = store.audit(10, 1).await.unwrap();
        assert_eq!(log.len(), 1);
        assert_eq!((log[0].actor.clone(), log[0].action.as_str(), log[0].id), (file(), "delete", given.id));
        assert_eq!((log[0].before.clone(), log[0].after.clone()), (Some(given.body), None));
        assert!(store.audit(10, 2).await.unwrap().is_empty());
    }
}

fn named(objects: &Objects) -> Vec<&str> {
    let objects = objects.of_kind(Kind::Application).iter();
    let mut names: Vec<&str> = objects.map(|object| object.name.as_str()).collect();
    names.sort_unstable();
    names
}

pub(super) fn file() -> Actor {
    Actor {
        kind: ActorKind::File,
        name: "vestibule.toml".to_owned(),
    }
}

pub(super) fn application(name: &str) -> Document {
    Document::new(
        Kind::Application,
        Uuid::new_v4(),
        name.to_owned(),
        json!({ "name": name }),
    )
}

pub(super) async fn put(store: &Store, document: &Document) -> Document {
    let mut write = store.write(file()).await.unwrap();
    let stored = write.put(document).await.unwrap();
    write.commit().await.unwrap();
    stored
}

//! A file is read, its objects are reconciled, the file changes.

use std::path::Path;
use std::sync::Arc;

use vestibule::clock::Clock;
use vestibule::config::{self, Config, Surroundings};
use vestibule::crypto::seal::Sealer;
use vestibule::manage::{Manage, ManageError, OlderFile, Outcome, Reconciled};
use vestibule::model::ids::IdpId;
use vestibule::snapshot::secrets;
use vestibule::store::{Actor, ActorKind, Audited, Document, Kind, Store};

use crate::store::people::Person;
use crate::support::database::on_both;

const HEAD: &str = r#"
[organization]
name = "Example"
auth_url = "https://login.example.com"
[listen]
http = "127.0.0.1:8080"
[store]
url = "sqlite::memory:"
[secrets]
master_key = { env = "KEY" }
"#;
const PROVIDER: &str = r#"
[[identity_providers]]
name = "Entra ID"
type = "azureAD"
config = { client_id = "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516", client_secret = { env = "SECRET" }, directory_id = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60" }
"#;
const WIKI: &str = r#"
[[applications]]
name = "Wiki"
domain = "wiki.example.com"
policies = [{ name = "staff", decision = "allow", include = [{ email_domain = { domain = "example.com" } }] }]
"#;

/// A gateway that starts with a file, on a store that may have seen others.
struct Gateway {
    config: Config,
    manage: Manage,
    sealer: Sealer,
}

impl Gateway {
    async fn start(store: &Store, objects: &str) -> Self {
        Self::start_with_secret(store, objects, "first secret").await
    }

    async fn start_with_secret(store: &Store, objects: &str, secret: &str) -> Self {
        let env = |name: &str| match name {
            "KEY" => Some("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".to_owned()),
            "SECRET" => Some(secret.to_owned()),
            _ => None,
        };
        let surroundings = Surroundings {
            env: &env,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        let text = format!("{HEAD}{objects}");
        let config = config::load_text(Path::new("vestibule.toml"), &text, surroundings).unwrap();
        let organization = vestibule::manage::organization(store, &config.organization)
            .await
            .unwrap();
        let sealer = Sealer::new(config.master_key.clone(), organization.account_id.as_str());
        let manage = Manage::new(
            store.clone(),
            sealer.clone(),
            Clock::system(),
            Arc::new(organization),
            Arc::new(config.clouds.clone()),
        );
        Self {
            config,
            manage,
            sealer,
        }
    }

    fn fingerprint(&self) -> String {
        let declared = self.config.declarations.resolve(self.manage.account());
        self.manage.fingerprint(&declared)
    }

    async fn try_reconcile(&self, older: OlderFile<'_>) -> Result<Outcome, ManageError> {
        let account = self.manage.account();
        let declared = self.config.declarations.resolve(account);
        self.manage.reconcile(&declared, file(), older).await
    }

    /// Created, updated and deleted objects.
    async fn reconcile(&self) -> (usize, usize, usize) {
        counts(self.try_reconcile(OlderFile::LeftAlone).await.unwrap())
    }
}

fn counts(outcome: Outcome) -> (usize, usize, usize) {
    let Outcome::Reconciled(Reconciled {
        created,
        updated,
        deleted,
    }) = outcome
    else {
        panic!("{outcome:?}");
    };
    (created, updated, deleted)
}

fn file() -> Actor {
    Actor {
        kind: ActorKind::File,
        name: "vestibule.toml".to_owned(),
    }
}

async fn only(store: &Store, kind: Kind) -> Document {
    let documents = store.documents(kind).await.unwrap();
    let [document] = documents.try_into().unwrap();
    document
}

fn aud(document: &Document) -> &str {
    document.body["aud"].as_str().unwrap()
}

on_both! {
    async fn declared_objects_are_created_once_and_then_left_alone(database) {
        let store = database.store().await;
        let gateway = Gateway::start(&store, &format!("{PROVIDER}{WIKI}")).await;
        assert_eq!(gateway.reconcile().await, (3, 0, 0));
        let (before, head) = (only(&store, Kind::Application).await, store.head().await.unwrap());
        assert_eq!(aud(&before).len(), 64);

        let again = Gateway::start(&store, &format!("{PROVIDER}{WIKI}")).await;
        assert_eq!(again.reconcile().await, (0, 0, 0));
        assert_eq!(only(&store, Kind::Application).await, before);
        assert_eq!(store.head().await.unwrap(), head, "no replica is woken for nothing");
        let log = store.audit(10, 1).await.unwrap();
        assert_eq!(log.iter().filter(|line| line.kind != Audited::Object(Kind::Organization)).count(), 3);
        assert_eq!(log.len(), 4, "the organization was made once too");
    }

    async fn a_changed_application_keeps_its_audience_and_an_omitted_one_goes(database) {
        let store = database.store().await;
        Gateway::start(&store, &format!("{PROVIDER}{WIKI}")).await.reconcile().await;
        let before = only(&store, Kind::Application).await;

        let moved = WIKI.replace("domain = \"wiki.example.com\"", "domain = \"docs.example.com\"");
        let gateway = Gateway::start(&store, &format!("{PROVIDER}{moved}")).await;
        assert_eq!(gateway.reconcile().await, (0, 1, 0));
        let after = only(&store, Kind::Application).await;
        assert_eq!((aud(&after), after.version), (aud(&before), 2));
        assert_eq!(after.body["domain"], "docs.example.com");

        let gateway = Gateway::start(&store, PROVIDER).await;
        assert_eq!(gateway.reconcile().await, (0, 0, 2));
        assert!(store.documents(Kind::Application).await.unwrap().is_empty());
        let last = store.audit(1, 1).await.unwrap().remove(0);
        assert_eq!((last.action.as_str(), last.after, last.actor), ("delete", None, file()));
    }

    async fn a_secret_is_sealed_and_a_new_one_takes_its_place(database) {
        let store = database.store().await;
        Gateway::start(&store, PROVIDER).await.reconcile().await;
        let first = only(&store, Kind::IdentityProvider).await;
        assert!(!first.body.to_string().contains("secret"));

        let gateway = Gateway::start_with_secret(&store, PROVIDER, "second secret").await;
        assert_eq!(gateway.reconcile().await, (0, 1, 0));
        let second = only(&store, Kind::IdentityProvider).await;
        let opened = secrets::open(&second, &gateway.sealer, 0).unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&opened["client_secret"]), "second secret");
    }

    async fn sessions_end_with_their_provider_and_with_its_directory_only(database) {
        let store = database.store().await;
        Gateway::start(&store, PROVIDER).await.reconcile().await;
        let provider = IdpId(only(&store, Kind::IdentityProvider).await.id);
        let ended = async |nonce| store.session(&nonce).await.unwrap().unwrap().ended_cause;

        let (nonce, _) = Person::at(provider).sign_in(&store).await;
        let groups = PROVIDER.replace("config = {", "config = { support_groups = true,");
        Gateway::start(&store, &groups).await.reconcile().await;
        assert_eq!(ended(nonce.clone()).await, None);
        let named = groups.replace("config = {", "config = { azure_cloud = \"default\",");
        Gateway::start(&store, &named).await.reconcile().await;
        assert_eq!(ended(nonce.clone()).await, None, "the default cloud by name is the same cloud");

        let elsewhere = groups.replace("72a1c0de", "82a1c0de");
        Gateway::start(&store, &elsewhere).await.reconcile().await;
        assert_eq!(ended(nonce).await.as_deref(), Some("provider_changed"));

        let (nonce, _) = Person::at(provider).sign_in(&store).await;
        Gateway::start(&store, "").await.reconcile().await;
        assert_eq!(ended(nonce).await.as_deref(), Some("provider_changed"));
    }

    async fn an_older_file_never_undoes_a_newer_one_unless_it_is_told_to(database) {
        let store = database.store().await;
        let older = Gateway::start(&store, PROVIDER).await;
        older.reconcile().await;
        let newer = Gateway::start(&store, &format!("{PROVIDER}{WIKI}")).await;
        newer.reconcile().await;

        assert!(matches!(older.try_reconcile(OlderFile::LeftAlone).await, Ok(Outcome::Superseded(_))));
        assert_eq!(store.documents(Kind::Application).await.unwrap().len(), 1);

        assert_eq!(counts(older.try_reconcile(OlderFile::Applied).await.unwrap()), (0, 0, 2));
        assert!(matches!(newer.try_reconcile(OlderFile::LeftAlone).await, Ok(Outcome::Superseded(_))));
        assert_eq!(older.reconcile().await, (0, 0, 0));
    }

    async fn a_file_that_is_put_back_is_applied_where_its_gateway_had_applied_the_newest(database) {
        let store = database.store().await;
        let first = Gateway::start(&store, PROVIDER).await;
        first.reconcile().await;
        let second = Gateway::start(&store, &format!("{PROVIDER}{WIKI}")).await;
        second.reconcile().await;
        let third = Gateway::start(&store, "").await;

        // Another gateway has applied another file since: this one's was not the newest when it was put back.
        let stale = third.fingerprint();
        let back = first.try_reconcile(OlderFile::AppliedAfter(&stale)).await;
        assert!(matches!(back, Ok(Outcome::Superseded(_))));

        let present = second.fingerprint();
        let back = first.try_reconcile(OlderFile::AppliedAfter(&present)).await.unwrap();
        assert_eq!(counts(back), (0, 0, 2));
        // And so does the other gateway whose file is put back after it.
        let back = first.try_reconcile(OlderFile::AppliedAfter(&present)).await.unwrap();
        assert_eq!(counts(back), (0, 0, 0));
    }

    async fn what_cannot_stand_is_refused_whole_with_every_reason(database) {
        let store = database.store().await;
        put_elsewhere(&store).await;
        let absent = r#"allowed_idps = ["7335d417-61da-459d-899c-0a01c76a2f94"]"#;
        let wiki = WIKI.replace("policies =", &format!("{absent}\npolicies ="));
        let gateway = Gateway::start(&store, &format!("{PROVIDER}{wiki}")).await;

        let Err(ManageError::Refused(refused)) = gateway.try_reconcile(OlderFile::LeftAlone).await else {
            panic!("taken");
        };
        let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
        assert_eq!(told, [
            "application \"Wiki\": /destinations: wiki.example.com belongs to the application \"Elsewhere\"\n\
             application \"Wiki\": /allowed_idps: no identity provider has the id 7335d417-61da-459d-899c-0a01c76a2f94",
        ]);
        assert!(store.documents(Kind::IdentityProvider).await.unwrap().is_empty());
    }

    async fn the_account_is_made_once_and_a_foreign_one_is_refused(database) {
        let store = database.store().await;
        let first = Gateway::start(&store, "").await;
        let second = Gateway::start(&store, "").await;
        assert_eq!(first.manage.account(), second.manage.account());
        assert_eq!(vestibule::manage::stored_account(&store).await.unwrap().as_ref(), Some(first.manage.account()));

        let mut foreign = second.config.organization.clone();
        foreign.account_id = Some("ffffffffffffffffffffffffffffffff".parse().unwrap());
        let refused = vestibule::manage::organization(&store, &foreign).await;
        assert!(matches!(refused, Err(ManageError::ForeignAccount { .. })));
    }
}

/// An application that no file declares.
async fn put_elsewhere(store: &Store) {
    let body = serde_json::json!({
        "name": "Elsewhere", "type": "self_hosted", "domain": "wiki.example.com", "aud": "a".repeat(64),
    });
    let document = Document::new(
        Kind::Application,
        uuid::Uuid::new_v4(),
        "Elsewhere".to_owned(),
        body,
    );
    let mut write = store.write(file()).await.unwrap();
    write.put(&document).await.unwrap();
    write.commit().await.unwrap();
}

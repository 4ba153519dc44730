//! Service tokens through `manage`: what each step writes, what it refuses, and that no secret is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::config::clouds;
use vestibule::config::declared::{Declared, DeclaredKind};
use vestibule::crypto::digest::sha256_hex;
use vestibule::crypto::seal::Sealer;
use vestibule::manage::{Issued, Manage, ManageError, NewServiceToken, OlderFile, ServiceTokenChanges};
use vestibule::model::ids::ServiceTokenId;
use vestibule::model::organization::Organization;
use vestibule::model::service_token::{SECRET_HASH, ServiceToken, ServiceTokenRules, TokenLife};
use vestibule::snapshot::{read, secrets};
use vestibule::store::{Actor, ActorKind, Document, Kind, Store};

use crate::support::database::{Database, on_both};

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

struct Office {
    store: Store,
    sealer: Sealer,
    clock: Clock,
    manage: Manage,
}

impl Office {
    async fn open(database: &Database) -> Self {
        let clock = Clock::system();
        let store = database.store_at(&clock).await;
        let sealer = Sealer::new(vec![7; 32].into(), ACCOUNT);
        let organization = Organization {
            name: "Example".to_owned(),
            auth: "https://login.example.com"
                .parse::<url::Url>()
                .unwrap()
                .try_into()
                .unwrap(),
            account_id: ACCOUNT.parse().unwrap(),
            session_duration: "24h".parse().unwrap(),
            sign_out_at_provider: false,
            idle_timeout: None,
            logout_return_to: Vec::new(),
            transfer_host: None,
            auto_redirect_to_identity: None,
            custom_pages: vestibule::model::organization::OrganizationPages::default(),
            accept_unevaluated_selectors: std::collections::BTreeSet::new(),
            refusals: vestibule::model::refusals::Refusals::default(),
            login_design: vestibule::model::design::LoginDesign::PLAIN,
            seat_expiration: None,
            key_rotation_days: 42,
            in_file: std::collections::BTreeSet::new(),
            service_tokens: ServiceTokenRules::default(),
        };
        let manage = Manage::new(
            store.clone(),
            sealer.clone(),
            clock.clone(),
            Arc::new(organization),
            Arc::new(clouds::builtin()),
        );
        Self {
            store,
            sealer,
            clock,
            manage,
        }
    }

    async fn issue(&self, name: &str) -> Issued {
        let new = NewServiceToken {
            name: name.to_owned(),
            duration: TokenLife::default(),
            enabled: true,
            secret_version: 1,
        };
        self.manage.create_service_token(new, clerk()).await.unwrap()
    }

    fn read(&self, document: &Document) -> ServiceToken {
        let secrets = secrets::open(document, &self.sealer, self.clock.now_ms()).unwrap();
        read::service_token(ServiceTokenId(document.id), &document.body, &secrets).unwrap()
    }

    async fn only(&self) -> Document {
        let documents = self.store.documents(Kind::ServiceToken).await.unwrap();
        let [document] = documents.try_into().unwrap();
        document
    }

    async fn last_audit(&self) -> (String, Value) {
        let row = self.store.audit(1, 1).await.unwrap().remove(0);
        (row.action, row.after.unwrap_or_default())
    }
}

fn clerk() -> Actor {
    Actor {
        kind: ActorKind::CommandLine,
        name: "a test".to_owned(),
    }
}

fn id(document: &Document) -> ServiceTokenId {
    ServiceTokenId(document.id)
}

fn hash_of(secret: &SecretString) -> String {
    sha256_hex(secret.expose_secret().as_bytes())
}

fn held(hash: [u8; 32]) -> String {
    vestibule::crypto::digest::hex(&hash)
}

fn declared_token(hash: &str, duration: &str) -> Declared {
    Declared {
        kind: DeclaredKind::ServiceToken,
        id: uuid::Uuid::from_u128(5),
        name: "CI".to_owned(),
        body: json!({ "name": "CI", "duration": duration, "enabled": true }),
        secrets: BTreeMap::from([(SECRET_HASH.to_owned(), SecretString::from(hash.to_owned()))]),
        line: 1,
    }
}

on_both! {
    async fn a_new_token_has_its_shape_and_its_secret_is_nowhere(database) {
        let office = Office::open(&database).await;
        let issued = office.issue("CI").await;
        let document = office.only().await;
        assert_eq!(document.body, issued.document.body);
        let token = office.read(&document);
        assert_eq!(held(token.secret.0), hash_of(&issued.client_secret));
        assert!(token.is_good(office.clock.now_ms()) && token.previous.is_none());
        let year = SignedDuration::from_hours(8760);
        assert!(!token.is_good((office.clock.now() + year).as_millisecond()));
        // Neither body nor audit hold the secret or its hash.
        let (action, after) = office.last_audit().await;
        assert_eq!(action, "create");
        for text in [document.body.to_string(), after.to_string(), format!("{document:?} {issued:?}")] {
            assert!(!text.contains(issued.client_secret.expose_secret()), "{text}");
            assert!(!text.contains(&hash_of(&issued.client_secret)), "{text}");
        }
        let sealed = document.secrets.unwrap();
        assert!(!sealed.windows(12).any(|part| hash_of(&issued.client_secret).as_bytes().starts_with(part)));
    }

    async fn a_rotation_ends_the_secret_before_now_or_later(database) {
        let office = Office::open(&database).await;
        let first = office.issue("CI").await;
        let until = office.clock.now() + SignedDuration::from_hours(24);
        let second = office.manage.rotate_service_token(id(&first.document), Some(until), clerk()).await.unwrap();
        let token = office.read(&second.document);
        assert_eq!(held(token.secret.0), hash_of(&second.client_secret));
        let previous = token.previous.unwrap();
        assert_eq!((held(previous.secret.0), previous.until_ms), (hash_of(&first.client_secret), until.as_millisecond()));
        assert_eq!((token.client_id.as_str(), token.secret_version), (first.document.body["client_id"].as_str().unwrap(), 1));

        let third = office.manage.rotate_service_token(id(&first.document), None, clerk()).await.unwrap();
        let token = office.read(&third.document);
        assert_eq!((held(token.secret.0), token.previous, token.secret_version), (hash_of(&third.client_secret), None, 1));
        assert_eq!(third.document.body["previous_client_secret_expires_at"], Value::Null);
    }

    async fn a_token_is_renewed_by_a_year_from_its_end_or_from_now(database) {
        let office = Office::open(&database).await;
        let issued = office.issue("CI").await;
        let ends = |document: &Document| document.body["expires_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let year = SignedDuration::from_hours(8760);
        let renewed = office.manage.refresh_service_token(id(&issued.document), clerk()).await.unwrap();
        assert_eq!(ends(&renewed.document), ends(&issued.document) + year);
        office.clock.advance(SignedDuration::from_hours(30_000));
        let late = office.manage.refresh_service_token(id(&issued.document), clerk()).await.unwrap();
        assert!(ends(&late.document) > office.clock.now() && ends(&late.document) <= office.clock.now() + year);
    }

    async fn an_update_changes_what_it_names(database) {
        let office = Office::open(&database).await;
        let issued = office.issue("CI").await;
        let id = id(&issued.document);
        let update = async |changes: ServiceTokenChanges| {
            let updated = office.manage.update_service_token(id, changes, clerk()).await;
            updated.map(|(written, secret)| (written.document, secret))
        };
        let (document, secret) = update(ServiceTokenChanges { enabled: Some(false), ..Default::default() }).await.unwrap();
        assert!(secret.is_none() && !office.read(&document).enabled);
        assert_eq!(document.body["expires_at"], issued.document.body["expires_at"]);
        let forever = Some(TokenLife::Forever);
        let (document, _) = update(ServiceTokenChanges { duration: forever, name: Some("Build".to_owned()), ..Default::default() }).await.unwrap();
        assert_eq!((document.name.as_str(), &document.body["duration"]), ("Build", &json!("forever")));
        assert_eq!(document.body["expires_at"], "9999-01-01T00:00:00Z");
        let (document, secret) = update(ServiceTokenChanges { client_secret_version: Some(5), ..Default::default() }).await.unwrap();
        assert_eq!(held(office.read(&document).secret.0), hash_of(&secret.unwrap()));

        // One that is not higher changes nothing: its writer need not know that another has raised it.
        for version in [5, 4, 1] {
            let changes = ServiceTokenChanges { client_secret_version: Some(version), ..Default::default() };
            let (same, secret) = update(changes).await.unwrap();
            assert!(secret.is_none());
            assert_eq!((office.read(&same).secret, office.read(&same).secret_version), (office.read(&document).secret, 5));
        }

        for (changes, at) in [
            (ServiceTokenChanges { name: Some(" ".to_owned()), ..Default::default() }, "/name"),
        ] {
            let refused = update(changes).await.unwrap_err();
            assert!(matches!(&refused, ManageError::Refused(of) if of[0].problems[0].pointer == at), "{refused}");
        }
        assert_eq!(office.only().await.body, document.body);
    }

    async fn a_token_that_rules_name_is_not_deleted(database) {
        let office = Office::open(&database).await;
        let issued = office.issue("CI").await;
        let id = id(&issued.document);
        let policy = Document::new(Kind::Policy, uuid::Uuid::from_u128(1), "machines".to_owned(), json!({ "include": [{ "service_token": { "token_id": id } }] }));
        let mut write = office.store.write(clerk()).await.unwrap();
        write.put(&policy).await.unwrap();
        write.commit().await.unwrap();
        let refused = office.manage.delete_service_token(id, clerk()).await.unwrap_err();
        assert!(matches!(&refused, ManageError::InUse { by, .. } if by == &["policy \"machines\""]), "{refused}");

        let mut write = office.store.write(clerk()).await.unwrap();
        write.delete(Kind::Policy, policy.id).await.unwrap();
        write.commit().await.unwrap();
        office.manage.delete_service_token(id, clerk()).await.unwrap();
        assert!(office.store.documents(Kind::ServiceToken).await.unwrap().is_empty());
        let gone = office.manage.refresh_service_token(id, clerk()).await.unwrap_err();
        assert!(matches!(gone, ManageError::NotFound { .. }), "{gone}");
    }

    async fn a_declared_token_is_completed_once_and_is_its_files(database) {
        let office = Office::open(&database).await;
        let apply = |token: Declared| {
            let manage = office.manage.clone();
            async move { manage.reconcile(&[token], clerk(), OlderFile::Applied).await.unwrap() }
        };
        apply(declared_token(&sha256_hex(b"one"), "8760h")).await;
        let first = office.only().await;
        apply(declared_token(&sha256_hex(b"one"), "8760h")).await;
        assert_eq!(office.only().await, first, "the same again changes nothing");
        office.clock.advance(SignedDuration::from_hours(1));
        apply(declared_token(&sha256_hex(b"two"), "8760h")).await;
        let second = office.only().await;
        for key in ["client_id", "expires_at"] {
            assert_eq!(second.body[key], first.body[key], "{key}");
        }
        assert_eq!(office.read(&second).secret_version, 2);
        apply(declared_token(&sha256_hex(b"two"), "100h")).await;
        assert_ne!(office.only().await.body["expires_at"], first.body["expires_at"]);

        let id = id(&second);
        for refused in [
            office.manage.rotate_service_token(id, None, clerk()).await.unwrap_err(),
            office.manage.delete_service_token(id, clerk()).await.unwrap_err(),
        ] {
            assert!(matches!(refused, ManageError::Declared { .. }), "{refused}");
        }
        office.manage.refresh_service_token(id, clerk()).await.unwrap();
        let renewed = office.only().await;
        apply(declared_token(&sha256_hex(b"two"), "100h")).await;
        assert_eq!(office.only().await.body, renewed.body, "a renewal outlives the next start");
    }

    async fn a_token_that_nobody_uses_is_ended(database) {
        let office = Office::open(&database).await;
        let (used, unused, named) = (office.issue("used").await, office.issue("unused").await, office.issue("named").await);
        office.manage.reconcile(&[declared_token(&sha256_hex(b"one"), "8760h")], clerk(), OlderFile::Applied).await.unwrap();
        let unused_since = |days: i64| office.manage.unused_service_tokens(office.clock.now_ms() - days * 86_400_000);
        assert!(unused_since(30).await.unwrap().is_empty());
        office.clock.advance(SignedDuration::from_hours(24 * 31));
        office.store.touch_service_tokens(&[(id(&used.document), office.clock.now_ms())]).await.unwrap();
        let mut ended = unused_since(30).await.unwrap();
        let mut expected = [id(&unused.document), id(&named.document)];
        ended.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ended, expected, "neither the one that is used nor the declared one");

        let policy = json!({ "include": [{ "service_token": { "token_id": id(&named.document) } }] });
        let mut write = office.store.write(clerk()).await.unwrap();
        write.put(&Document { kind: Kind::Group, name: "g".to_owned(), body: policy, ..unused.document.clone() }).await.unwrap();
        write.commit().await.unwrap();
        for token in ended {
            office.manage.end_unused_service_token(token, true, clerk()).await.unwrap();
        }
        let find = |token: &Issued| office.store.document(Kind::ServiceToken, token.document.id);
        assert_eq!(find(&unused).await.unwrap(), None, "deleted");
        assert!(!office.read(&find(&named).await.unwrap().unwrap()).enabled, "a rule names it: disabled");
        assert!(unused_since(30).await.unwrap().is_empty());
        let used = id(&used.document);
        office.manage.end_unused_service_token(used, false, clerk()).await.unwrap();
        let used = office.store.document(Kind::ServiceToken, used.0).await.unwrap().unwrap();
        assert!(!office.read(&used).enabled);
    }

    async fn two_tokens_are_not_called_the_same(database) {
        let office = Office::open(&database).await;
        let issued = office.issue("CI").await;
        let mut token = declared_token(&sha256_hex(b"one"), "8760h");
        token.body["client_id"] = issued.document.body["client_id"].clone();
        let refused = office.manage.reconcile(&[token], clerk(), OlderFile::Applied).await.unwrap_err();
        assert!(refused.to_string().contains("/client_id"), "{refused}");
    }
}

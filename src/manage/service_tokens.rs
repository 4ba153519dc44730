//! Service tokens: made, rotated, renewed, changed and deleted. Each is one transaction with its line in the audit log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::objects::{Draft, Written};
use super::stored::Stored;
use super::{Manage, ManageError, RefusedObject};
use crate::crypto::digest::sha256_hex;
use crate::crypto::random;
use crate::model::ids::ServiceTokenId;
use crate::model::service_token::{PREVIOUS_SECRET_HASH, SECRET_HASH, ServiceToken, TokenLife};
use crate::snapshot::read::{self, Problem};
use crate::snapshot::secrets;
use crate::store::{Actor, Document, Kind, ObjectWrite, Position, StoreError};

/// What is needed to make a service token.
#[derive(Debug, Clone)]
pub struct NewServiceToken {
    /// Its name.
    pub name: String,
    /// How long it lives.
    pub duration: TokenLife,
    /// Whether it can be used at once.
    pub enabled: bool,
    /// Its `client_secret_version`.
    pub secret_version: u64,
}

/// What is to change of a service token; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ServiceTokenChanges {
    /// Its name.
    pub name: Option<String>,
    /// Whether its secrets are good.
    pub enabled: Option<bool>,
    /// How long it lives, counted from now.
    pub duration: Option<TokenLife>,
    /// One that is higher than the present one rotates the secret; one that is not changes nothing.
    pub client_secret_version: Option<u64>,
    /// Until when the secret before stays good, where it is rotated; `None` ends it at once.
    pub previous_client_secret_expires_at: Option<Timestamp>,
}

/// A service token with its secret, which is told this once and kept nowhere.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub document: Document,
    /// The change that it was written with, as [`Written::position`].
    pub position: Position,
    /// The secret.
    pub client_secret: SecretString,
}

impl Written {
    fn with(self, client_secret: SecretString) -> Issued {
        Issued {
            document: self.document,
            position: self.position,
            client_secret,
        }
    }
}

impl Manage {
    /// Makes a service token.
    ///
    /// # Errors
    /// [`ManageError::Refused`] where the name cannot stand.
    pub async fn create_service_token(
        &self,
        new: NewServiceToken,
        actor: Actor,
    ) -> Result<Issued, ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        let client_secret = new_secret();
        let body = json!({
            "name": new.name,
            "client_id": new_client_id(),
            "duration": new.duration.as_str(),
            "enabled": new.enabled,
            "expires_at": expiry(&new.duration, self.clock.now()).to_string(),
            "client_secret_version": new.secret_version,
        });
        let change = Change {
            id: Uuid::new_v4(),
            body,
            secrets: hashes(&client_secret),
        };
        Ok(self.put_token(write, change, &stored).await?.with(client_secret))
    }

    /// Gives a service token another secret. The one before stays good until `previous_until`, and ends now without.
    /// Its `client_secret_version` stays: that is the word of whoever writes the token, who may be another.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Declared`].
    pub async fn rotate_service_token(
        &self,
        id: ServiceTokenId,
        previous_until: Option<Timestamp>,
        actor: Actor,
    ) -> Result<Issued, ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        let (mut change, token) = self.change_of(id, &stored)?;
        let client_secret = change.rotate(token.secret_version, previous_until);
        Ok(self.put_token(write, change, &stored).await?.with(client_secret))
    }

    /// Lets a service token live a year longer. One that has ended lives for a year from now.
    ///
    /// # Errors
    /// [`ManageError::NotFound`].
    pub async fn refresh_service_token(
        &self,
        id: ServiceTokenId,
        actor: Actor,
    ) -> Result<Written, ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        // Of a declared token too: its file does not say when it ends.
        let (mut change, token) = self.change_of_any(&stored.held(Kind::ServiceToken, id.0)?)?;
        if token.duration != TokenLife::Forever {
            let from = Timestamp::from_millisecond(token.expires_ms).unwrap_or(Timestamp::UNIX_EPOCH);
            let until = expiry(&TokenLife::default(), from.max(self.clock.now()));
            change.set("expires_at", until.to_string().into());
        }
        self.put_token(write, change, &stored).await
    }

    /// Changes a service token. A secret comes back where it was rotated.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Declared`], [`ManageError::Refused`].
    pub async fn update_service_token(
        &self,
        id: ServiceTokenId,
        changes: ServiceTokenChanges,
        actor: Actor,
    ) -> Result<(Written, Option<SecretString>), ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        let (mut change, token) = self.change_of(id, &stored)?;
        if let Some(name) = changes.name {
            change.set("name", name.into());
        }
        if let Some(enabled) = changes.enabled {
            change.set("enabled", enabled.into());
        }
        if let Some(duration) = &changes.duration {
            change.set("duration", duration.as_str().into());
            let until = expiry(duration, self.clock.now());
            change.set("expires_at", until.to_string().into());
        }
        let secret = match changes.client_secret_version {
            Some(version) if version > token.secret_version => {
                Some(change.rotate(version, changes.previous_client_secret_expires_at))
            }
            _ => None,
        };
        Ok((self.put_token(write, change, &stored).await?, secret))
    }

    /// Deletes a service token; what it was.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Declared`], [`ManageError::InUse`] where rules name it.
    pub async fn delete_service_token(
        &self,
        id: ServiceTokenId,
        actor: Actor,
    ) -> Result<Written, ManageError> {
        self.delete(Kind::ServiceToken, id.0, actor).await
    }

    /// The tokens that are enabled and have neither been let in nor changed since `since_ms`. Declared ones are their
    /// file's, and stay.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn unused_service_tokens(&self, since_ms: i64) -> Result<Vec<ServiceTokenId>, StoreError> {
        let uses = self.store.service_token_uses().await?;
        let mut tokens = self.store.documents(Kind::ServiceToken).await?;
        tokens.retain(|document| {
            let seen = uses.get(&id_of(document)).copied().unwrap_or(i64::MIN);
            let enabled = document
                .body
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(true);
            enabled && !document.declared && document.updated_ms.max(seen) < since_ms
        });
        Ok(tokens.iter().map(id_of).collect())
    }

    /// Ends a token that nobody uses: disabled, or deleted where no rule names it.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Declared`].
    pub async fn end_unused_service_token(
        &self,
        id: ServiceTokenId,
        delete: bool,
        actor: Actor,
    ) -> Result<(), ManageError> {
        if delete {
            match self.delete_service_token(id, actor.clone()).await {
                Err(ManageError::InUse { .. }) => {}
                other => return other.map(drop),
            }
        }
        let disabled = ServiceTokenChanges {
            enabled: Some(false),
            ..ServiceTokenChanges::default()
        };
        self.update_service_token(id, disabled, actor).await.map(drop)
    }

    /// A token to be changed, and how it is.
    fn change_of(&self, id: ServiceTokenId, stored: &Stored) -> Result<(Change, ServiceToken), ManageError> {
        self.change_of_any(&stored.changeable(Kind::ServiceToken, id.0)?)
    }

    fn change_of_any(&self, document: &Document) -> Result<(Change, ServiceToken), ManageError> {
        let unreadable = |reason: String| refused(&document.name, "/client_secret", reason);
        let secrets = secrets::open(document, &self.sealer, self.clock.now_ms())
            .map_err(|error| unreadable(error.to_string()))?;
        let token = read::service_token(id_of(document), &document.body, &secrets)
            .map_err(|problems| refusal(&document.name, problems))?;
        let change = Change {
            id: document.id,
            body: document.body.clone(),
            secrets,
        };
        Ok((change, token))
    }

    async fn put_token(
        &self,
        write: ObjectWrite,
        change: Change,
        stored: &Stored,
    ) -> Result<Written, ManageError> {
        let Change { id, body, secrets } = change;
        let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
        let draft = Draft {
            name: name.to_owned(),
            body,
            secrets,
        };
        let drafts = vec![(Kind::ServiceToken, id, draft)];
        self.put(write, drafts, stored).await
    }
}

/// A service token as it is to be.
struct Change {
    id: Uuid,
    body: Value,
    secrets: BTreeMap<String, SecretString>,
}

impl Change {
    fn set(&mut self, key: &str, value: Value) {
        if let Value::Object(body) = &mut self.body {
            body.insert(key.to_owned(), value);
        }
    }

    /// Puts a new secret in the place of the present one.
    fn rotate(&mut self, version: u64, previous_until: Option<Timestamp>) -> SecretString {
        let secret = new_secret();
        let present = self.secrets.remove(SECRET_HASH);
        self.secrets = hashes(&secret);
        let until = previous_until.zip(present).map(|(until, present)| {
            self.secrets.insert(PREVIOUS_SECRET_HASH.to_owned(), present);
            until.to_string()
        });
        self.set("client_secret_version", version.into());
        self.set(
            "previous_client_secret_expires_at",
            until.map_or(Value::Null, Value::from),
        );
        secret
    }
}

/// Completes a declared token: what the file does not say stays as it is, or begins now.
pub(super) fn complete(
    body: &mut Value,
    hashes: &BTreeMap<String, SecretString>,
    before: Option<(&Document, &BTreeMap<String, SecretString>)>,
    now: Timestamp,
) {
    let Value::Object(body) = body else { return };
    let was = |key: &str| before.and_then(|(document, _)| document.body.get(key)).cloned();
    if !body.contains_key("client_id") {
        body.insert(
            "client_id".to_owned(),
            was("client_id").unwrap_or_else(|| new_client_id().into()),
        );
    }
    let same_life = before.is_some() && was("duration").as_ref() == body.get("duration");
    let kept = was("expires_at").filter(|_| same_life);
    let expires = kept.unwrap_or_else(|| {
        let written = body.get("duration").and_then(Value::as_str);
        let life = written.and_then(|text| text.parse().ok()).unwrap_or_default();
        expiry(&life, now).to_string().into()
    });
    body.insert("expires_at".to_owned(), expires);
    body.insert(
        "client_secret_version".to_owned(),
        declared_version(hashes, before).into(),
    );
}

/// Another secret in the file is another version.
fn declared_version(
    hashes: &BTreeMap<String, SecretString>,
    before: Option<(&Document, &BTreeMap<String, SecretString>)>,
) -> u64 {
    let Some((document, held)) = before else { return 1 };
    let version = document.body.get("client_secret_version").and_then(Value::as_u64);
    let hash =
        |of: &BTreeMap<String, SecretString>| of.get(SECRET_HASH).map(|hash| hash.expose_secret().to_owned());
    let same = hash(held) == hash(hashes);
    version.unwrap_or(1).saturating_add(u64::from(!same))
}

fn id_of(document: &Document) -> ServiceTokenId {
    ServiceTokenId(document.id)
}

/// When a token ends that begins its life at this time. `forever` ends with the calendar: clients insist on a date.
fn expiry(life: &TokenLife, from: Timestamp) -> Timestamp {
    let last = Timestamp::from_second(END_OF_CALENDAR).unwrap_or(Timestamp::MAX);
    let end = match life {
        TokenLife::Forever => last,
        TokenLife::Lasts(duration) => from
            .checked_add(duration.length())
            .map_or(last, |end| end.min(last)),
    };
    Timestamp::from_second(end.as_second()).unwrap_or(last)
}

/// 9999-01-01T00:00:00Z.
const END_OF_CALENDAR: i64 = 253_370_764_800;

/// `cfast_`, 40 random letters and digits, and 8 hexadecimal digits by which scanners tell a secret from a look-alike.
fn new_secret() -> SecretString {
    let random = random::alphanumeric(40);
    let sum = sha256_hex(random.as_bytes());
    SecretString::from(format!("cfast_{random}{}", sum.get(..8).unwrap_or_default()))
}

fn new_client_id() -> String {
    format!("{}.access", random::hex_digits::<16>())
}

fn hashes(secret: &SecretString) -> BTreeMap<String, SecretString> {
    let hash = sha256_hex(secret.expose_secret().as_bytes());
    BTreeMap::from([(SECRET_HASH.to_owned(), SecretString::from(hash))])
}

fn refused(name: &str, pointer: &str, reason: String) -> ManageError {
    let problem = Problem {
        pointer: pointer.to_owned(),
        reason,
    };
    refusal(name, vec![problem])
}

fn refusal(name: &str, problems: Vec<Problem>) -> ManageError {
    ManageError::Refused(vec![RefusedObject {
        kind: Kind::ServiceToken,
        name: name.to_owned(),
        problems,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_random_and_known_by_its_beginning() {
        let (one, other) = (new_secret(), new_secret());
        let text = one.expose_secret();
        assert_eq!(text.len(), 6 + 40 + 8);
        assert!(text.starts_with("cfast_"));
        assert!(text[6..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(text, other.expose_secret());
        assert!(!format!("{one:?}").contains(text));
    }

    #[test]
    fn a_token_ends_after_its_life_and_no_later_than_the_calendar() {
        let now: Timestamp = "2026-01-01T00:00:00.5Z".parse().unwrap();
        let ends = |text: &str| expiry(&text.parse().unwrap(), now).to_string();
        assert_eq!(ends("8760h"), "2027-01-01T00:00:00Z");
        assert_eq!(ends("forever"), "9999-01-01T00:00:00Z");
        assert_eq!(ends("2562047h"), "2318-04-12T23:00:00Z");
    }
}

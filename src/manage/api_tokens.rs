//! Tokens of the API: made and deleted by commands and pages, never through the API itself: a token cannot make another.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Draft, Manage, ManageError};
use crate::crypto::digest::sha256_hex;
use crate::crypto::random;
use crate::model::api_token::{NEW_LENGTH, TOKEN_HASH};
use crate::model::permission::Permissions;
use crate::store::{Actor, Document, Kind};

/// What is needed to make a token of the API.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// Its name; no other has it.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Addresses it may be used from; empty means all.
    pub addresses: Vec<IpNet>,
    /// When it ends; `None` means never.
    pub expires_at: Option<Timestamp>,
}

impl Manage {
    /// Makes a token of the API. It is told this once and kept nowhere.
    ///
    /// # Errors
    /// [`ManageError::Exists`] where the name is taken, [`ManageError::Refused`].
    pub async fn create_api_token(
        &self,
        new: NewApiToken,
        actor: Actor,
    ) -> Result<(Document, SecretString), ManageError> {
        let token = SecretString::from(random::alphanumeric(NEW_LENGTH));
        let mut body = Map::new();
        body.insert("name".to_owned(), new.name.clone().into());
        body.insert("permissions".to_owned(), json!(new.permissions.names()));
        if !new.addresses.is_empty() {
            let addresses: Vec<String> = new.addresses.iter().map(ToString::to_string).collect();
            body.insert("addresses".to_owned(), addresses.into());
        }
        if let Some(at) = new.expires_at {
            body.insert("expires_at".to_owned(), at.to_string().into());
        }
        let hash = SecretString::from(sha256_hex(token.expose_secret().as_bytes()));
        let draft = Draft {
            name: new.name,
            body: Value::Object(body),
            secrets: BTreeMap::from([(TOKEN_HASH.to_owned(), hash)]),
        };
        let written = self.create(Kind::ApiToken, Uuid::new_v4(), draft, actor).await?;
        Ok((written.document, token))
    }

    /// The token of this name.
    ///
    /// # Errors
    /// [`ManageError::Store`].
    pub async fn api_token_called(&self, name: &str) -> Result<Option<Document>, ManageError> {
        let tokens = self.store.documents(Kind::ApiToken).await?;
        Ok(tokens.into_iter().find(|token| token.name == name))
    }
}

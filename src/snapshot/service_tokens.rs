//! Service tokens as requests ask for them: by what they are called, and by id.

use std::collections::HashMap;
use std::sync::Arc;

use crate::crypto::digest::hex;
use crate::crypto::seal::Sealer;
use crate::model::ids::{ClientId, ServiceTokenId};
use crate::model::service_token::{SecretHash, SecretMark, ServiceToken};

/// The service tokens of the organization, disabled and expired ones included.
#[derive(Debug, Default)]
pub struct ServiceTokens {
    by_client: HashMap<ClientId, Arc<KnownToken>>,
    by_id: HashMap<ServiceTokenId, Arc<KnownToken>>,
}

/// A service token with the marks of its secrets.
#[derive(Debug)]
pub struct KnownToken {
    /// The token.
    pub token: ServiceToken,
    /// The mark of its present secret.
    pub mark: SecretMark,
    /// That of the one before.
    pub previous_mark: Option<SecretMark>,
}

impl KnownToken {
    /// A token as the store has it. A token that was deleted and made again has other marks: what was made for the
    /// first one is not of the second.
    pub(super) fn new(token: ServiceToken, created_ms: i64, sealer: &Sealer) -> Self {
        let mark = |secret: &SecretHash| mark(&token, created_ms, secret, sealer);
        Self {
            mark: mark(&token.secret),
            previous_mark: token.previous.as_ref().map(|previous| mark(&previous.secret)),
            token,
        }
    }
}

fn mark(token: &ServiceToken, created_ms: i64, secret: &SecretHash, sealer: &Sealer) -> SecretMark {
    let text = format!("{}\n{created_ms}\n{}", token.id, hex(&secret.0));
    let digest = sealer.fingerprint("service token secret", text.as_bytes());
    let first = digest.first_chunk().copied().unwrap_or_default();
    SecretMark(u64::from_be_bytes(first))
}

impl ServiceTokens {
    /// Tokens without a store, all born at the same time.
    ///
    /// # Panics
    /// Where two are called the same.
    #[cfg(test)]
    pub fn of(tokens: impl IntoIterator<Item = ServiceToken>, sealer: &Sealer) -> Self {
        let mut all = Self::default();
        for token in tokens {
            all.enter(KnownToken::new(token, 0, sealer)).unwrap();
        }
        all
    }

    /// Takes in a token. One whose client id is taken is not: the older keeps it.
    pub(super) fn enter(&mut self, known: KnownToken) -> Result<(), ClientIdTaken> {
        if self.by_client.contains_key(&known.token.client_id) {
            return Err(ClientIdTaken);
        }
        let known = Arc::new(known);
        self.by_id.insert(known.token.id, Arc::clone(&known));
        self.by_client.insert(known.token.client_id.clone(), known);
        Ok(())
    }

    /// The token that is called so.
    pub fn called(&self, client_id: &ClientId) -> Option<&Arc<KnownToken>> {
        self.by_client.get(client_id)
    }

    /// The token of this id.
    pub fn find(&self, id: ServiceTokenId) -> Option<&Arc<KnownToken>> {
        self.by_id.get(&id)
    }
}

/// Another token has this client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientIdTaken;

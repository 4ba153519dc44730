//! People who sign in, for the tests of the store.

use std::net::{IpAddr, Ipv4Addr};

use uuid::Uuid;
use vestibule::clock::Clock;
use vestibule::crypto::random;
use vestibule::model::identity::{Group, Groups, Identity, PersonKey};
use vestibule::model::ids::{IdpId, ObjectId, SessionNonce, TenantId, UserId};
use vestibule::store::{Document, Kind, NewSession, ScimAtLogin, SessionInserted, Store, User};

use super::documents::file;

/// Far enough for every test.
pub(crate) const NEVER_MS: i64 = 4_000_000_000_000;
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// A person with an account at a provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub(crate) provider: IdpId,
    pub(crate) key: PersonKey,
}

impl Person {
    pub(crate) fn new() -> Self {
        Self::at(IdpId(Uuid::new_v4()))
    }

    pub(crate) fn at(provider: IdpId) -> Self {
        Self {
            provider,
            key: PersonKey {
                tenant: TenantId(Uuid::new_v4()),
                object: ObjectId(Uuid::new_v4()),
            },
        }
    }

    /// What the provider says of this person.
    pub(crate) fn identity(self, user: UserId) -> Identity {
        Identity {
            user,
            person: self.key,
            provider: self.provider,
            email: None,
            name: Some("Zoë \0 Null".to_owned()),
            given_name: None,
            family_name: None,
            guest: false,
            groups: Groups::NotAsked,
            amr: vec!["pwd".to_owned()],
            contexts: Vec::new(),
            claims: serde_json::Map::new(),
            provider_session: None,
            login_hint: None,
            address: ADDRESS,
            country: None,
            at: jiff::Timestamp::UNIX_EPOCH,
            contexts_asked: false,
            claims_asked: Vec::new(),
            evaluations: Vec::new(),
            justifications: Vec::new(),
            approvals: Vec::new(),
        }
    }

    /// Inserts a session as a login does that read the feed at `read_at`.
    pub(crate) async fn try_sign_in(self, store: &Store, read_at: i64) -> (SessionNonce, SessionInserted) {
        self.try_sign_in_asking(store, read_at, None).await
    }

    /// The same at a provider whose directory tells of people by SCIM.
    pub(crate) async fn try_sign_in_asking(
        self,
        store: &Store,
        read_at: i64,
        scim: Option<ScimAtLogin>,
    ) -> (SessionNonce, SessionInserted) {
        self.try_sign_in_holding(store, read_at, scim, None).await
    }

    /// The same where Graph told that the person is in a group.
    pub(crate) async fn try_sign_in_holding(
        self,
        store: &Store,
        read_at: i64,
        scim: Option<ScimAtLogin>,
        group: Option<Uuid>,
    ) -> (SessionNonce, SessionInserted) {
        self.has_a_provider(store).await;
        self.try_sign_in_anyway(store, read_at, scim, group).await
    }

    /// Puts the provider into the store, unless it is there.
    async fn has_a_provider(self, store: &Store) {
        let (kind, id) = (Kind::IdentityProvider, self.provider.0);
        if store.document(kind, id).await.unwrap().is_some() {
            return;
        }
        let provider = Document::new(kind, id, "Entra ID".to_owned(), serde_json::json!({}));
        let mut write = store.write(file()).await.unwrap();
        write.put(&provider).await.unwrap();
        write.commit().await.unwrap();
    }

    /// The same whether the provider is in the store or not.
    pub(crate) async fn try_sign_in_anyway(
        self,
        store: &Store,
        read_at: i64,
        scim: Option<ScimAtLogin>,
        group: Option<Uuid>,
    ) -> (SessionNonce, SessionInserted) {
        let nonce: SessionNonce = random::alphanumeric(16).parse().unwrap();
        let inserted = store
            .insert_session(&NewSession {
                nonce: nonce.clone(),
                signs_in: true,
                provider: self.provider,
                person: self.key,
                email: Some("zoe@example.com".to_owned()),
                name: Some("Zoë \0 Null".to_owned()),
                identity_of: &|user| {
                    let mut identity = self.identity(user);
                    if let Some(group) = group {
                        let group = Group {
                            id: ObjectId(group),
                            name: None,
                        };
                        identity.groups = Groups::Known { groups: vec![group] };
                    }
                    identity
                },
                provider_session: Some("sid-1".to_owned()),
                expires_ms: NEVER_MS,
                address: ADDRESS,
                agent: Some("browser".to_owned()),
                refresh_token_sealed: Some(vec![0, 255, 1]),
                linkable: true,
                read_at,
                began_ms: Clock::system().now_ms(),
                asks: &|_| scim.clone(),
            })
            .await
            .unwrap();
        (nonce, inserted)
    }

    /// Signs in now.
    pub(crate) async fn sign_in(self, store: &Store) -> (SessionNonce, User) {
        self.has_a_provider(store).await;
        let read_at = store.head().await.unwrap().seq;
        match self.try_sign_in(store, read_at).await {
            (nonce, SessionInserted::Yes(user)) => (nonce, user),
            (_, refused) => panic!("not signed in: {refused:?}"),
        }
    }
}

//! The person that an explanation is about: what the last login said, and what the directory says since.

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use super::Known;
use crate::model::email::EmailAddress;
use crate::model::identity::{Email, Groups, Identity, PersonKey};
use crate::model::ids::{IdpId, ObjectId, TenantId, UserId};
use crate::model::scim::is_linkable;
use crate::session::door;
use crate::snapshot::{ProtectedApplication, Snapshot};
use crate::store::{ScimAtLogin, SessionRow, Store, StoreError, User};

/// Somebody who might ask.
pub(super) struct Person {
    pub(super) identity: Identity,
    /// The provider that is signed in with; `None` where it cannot be told.
    pub(super) provider: Option<IdpId>,
    /// The directory does not let the person sign in.
    pub(super) kept_out: bool,
    pub(super) known: Known,
}

/// Whoever this address is of.
pub(super) async fn person(
    store: &Store,
    snapshot: &Snapshot,
    application: &ProtectedApplication,
    user: &EmailAddress,
    provider: Option<IdpId>,
    now_ms: i64,
) -> Result<Person, StoreError> {
    let counts = |provider| door::takes_logins_of(snapshot, application, provider);
    let Some((user, row)) = last_login(store, user, provider, counts).await? else {
        return somebody(store, snapshot, application, user, provider, now_ms).await;
    };
    let asks = asks(snapshot, user.provider);
    let email = row.identity.email.as_ref();
    let email = email.filter(|email| is_linkable(row.identity.guest, Some(email)));
    let address = email.map(|email| email.address.as_str());
    Ok(Person {
        kept_out: store.is_kept_out(&user, address, asks.as_ref()).await?,
        known: Known::SignedIn {
            user: row.user,
            at: row.identity.at,
        },
        provider: Some(row.provider),
        identity: row.identity,
    })
}

/// The newest login with an address, ended or not; one that counts at the application before all others.
async fn last_login(
    store: &Store,
    user: &EmailAddress,
    provider: Option<IdpId>,
    counts: impl Fn(IdpId) -> bool,
) -> Result<Option<(User, SessionRow)>, StoreError> {
    let mut newest: Option<(User, SessionRow)> = None;
    for user in store.users_with_email(user).await? {
        if provider.is_some_and(|wanted| wanted != user.provider) {
            continue;
        }
        let Some(session) = store.newest_session_of(user.id).await? else {
            continue;
        };
        let rank = |session: &SessionRow| (counts(session.provider), session.created_ms);
        if newest
            .as_ref()
            .is_none_or(|(_, known)| rank(known) < rank(&session))
        {
            newest = Some((user, session));
        }
    }
    Ok(newest)
}

/// Somebody who has never signed in.
async fn somebody(
    store: &Store,
    snapshot: &Snapshot,
    application: &ProtectedApplication,
    user: &EmailAddress,
    provider: Option<IdpId>,
    now_ms: i64,
) -> Result<Person, StoreError> {
    let provider = provider.or_else(|| {
        let providers = snapshot.providers.keys().copied();
        let mut taken = providers.filter(|provider| door::takes_logins_of(snapshot, application, *provider));
        let only = taken.next();
        only.filter(|_| taken.next().is_none())
    });
    let identity = address_only(user, provider, now_ms);
    let asked = provider.and_then(|provider| Some((provider, asks(snapshot, provider)?)));
    let kept_out = match asked {
        Some((provider, asks)) => store.is_address_kept_out(provider, user, &asks).await?,
        None => false,
    };
    Ok(Person {
        identity,
        provider,
        kept_out,
        known: Known::AddressOnly,
    })
}

/// What a sign-in at a provider asks of its directory.
fn asks(snapshot: &Snapshot, provider: IdpId) -> Option<ScimAtLogin> {
    ScimAtLogin::of(snapshot.providers.get(&provider)?)
}

/// Somebody of whom only the address is known. Whatever else a rule asks is unknown.
fn address_only(user: &EmailAddress, provider: Option<IdpId>, now_ms: i64) -> Identity {
    Identity {
        user: UserId(Uuid::nil()),
        person: PersonKey {
            tenant: TenantId(Uuid::nil()),
            object: ObjectId(Uuid::nil()),
        },
        provider: provider.unwrap_or(IdpId(Uuid::nil())),
        email: Some(Email {
            address: user.clone(),
            trusted: true,
        }),
        name: None,
        given_name: None,
        family_name: None,
        guest: false,
        groups: Groups::Unknown {
            partial: Vec::new(),
            reason: "the person has never signed in".to_owned(),
        },
        amr: Vec::new(),
        contexts: Vec::new(),
        claims: serde_json::Map::new(),
        provider_session: None,
        login_hint: None,
        address: IpAddr::from([0, 0, 0, 0]),
        country: None,
        at: Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH),
        contexts_asked: false,
        claims_asked: Vec::new(),
        evaluations: Vec::new(),
        justifications: Vec::new(),
        approvals: Vec::new(),
    }
}

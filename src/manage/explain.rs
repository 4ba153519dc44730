//! What the policies of an application say of anybody, without a login: from what the store knows of the person.

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::model::country::CountryCode;
use crate::model::email::EmailAddress;
use crate::model::identity::{Email, Groups, Identity, PersonKey};
use crate::model::ids::{IdpId, ObjectId, ServiceTokenId, TenantId, UserId};
use crate::policy::{Explanation, RequestFacts, Verdict, explain};
use crate::snapshot::{ProtectedApplication, Snapshot};
use crate::store::{SessionRow, Store, StoreError};

/// Who asks, and from where.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The person, by the address of the last login; `None` for a request of nobody.
    pub user: Option<EmailAddress>,
    /// The provider the person signs in with, where several know the address.
    pub provider: Option<IdpId>,
    /// The address the request comes from.
    pub address: Option<IpAddr>,
    /// The country it comes from.
    pub country: Option<CountryCode>,
    /// The service token it shows.
    pub service_token: Option<ServiceTokenId>,
}

/// The answer.
#[derive(Debug)]
pub struct Explained {
    /// What would happen.
    pub verdict: Verdict,
    /// How every rule came out.
    pub explanation: Explanation,
    /// Whom it is about.
    pub person: Known,
    /// What is known of the person; none for a request of nobody.
    pub identity: Option<Identity>,
}

/// What is known of the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nobody was asked about.
    Nobody,
    /// What the provider said at this login.
    SignedIn {
        /// The user.
        user: UserId,
        /// When.
        at: Timestamp,
    },
    /// The address alone: nobody has signed in with it.
    AddressOnly,
}

/// Explains what an application's policies say.
///
/// # Errors
/// [`StoreError`] where the store cannot be asked about the person.
pub async fn explained(
    store: &Store,
    snapshot: &Snapshot,
    application: &ProtectedApplication,
    question: &Question,
    now_ms: i64,
) -> Result<Explained, StoreError> {
    let (identity, person) = match &question.user {
        None => (None, Known::Nobody),
        Some(user) => {
            if let Some(row) = last_login(store, user, question.provider).await? {
                let known = Known::SignedIn {
                    user: row.user,
                    at: row.identity.at,
                };
                (Some(row.identity), known)
            } else {
                let identity = address_only(snapshot, user, question.provider, now_ms);
                (Some(identity), Known::AddressOnly)
            }
        }
    };
    let facts = RequestFacts {
        address: question.address,
        country: question.country,
        service_token: question.service_token,
        now_ms,
        ..RequestFacts::default()
    };
    let outcomes = identity
        .as_ref()
        .map(|identity| application.policies.outcomes(identity));
    let verdict = application.policies.decide(outcomes.as_ref(), &facts);
    let explanation = explain(
        &application.policy_docs,
        &snapshot.referents,
        identity.as_ref(),
        &facts,
    );
    Ok(Explained {
        verdict,
        explanation,
        person,
        identity,
    })
}

/// The newest login with an address, ended or not.
async fn last_login(
    store: &Store,
    user: &EmailAddress,
    provider: Option<IdpId>,
) -> Result<Option<SessionRow>, StoreError> {
    let mut newest: Option<SessionRow> = None;
    for user in store.users_with_email(user).await? {
        if provider.is_some_and(|wanted| wanted != user.provider) {
            continue;
        }
        let Some(session) = store.newest_session_of(user.id).await? else {
            continue;
        };
        if newest
            .as_ref()
            .is_none_or(|known| known.created_ms < session.created_ms)
        {
            newest = Some(session);
        }
    }
    Ok(newest)
}

/// Somebody of whom only the address is known. Whatever else a rule asks is unknown.
fn address_only(snapshot: &Snapshot, user: &EmailAddress, provider: Option<IdpId>, now_ms: i64) -> Identity {
    let only = match snapshot.providers.len() {
        1 => snapshot.providers.keys().next().copied(),
        _ => None,
    };
    Identity {
        user: UserId(Uuid::nil()),
        person: PersonKey {
            tenant: TenantId(Uuid::nil()),
            object: ObjectId(Uuid::nil()),
        },
        provider: provider.or(only).unwrap_or(IdpId(Uuid::nil())),
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

//! What would become of anybody at an application, without a login: from what the store knows of the person.
//!
//! It goes the gate's own way ([`crate::session::door`]): what passes whoever asks, the service token, whether a login
//! of the person's provider counts there and the directory lets the person sign in at all, and only then the policies.

mod person;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri};
use jiff::Timestamp;

use self::person::{Person, person};
use crate::model::country::CountryCode;
use crate::model::email::EmailAddress;
use crate::model::identity::Identity;
use crate::model::ids::{IdpId, ObjectId, ServiceTokenId, UserId};
use crate::policy::{Explanation, RequestFacts, Verdict, explain};
use crate::router::{Target, Via};
use crate::session::door::{self, Alone, Credentials};
use crate::snapshot::{ProtectedApplication, Snapshot};
use crate::store::{Store, StoreError};

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
    pub outcome: Expected,
    /// How every rule of the application's policies came out, whether or not they are what decides.
    pub explanation: Explanation,
    /// Whom it is about.
    pub person: Known,
    /// What is known of the person; none for a request of nobody.
    pub identity: Option<Identity>,
}

/// What would happen.
#[derive(Debug)]
pub enum Expected {
    /// It is decided.
    Decided {
        /// How.
        verdict: Verdict,
        /// What by.
        by: DecidedBy,
    },
    /// The person is sent to sign in and then not let in anywhere: the directory has put the person out.
    SwitchedOff,
    /// The service token is disabled or over, and in strict mode nobody else is asked.
    BadServiceToken,
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The application's policies.
    Policies,
    /// That the path is open to everybody (`overrides`).
    PublicPath,
    /// The service token alone, whoever else has signed in (`strict_service_token_auth`).
    ServiceToken,
    /// That a login of this provider does not count there (`allowed_idps`).
    Provider(IdpId),
}

impl DecidedBy {
    /// The word that answers in JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::PublicPath => "public_path",
            Self::ServiceToken => "service_token",
            Self::Provider(_) => "provider",
        }
    }
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

/// The application that covers an address, host and path, read and routed as a request to it would be.
///
/// # Errors
/// In words, where none does.
pub fn visited<'s>(
    snapshot: &'s Snapshot,
    asked: &str,
) -> Result<(&'s ProtectedApplication, Target), String> {
    let asked = asked.split_once("://").map_or(asked, |(_, rest)| rest);
    let (host, path) = asked.split_once('/').unwrap_or((asked, ""));
    let uri: Uri = format!("/{path}")
        .parse()
        .map_err(|_| format!("/{path} is no path"))?;
    let host = HeaderValue::from_str(host).map_err(|_| format!("{host} is no host"))?;
    let headers: HeaderMap = [(HOST, host)].into_iter().collect();
    let target = Target::parse(&Method::GET, &uri, &headers, Via::Http1)
        .map_err(|refused| format!("{asked}: {refused}"))?;
    match snapshot.application(&target) {
        Ok(application) => Ok((application, target)),
        Err(_) => Err(format!("no application covers {asked}")),
    }
}

/// Explains what would become of a request for a path of an application; `target` is `None` where no certain path is
/// meant, and then none that is public.
///
/// # Errors
/// [`StoreError`] where the store cannot be asked about the person.
pub async fn explained(
    store: &Store,
    snapshot: &Snapshot,
    (application, target): (&ProtectedApplication, Option<&Target>),
    question: &Question,
    now_ms: i64,
) -> Result<Explained, StoreError> {
    let person = match &question.user {
        None => None,
        Some(user) => Some(person(store, snapshot, application, user, question.provider, now_ms).await?),
    };
    let shown = shown(snapshot, question.service_token, now_ms);
    let facts = RequestFacts {
        address: question.address,
        country: question.country,
        service_token: question.service_token.filter(|_| shown == Credentials::Good),
        now_ms,
        ..RequestFacts::default()
    };
    let outcome = expected(snapshot, (application, target), shown, person.as_ref(), &facts);
    let (identity, person) = match person {
        None => (None, Known::Nobody),
        Some(person) => (Some(person.identity), person.known),
    };
    let mut explanation = explain(
        &application.policy_docs,
        &snapshot.referents,
        identity.as_ref(),
        &facts,
    );
    name_groups(store, &mut explanation).await?;
    Ok(Explained {
        outcome,
        explanation,
        person,
        identity,
    })
}

/// Calls the groups that rules have by their ids as their directories do, as far as those have told of them.
///
/// # Errors
/// [`StoreError`]; then they go by their ids.
pub async fn name_groups(store: &Store, explanation: &mut Explanation) -> Result<(), StoreError> {
    let mut of_providers: BTreeMap<IdpId, BTreeSet<ObjectId>> = BTreeMap::new();
    for (provider, group) in explanation.groups_by_id() {
        of_providers.entry(provider).or_default().insert(group);
    }
    let mut names = BTreeMap::new();
    for (provider, groups) in of_providers {
        let of_provider = store.scim_group_names(provider, &groups).await?;
        names.extend(
            of_provider
                .into_iter()
                .map(|(group, name)| ((provider, group), name)),
        );
    }
    explanation.call_groups(&names);
    Ok(())
}

/// The gate's way: what passes whoever asks, the machine, the person.
fn expected(
    snapshot: &Snapshot,
    (application, target): (&ProtectedApplication, Option<&Target>),
    shown: Credentials,
    person: Option<&Person>,
    facts: &RequestFacts,
) -> Expected {
    let decided = |verdict, by| Expected::Decided { verdict, by };
    let opening = target.and_then(|target| application.opening(target, false));
    if opening.is_some() {
        let verdict = door::decide(application, opening, None, facts);
        return decided(verdict, DecidedBy::PublicPath);
    }
    let strict = snapshot.organization.service_tokens.strict;
    let by_itself = match door::alone(shown, snapshot, application, facts) {
        Alone::Enters(permit) if strict => return decided(Verdict::Permit(permit), DecidedBy::ServiceToken),
        Alone::Enters(permit) => return decided(Verdict::Permit(permit), DecidedBy::Policies),
        Alone::NotAuthorized(refusal) => return decided(Verdict::Refuse(refusal), DecidedBy::ServiceToken),
        Alone::Bad | Alone::TooMany => return Expected::BadServiceToken,
        Alone::Asks(verdict) => verdict,
    };
    let nobody = || by_itself.unwrap_or_else(|| door::decide(application, None, None, facts));
    let Some(person) = person else {
        return decided(nobody(), DecidedBy::Policies);
    };
    // Whoever is kept out has no session that lives, and is as nobody.
    let outcomes = match person.provider {
        _ if person.kept_out => None,
        None => Some(application.policies.outcomes(&person.identity)),
        Some(provider) => door::outcomes(snapshot, application, provider, &person.identity),
    };
    let Some(outcomes) = outcomes else {
        return match (nobody(), person.provider) {
            (Verdict::SignIn, _) if person.kept_out => Expected::SwitchedOff,
            (Verdict::SignIn, Some(provider)) => decided(Verdict::SignIn, DecidedBy::Provider(provider)),
            (verdict, _) => decided(verdict, DecidedBy::Policies),
        };
    };
    let verdict = door::decide(application, None, Some(&outcomes), facts);
    decided(verdict, DecidedBy::Policies)
}

/// What a service token amounts to, whoever holds it.
fn shown(snapshot: &Snapshot, token: Option<ServiceTokenId>, now_ms: i64) -> Credentials {
    let Some(token) = token else {
        return Credentials::Nothing;
    };
    match snapshot.service_tokens.find(token) {
        Some(known) if known.token.is_good(now_ms) => Credentials::Good,
        _ => Credentials::Bad { too_many: false },
    }
}

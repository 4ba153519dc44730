//! What the store holds, turned into what requests need.

mod applications;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use http::HeaderName;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Clock;
use crate::crypto::random;
use crate::crypto::seal::Sealer;
use crate::model::api_token::ApiToken;
use crate::model::application::Application;
use crate::model::destination::Destination;
use crate::model::idp::{Cloud, IdentityProvider};
use crate::model::ids::{ApiTokenId, AppId, AuthorityId, GroupId, IdpId, ListId, ServiceTokenId};
use crate::model::organization::Organization;
use crate::model::policy::Policy;
use crate::model::service_token::ServiceToken;
use crate::model::upstream::Upstream;
use crate::policy::{CompiledPolicies, Referents};
use crate::router::{Entry, Table};
use crate::store::{Document, Kind, Object, Objects, Position, SigningKeyRow};

use self::applications::Applications;
pub(crate) use self::applications::Basis;

use super::asks::Asks;
use super::authorities::{self, ClientAuthorities};
use super::contents::{GuardedLauncher, ObjectFault, ProtectedApplication, Snapshot};
use super::key_ring::KeyRing;
use super::openings::Openings;
use super::pages::DenialPages;
use super::read::{self, Problem};
use super::secrets;
use super::service_tokens::{KnownToken, ServiceTokens};

/// What a snapshot is built from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Objects of the store.
    pub objects: &'a Objects,
    /// Signing keys of the store.
    pub keys: &'a [SigningKeyRow],
    /// SHA-256 of each secret that was generated for a directory's provisioning, in hexadecimal.
    pub scim_secrets: &'a [String],
    /// The organization.
    pub organization: &'a Organization,
    /// The clouds that providers may name.
    pub clouds: &'a BTreeMap<String, Cloud>,
    /// Upstreams of the configuration. They are kept as they are, so that pools outlive a snapshot.
    pub upstreams: &'a [Arc<Upstream>],
    /// The state of the store that documents and keys were read at.
    pub position: &'a Position,
    /// A snapshot of the same store, organization and clouds. What it made of objects that were not written since is
    /// taken over.
    pub before: Option<&'a Snapshot>,
}

impl Snapshot {
    /// Builds a snapshot. What cannot be read lets nobody pass and stands in [`Snapshot::faults`].
    pub fn build(inputs: &Inputs<'_>, sealer: &Sealer, clock: &Clock) -> Self {
        let now_ms = clock.now_ms();
        let mut faults = Vec::new();
        let organization = organization(inputs, &mut faults);
        let keys = key_ring(inputs.keys, now_ms, &mut faults);
        let providers = kept(inputs, &[Kind::IdentityProvider], &mut faults, |before| {
            Arc::clone(&before.providers)
        })
        .unwrap_or_else(|| Arc::new(providers(inputs, sealer, now_ms, &mut faults)));
        let scim_secrets = scim_secrets(inputs, &providers);
        let referents = kept(inputs, &[Kind::Group, Kind::List], &mut faults, |before| {
            Arc::clone(&before.referents)
        })
        .unwrap_or_else(|| Arc::new(referents(inputs, &mut faults)));
        let applications = applications::compile(inputs, &organization, Arc::clone(&referents), &mut faults);
        let service_tokens = kept(inputs, &[Kind::ServiceToken], &mut faults, |before| {
            Arc::clone(&before.service_tokens)
        })
        .unwrap_or_else(|| Arc::new(service_tokens(inputs, sealer, now_ms, &mut faults)));
        let authorities = kept(inputs, &[Kind::Certificate], &mut faults, |before| {
            Arc::clone(&before.authorities)
        })
        .unwrap_or_else(|| Arc::new(client_authorities(inputs, &mut faults)));
        let api_tokens = kept(inputs, &[Kind::ApiToken], &mut faults, |before| {
            Arc::clone(&before.api_tokens)
        })
        .unwrap_or_else(|| Arc::new(api_tokens(inputs, sealer, now_ms, &mut faults)));
        let Applications {
            by_id: applications,
            by_aud,
            routes,
            basis,
        } = applications;
        Self {
            version: u64::from_ne_bytes(random::bytes()),
            position: inputs.position.clone(),
            objects: inputs.objects.clone(),
            organization,
            providers,
            scim_secrets,
            by_aud,
            routes,
            upstreams: upstream_table(inputs.upstreams, applications.values()),
            credential_headers: credential_headers(applications.values()),
            launcher: launcher(inputs, &applications),
            applications,
            authorities,
            service_tokens,
            api_tokens,
            referents,
            keys: Arc::new(keys),
            basis,
            faults,
        }
    }
}

/// What the snapshot before made of these kinds, where nothing of them was written since; its faults come along.
fn kept<T>(
    inputs: &Inputs<'_>,
    kinds: &[Kind],
    faults: &mut Vec<ObjectFault>,
    part: impl FnOnce(&Snapshot) -> T,
) -> Option<T> {
    let before = inputs.before?;
    let same = |kind: &Kind| inputs.objects.same(*kind, &before.objects);
    if !kinds.iter().all(same) {
        return None;
    }
    let of_these = |fault: &&ObjectFault| kinds.iter().any(|kind| kind.as_str() == fault.kind);
    faults.extend(before.faults.iter().filter(of_these).cloned());
    Some(part(before))
}

impl ProtectedApplication {
    /// An application with its policies by precedence.
    pub fn new(app: Application, policies: CompiledPolicies, policy_docs: Vec<Arc<Policy>>) -> Self {
        Self {
            policies,
            openings: Openings::of(&app),
            asks: Asks::of(&policy_docs),
            pages: DenialPages::default(),
            design: None,
            app,
            policy_docs,
            broken: None,
        }
    }

    fn deny_everyone(&mut self, reason: String) {
        self.policies = CompiledPolicies::default();
        self.openings = Openings::default();
        self.app.cors = None;
        self.broken.get_or_insert(reason);
    }
}

impl ObjectFault {
    fn new(document: &Document, reason: String) -> Self {
        Self {
            kind: document.kind.as_str(),
            id: document.id.to_string(),
            name: document.name.clone(),
            reason,
        }
    }

    fn of(object: &Object, reason: String) -> Self {
        Self {
            kind: object.kind.as_str(),
            id: object.id.to_string(),
            name: object.name.clone(),
            reason,
        }
    }
}

/// The objects of a kind, oldest first.
fn of_kind<'a>(inputs: &Inputs<'a>, kind: Kind) -> impl Iterator<Item = Document> + use<'a> {
    inputs
        .objects
        .of_kind(kind)
        .iter()
        .map(|object| object.document())
}

/// The organization as the file describes it, with what the API says where the file leaves it open.
fn organization(inputs: &Inputs<'_>, faults: &mut Vec<ObjectFault>) -> Organization {
    let Some(document) = of_kind(inputs, Kind::Organization).next() else {
        return inputs.organization.clone();
    };
    let (settings, problems) = read::readable_settings(&document.body);
    if !problems.is_empty() {
        faults.push(ObjectFault::new(&document, sentence(&problems)));
    }
    inputs.organization.with(settings)
}

fn key_ring(rows: &[SigningKeyRow], now_ms: i64, faults: &mut Vec<ObjectFault>) -> KeyRing {
    let (keys, unreadable) = KeyRing::new(rows, now_ms);
    faults.extend(unreadable.into_iter().map(|kid| ObjectFault {
        kind: "signing_key",
        id: kid.to_string(),
        name: String::new(),
        reason: "its public key cannot be read".to_owned(),
    }));
    keys
}

fn providers(
    inputs: &Inputs<'_>,
    sealer: &Sealer,
    now_ms: i64,
    faults: &mut Vec<ObjectFault>,
) -> HashMap<IdpId, Arc<IdentityProvider>> {
    let mut providers = HashMap::new();
    for document in of_kind(inputs, Kind::IdentityProvider) {
        match read_provider(&document, inputs.clouds, sealer, now_ms) {
            Ok(provider) => {
                providers.insert(provider.id, Arc::new(provider));
            }
            Err(reason) => faults.push(ObjectFault::new(&document, reason)),
        }
    }
    providers
}

/// What directories prove themselves with, whichever of them.
fn scim_secrets(inputs: &Inputs<'_>, providers: &HashMap<IdpId, Arc<IdentityProvider>>) -> HashSet<String> {
    let settings = providers.values().filter_map(|provider| provider.scim.as_ref());
    let declared = settings.filter_map(|scim| scim.declared_secret_hash.clone());
    declared.chain(inputs.scim_secrets.iter().cloned()).collect()
}

fn read_provider(
    document: &Document,
    clouds: &BTreeMap<String, Cloud>,
    sealer: &Sealer,
    now_ms: i64,
) -> Result<IdentityProvider, String> {
    let secrets = secrets::open(document, sealer, now_ms).map_err(|unreadable| unreadable.to_string())?;
    read::identity_provider(IdpId(document.id), &document.body, &secrets, clouds)
        .map_err(|problems| sentence(&problems))
}

fn client_authorities(inputs: &Inputs<'_>, faults: &mut Vec<ObjectFault>) -> Table<Arc<ClientAuthorities>> {
    let (mut readable, mut incomplete) = (Vec::new(), false);
    for document in of_kind(inputs, Kind::Certificate) {
        match read::certificate(AuthorityId(document.id), &document.body) {
            Ok(authority) => readable.push(authority),
            Err(problems) => {
                incomplete = true;
                faults.push(ObjectFault::new(&document, sentence(&problems)));
            }
        }
    }
    authorities::by_host(&readable, incomplete)
}

/// Service tokens; one that cannot be read is none.
fn service_tokens(
    inputs: &Inputs<'_>,
    sealer: &Sealer,
    now_ms: i64,
    faults: &mut Vec<ObjectFault>,
) -> ServiceTokens {
    let mut tokens = ServiceTokens::default();
    for document in of_kind(inputs, Kind::ServiceToken) {
        let entered = service_token(&document, sealer, now_ms).and_then(|token| {
            tokens
                .enter(KnownToken::new(token, document.created_ms, sealer))
                .map_err(|_| "another service token has the same client_id".to_owned())
        });
        if let Err(reason) = entered {
            faults.push(ObjectFault::new(&document, reason));
        }
    }
    tokens
}

fn service_token(document: &Document, sealer: &Sealer, now_ms: i64) -> Result<ServiceToken, String> {
    let secrets = secrets::open(document, sealer, now_ms).map_err(|unreadable| unreadable.to_string())?;
    read::service_token(ServiceTokenId(document.id), &document.body, &secrets)
        .map_err(|problems| sentence(&problems))
}

/// Tokens of the API by their hashes; one that cannot be read is none.
fn api_tokens(
    inputs: &Inputs<'_>,
    sealer: &Sealer,
    now_ms: i64,
    faults: &mut Vec<ObjectFault>,
) -> HashMap<String, Arc<ApiToken>> {
    let mut tokens = HashMap::new();
    for document in of_kind(inputs, Kind::ApiToken) {
        match api_token(&document, sealer, now_ms) {
            Ok(token) => {
                tokens.insert(token.hash.clone(), Arc::new(token));
            }
            Err(reason) => faults.push(ObjectFault::new(&document, reason)),
        }
    }
    tokens
}

fn api_token(document: &Document, sealer: &Sealer, now_ms: i64) -> Result<ApiToken, String> {
    let secrets = secrets::open(document, sealer, now_ms).map_err(|unreadable| unreadable.to_string())?;
    read::api_token(ApiTokenId(document.id), &document.body, &secrets).map_err(|problems| sentence(&problems))
}

fn credential_headers<'a>(
    applications: impl Iterator<Item = &'a Arc<ProtectedApplication>>,
) -> Arc<[HeaderName]> {
    let written =
        applications.filter_map(|application| application.app.read_service_tokens_from_header.as_ref());
    let mut names: Vec<HeaderName> = written.filter_map(|name| name.as_str().parse().ok()).collect();
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names.into()
}

/// What the policies of all applications refer to. A group or list that cannot be read is not there: whoever refers to
/// it lets nobody pass.
fn referents(inputs: &Inputs<'_>, faults: &mut Vec<ObjectFault>) -> Referents {
    let groups = readable(inputs, Kind::Group, faults, |id, body| {
        read::group(GroupId(id), body)
    });
    let lists = readable(inputs, Kind::List, faults, |id, body| {
        read::list(ListId(id), body)
    });
    Referents::new(groups, lists)
}

/// The objects of a kind that can be read.
fn readable<T>(
    inputs: &Inputs<'_>,
    kind: Kind,
    faults: &mut Vec<ObjectFault>,
    read: impl Fn(Uuid, &Value) -> Result<T, Vec<Problem>>,
) -> Vec<T> {
    let mut objects = Vec::new();
    for document in of_kind(inputs, kind) {
        match read(document.id, &document.body) {
            Ok(object) => objects.push(object),
            Err(problems) => faults.push(ObjectFault::new(&document, sentence(&problems))),
        }
    }
    objects
}

/// The application that stands for the launcher: the oldest, if there should be several.
fn launcher(
    inputs: &Inputs<'_>,
    applications: &HashMap<AppId, Arc<ProtectedApplication>>,
) -> Option<GuardedLauncher> {
    let objects = inputs.objects.of_kind(Kind::Application).iter();
    let mut known = objects.filter_map(|object| applications.get(&AppId(object.id)));
    known.find_map(|guard| {
        Some(GuardedLauncher {
            guard: Arc::clone(guard),
            design: guard.design.clone()?,
        })
    })
}

/// Upstreams read paths as the applications of the same hosts do.
fn upstream_table<'a>(
    upstreams: &[Arc<Upstream>],
    applications: impl Iterator<Item = &'a Arc<ProtectedApplication>>,
) -> Table<Arc<Upstream>> {
    let case_insensitive: HashSet<&str> = applications
        .filter(|application| application.app.case_insensitive_paths)
        .flat_map(|application| &application.app.destinations)
        .map(Destination::host)
        .collect();
    Table::build(upstreams.iter().map(|upstream| Entry {
        destinations: vec![upstream.covers.clone()],
        case_insensitive: case_insensitive.contains(upstream.covers.host()),
        value: upstream.clone(),
    }))
}

fn sentence(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests;

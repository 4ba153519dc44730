//! What the store holds, turned into what requests need.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use http::HeaderName;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Clock;
use crate::crypto::random;
use crate::crypto::seal::Sealer;
use crate::model::api_token::ApiToken;
use crate::model::application::Application;
use crate::model::custom_page::CustomPage;
use crate::model::design::LauncherDesign;
use crate::model::destination::Destination;
use crate::model::idp::{Cloud, IdentityProvider};
use crate::model::ids::{
    ApiTokenId, AppId, AuthorityId, CustomPageId, GroupId, IdpId, ListId, PolicyId, ServiceTokenId,
};
use crate::model::organization::Organization;
use crate::model::policy::Policy;
use crate::model::selector::Unevaluated;
use crate::model::service_token::ServiceToken;
use crate::model::upstream::Upstream;
use crate::policy::{self, CompiledPolicies, PreparedPolicy, Referents};
use crate::router::{Entry, Table};
use crate::store::{Document, Kind, Position, SigningKeyRow};

use super::asks::Asks;
use super::authorities::{self, ClientAuthorities};
use super::contents::{GuardedLauncher, ObjectFault, ProtectedApplication, Snapshot};
use super::key_ring::KeyRing;
use super::openings::Openings;
use super::pages::DenialPages;
use super::read::{self, Around, Problem};
use super::secrets;
use super::service_tokens::{KnownToken, ServiceTokens};

/// What a snapshot is built from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Objects of the store, oldest first within their kind.
    pub documents: &'a [Document],
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
}

impl Snapshot {
    /// Builds a snapshot. What cannot be read lets nobody pass and stands in [`Snapshot::faults`].
    pub fn build(inputs: &Inputs<'_>, sealer: &Sealer, clock: &Clock) -> Self {
        let now_ms = clock.now_ms();
        let mut faults = Vec::new();
        let organization = organization(inputs, &mut faults);
        let keys = key_ring(inputs.keys, now_ms, &mut faults);
        let providers = providers(inputs, sealer, now_ms, &mut faults);
        let scim_secrets = scim_secrets(inputs, &providers);
        let referents = Arc::new(referents(inputs, &mut faults));
        let mut shared = Shared {
            policies: HashMap::new(),
            referents: Arc::clone(&referents),
            accepted: &organization.accept_unevaluated_selectors,
        };
        shared.read_policies(inputs, &mut faults);
        let Applications {
            applications,
            launcher,
        } = applications(inputs, &organization, &shared, &mut faults);
        let service_tokens = service_tokens(inputs, sealer, now_ms, &mut faults);
        let mut by_aud = HashMap::new();
        for application in &applications {
            let aud = application.app.aud.clone();
            by_aud.entry(aud).or_insert_with(|| application.clone());
        }
        let credential_headers = credential_headers(&applications);
        let routes = applications.iter().map(|application| Entry {
            destinations: application.app.destinations.clone(),
            case_insensitive: application.app.case_insensitive_paths,
            value: application.clone(),
        });
        Self {
            version: u64::from_ne_bytes(random::bytes()),
            position: inputs.position.clone(),
            organization,
            providers,
            scim_secrets,
            by_aud,
            routes: Table::build(routes),
            upstreams: upstream_table(inputs.upstreams, &applications),
            applications: applications
                .into_iter()
                .map(|known| (known.app.id, known))
                .collect(),
            launcher,
            authorities: client_authorities(inputs, &mut faults),
            service_tokens,
            api_tokens: api_tokens(inputs, sealer, now_ms, &mut faults),
            credential_headers,
            referents,
            keys: Arc::new(keys),
            faults,
        }
    }
}

impl ProtectedApplication {
    /// An application with its policies by precedence.
    pub fn new(app: Application, policies: CompiledPolicies, policy_docs: Vec<Arc<Policy>>) -> Self {
        Self {
            policies,
            openings: Openings::of(&app),
            asks: Asks::of(&policy_docs),
            pages: DenialPages::default(),
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
}

fn of_kind<'a>(inputs: &Inputs<'a>, kind: Kind) -> impl Iterator<Item = &'a Document> {
    inputs
        .documents
        .iter()
        .filter(move |document| document.kind == kind)
}

/// The organization as the file describes it, with what the API says where the file leaves it open.
fn organization(inputs: &Inputs<'_>, faults: &mut Vec<ObjectFault>) -> Organization {
    let Some(document) = of_kind(inputs, Kind::Organization).next() else {
        return inputs.organization.clone();
    };
    let (settings, problems) = read::readable_settings(&document.body);
    if !problems.is_empty() {
        faults.push(ObjectFault::new(document, sentence(&problems)));
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
        match read_provider(document, inputs.clouds, sealer, now_ms) {
            Ok(provider) => {
                providers.insert(provider.id, Arc::new(provider));
            }
            Err(reason) => faults.push(ObjectFault::new(document, reason)),
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
                faults.push(ObjectFault::new(document, sentence(&problems)));
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
        let entered = service_token(document, sealer, now_ms).and_then(|token| {
            tokens
                .enter(KnownToken::new(token, document.created_ms, sealer))
                .map_err(|_| "another service token has the same client_id".to_owned())
        });
        if let Err(reason) = entered {
            faults.push(ObjectFault::new(document, reason));
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
        match api_token(document, sealer, now_ms) {
            Ok(token) => {
                tokens.insert(token.hash.clone(), Arc::new(token));
            }
            Err(reason) => faults.push(ObjectFault::new(document, reason)),
        }
    }
    tokens
}

fn api_token(document: &Document, sealer: &Sealer, now_ms: i64) -> Result<ApiToken, String> {
    let secrets = secrets::open(document, sealer, now_ms).map_err(|unreadable| unreadable.to_string())?;
    read::api_token(ApiTokenId(document.id), &document.body, &secrets).map_err(|problems| sentence(&problems))
}

fn credential_headers(applications: &[Arc<ProtectedApplication>]) -> Arc<[HeaderName]> {
    let written = applications
        .iter()
        .filter_map(|application| application.app.read_service_tokens_from_header.as_ref());
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
            Err(problems) => faults.push(ObjectFault::new(document, sentence(&problems))),
        }
    }
    objects
}

/// A policy as it was read, and ready to decide.
type Ready = (Arc<Policy>, PreparedPolicy);

/// What applications share. Policies that cannot be used stand there with the reason.
struct Shared<'s> {
    policies: HashMap<PolicyId, Result<Ready, String>>,
    referents: Arc<Referents>,
    accepted: &'s BTreeSet<Unevaluated>,
}

impl Shared<'_> {
    fn read_policies(&mut self, inputs: &Inputs<'_>, faults: &mut Vec<ObjectFault>) {
        for document in of_kind(inputs, Kind::Policy) {
            let id = PolicyId(document.id);
            let read = read::policy(id, &document.body).map_err(|problems| sentence(&problems));
            let ready = read.and_then(|policy| self.ready(policy));
            if let Err(reason) = &ready {
                faults.push(ObjectFault::new(document, reason.clone()));
            }
            self.policies.insert(id, ready);
        }
    }

    /// Compiles a policy, if what it refers to is there and the operator takes its selectors.
    fn ready(&self, policy: Policy) -> Result<Ready, String> {
        let around = Around {
            referents: &self.referents,
            accepted: self.accepted,
            named: None,
        };
        let problems = around.policy_problems(&policy, "");
        if !problems.is_empty() {
            return Err(sentence(&problems));
        }
        let prepared = policy::prepare(&policy, &self.referents);
        let prepared = prepared.map_err(|unresolved| unresolved.to_string())?;
        Ok((Arc::new(policy), prepared))
    }
}

/// What applications become.
struct Applications {
    applications: Vec<Arc<ProtectedApplication>>,
    launcher: Option<GuardedLauncher>,
}

fn applications(
    inputs: &Inputs<'_>,
    organization: &Organization,
    shared: &Shared<'_>,
    faults: &mut Vec<ObjectFault>,
) -> Applications {
    let (mut applications, mut launcher) = (Vec::new(), None);
    let mut audiences = HashSet::new();
    let pages = custom_pages(inputs, faults);
    for document in of_kind(inputs, Kind::Application) {
        let (mut application, design) = protect(document, shared);
        application.pages = DenialPages::of(&application.app, &organization.custom_pages, &pages);
        // An audience names one application; the older one keeps it.
        if !audiences.insert(application.app.aud.clone()) {
            application.deny_everyone("another application has the same aud".to_owned());
        }
        if let Some(reason) = &application.broken {
            faults.push(ObjectFault::new(document, reason.clone()));
        }
        let guard = Arc::new(application);
        match (design, &launcher) {
            (None, _) => applications.push(guard),
            (Some(design), None) => launcher = Some(GuardedLauncher { guard, design }),
            // The older one counts.
            (Some(_), Some(_)) => {
                let reason = "another application is the launcher".to_owned();
                faults.push(ObjectFault::new(document, reason));
            }
        }
    }
    Applications {
        applications,
        launcher,
    }
}

/// A page that cannot be read is as if it were not there: ours is shown.
fn custom_pages(inputs: &Inputs<'_>, faults: &mut Vec<ObjectFault>) -> Vec<Arc<CustomPage>> {
    let mut pages = Vec::new();
    for document in of_kind(inputs, Kind::CustomPage) {
        match read::custom_page(CustomPageId(document.id), &document.body) {
            Ok(page) => pages.push(Arc::new(page)),
            Err(problems) => faults.push(ObjectFault::new(document, sentence(&problems))),
        }
    }
    pages
}

/// An application with its policies, and what it wears if it is the launcher.
fn protect(document: &Document, shared: &Shared<'_>) -> (ProtectedApplication, Option<LauncherDesign>) {
    let id = AppId(document.id);
    let (read, problems) = read::readable_application(id, &document.body);
    let (ready, missing) = policies_of(&read, shared);
    let (policy_docs, prepared): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
    let policies = CompiledPolicies::new(id, prepared, &shared.referents);
    let design = read.launcher;
    let mut application = ProtectedApplication::new(read.application, policies, policy_docs);
    if !problems.is_empty() {
        application.deny_everyone(sentence(&problems));
    } else if let Some(reason) = missing {
        // Without it others would decide, and it may be the one that denies.
        application.deny_everyone(reason);
    }
    (application, design)
}

fn policies_of(read: &read::ReadApplication, shared: &Shared<'_>) -> (Vec<Ready>, Option<String>) {
    let mut policies = Vec::new();
    let mut missing = None;
    for id in &read.application.policies {
        let inside = read.inside.iter().find(|policy| policy.id == *id);
        let ready = match (inside, shared.policies.get(id)) {
            (Some(policy), _) => shared.ready(policy.clone()),
            (None, Some(ready)) => ready.clone(),
            (None, None) => {
                missing.get_or_insert_with(|| format!("its policy {id} does not exist"));
                continue;
            }
        };
        match ready {
            Ok(ready) => policies.push(ready),
            Err(reason) => {
                missing.get_or_insert_with(|| format!("its policy {id} cannot be used: {reason}"));
            }
        }
    }
    (policies, missing)
}

/// Upstreams read paths as the applications of the same hosts do.
fn upstream_table(
    upstreams: &[Arc<Upstream>],
    applications: &[Arc<ProtectedApplication>],
) -> Table<Arc<Upstream>> {
    let case_insensitive: HashSet<&str> = applications
        .iter()
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

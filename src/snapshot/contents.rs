//! What a snapshot holds, and how requests ask it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use http::HeaderName;

use crate::model::api_token::ApiToken;
use crate::model::application::Application;
use crate::model::design::LauncherDesign;
use crate::model::destination::Destination;
use crate::model::host::Host;
use crate::model::idp::IdentityProvider;
use crate::model::ids::{AppId, AudTag, IdpId};
use crate::model::organization::Organization;
use crate::model::policy::Policy;
use crate::model::upstream::Upstream;
use crate::policy::{CompiledPolicies, Referents};
use crate::router::{Found, Routed, Table, Target, TargetRefused};
use crate::store::{Objects, Position};

use super::asks::Asks;
use super::authorities::ClientAuthorities;
use super::compile::Basis;
use super::key_ring::KeyRing;
use super::openings::Openings;
use super::pages::DenialPages;
use super::service_tokens::ServiceTokens;

/// All that requests need to know, as it stood at one position of the store's feed.
#[derive(Debug)]
pub struct Snapshot {
    /// Differs from that of every other snapshot: what was worked out under one holds under no other.
    pub version: u64,
    /// The state of the store it was built from.
    pub position: Position,
    /// The objects as they are stored, broken ones included.
    pub objects: Objects,
    /// The organization.
    pub organization: Organization,
    /// Identity providers.
    pub providers: Arc<HashMap<IdpId, Arc<IdentityProvider>>>,
    /// SHA-256 of the secrets that directories show, in lower-case hexadecimal. Whether one is good is not decided by
    /// this: it may be another provider's, or have been replaced a moment ago.
    pub scim_secrets: HashSet<String>,
    /// Applications, broken ones included.
    pub applications: HashMap<AppId, Arc<ProtectedApplication>>,
    /// The same by audience tag.
    pub by_aud: HashMap<AudTag, Arc<ProtectedApplication>>,
    /// The same by the addresses they cover. Requests ask [`Snapshot::application`].
    pub routes: Table<Arc<ProtectedApplication>>,
    /// The launcher, where policies say who may open it; else everybody may who signs in.
    pub launcher: Option<GuardedLauncher>,
    /// Upstreams by the addresses they serve. Requests ask [`Snapshot::upstream`].
    pub upstreams: Table<Arc<Upstream>>,
    /// Whose client certificates a host takes. Requests ask [`Snapshot::client_authorities`].
    pub authorities: Arc<Table<Arc<ClientAuthorities>>>,
    /// Service tokens.
    pub service_tokens: Arc<ServiceTokens>,
    /// Tokens of the API, by the SHA-256 of each in lower-case hexadecimal: the look-up's time tells nothing of a token.
    pub api_tokens: Arc<HashMap<String, Arc<ApiToken>>>,
    /// The headers in which some application takes service tokens. They reach no upstream, of whatever application.
    pub credential_headers: Arc<[HeaderName]>,
    /// Access groups and lists, which policies refer to.
    pub referents: Arc<Referents>,
    /// The keys whose signatures are good.
    pub keys: Arc<KeyRing>,
    /// What the applications were compiled with.
    pub(crate) basis: Basis,
    /// What could not be read.
    pub faults: Vec<ObjectFault>,
}

/// An application with its policies.
#[derive(Debug)]
pub struct ProtectedApplication {
    /// The application.
    pub app: Application,
    /// Its policies, ready to decide; none where it is broken.
    pub policies: CompiledPolicies,
    /// What passes without them.
    pub(super) openings: Openings,
    /// What they may ask about a request.
    pub asks: Asks,
    /// What it shows to those whom it refuses.
    pub pages: DenialPages,
    /// What the launcher wears, where this is the launcher; else it is self-hosted.
    pub design: Option<Arc<LauncherDesign>>,
    /// Its policies by precedence, as they were read, to explain decisions.
    pub policy_docs: Vec<Arc<Policy>>,
    /// Why it cannot be decided about. It lets nobody pass.
    pub broken: Option<String>,
}

/// The launcher as an application of its own.
#[derive(Debug, Clone)]
pub struct GuardedLauncher {
    /// Who may open it. It covers no address: the auth host is no application's.
    pub guard: Arc<ProtectedApplication>,
    /// What it wears.
    pub design: Arc<LauncherDesign>,
}

/// An object that could not be read, for the log and for `check`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectFault {
    /// What it is.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a request leads to no application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unroutable {
    /// Its host is not known here: 404.
    UnknownHost,
    /// No application covers its path: 403.
    NotCovered,
    /// Its path is not taken there: 400.
    Refused(TargetRefused),
}

impl Snapshot {
    /// The application that a request is for.
    ///
    /// # Errors
    /// [`Unroutable`] where there is none, or the application does not take such a path.
    pub fn application(&self, target: &Target) -> Result<&Arc<ProtectedApplication>, Unroutable> {
        let application = match self.routes.route(target) {
            Routed::Match(application) => application,
            Routed::HostOnly => return Err(Unroutable::NotCovered),
            Routed::None => return Err(Unroutable::UnknownHost),
            Routed::Ambiguous => return Err(Unroutable::Refused(TargetRefused::Ambiguous)),
        };
        if target.has_encoded_slash() && !application.app.allow_encoded_slash {
            return Err(Unroutable::Refused(TargetRefused::EncodedSlash));
        }
        Ok(application)
    }

    /// The authorities whose client certificates a host takes; `None` where it takes none.
    pub fn client_authorities(&self, host: &Host) -> Option<&Arc<ClientAuthorities>> {
        match self.authorities.find(host, "/") {
            Found::Match(authorities) => Some(authorities),
            Found::HostOnly | Found::None => None,
        }
    }

    /// Whether another application has an address on a host of this one's: then their cookies must be told apart by
    /// path, or each would overwrite the other's. Takes as long as there are applications.
    pub fn shares_a_host(&self, application: &Application) -> bool {
        let meet = |one: &Destination, other: &Destination| {
            let is_of =
                |host: &str, pattern: &Destination| host.parse().is_ok_and(|host| pattern.covers_host(&host));
            one.host() == other.host() || is_of(one.host(), other) || is_of(other.host(), one)
        };
        let others = self.applications.values().map(|other| &other.app);
        others.filter(|other| other.id != application.id).any(|other| {
            let hosts = |of: &Destination| application.destinations.iter().any(|own| meet(own, of));
            other.destinations.iter().any(hosts)
        })
    }

    /// The upstream that serves a request; `None` where no upstream is configured for it: 502 once it is permitted.
    ///
    /// # Errors
    /// Where the readings of its path lead to different upstreams: 400.
    pub fn upstream(&self, target: &Target) -> Result<Option<&Arc<Upstream>>, TargetRefused> {
        match self.upstreams.route(target) {
            Routed::Match(upstream) => Ok(Some(upstream)),
            Routed::HostOnly | Routed::None => Ok(None),
            Routed::Ambiguous => Err(TargetRefused::Ambiguous),
        }
    }
}

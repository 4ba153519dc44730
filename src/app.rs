//! The only wiring place: every shared component is built here, once, from the configuration.
//!
//! The runtime that [`start`] is called on becomes the *control plane*: logins, the store, Microsoft. The *data plane*
//! is one thread a core, started last, when everything that requests need is in memory.

mod directories;
mod housekeeping;
mod internal;
mod reload;
mod rooms;
mod seats;
mod secrets;
mod service_tokens;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;

use crate::api::{self, Api};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::declared::Declared;
use crate::config::geo::GeoConfig;
use crate::config::listen::Listen;
use crate::crypto::seal::Sealer;
use crate::directory::Directories;
use crate::entra::RelyingParty;
use crate::entra::outbound::Outbound;
use crate::evaluation::Evaluations;
use crate::feed::{self, Builder, Follower, Parts, Wanted};
use crate::gate::control::ControlPlane;
use crate::gate::machine::Machines;
use crate::gate::written::WrittenRefusals;
use crate::gate::{Gate, Shared};
use crate::geo::Geo;
use crate::listener::tls::Certificates;
use crate::listener::{self, Cores, Gatekeeper, Sockets};
use crate::login::renew::Renewal;
use crate::login::{Login, Metadata, Transfers};
use crate::mail::Mailer;
use crate::manage::{self, Manage, OlderFile, Outcome};
use crate::model::duration::GoDuration;
use crate::model::idp::Cloud;
use crate::model::organization::Organization;
use crate::model::upstream::Upstream;
use crate::pages::reference::Reference;
use crate::scim::Scim;
use crate::session::effects::Effects;
use crate::session::grace::StoreGrace;
use crate::session::keys::{self, Signer};
use crate::session::limits::FailureLimit;
use crate::session::lookup::SessionLookup;
use crate::session::revoke::Revoker;
use crate::session::sensor::Sensor;
use crate::session::table::SessionTable;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Actor, ActorKind, Store};
use crate::telemetry::metrics::Metrics;

/// A gateway that is serving.
#[derive(Debug)]
pub struct Running {
    /// Where plain HTTP is served.
    pub http: Option<SocketAddr>,
    /// Where TLS is served.
    pub https: Option<SocketAddr>,
    /// Where health and metrics are served.
    pub internal: Option<SocketAddr>,
    /// Where other proxies ask.
    pub forward_auth: Option<SocketAddr>,
    /// The store.
    pub store: Store,
    /// The sessions this replica knows.
    pub sessions: SessionTable,
    /// Ends sessions.
    pub revoker: Revoker,
    /// Writes objects.
    pub manage: Manage,
    /// Machines and their service tokens.
    pub machines: Machines,
    /// The configuration in force.
    pub published: Arc<Published>,
    /// Seals secrets.
    pub sealer: Sealer,
    /// The clock.
    pub clock: Clock,
    shutdown: Shutdown,
    cores: Cores,
}

impl Running {
    /// Stops: no new connections; open requests have `patience` to end, then they are cut.
    pub async fn stop(self, patience: Duration) {
        self.shutdown.finish(patience).await;
        let joined = tokio::task::spawn_blocking(move || self.cores.join()).await;
        if let Err(error) = joined {
            tracing::error!(%error, "The cores could not be waited for");
        }
        self.store.close().await;
    }

    /// Asked to stop by somebody else: see [`Shutdown`].
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

/// Starts a gateway. `file` is watched for changes, where there is one.
///
/// # Errors
/// What keeps a gateway from starting, in words for the operator: the store, the master key, an address in use, a
/// declared object that cannot stand.
#[expect(clippy::too_many_lines, reason = "wiring, one line a component")]
pub async fn start(config: Config, file: Option<PathBuf>, clock: Clock) -> anyhow::Result<Running> {
    let shutdown = Shutdown::new();
    let metrics = Arc::new(Metrics::new());
    let fixed = reload::Fixed::of(&config);
    let geo = countries(&config.geo, &shutdown)?;
    let foundation = Foundation::lay(&config, &clock).await?;
    let declared = config.declarations.resolve(foundation.manage.account());
    let present = foundation.manage.fingerprint(&declared);
    let upstreams = config.upstreams.into_iter().map(Arc::new).collect();
    let memory = Memory::fill(&foundation, upstreams, &clock, &shutdown).await?;
    let grace = StoreGrace::new(config.store.grace, clock.now_ms());

    // The control plane: the login chain, the feed, what recurs.
    let mailer = match &config.smtp {
        Some(smtp) => Mailer::start(smtp, &shutdown)?,
        None => Mailer::none(),
    };
    let reference = Arc::new(api::reference(&memory.published.load().organization)?);
    let login = login_chain(
        &foundation,
        &memory,
        (mailer, reference),
        Arc::clone(&metrics),
        &clock,
        &shutdown,
    );
    let effects = login.effects.clone();
    let api = Api::new(api::Parts {
        published: Arc::clone(&memory.published),
        store: foundation.store.clone(),
        manage: foundation.manage.clone(),
        revoker: memory.revoker.clone(),
        effects: effects.clone(),
        relying_party: login.relying_party.clone(),
        clock: clock.clone(),
        geo: geo.clone(),
        reference: Arc::clone(&login.reference),
    });
    let directories = Directories {
        published: Arc::clone(&memory.published),
        store: foundation.store.clone(),
        relying_party: login.relying_party.clone(),
        effects: effects.clone(),
        clock: clock.clone(),
        metrics: Arc::clone(&metrics),
    };
    tokio::spawn(directories.keep_reading(shutdown.clone()));
    let scim = Scim::start(
        Arc::clone(&memory.published),
        foundation.store.clone(),
        effects,
        clock.clone(),
        &shutdown,
    );
    let sensor = Sensor {
        published: Arc::clone(&memory.published),
        store: foundation.store.clone(),
        sessions: memory.sessions.clone(),
        revoker: memory.revoker.clone(),
        relying_party: login.relying_party.clone(),
        sealer: foundation.sealer.clone(),
        clock: clock.clone(),
    };
    tokio::spawn(sensor.keep_trying(shutdown.clone()));
    let renewal = Renewal::start(login.clone(), &shutdown);
    let control = ControlPlane::start(rooms::router(api, scim, login), &shutdown);
    let Foundation {
        store,
        sealer,
        manage,
        ..
    } = foundation;
    let Memory {
        builder,
        upstreams,
        published,
        sessions,
        revoker,
        lookup,
        machines,
        ..
    } = memory;
    let position = published.load().position.clone();
    let wanted = Arc::new(Wanted::default());
    let follower = Follower {
        store: store.clone(),
        table: sessions.clone(),
        builder,
        published: Arc::clone(&published),
        wanted: Arc::clone(&wanted),
        grace: grace.clone(),
        clock: clock.clone(),
        metrics: Arc::clone(&metrics),
    };
    tokio::spawn(follower.follow(position, shutdown.clone()));
    let chores = housekeeping::Chores {
        store: store.clone(),
        manage: manage.clone(),
        sessions: sessions.clone(),
        sealer: sealer.clone(),
        clock: clock.clone(),
        grace: grace.clone(),
        metrics: Arc::clone(&metrics),
        published: Arc::clone(&published),
        service_tokens: service_tokens::Chores::new(&store, &manage, &machines.uses, &clock),
    };
    tokio::spawn(chores.keep_doing(shutdown.clone()));
    if let Some(file) = file {
        let reload = reload::Reload {
            file,
            fixed,
            manage: manage.clone(),
            upstreams,
            wanted,
            clock: clock.clone(),
            metrics: Arc::clone(&metrics),
            present,
        };
        tokio::spawn(reload.keep_watching(shutdown.clone()));
    }

    // The data plane, last: from here on requests are answered.
    let internal = internal::start(config.listen.internal, &metrics, &grace, &clock, &shutdown).await?;
    let sockets = bind(&config.listen, &published, &shutdown)?;
    let [http, https, forward_auth] = addresses(&sockets);
    let shared = Shared {
        published: Arc::clone(&published),
        sessions: sessions.clone(),
        lookup,
        grace,
        failures: Arc::new(FailureLimit::default()),
        geo,
        machines: machines.clone(),
        refusals: WrittenRefusals::start(store.clone(), &shutdown),
        control,
        renewal,
        sealer: sealer.clone(),
        clock: clock.clone(),
        metrics,
        shutdown: shutdown.clone(),
    };
    let listen = Arc::new(config.listen);
    let threads = listener::start(sockets, &shutdown, move || {
        Gatekeeper::new(Gate::new(shared.clone()), Arc::clone(&listen))
    })
    .context("the cores cannot be started")?;
    Ok(Running {
        http,
        https,
        internal,
        forward_auth,
        store,
        sessions,
        revoker,
        manage,
        machines,
        published,
        sealer,
        clock,
        shutdown,
        cores: threads,
    })
}

/// Where plain HTTP and TLS are served.
fn addresses(sockets: &Sockets) -> [Option<SocketAddr>; 3] {
    [
        sockets.http.as_ref().map(listener::Bound::address),
        sockets.https.as_ref().map(|(bound, _)| bound.address()),
        sockets.forward_auth.as_ref().map(listener::Bound::address),
    ]
}

fn countries(config: &GeoConfig, shutdown: &Shutdown) -> anyhow::Result<Geo> {
    let geo = Geo::open(config)?;
    tokio::spawn(geo.clone().keep_fresh(shutdown.clone()));
    Ok(geo)
}

/// What must stand before anybody can be let in: the store, the keys in it, and the objects that the file declares.
struct Foundation {
    store: Store,
    organization: Arc<Organization>,
    sealer: Sealer,
    clouds: Arc<BTreeMap<String, Cloud>>,
    outbound: Outbound,
    manage: Manage,
}

impl Foundation {
    async fn lay(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let store = Store::open(&config.store.url, clock.clone())
            .await
            .context("the store cannot be opened")?;
        let organization = Arc::new(manage::organization(&store, &config.organization).await?);
        let sealer = Sealer::new(config.master_key.clone(), organization.account_id.as_str());
        let clouds = Arc::new(config.clouds.clone());
        let outbound = Outbound::with_opened(config.outbound.allow.clone())
            .context("the outbound client cannot be made")?;
        keys::ensure(&store, &sealer, clock)
            .await
            .context("the signing keys cannot be made")?;
        let (org, all) = (Arc::clone(&organization), Arc::clone(&clouds));
        let manage = Manage::new(store.clone(), sealer.clone(), clock.clone(), org, all);
        // A database of one host's is shared with no gateway that could have missed a roll-out.
        let older = if store.is_postgres() {
            OlderFile::LeftAlone
        } else {
            OlderFile::Applied
        };
        let declared = config.declarations.resolve(manage.account());
        declare(&manage, &declared, older).await?;
        Ok(Self {
            store,
            organization,
            sealer,
            clouds,
            outbound,
            manage,
        })
    }
}

/// What requests need, in memory.
struct Memory {
    signer: Signer,
    builder: Builder,
    upstreams: Arc<ArcSwap<Vec<Arc<Upstream>>>>,
    published: Arc<Published>,
    sessions: SessionTable,
    revoker: Revoker,
    lookup: SessionLookup,
    machines: Machines,
}

impl Memory {
    async fn fill(
        foundation: &Foundation,
        upstreams: Vec<Arc<Upstream>>,
        clock: &Clock,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Self> {
        let store = &foundation.store;
        let signer = Signer::new();
        let upstreams = Arc::new(ArcSwap::from_pointee(upstreams));
        let builder = Builder::new(Parts {
            store: store.clone(),
            sealer: foundation.sealer.clone(),
            clock: clock.clone(),
            organization: Arc::clone(&foundation.organization),
            clouds: Arc::clone(&foundation.clouds),
            upstreams: Arc::clone(&upstreams),
            signer: signer.clone(),
        });
        let first = builder
            .build()
            .await
            .context("the first snapshot cannot be built")?;
        let idle = foundation.organization.idle_timeout.as_ref();
        let sessions = SessionTable::with_idle_timeout(idle.map(GoDuration::length));
        feed::take_up_epochs(store, &sessions)
            .await
            .context("the revoked tokens cannot be read")?;
        let published = Arc::new(Published::new(first));
        Ok(Self {
            machines: Machines::start(&published, &sessions, signer.clone(), clock, shutdown),
            signer,
            builder,
            upstreams,
            published,
            revoker: Revoker::new(sessions.clone(), store.clone(), shutdown.clone()),
            lookup: SessionLookup::start(sessions.clone(), store.clone(), clock.clone(), shutdown),
            sessions,
        })
    }
}

fn login_chain(
    foundation: &Foundation,
    memory: &Memory,
    (mailer, reference): (Mailer, Arc<Reference>),
    metrics: Arc<Metrics>,
    clock: &Clock,
    shutdown: &Shutdown,
) -> Login {
    let counted = Arc::clone(&metrics);
    let outbound = foundation
        .outbound
        .clone()
        .observed(move |operation, status| counted.graph_answered(operation, status));
    let relying_party = RelyingParty::new(outbound.clone(), clock.clone());
    let effects = Effects::start(
        Arc::clone(&memory.published),
        foundation.store.clone(),
        memory.sessions.clone(),
        memory.revoker.clone(),
        relying_party.clone(),
        clock.clone(),
        shutdown,
    );
    Login {
        published: Arc::clone(&memory.published),
        store: foundation.store.clone(),
        sessions: memory.sessions.clone(),
        lookup: memory.lookup.clone(),
        revoker: memory.revoker.clone(),
        effects,
        signer: memory.signer.clone(),
        relying_party,
        evaluations: Evaluations::new(outbound, clock.clone()),
        sealer: foundation.sealer.clone(),
        clock: clock.clone(),
        mailer,
        metrics,
        failed_steps: Arc::new(FailureLimit::default()),
        transfers: Transfers::start(foundation.store.clone(), shutdown),
        metadata: Metadata::default(),
        reference,
    }
}

/// Makes the objects of the store as the file declares them. Says whether they are.
async fn declare(manage: &Manage, declared: &[Declared], older: OlderFile<'_>) -> anyhow::Result<bool> {
    let actor = Actor {
        kind: ActorKind::File,
        name: "configuration file".to_owned(),
    };
    match manage.reconcile(declared, actor, older).await? {
        Outcome::Reconciled(done) => {
            tracing::info!(
                created = done.created,
                updated = done.updated,
                deleted = done.deleted,
                "Objects are as declared"
            );
            Ok(true)
        }
        Outcome::Superseded(newer) => {
            tracing::error!(
                newer.at_ms,
                "What this file declares is not in force: a newer file has been applied by another gateway \
                 (`vestibule apply --plan` tells the difference, `vestibule apply` insists)"
            );
            Ok(false)
        }
    }
}

fn bind(listen: &Listen, published: &Arc<Published>, shutdown: &Shutdown) -> anyhow::Result<Sockets> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let bind =
        |address| listener::bind(address, cores).with_context(|| format!("{address} cannot be listened on"));
    let https = match &listen.https {
        None => None,
        Some(https) => {
            let certificates =
                Certificates::read(https.certificates.clone()).context("the certificates cannot be used")?;
            let certificates = Arc::new(certificates);
            tokio::spawn(Arc::clone(&certificates).keep_fresh(shutdown.clone()));
            Some((bind(https.address)?, certificates))
        }
    };
    Ok(Sockets {
        http: listen.http.map(bind).transpose()?,
        https,
        published: Some(Arc::clone(published)),
        forward_auth: listen
            .forward_auth
            .as_ref()
            .map(|forward_auth| bind(forward_auth.address))
            .transpose()?,
    })
}

//! Metrics for Prometheus: names, labels and what they count.
//!
//! What happens on every request is counted by [`CoreMetrics`], one for each core and written by that core alone; a
//! scrape adds the cores up. Everything rarer is counted here. No label holds an address, a path, a person or a request
//! id: each has as many values as the configuration names.

mod cores;
mod histogram;
mod labels;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use cores::Cores;
pub use cores::{CoreMetrics, Decided, Finished, InFlight};
use histogram::SharedHistogram;
use labels::{
    Build, ByKind, ByReason, ByResult, DirectoryObjects, DirectoryRound, GraphRequest, Login, Provider,
    SigningKey, Upstream,
};

/// The `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// How long until a revocation has taken effect; the promise is one second.
const REVOCATION_BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];

/// Gauges of seconds, which Prometheus keeps as floating-point numbers.
type Seconds = Gauge<f64, std::sync::atomic::AtomicU64>;

/// All metrics of the process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    cores: Arc<Cores>,
    upstream_errors: Family<Upstream, Counter>,
    logins: Family<Login, Counter>,
    graph_requests: Family<GraphRequest, Counter>,
    sessions: Family<ByKind, Gauge>,
    streams_cut: Family<ByReason, Counter>,
    revocation_delay: SharedHistogram,
    feed_lag: Seconds,
    store_up: Gauge,
    config_reloads: Family<ByResult, Counter>,
    config_last_success: Seconds,
    client_secret_not_after: Family<Provider, Seconds>,
    signing_key_not_after: Family<SigningKey, Seconds>,
    directory_rounds: Family<DirectoryRound, Counter>,
    directory_last_success: Family<Provider, Seconds>,
    directory_objects: Family<DirectoryObjects, Gauge>,
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("vestibule");
        let build: Family<Build, Gauge> = Family::default();
        build.get_or_create(&Build::THIS).set(1);
        register(&mut registry, "build_info", "The build that runs", build);

        let cores = Arc::new(Cores::default());
        registry.register_collector(Box::new(Arc::clone(&cores)));
        let revocation_delay = SharedHistogram::new(
            "revocation_delay_seconds",
            "Time from the end of a session to its refusal here",
            REVOCATION_BOUNDS,
        );
        registry.register_collector(Box::new(revocation_delay.clone()));

        let add = &mut registry;
        Self {
            upstream_errors: register(
                add,
                "upstream_errors",
                "Requests an upstream did not answer",
                Family::default(),
            ),
            logins: register(add, "logins", "Logins by their result", Family::default()),
            graph_requests: register(
                add,
                "graph_requests",
                "Requests to Microsoft Graph",
                Family::default(),
            ),
            sessions: register(
                add,
                "sessions",
                "Live sessions known to this process",
                Family::default(),
            ),
            streams_cut: register(
                add,
                "streams_cut",
                "Open streams cut by their reason",
                Family::default(),
            ),
            feed_lag: register(
                add,
                "feed_lag_seconds",
                "Age of the last confirmed feed position",
                Seconds::default(),
            ),
            store_up: register(add, "store_up", "Whether the store answers", Gauge::default()),
            config_reloads: register(
                add,
                "config_reloads",
                "Reloads of the configuration",
                Family::default(),
            ),
            config_last_success: register(
                add,
                "config_last_reload_success_timestamp_seconds",
                "When the configuration was last taken",
                Seconds::default(),
            ),
            client_secret_not_after: register(
                add,
                "client_secret_not_after_timestamp_seconds",
                "When the client secret of an identity provider ends, where that is known",
                Family::default(),
            ),
            signing_key_not_after: register(
                add,
                "signing_key_not_after_timestamp_seconds",
                "When a signing key stops signing",
                Family::default(),
            ),
            directory_rounds: register(
                add,
                "directory_sync_rounds",
                "Rounds in which a directory was read by Graph, by their result",
                Family::default(),
            ),
            directory_last_success: register(
                add,
                "directory_sync_last_success_timestamp_seconds",
                "When a directory was last read by Graph",
                Family::default(),
            ),
            directory_objects: register(
                add,
                "directory_sync_objects",
                "People and groups of a directory that is read by Graph",
                Family::default(),
            ),
            revocation_delay,
            cores,
            registry: Arc::new(registry),
        }
    }

    /// The counters of one core. Each core asks once and keeps what it gets.
    pub fn core(&self) -> CoreMetrics {
        self.cores.join()
    }

    /// Everything, in Prometheus's text format 0.0.4.
    ///
    /// # Errors
    /// Never in practice: writing into a `String` does not fail.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// An upstream did not answer as it should. `reason` is one of a fixed set, such as `connect` or `timeout`.
    pub fn upstream_failed(&self, application: &str, reason: &'static str) {
        let labels = Upstream {
            application: application.into(),
            reason,
        };
        self.upstream_errors.get_or_create(&labels).inc();
    }

    /// A login ended: `result` is `success`, `refused` or `failed`; `reason` a word of a fixed set.
    pub fn login_ended(&self, provider: &str, result: &'static str, reason: &'static str) {
        let labels = Login {
            provider: provider.into(),
            result,
            reason,
        };
        self.logins.get_or_create(&labels).inc();
    }

    /// Graph answered; `code` is the status, 0 where no answer came.
    pub fn graph_answered(&self, operation: &'static str, code: u16) {
        self.graph_requests
            .get_or_create(&GraphRequest { operation, code })
            .inc();
    }

    /// How many sessions of a kind (`organization`) live in this process's memory.
    pub fn sessions_live(&self, kind: &'static str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.sessions.get_or_create(&ByKind { kind }).set(count);
    }

    /// Open streams were cut.
    pub fn streams_cut(&self, reason: &'static str, count: u64) {
        let counter = self.streams_cut.get_or_create(&ByReason { reason });
        counter.inc_by(count);
    }

    /// A session's end took effect here, so long after it was committed.
    pub fn revocation_applied(&self, delay: Duration) {
        self.revocation_delay.observe(delay);
    }

    /// How long ago the position in the feed of changes was last confirmed.
    pub fn feed_confirmed_ago(&self, lag: Duration) {
        self.feed_lag.set(lag.as_secs_f64());
    }

    /// Whether the store answers.
    pub fn store_is(&self, up: bool) {
        self.store_up.set(i64::from(up));
    }

    /// A changed configuration was taken, now, or refused.
    pub fn config_reloaded(&self, taken: bool, now: jiff::Timestamp) {
        let result = if taken { "success" } else { "refused" };
        self.config_reloads.get_or_create(&ByResult { result }).inc();
        if taken {
            self.config_last_success.set(now.as_duration().as_secs_f64());
        }
    }

    /// A round ended in which a provider's directory was read: `success`, `failed` or `held_back`.
    pub fn directory_round_ended(&self, provider: &str, result: &'static str) {
        let labels = DirectoryRound {
            provider: provider.into(),
            result,
        };
        self.directory_rounds.get_or_create(&labels).inc();
    }

    /// A provider's directory was read now, and has so many people and groups.
    pub fn directory_read(&self, provider: &str, people: usize, groups: usize, now: jiff::Timestamp) {
        let labels = Provider {
            provider: provider.into(),
        };
        self.directory_last_success
            .get_or_create(&labels)
            .set(now.as_duration().as_secs_f64());
        for (kind, count) in [("people", people), ("groups", groups)] {
            let labels = DirectoryObjects {
                provider: provider.into(),
                kind,
            };
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.directory_objects.get_or_create(&labels).set(count);
        }
    }

    /// When the client secret of each provider ends; providers no longer named are forgotten.
    pub fn client_secrets_end<'a>(&self, secrets: impl IntoIterator<Item = (&'a str, jiff::Timestamp)>) {
        self.client_secret_not_after.clear();
        for (provider, at) in secrets {
            let labels = Provider {
                provider: provider.into(),
            };
            self.client_secret_not_after
                .get_or_create(&labels)
                .set(at.as_duration().as_secs_f64());
        }
    }

    /// When each signing key stops signing; keys no longer named are forgotten.
    pub fn signing_keys_end<'a>(&self, keys: impl IntoIterator<Item = (&'a str, jiff::Timestamp)>) {
        self.signing_key_not_after.clear();
        for (kid, at) in keys {
            self.signing_key_not_after
                .get_or_create(&SigningKey { kid: kid.into() })
                .set(at.as_duration().as_secs_f64());
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers a metric and hands it back. The name stands without prefix, and a counter's without `_total`.
fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests;

//! What is counted on every request: by each core for itself, without a lock or a cache line that two cores write.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::{Equivalent, HashMap};
use http::{Method, StatusCode, Version};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use super::histogram::{self, Histogram};
use super::labels::{Request, Verdict};

/// Our own share of a request, from 10 µs to a second.
const GATE_BOUNDS: &[f64] = &[
    0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1.0,
];

/// A request up to its answer (the bounds of OpenTelemetry's `http.server.request.duration`).
const REQUEST_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The label of requests that no application covers.
const NO_APPLICATION: &str = "";

/// The counters of one core. Not `Sync`: nobody else writes them.
#[derive(Debug)]
pub struct CoreMetrics {
    requests: Counts<Request>,
    decisions: Counts<Verdict>,
    own: Arc<Core>,
}

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// The application's name, where one covers the request.
    pub application: Option<&'a str>,
    /// The status of the answer.
    pub code: StatusCode,
    /// The method.
    pub method: &'a Method,
    /// The version of HTTP.
    pub version: Version,
    /// From the request's head to the answer's. The bodies may still be on their way.
    pub duration: Duration,
}

/// A decision on a request.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// The application's name, where one covers the request.
    pub application: Option<&'a str>,
    /// `allow`, `bypass`, `sign_in` or `deny`.
    pub decision: &'static str,
    /// Why, as a word of a fixed set.
    pub reason: &'static str,
}

impl CoreMetrics {
    /// A request arrived; it is in flight until what is returned is dropped.
    pub fn arrived(&self) -> InFlight {
        self.own.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(&self.own))
    }

    /// The gate decided after so much time of its own.
    pub fn decided(&self, decided: &Decided<'_>, gate: Duration) {
        let key = DecisionKey {
            application: decided.application.unwrap_or(NO_APPLICATION),
            decision: decided.decision,
            reason: decided.reason,
        };
        self.decisions.count(&key);
        self.own.gate.observe(gate);
    }

    /// A request was answered.
    pub fn finished(&self, finished: &Finished<'_>) {
        let key = RequestKey {
            application: finished.application.unwrap_or(NO_APPLICATION),
            code: finished.code.as_u16(),
            method: method_label(finished.method),
            protocol: protocol_label(finished.version),
        };
        self.requests.count(&key);
        self.own.request.observe(finished.duration);
    }

    /// How many streams are open on this core.
    pub fn streams_open(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.own.streams.store(count, Relaxed);
    }
}

/// A request in flight.
#[derive(Debug)]
pub struct InFlight(Arc<Core>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// What a core writes and a scrape reads.
#[derive(Debug)]
struct Core {
    in_flight: AtomicI64,
    streams: AtomicI64,
    gate: Histogram,
    request: Histogram,
}

/// All cores, as a scrape sees them.
#[derive(Debug, Default)]
pub(super) struct Cores {
    each: Mutex<Vec<Arc<Core>>>,
    requests: Series<Request>,
    decisions: Series<Verdict>,
}

impl Cores {
    pub(super) fn join(&self) -> CoreMetrics {
        let own = Arc::new(Core {
            in_flight: AtomicI64::new(0),
            streams: AtomicI64::new(0),
            gate: Histogram::new(GATE_BOUNDS),
            request: Histogram::new(REQUEST_BOUNDS),
        });
        lock(&self.each).push(Arc::clone(&own));
        CoreMetrics {
            requests: Counts::of(&self.requests),
            decisions: Counts::of(&self.decisions),
            own,
        }
    }
}

impl Collector for Cores {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let cores = lock(&self.each).clone();
        self.requests
            .encode(&mut encoder, "http_requests", "Requests answered")?;
        self.decisions
            .encode(&mut encoder, "decisions", "Decisions on requests")?;
        let sum =
            |read: fn(&Core) -> &AtomicI64| cores.iter().map(|core| read(core).load(Relaxed)).sum::<i64>();
        encoder
            .encode_descriptor(
                "http_requests_in_flight",
                "Requests that are being answered",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&sum(|core| &core.in_flight))?;
        encoder
            .encode_descriptor("streams_open", "Open streams", None, MetricType::Gauge)?
            .encode_gauge(&sum(|core| &core.streams))?;
        histogram::encode(
            &mut encoder,
            "gate_duration_seconds",
            "Time the gate takes to decide",
            GATE_BOUNDS,
            cores.iter().map(|core| &core.gate),
        )?;
        histogram::encode(
            &mut encoder,
            "http_request_duration_seconds",
            "Time from the head of a request to the head of its answer",
            REQUEST_BOUNDS,
            cores.iter().map(|core| &core.request),
        )
    }
}

/// One counter for each label set, on one core. The core finds its counter without a lock; a scrape finds it in
/// [`Series`], where it is put once.
#[derive(Debug)]
struct Counts<L> {
    own: RefCell<HashMap<L, Arc<AtomicU64>>>,
    series: Series<L>,
}

impl<L: Eq + Hash> Counts<L> {
    fn of(series: &Series<L>) -> Self {
        Self {
            own: RefCell::new(HashMap::new()),
            series: series.clone(),
        }
    }

    /// Counts one. `key` is the label set in borrowed form, so that only its first time allocates.
    fn count<K>(&self, key: &K)
    where
        K: Hash + Equivalent<L>,
        L: for<'k> From<&'k K>,
    {
        if let Some(counter) = self.own.borrow().get(key) {
            counter.fetch_add(1, Relaxed);
            return;
        }
        let counter = Arc::new(AtomicU64::new(1));
        lock(&self.series.0).push((key.into(), Arc::clone(&counter)));
        self.own.borrow_mut().insert(key.into(), counter);
    }
}

/// The counters of all cores.
#[derive(Debug)]
struct Series<L>(Arc<Mutex<Vec<Labelled<L>>>>);

/// One core's counter of one label set.
type Labelled<L> = (L, Arc<AtomicU64>);

impl<L> Clone for Series<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Default for Series<L> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<L: Clone + Eq + Hash + EncodeLabelSet> Series<L> {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> fmt::Result {
        let mut sums: HashMap<L, u64> = HashMap::new();
        for (labels, counter) in lock(&self.0).iter() {
            *sums.entry_ref(labels).or_insert(0) += counter.load(Relaxed);
        }
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, sum) in &sums {
            let exemplar: Option<&Exemplar<L, f64>> = None;
            metric.encode_family(labels)?.encode_counter(sum, exemplar)?;
        }
        Ok(())
    }
}

/// [`Request`], borrowed. It hashes field by field as the owned form does.
#[derive(Hash)]
struct RequestKey<'a> {
    application: &'a str,
    code: u16,
    method: &'static str,
    protocol: &'static str,
}

impl Equivalent<Request> for RequestKey<'_> {
    fn equivalent(&self, labels: &Request) -> bool {
        self.code == labels.code
            && self.method == labels.method
            && self.protocol == labels.protocol
            && *self.application == *labels.application
    }
}

impl From<&RequestKey<'_>> for Request {
    fn from(key: &RequestKey<'_>) -> Self {
        Self {
            application: key.application.into(),
            code: key.code,
            method: key.method,
            protocol: key.protocol,
        }
    }
}

/// [`Verdict`], borrowed.
#[derive(Hash)]
struct DecisionKey<'a> {
    application: &'a str,
    decision: &'static str,
    reason: &'static str,
}

impl Equivalent<Verdict> for DecisionKey<'_> {
    fn equivalent(&self, labels: &Verdict) -> bool {
        self.decision == labels.decision
            && self.reason == labels.reason
            && *self.application == *labels.application
    }
}

impl From<&DecisionKey<'_>> for Verdict {
    fn from(key: &DecisionKey<'_>) -> Self {
        Self {
            application: key.application.into(),
            decision: key.decision,
            reason: key.reason,
        }
    }
}

/// The method as a label: a client may invent methods, but no label values.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}

fn protocol_label(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "http/2",
        Version::HTTP_10 => "http/1.0",
        _ => "http/1.1",
    }
}

/// A panic while counting leaves counts that are still counts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Histograms that a core fills without any lock, and how they are written out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Counts of durations by upper bound, in seconds. The last bucket, above all bounds, is not named.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    buckets: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(super) fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.buckets.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        // 584 years of observed time fit.
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }
}

/// Writes several histograms of the same bounds as the one they add up to.
pub(super) fn encode<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    bounds: &'static [f64],
    parts: impl Iterator<Item = &'a Histogram>,
) -> fmt::Result {
    let upper = bounds.iter().copied().chain([f64::INFINITY]);
    let mut buckets: Vec<(f64, u64)> = upper.map(|bound| (bound, 0)).collect();
    let mut nanoseconds = 0_u64;
    for part in parts {
        for (sum, count) in buckets.iter_mut().zip(&part.buckets) {
            sum.1 += count.load(Relaxed);
        }
        nanoseconds = nanoseconds.wrapping_add(part.nanoseconds.load(Relaxed));
    }
    let count = buckets.iter().map(|bucket| bucket.1).sum();
    let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
    encoder
        .encode_descriptor(name, help, None, MetricType::Histogram)?
        .encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
}

/// A histogram that several threads fill, for what is rare.
#[derive(Debug, Clone)]
pub(super) struct SharedHistogram {
    name: &'static str,
    help: &'static str,
    histogram: Arc<Histogram>,
}

impl SharedHistogram {
    pub(super) fn new(name: &'static str, help: &'static str, bounds: &'static [f64]) -> Self {
        Self {
            name,
            help,
            histogram: Arc::new(Histogram::new(bounds)),
        }
    }

    pub(super) fn observe(&self, duration: Duration) {
        self.histogram.observe(duration);
    }
}

impl Collector for SharedHistogram {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let parts = std::iter::once(&*self.histogram);
        encode(&mut encoder, self.name, self.help, self.histogram.bounds, parts)
    }
}

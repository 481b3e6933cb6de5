//! Numbers of a monitor: they may be changed from any thread, and never wait.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// It is this now.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// What it is.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Metric {
    Counter(Counter),
    Gauge(Gauge),
}

impl Metric {
    #[expect(clippy::cast_precision_loss, reason = "a report's numbers are floating-point, as JSON's are")]
    pub(crate) fn value(&self) -> f64 {
        match self {
            Self::Counter(counter) => counter.get() as f64,
            // JSON has no infinity.
            Self::Gauge(gauge) => Some(gauge.get()).filter(|value| value.is_finite()).unwrap_or_default(),
        }
    }
}

//! Points at which a test can have this process killed, to see that nothing is lost. Only debug builds have them.
//!
//! `MAINSTAY_FAULTS=N` in the environment kills at every Nth point on average.

#[cfg(debug_assertions)]
use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

#[cfg(debug_assertions)]
static RARITY: OnceLock<u64> = OnceLock::new();

#[cfg(debug_assertions)]
static STATE: AtomicU64 = AtomicU64::new(0);

#[cfg(debug_assertions)]
fn rarity() -> u64 {
    *RARITY.get_or_init(|| {
        let seed = mainstay_host::monotonic_nanos() ^ u64::from(std::process::id()).rotate_left(32);
        STATE.store(seed | 1, Ordering::Relaxed);
        std::env::var("MAINSTAY_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    })
}

/// Whether a test wants deaths: then nobody waits after one.
#[cfg(debug_assertions)]
pub(crate) fn are_wanted() -> bool {
    rarity() > 0
}

/// Never, outside of debug builds.
#[cfg(not(debug_assertions))]
pub(crate) const fn are_wanted() -> bool {
    false
}

/// Dies here, now and then, when a test wants that.
#[cfg(debug_assertions)]
pub(crate) fn point() {
    let rarity = rarity();
    if rarity > 0 && next_random().is_multiple_of(rarity) {
        mainstay_host::die_at_once();
    }
}

/// xorshift64 (Marsaglia, 2003), with the multiplier of its starred form.
#[cfg(debug_assertions)]
fn next_random() -> u64 {
    let mut value = STATE.load(Ordering::Relaxed);
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
    STATE.store(value, Ordering::Relaxed);
    value.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
}

/// Nothing, outside of debug builds.
#[cfg(not(debug_assertions))]
pub(crate) const fn point() {}

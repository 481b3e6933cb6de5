//! Runs storms by seed, and tells the first failure so that it can be run again.

use std::{
    fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    Breach, Coverage, Invariant,
    breach::breach,
    storm::{Log, Storm},
};

/// A storm in which an invariant did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The storm.
    pub seed: u64,
    /// How many events it had.
    pub events: u64,
    /// After how many of them.
    pub at: u64,
    /// What did not hold.
    pub breach: Breach,
    /// What happened, line by line, when it was kept.
    pub log: Vec<String>,
    /// Which kind of storm it was, as an argument.
    pub world: &'static str,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, events, at, breach, log, world } = self;
        for line in log {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {seed}, event {at}: {} does not hold: {}", breach.invariant, breach.text)?;
        write!(f, "replay: cargo run -p mainstay-sim --{world} --seed {seed} --events {events} --trace")
    }
}

/// Runs one storm and its calm; also a panic in it is a failure.
///
/// # Errors
/// The first invariant that did not hold.
pub fn replay(seed: u64, events: u64, log: Log) -> Result<Coverage, Box<Failure>> {
    let mut storm = Storm::new(seed, log);
    let ran = catch_unwind(AssertUnwindSafe(|| storm.run(events)));
    let ran = ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(breach(Invariant::NeverPanics, text.unwrap_or_default()))
    });
    let (at, log) = (storm.coverage.events, storm.lines.unwrap_or_default());
    match ran {
        Ok(()) => Ok(storm.coverage),
        Err(breach) => Err(Box::new(Failure { seed, events, at, breach, log, world: "" })),
    }
}

/// Runs the storms of these seeds until one fails, and adds up what they have seen.
///
/// # Errors
/// The first failure, with its log.
pub fn storms(seeds: Range<u64>, events: u64) -> Result<Coverage, Box<Failure>> {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match replay(seed, events, Log::None) {
            Ok(seen) => coverage.add(&seen),
            Err(failure) => return Err(replay(seed, events, Log::Kept).err().unwrap_or(failure)),
        }
    }
    Ok(coverage)
}

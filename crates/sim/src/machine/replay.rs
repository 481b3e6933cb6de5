//! Runs storms over modelled machines by seed, and tells the first failure so that it can be run again.

use std::{
    fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    Failure, Invariant, Log,
    breach::breach,
    machine::{Fault, Sights, World},
};

/// Runs one storm and its calm; also a panic in it is a failure.
///
/// # Errors
/// The first invariant that did not hold.
pub fn replay_machine(seed: u64, moves: u64, fault: Option<Fault>, log: Log) -> Result<Sights, Box<Failure>> {
    let mut world = World::new(seed, fault, log);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run(moves)));
    let ran = ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(breach(Invariant::NeverPanics, text.unwrap_or_default()))
    });
    let (at, log) = (world.sights.moves, world.lines.unwrap_or_default());
    match ran {
        Ok(()) => Ok(world.sights),
        Err(breach) => Err(Box::new(Failure { seed, events: moves, at, breach, log, world: " --machine" })),
    }
}

/// Runs the storms of these seeds until one fails, and adds up what they have seen.
///
/// # Errors
/// The first failure, with its log.
pub fn storms_on_machines(
    seeds: Range<u64>,
    moves: u64,
    fault: Option<Fault>,
) -> Result<Sights, Box<Failure>> {
    let mut sights = Sights::default();
    for seed in seeds {
        match replay_machine(seed, moves, fault, Log::None) {
            Ok(seen) => sights.add(&seen),
            Err(failure) => {
                return Err(replay_machine(seed, moves, fault, Log::Kept).err().unwrap_or(failure));
            }
        }
    }
    Ok(sights)
}

impl Sights {
    /// Each with its name.
    pub fn all(&self) -> [(&'static str, u64); 25] {
        [
            ("moves", self.moves),
            ("decisions", self.decisions),
            ("daemons killed", self.daemons),
            ("keepers killed", self.keepers),
            ("anchors killed", self.anchors),
            ("both dead", self.pairs),
            ("power cuts", self.power_cuts),
            ("upgrades", self.upgrades),
            ("writes torn", self.torn),
            ("programs executed", self.executed),
            ("ended", self.ended),
            ("ended in windows", self.ended_in_windows),
            ("ends told", self.told),
            ("unknown", self.unknown),
            ("orphans", self.orphans),
            ("ended unseen", self.ended_unseen),
            ("never began", self.never_began),
            ("locked", self.locked),
            ("batches left", self.batches_left),
            ("set aside", self.aside),
            ("rotations", self.rotations),
            ("alone", self.alone),
            ("became anchors", self.became),
            ("upgrades followed", self.followed),
            ("upgrades taken back", self.taken_back),
        ]
    }

    /// Adds what another storm has seen.
    pub fn add(&mut self, other: &Self) {
        self.moves += other.moves;
        self.decisions += other.decisions;
        self.daemons += other.daemons;
        self.keepers += other.keepers;
        self.anchors += other.anchors;
        self.pairs += other.pairs;
        self.power_cuts += other.power_cuts;
        self.upgrades += other.upgrades;
        self.torn += other.torn;
        self.executed += other.executed;
        self.ended += other.ended;
        self.ended_in_windows += other.ended_in_windows;
        self.told += other.told;
        self.unknown += other.unknown;
        self.orphans += other.orphans;
        self.ended_unseen += other.ended_unseen;
        self.never_began += other.never_began;
        self.locked += other.locked;
        self.batches_left += other.batches_left;
        self.aside += other.aside;
        self.rotations += other.rotations;
        self.alone += other.alone;
        self.became += other.became;
        self.followed += other.followed;
        self.taken_back += other.taken_back;
    }
}

impl fmt::Display for Sights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.all() {
            write!(f, "{name} {count}; ")?;
        }
        Ok(())
    }
}

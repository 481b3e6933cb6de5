//! How a modelled process behaves: whether it can be made, how long it lives, how it takes a signal, what its checks say, and
//! what it says by itself.

use std::time::Duration;

use mainstay_decide::Notice;
use mainstay_model::{Exit, Health, Kind, Moment, Signal, SpawnFailure, SpawnFailureKind, Spec};

use crate::dice::Dice;

/// Whether the world is hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Everything that can happen does.
    Storm,
    /// Starts succeed, checks say yes, services run and oneshots complete.
    Calm,
}

/// What one process will do.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Why it cannot be made.
    pub(crate) failure: Option<SpawnFailure>,
    /// How long it takes until it is made, or has failed to be.
    pub(crate) made_after: Duration,
    /// How long it lives then if nobody ends it, and how it ends.
    pub(crate) own_end: Option<(Duration, Exit)>,
    /// How it takes a signal; `None`: not at all.
    pub(crate) obeys: Option<(Duration, Obedience)>,
    /// From when on its check says yes.
    pub(crate) ready_at: Moment,
    /// Whether a yes can be followed by a no.
    pub(crate) moody: bool,
    /// From when on, and until when, its health check says yes.
    pub(crate) well: (Moment, Moment),
    /// What it says of its own accord, and how long after it was made.
    pub(crate) words: Vec<(Duration, Notice)>,
    /// How often it pings its watchdog at least.
    pub(crate) limit: Option<Duration>,
    /// From when on it does not.
    pub(crate) silent_from: Moment,
}

/// Something that a process says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Once.
    Once(Notice),
    /// `WATCHDOG=1`, again and again.
    Ping,
}

/// How a process ends when it is asked to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Obedience {
    /// By the signal.
    Signal,
    /// By itself, with this code.
    Code(i32),
}

impl Obedience {
    /// The end by this signal.
    pub(crate) fn exit(self, signal: Signal) -> Exit {
        match self {
            Self::Signal => Exit::Signal(signal),
            Self::Code(code) => Exit::Code(code),
        }
    }
}

impl Process {
    /// One that does nothing.
    pub(crate) fn none() -> Self {
        Self {
            failure: None,
            made_after: Duration::ZERO,
            own_end: None,
            obeys: None,
            ready_at: Moment::NEVER,
            moody: false,
            well: (Moment::NEVER, Moment::NEVER),
            words: Vec::new(),
            limit: None,
            silent_from: Moment::NEVER,
        }
    }

    /// A process made of this description.
    pub(crate) fn random(spec: &Spec, now: Moment, weather: Weather, dice: &mut Dice) -> Self {
        match weather {
            Weather::Storm => Self {
                failure: dice.chance(12).then(|| failure(dice)),
                made_after: if dice.chance(85) { dice.up_to_ms(20) } else { dice.any_span() },
                own_end: own_end(spec.kind, dice),
                obeys: obedience(dice),
                ready_at: match dice.below(20) {
                    0..10 => now,
                    10..17 => now + dice.any_span(),
                    _ => Moment::NEVER,
                },
                moody: dice.chance(20),
                well: well(now, dice),
                words: words(spec, dice),
                limit: spec.watchdog,
                silent_from: if dice.chance(50) { Moment::NEVER } else { now + dice.any_span() },
            },
            Weather::Calm => Self {
                failure: None,
                made_after: dice.up_to_ms(5),
                own_end: calm_end(spec, dice),
                obeys: Some((dice.up_to_ms(10), Obedience::Signal)),
                ready_at: now,
                moody: false,
                well: (now, Moment::NEVER),
                words: Vec::new(),
                limit: spec.watchdog,
                silent_from: Moment::NEVER,
            },
        }
    }

    /// The calm begins while it lives.
    pub(crate) fn calm_down(&mut self, spec: &Spec, now: Moment, dice: &mut Dice) {
        self.own_end = calm_end(spec, dice);
        self.ready_at = now;
        self.moody = false;
        self.well = (now, Moment::NEVER);
        self.words.clear();
        self.silent_from = Moment::NEVER;
    }
}

/// How long the process of a hook takes and how it ends; `None`: not by itself.
pub(crate) fn hook_end(weather: Weather, dice: &mut Dice) -> Option<(Duration, Result<(), String>)> {
    let failed = || Err("exited with 1".to_owned());
    match weather {
        Weather::Calm => Some((dice.up_to_ms(5), Ok(()))),
        Weather::Storm => match dice.below(20) {
            0..11 => Some((dice.up_to_ms(50), Ok(()))),
            11..14 => Some((dice.any_span(), Ok(()))),
            14..17 => Some((dice.up_to_ms(50), failed())),
            17 => Some((dice.any_span(), failed())),
            _ => None,
        },
    }
}

fn well(now: Moment, dice: &mut Dice) -> (Moment, Moment) {
    let from = if dice.chance(60) { now } else { now + dice.any_span() };
    let until = if dice.chance(50) { Moment::NEVER } else { from + dice.any_span() };
    (from, until)
}

/// A few things that a process can say over its notify socket; most say nothing.
fn words(spec: &Spec, dice: &mut Dice) -> Vec<(Duration, Notice)> {
    if !spec.reports().notify {
        return Vec::new();
    }
    (0..dice.below(5)).map(|_| (dice.any_span(), word(dice))).collect()
}

fn word(dice: &mut Dice) -> Notice {
    match dice.below(21) {
        0..4 => Notice::Reloading,
        4..8 => Notice::Ready,
        8..11 => Notice::Said(dice.pick(["", "busy", "idle"]).to_owned()),
        11..14 => Notice::Extend(dice.any_span()),
        14 | 15 => Notice::MainPid(1_000_000 + u32::try_from(dice.below(1_000)).unwrap_or(0)),
        16 => Notice::Watchdog(Duration::from_millis(dice.pick([0, 500, 5_000, 60_000]))),
        17 => Notice::Alive,
        18 => Notice::Trigger,
        19 => Notice::Feels(dice.pick([Health::Degraded, Health::Idle, Health::Unknown])),
        _ => Notice::Stopping,
    }
}

/// A oneshot completes; a service runs on.
fn calm_end(spec: &Spec, dice: &mut Dice) -> Option<(Duration, Exit)> {
    let success = spec.restart.success_exit_codes.first().copied().unwrap_or(0);
    (spec.kind == Kind::Oneshot).then(|| (dice.up_to_ms(500), Exit::Code(success)))
}

fn own_end(kind: Kind, dice: &mut Dice) -> Option<(Duration, Exit)> {
    let lives_on = match kind {
        Kind::Permanent => 40,
        Kind::Oneshot => 5,
    };
    if dice.chance(lives_on) {
        return None;
    }
    let well = match kind {
        Kind::Permanent => 20,
        Kind::Oneshot => 60,
    };
    Some((dice.any_span(), if dice.chance(well) { Exit::Code(0) } else { bad_exit(dice) }))
}

fn bad_exit(dice: &mut Dice) -> Exit {
    match dice.below(10) {
        0..4 => Exit::Code(1),
        4..6 => Exit::Code(3),
        6..8 => Signal::from_number(dice.pick([6, 9, 11, 15])).map_or(Exit::Unknown, Exit::Signal),
        _ => Exit::Unknown,
    }
}

fn obedience(dice: &mut Dice) -> Option<(Duration, Obedience)> {
    let how = dice.pick([
        Obedience::Signal,
        Obedience::Signal,
        Obedience::Signal,
        Obedience::Code(0),
        Obedience::Code(1),
        Obedience::Code(3),
    ]);
    match dice.below(20) {
        0..14 => Some((dice.up_to_ms(100), how)),
        14..17 => Some((dice.up_to_ms(30_000), how)),
        _ => None,
    }
}

fn failure(dice: &mut Dice) -> SpawnFailure {
    let kind = dice.pick([
        SpawnFailureKind::NoProgram,
        SpawnFailureKind::NotPermitted,
        SpawnFailureKind::NotExecutable,
        SpawnFailureKind::NoDirectory,
        SpawnFailureKind::NoUser,
        SpawnFailureKind::NoResources,
        SpawnFailureKind::Other,
    ]);
    SpawnFailure { kind, text: format!("the model says {}", kind.code()) }
}

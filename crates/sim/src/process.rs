//! How a modelled process behaves: whether it can be made, how long it lives, how it takes a signal, what its check says.

use std::time::Duration;

use mainstay_model::{Exit, Kind, Moment, Signal, SpawnFailure, SpawnFailureKind, Spec};

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
            },
            Weather::Calm => Self {
                failure: None,
                made_after: dice.up_to_ms(5),
                own_end: calm_end(spec, dice),
                obeys: Some((dice.up_to_ms(10), Obedience::Signal)),
                ready_at: now,
                moody: false,
            },
        }
    }

    /// The calm begins while it lives.
    pub(crate) fn calm_down(&mut self, spec: &Spec, now: Moment, dice: &mut Dice) {
        self.own_end = calm_end(spec, dice);
        self.ready_at = now;
        self.moody = false;
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

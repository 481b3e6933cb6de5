//! A modelled machine below the real decisions: anchor, keeper, daemon, kernel and disk as small state machines, any of which can
//! die between any two effects, by seed.
//!
//! Everything that somebody else can see is one effect: a message sent, a record written, a process made or reaped, a byte read
//! from a pipe or written to a file. A **move** is one effect of one of them; which one comes next is drawn. Between any two
//! moves the daemon, the keeper, the anchor, pairs of them, all of them, or the power can go. A kill leaves what the kernel and
//! the files hold, and a write that was under way torn at any place; a power cut leaves what was synced, and any part of the
//! rest. Each new one then does what the real one does: the modules say which real function each step stands for. Real are
//! `runner` and `decide`, the bytes of slots' records, memos and the state (`wire`), and what a keeper and an anchor decide when
//! they come back (`keeper::decisions`).
//!
//! [`truth`] is told what really happens and by whom it was wanted, and holds everything that is told or done against it, after
//! each move. Then comes a calm, in which everything must come to rest as it is wanted, and all must be written and told.
//!
//! Anchors and keepers execute other programs in their own processes, and lose by that what is not kept: a keeper becomes another
//! keeper, which asks the anchor for everything; an anchor that judged it well (`anchor/trial.rs`, the real one) follows, or has the
//! old one back; and a keeper whose anchor died becomes an anchor. What such an anchor is handed goes through the real bytes.

mod alone;
mod anchor;
mod begin;
mod daemon;
mod disk;
mod end;
mod fault;
mod keeper;
mod kernel;
mod pump;
mod replay;
mod start;
mod strike;
mod templates;
mod truth;
mod upgrade;
mod world;

use mainstay_model::SpawnFailureKind;
use mainstay_wire::{SlotPhase, WireExit, WireNotice};

pub use fault::Fault;
pub use replay::{replay_machine, storms_on_machines};
pub use world::Sights;
use {templates::Templates, upgrade::NewProgram, world::World};

/// Slots: that of the daemon, and four of services.
const SLOTS: usize = 5;

/// A slot by its number.
type SlotNo = usize;

/// The slot of the daemon.
const DAEMON: SlotNo = 0;

/// The pid namespace in which everything runs.
const NAMESPACE: u64 = 1;

/// What of a slot the anchor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Fifo,
    Mail,
}

/// What the keeper tells the anchor.
#[derive(Clone, Copy, Debug)]
enum ToAnchor {
    Hold(Way, SlotNo),
    Release(Way, SlotNo),
    /// The descriptor of the main process of a slot, by when that started.
    HoldProcess(SlotNo, u64),
    ReleaseProcess(SlotNo),
    Acknowledge(u32, u64),
    /// The keeper is about to execute another program.
    Upgrade(NewProgram),
    Again,
    Up,
    Down,
}

/// What the anchor tells the keeper.
#[derive(Clone, Copy, Debug)]
enum FromAnchor {
    Held(Way, SlotNo),
    HeldProcess(SlotNo, u64),
    Orphan(u32, u64, WireExit),
    Complete,
}

/// What the daemon asks of the keeper.
#[derive(Clone, Debug)]
enum ToKeeper {
    Hello,
    Spawn { slot: SlotNo, run: u64, memo: String },
    Signal { slot: SlotNo, run: u64, signal: i32 },
    Acknowledge { slot: SlotNo, run: u64, memo: String },
    Remember { slot: SlotNo, run: u64, memo: String },
    Up,
}

/// What the keeper tells the daemon.
#[derive(Clone, Debug)]
enum FromKeeper {
    Snapshot(Vec<View>),
    Started { slot: SlotNo, run: u64, pid: u32 },
    NotStarted { slot: SlotNo, run: u64, kind: SpawnFailureKind },
    Exited { slot: SlotNo, run: u64, exit: WireExit },
    Notified { slot: SlotNo, run: u64, notices: Vec<WireNotice> },
}

/// A slot as the keeper knows it.
#[derive(Clone, Debug)]
struct View {
    slot: SlotNo,
    run: u64,
    phase: SlotPhase,
    memo: String,
    notices: Vec<WireNotice>,
}

//! Another program in the modelled keeper and anchor: begun, judged by the real `Trial`, followed or taken back
//! (`keeper/src/supervisor/upgrade.rs`, `keeper/src/anchor/upgrade.rs`).

use mainstay_keeper::decisions::{Next, Orphan, Trial};
use mainstay_wire::{UpgradeOutcome, WireExit};

use crate::{
    Breach,
    breach::{Checked, Invariant, hold},
    machine::{
        DAEMON, Fault, ToAnchor, World,
        anchor::Anchor,
        keeper::{Keeper, Op},
    },
};

/// The clock of judges runs so much faster than that of the machine: a second of theirs is a millisecond here.
const FASTER: u64 = 1_000;

/// The number of the process that looks at the state; the judge only has to know it again.
const CHECKER: u32 = 2;

/// How long looking takes at most, when it ends.
const CHECKING: u64 = 2_000_000;

/// What is wrong with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ill {
    /// Its keeper ends at once.
    Ends,
    /// Its keeper does nothing.
    Hangs,
    /// It does not accept what the anchor would hand over.
    Refuses,
    /// Its first daemon ends once it is up.
    DaemonEnds,
}

/// A program that a keeper becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewProgram {
    version: u32,
    ill: Option<Ill>,
}

/// One on trial.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) trial: Trial,
    program: NewProgram,
    /// When the look at what it would get ends.
    check: Option<u64>,
    /// Its daemon ended after it was up.
    pub(crate) is_down: bool,
}

impl Judged {
    pub(crate) fn wake_at(&self) -> u64 {
        self.trial.until().div_ceil(FASTER).min(self.check.unwrap_or(u64::MAX))
    }
}

impl World {
    pub(crate) fn clock_of_judges(&self) -> u64 {
        self.now.saturating_mul(FASTER)
    }

    /// Somebody asks for another program.
    pub(crate) fn upgrade(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.has_successor = true;
        }
    }

    /// `successor_in_time`: when no process is being made.
    pub(crate) fn successor_event(&mut self) -> bool {
        let ready =
            |keeper: &&mut Keeper| keeper.has_successor && keeper.has_anchor && keeper.jobs.is_empty();
        let Some(keeper) = self.keeper.as_mut().filter(ready) else { return false };
        keeper.has_successor = false;
        keeper.todo.extend([Op::Rest, Op::BecomeSuccessor]);
        true
    }

    /// The keeper becomes another program in the same process, when the anchor hears of it and has none on trial.
    pub(crate) fn become_successor(&mut self) -> Checked {
        let next = u32::try_from(self.sights.upgrades + 1).unwrap_or(0);
        let (Some(keeper), Some(anchor)) = (&mut self.keeper, &mut self.anchor) else { return Ok(()) };
        let is_begun = |message: &ToAnchor| matches!(message, ToAnchor::Upgrade(_));
        let is_on_trial = anchor.judged.is_some() || anchor.inbox.iter().any(is_begun);
        if is_on_trial || keeper.ill.is_some() {
            return Ok(());
        }
        self.sights.upgrades += 1;
        let ills = [Ill::Ends, Ill::Hangs, Ill::Refuses, Ill::DaemonEnds];
        let ill = self.dice.chance(50).then(|| self.dice.pick(ills));
        let program = NewProgram { version: next, ill };
        anchor.inbox.extend([ToAnchor::Upgrade(program), ToAnchor::Again]);
        let mut new = Keeper::new(keeper.pid, keeper.anchor_pid);
        new.inbox = std::mem::take(&mut keeper.inbox);
        (new.version, new.ill) = (program.version, program.ill);
        self.known = Vec::new();
        self.keepers += 1;
        self.keeper = Some(new);
        self.note(|| format!("the keeper becomes {program:?}"));
        self.settle_pipes()
    }

    pub(crate) fn begin_trial(&mut self, program: NewProgram) {
        let clock = self.clock_of_judges();
        let Some(anchor) = &mut self.anchor else { return };
        if anchor.judged.is_some() {
            return;
        }
        let number = anchor.upgraded.as_ref().map_or(0, |upgrade| upgrade.number) + 1;
        let trial = Trial::new(number, format!("/program/{}", program.version), clock);
        anchor.judged = Some(Judged { trial, program, check: None, is_down: false });
    }

    /// Looks at the program on trial; whether something came of it.
    pub(crate) fn judge(&mut self) -> Result<bool, Breach> {
        let (now, clock) = (self.now, self.clock_of_judges());
        let Some(judged) = self.anchor.as_mut().and_then(|anchor| anchor.judged.as_mut()) else {
            return Ok(false);
        };
        let next = if std::mem::take(&mut judged.is_down) {
            Trial::daemon_ended(WireExit::Signal(9))
        } else if judged.check.take_if(|at| *at <= now).is_some() {
            let refuses = judged.program.ill == Some(Ill::Refuses);
            Trial::checked(WireExit::Code(i32::from(refuses)))
        } else {
            judged.trial.on_time(clock)
        };
        match next {
            Next::Nothing => return Ok(false),
            Next::Check => {
                judged.trial.is_checking(CHECKER, clock);
                let hangs = self.dice.chance(10);
                judged.check = (!hangs).then(|| now + self.dice.roll() % CHECKING);
            }
            Next::Replace => self.follow()?,
            Next::TakeBack(why) => self.take_back(&why)?,
        }
        Ok(true)
    }

    /// The anchor becomes the new program.
    fn follow(&mut self) -> Checked {
        let Some(mut anchor) = self.anchor.take() else { return Ok(()) };
        let Some(judged) = anchor.judged.take() else { return Ok(()) };
        let ill = judged.program.ill;
        let is_well = matches!(ill, None | Some(Ill::DaemonEnds));
        hold(is_well, Invariant::UpgradesJudged, || {
            format!("a program that {ill:?} takes the anchor's place")
        })?;
        self.note(|| "the anchor follows".to_owned());
        self.sights.followed += 1;
        anchor.version = judged.program.version;
        let forgets = self.fault == Some(Fault::OrphansLeftBehind);
        let orphans = anchor.orphans.iter().filter(|_| !forgets).map(Orphan::kept).collect();
        let anchor: Anchor = self.through_bytes(anchor, orphans, Some(judged.trial.view().clone()))?;
        let is_done = anchor.upgraded.as_ref().is_some_and(|view| view.outcome == UpgradeOutcome::Done);
        hold(is_done, Invariant::UpgradesJudged, || format!("{:?} is not done", anchor.upgraded))?;
        self.anchor = Some(anchor);
        // What the program before was about to tell.
        self.tell_orphans();
        Ok(())
    }

    /// The old program takes the new one's place, when there is one.
    pub(crate) fn take_back(&mut self, why: &str) -> Checked {
        let Some(anchor) = &mut self.anchor else { return Ok(()) };
        let Some(judged) = anchor.judged.take() else { return Ok(()) };
        anchor.upgraded = Some(judged.trial.ended(UpgradeOutcome::TakenBack { why: why.to_owned() }));
        let seated = anchor.keeper;
        self.sights.taken_back += 1;
        self.note(|| format!("the upgrade is taken back: {why}"));
        let is_there = seated.is_some() && self.keeper.as_ref().map(|keeper| keeper.pid) == seated;
        if !is_there || self.fault == Some(Fault::TakenBackAlive) {
            return Ok(());
        }
        self.tear_writes();
        self.end_process(seated.unwrap_or(0), WireExit::Signal(9))
    }

    /// A keeper that ends by itself as soon as it is there.
    pub(crate) fn end_ill_keeper(&mut self) -> Result<bool, Breach> {
        let Some(pid) = self.keeper.as_ref().map(|keeper| keeper.pid) else { return Ok(false) };
        self.end_process(pid, WireExit::Code(3)).map(|()| true)
    }

    pub(crate) fn daemon_is_up(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        keeper.was_up = true;
        let ends = keeper.ill.take_if(|ill| *ill == Ill::DaemonEnds).is_some();
        self.push(Op::ToAnchor(ToAnchor::Up));
        if ends {
            self.push(Op::Kill(DAEMON, 9));
        }
    }

    pub(crate) fn daemon_is_down(&mut self) {
        if self.keeper.as_mut().is_some_and(|keeper| std::mem::take(&mut keeper.was_up)) {
            self.push(Op::ToAnchor(ToAnchor::Down));
        }
    }
}

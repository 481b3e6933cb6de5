//! Whether a new program is to be kept: what was seen of it so far, and what follows. It starts, kills and executes nothing.

use std::time::Duration;

use mainstay_wire::{UpgradeOutcome, UpgradeView, WireExit};

/// How long a new keeper and its daemon may take until the local socket answers.
const UP_PATIENCE: Duration = Duration::from_secs(30);

/// For so long nothing may go wrong after that.
const STEADY: Duration = Duration::from_secs(1);

/// How long the new program may take to accept what the anchor would hand over.
const CHECK_PATIENCE: Duration = Duration::from_secs(10);

/// A new program on trial. Times are nanoseconds of the monotonic clock.
#[derive(Debug)]
pub struct Trial {
    view: UpgradeView,
    stage: Stage,
    until: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its keeper and daemon are coming up.
    Coming,
    /// They are up.
    Steady,
    /// This process looks at what the anchor would hand over.
    Checking(u32),
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Time.
    Nothing,
    /// The new program shall look at what the anchor would hand over.
    Check,
    /// It may have the anchor's place as well.
    Replace,
    /// It may not; why, in one clause.
    TakeBack(String),
}

impl Trial {
    /// Begins now.
    pub fn new(number: u64, program: String, now: u64) -> Self {
        let view = UpgradeView { number, program, outcome: UpgradeOutcome::Trying };
        Self { view, stage: Stage::Coming, until: after(now, UP_PATIENCE) }
    }

    /// As it is told while it lasts.
    pub fn view(&self) -> &UpgradeView {
        &self.view
    }

    /// As it is told from then on.
    pub fn ended(self, outcome: UpgradeOutcome) -> UpgradeView {
        UpgradeView { outcome, ..self.view }
    }

    /// When to ask again.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// The local socket answers.
    pub fn is_up(&mut self, now: u64) {
        if self.stage == Stage::Coming {
            (self.stage, self.until) = (Stage::Steady, after(now, STEADY));
        }
    }

    /// The daemon ended after it was up.
    pub fn daemon_ended(exit: WireExit) -> Next {
        Next::TakeBack(format!("its daemon ended ({})", mainstay_model::Exit::from(exit)))
    }

    /// The check runs in this process.
    pub fn is_checking(&mut self, pid: u32, now: u64) {
        (self.stage, self.until) = (Stage::Checking(pid), after(now, CHECK_PATIENCE));
    }

    /// The process of the check, while there is one.
    pub fn checker(&self) -> Option<u32> {
        match self.stage {
            Stage::Checking(pid) => Some(pid),
            Stage::Coming | Stage::Steady => None,
        }
    }

    /// The check ended.
    pub fn checked(exit: WireExit) -> Next {
        match exit {
            WireExit::Code(0) => Next::Replace,
            other => Next::TakeBack(format!(
                "it does not accept what the anchor would hand over ({})",
                mainstay_model::Exit::from(other)
            )),
        }
    }

    /// It is now.
    pub fn on_time(&self, now: u64) -> Next {
        if now < self.until {
            return Next::Nothing;
        }
        match self.stage {
            Stage::Coming => Next::TakeBack(format!("it was not up within {} s", UP_PATIENCE.as_secs())),
            Stage::Steady => Next::Check,
            Stage::Checking(_) => Next::TakeBack(format!(
                "it did not look at what the anchor would hand over within {} s",
                CHECK_PATIENCE.as_secs()
            )),
        }
    }
}

/// What becomes of an upgrade by an anchor's coming up: that it is here is what it takes.
pub fn arrived(upgrade: UpgradeView) -> UpgradeView {
    match upgrade.outcome {
        UpgradeOutcome::Trying => UpgradeView { outcome: UpgradeOutcome::Done, ..upgrade },
        UpgradeOutcome::Done | UpgradeOutcome::TakenBack { .. } => upgrade,
    }
}

fn after(now: u64, time: Duration) -> u64 {
    now.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn trial() -> Trial {
        Trial::new(1, "/opt/new".to_owned(), 0)
    }

    #[test]
    fn one_that_comes_up_stays_up_and_accepts_is_kept() {
        let mut trial = trial();
        assert_eq!(trial.on_time(SECOND), Next::Nothing);
        trial.is_up(2 * SECOND);
        assert_eq!(trial.on_time(2 * SECOND + 1), Next::Nothing);
        assert_eq!(trial.on_time(trial.until()), Next::Check);
        trial.is_checking(7, 3 * SECOND);
        assert_eq!((trial.checker(), trial.on_time(4 * SECOND)), (Some(7), Next::Nothing));
        assert_eq!(Trial::checked(WireExit::Code(0)), Next::Replace);
        assert_eq!(trial.ended(UpgradeOutcome::Done).outcome, UpgradeOutcome::Done);
    }

    #[test]
    fn being_up_again_makes_no_difference() {
        let mut trial = trial();
        trial.is_up(SECOND);
        let until = trial.until();
        trial.is_up(SECOND + SECOND / 2);
        assert_eq!(trial.until(), until);
        trial.is_checking(7, 3 * SECOND);
        trial.is_up(4 * SECOND);
        assert_eq!(trial.checker(), Some(7));
    }

    #[test]
    fn one_that_is_late_at_any_stage_is_taken_back() {
        let mut trial = trial();
        assert_eq!(trial.on_time(30 * SECOND), Next::TakeBack("it was not up within 30 s".to_owned()));
        trial.is_checking(7, 0);
        let why = "it did not look at what the anchor would hand over within 10 s".to_owned();
        assert_eq!(trial.on_time(10 * SECOND), Next::TakeBack(why));
    }

    #[test]
    fn one_that_refuses_or_whose_daemon_ends_is_taken_back() {
        let why = "it does not accept what the anchor would hand over (exit 1)".to_owned();
        assert_eq!(Trial::checked(WireExit::Code(1)), Next::TakeBack(why));
        assert!(
            matches!(Trial::daemon_ended(WireExit::Signal(11)), Next::TakeBack(why) if why.contains("SEGV"))
        );
    }
}

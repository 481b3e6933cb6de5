//! Descriptions, words and golden files for the tests of this room.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and read and write its golden file"
)]

pub mod stage;

use std::{path::PathBuf, time::Duration};

use mainstay_decide::{Action, Check, Doing, Goal, Phase, Service, Stage, Step, Then};
use mainstay_model::{
    Command, Condition, Dependency, HealthPolicy, Hook, Hooks, Kind, Moment, Probe, ReadyCheck, ReadyPolicy,
    Reload, RestartPolicy, RestartWhen, ServiceId, Spec,
};

/// This long after the clock's origin.
pub fn at(seconds: u64) -> Moment {
    Moment::ZERO + Duration::from_secs(seconds)
}

/// An id as it prints.
pub fn id(text: &str) -> ServiceId {
    text.parse().unwrap()
}

/// A service of this kind with the defaults of its kind and nothing that it needs.
pub fn spec(name: &str, kind: Kind) -> Spec {
    Spec::new(id(name), kind, Command::new(["./serve".to_owned()]).unwrap(), PathBuf::from("/"))
}

/// A permanent service.
pub fn permanent(name: &str) -> Spec {
    spec(name, Kind::Permanent)
}

/// A oneshot.
pub fn oneshot(name: &str) -> Spec {
    spec(name, Kind::Oneshot)
}

/// What makes a description into another one, in a row of words.
pub trait With: Sized {
    /// Needs this one to have reached that.
    fn needs(self, on: &str, until: Condition) -> Self;
    /// The same, and restarts when that one went away.
    fn follows(self, on: &str, until: Condition) -> Self;
    /// Is asked over TCP, every second at the longest, for half a minute.
    fn asked(self) -> Self;
    /// Is ready after so many seconds.
    fn ready_after(self, seconds: u64) -> Self;
    /// Is restarted like this.
    fn restarts(self, when: RestartWhen) -> Self;
    /// Runs something else.
    fn runs(self, program: &str) -> Self;
    /// Has every hook, and reloads by one.
    fn hooked(self) -> Self;
    /// Is asked every 10 s whether it is well; the second failure in a row is one too many.
    fn well(self) -> Self;
    /// Says by itself when it is ready, and every 30 s that it lives.
    fn notifies(self) -> Self;
}

impl With for Spec {
    fn needs(mut self, on: &str, until: Condition) -> Self {
        self.depends_on.push(Dependency { on: id(on).name, until, restart: false });
        self
    }

    fn follows(mut self, on: &str, until: Condition) -> Self {
        self.depends_on.push(Dependency { on: id(on).name, until, restart: true });
        self
    }

    fn asked(self) -> Self {
        let check = ReadyCheck::Probe(Probe::Tcp("127.0.0.1:80".to_owned()));
        Self { ready: Some(ready(check)), ..self }
    }

    fn ready_after(self, seconds: u64) -> Self {
        Self { ready: Some(ready(ReadyCheck::After(Duration::from_secs(seconds)))), ..self }
    }

    fn restarts(self, when: RestartWhen) -> Self {
        Self { restart: RestartPolicy { when, ..self.restart }, ..self }
    }

    fn runs(self, program: &str) -> Self {
        Self { command: Command::new([program.to_owned()]).unwrap(), ..self }
    }

    fn hooked(self) -> Self {
        let hook = |name: &str| Hook {
            command: Command::new([name.to_owned()]).unwrap(),
            timeout: Duration::from_secs(60),
        };
        let hooks = Hooks {
            before_start: Some(hook("./prepare")),
            after_start: Some(hook("./announce")),
            before_stop: Some(hook("./drain")),
            after_stop: Some(hook("./clean")),
        };
        Self { hooks, reload: Some(Reload::Command(hook("./reload"))), ..self }
    }

    fn well(self) -> Self {
        let health = HealthPolicy {
            probe: Probe::Tcp("127.0.0.1:81".to_owned()),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            failures: 2,
            start_period: Duration::from_secs(10),
        };
        Self { health: Some(health), ..self }
    }

    fn notifies(self) -> Self {
        Self { ready: Some(ready(ReadyCheck::Notify)), watchdog: Some(Duration::from_secs(30)), ..self }
    }
}

fn ready(check: ReadyCheck) -> ReadyPolicy {
    let seconds = Duration::from_secs;
    ReadyPolicy { check, timeout: seconds(30), interval: seconds(1), probe_timeout: seconds(2) }
}

/// A state in a few words: the phase, what is on its way, and whether it is wanted.
pub fn state_text(service: &Service) -> String {
    let phase = match service.phase() {
        Phase::Stopped => "stopped".to_owned(),
        Phase::WaitingForDependency => "waiting for a dependency".to_owned(),
        Phase::WaitingForBackoff { .. } => "waiting for its backoff".to_owned(),
        Phase::Starting(start) => match &start.step {
            Step::Before { .. } => "starting: before-start hook".to_owned(),
            Step::After { .. } => "starting: after-start hook".to_owned(),
            Step::Spawning => "starting: spawning".to_owned(),
            Step::Asking { next: None, .. } => "starting: asking".to_owned(),
            Step::Asking { next: Some(Moment::NEVER), .. } => "starting: time".to_owned(),
            Step::Asking { next: Some(_), .. } => "starting: pausing".to_owned(),
        },
        Phase::Running { vitals, .. } => match (vitals.doing, vitals.next, vitals.failures) {
            (Doing::Reloading, ..) => "running: reloading".to_owned(),
            (Doing::ReloadHook { .. }, ..) => "running: reload hook".to_owned(),
            (Doing::Ending, ..) => "running: ending".to_owned(),
            (Doing::Work, Some(Moment::NEVER), _) => "running".to_owned(),
            (Doing::Work, None, _) => "running: asking".to_owned(),
            (Doing::Work, Some(_), 0) if vitals.was_well => "running: well".to_owned(),
            (Doing::Work, Some(_), 0) => "running: not well yet".to_owned(),
            (Doing::Work, Some(_), failures) => format!("running: {failures} failures"),
        },
        Phase::Paused { .. } => "paused".to_owned(),
        Phase::Stopping { stage, then, .. } => {
            let how = match stage {
                Stage::Preparing { .. } => "before-stop hook",
                Stage::Asked { .. } => "signalled",
                Stage::Killed => "killed",
                Stage::Unmade => "before-start hook killed",
                Stage::Cleaning { until: Moment::NEVER, .. } => "after-stop hook killed",
                Stage::Cleaning { .. } => "after-stop hook",
            };
            let then = match then {
                Then::Stay => "stay",
                Then::Again => "again",
                Then::Fail => "fail",
                Then::End => "as it ended",
            };
            format!("stopping: {how}, then {then}")
        }
        Phase::Completed => "completed".to_owned(),
        Phase::Failed => "failed".to_owned(),
    };
    let goal = match service.goal() {
        Goal::Up => "up",
        Goal::Down => "down",
    };
    format!("{phase} | {goal} | {}", service.reason().code())
}

/// Actions in a few words.
pub fn actions_text(actions: &[Action]) -> String {
    let one = |action: &Action| match action {
        Action::Spawn { run, attempt } => format!("spawn {run} attempt {attempt}"),
        Action::Signal { run, signal } => format!("signal {run} {signal}"),
        Action::Kill { run } => format!("kill {run}"),
        Action::SignalMain { run, signal } => format!("signal main {run} {signal}"),
        Action::Pause { run } => format!("pause {run}"),
        Action::Resume { run } => format!("resume {run}"),
        Action::RunHook { run, hook } => format!("run {hook} {run}"),
        Action::KillHook { run, hook } => format!("kill {hook} {run}"),
        Action::Ask { run, check: Check::Ready, .. } => format!("ask {run}"),
        Action::Ask { run, check: Check::Health, .. } => format!("ask health {run}"),
        Action::Acknowledge { run } => format!("acknowledge {run}"),
        Action::Remember { run } => format!("remember {run}"),
    };
    actions.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Compares with a golden file beside the tests, or writes it when `UPDATE_GOLDEN` is set.
pub fn golden(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (is, was)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(is, was, "{file}:{}: read it again, then UPDATE_GOLDEN=1", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{file}: UPDATE_GOLDEN=1 writes it anew");
}

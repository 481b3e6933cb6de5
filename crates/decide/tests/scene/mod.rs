//! Descriptions, words and golden files for the tests of this room.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and read and write its golden file"
)]

pub mod stage;

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

use mainstay_decide::{Action, Goal, Phase, Service, Step, Then};
use mainstay_model::{
    Bytes, Command, Condition, Dependency, Kind, LogLimits, Moment, ReadyCheck, ReadyPolicy, RestartPolicy,
    RestartWhen, ServiceId, Signal, Spec, StopPolicy,
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
    let when = match kind {
        Kind::Permanent => RestartWhen::OnFailure,
        Kind::Oneshot => RestartWhen::Never,
    };
    Spec {
        id: id(name),
        kind,
        command: Command::new(["./serve".to_owned()]).unwrap(),
        working_dir: PathBuf::from("/"),
        user: None,
        env: BTreeMap::new(),
        inherited: BTreeMap::new(),
        depends_on: Vec::new(),
        restart: RestartPolicy::with(when),
        ready: None,
        stop: StopPolicy { signal: Signal::TERM, timeout: Duration::from_secs(10) },
        log: LogLimits { max_size: Bytes(1), keep: NonZeroU32::MIN, total: Bytes(1), ..LogLimits::default() },
        rerun_unknown: false,
    }
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
        let check = ReadyCheck::Tcp("127.0.0.1:80".to_owned());
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
            Step::Spawning => "starting: spawning".to_owned(),
            Step::Asking { next: None, .. } => "starting: asking".to_owned(),
            Step::Asking { next: Some(Moment::NEVER), .. } => "starting: time".to_owned(),
            Step::Asking { next: Some(_), .. } => "starting: pausing".to_owned(),
        },
        Phase::Running { .. } => "running".to_owned(),
        Phase::Stopping { kill_at, then, .. } => {
            let how = if kill_at.is_some() { "signalled" } else { "killed" };
            let then = match then {
                Then::Stay => "stay",
                Then::Again => "again",
                Then::Fail => "fail",
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
        Action::Ask { run, .. } => format!("ask {run}"),
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

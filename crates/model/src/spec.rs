//! What a service is: everything needed to run it, valid by construction. `config` makes it; nobody changes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    HealthPolicy, Hook, HookName, Hooks, ReadyCheck, ReadyPolicy, Reload, ServiceId, ServiceName, Signal,
};

/// One instance of a service, as described. `{instance}` is already replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Which one.
    pub id: ServiceId,
    /// What an end of it means.
    pub kind: Kind,
    /// What to run.
    pub command: Command,
    /// Where to run it; absolute.
    pub working_dir: PathBuf,
    /// As whom; `None` is as Mainstay itself.
    pub user: Option<String>,
    /// Variables declared for it, from `env_file` and `env`.
    pub env: BTreeMap<String, String>,
    /// Variables taken over from the caller's environment, with the values they had there. Not part of what the
    /// service *is*: another terminal's PATH is no change of the service.
    pub inherited: BTreeMap<String, String>,
    /// What must be so before it starts.
    pub depends_on: Vec<Dependency>,
    /// What happens after it ended.
    pub restart: RestartPolicy,
    /// When it counts as ready; `None` is as soon as it runs (a oneshot: when it completed).
    pub ready: Option<ReadyPolicy>,
    /// How it is asked, once it is ready, whether it is well.
    pub health: Option<HealthPolicy>,
    /// The longest silence of one that says `WATCHDOG=1` by itself (`sd_notify(3)`).
    pub watchdog: Option<Duration>,
    /// How it is asked to end.
    pub stop: StopPolicy,
    /// How it is asked to read its configuration again; `None`: it cannot.
    pub reload: Option<Reload>,
    /// Commands around its starts and stops.
    pub hooks: Hooks,
    /// It is restarted when a file changes that one of these globs means; relative to the project's directory.
    pub watch: Vec<String>,
    /// Whether its instances are restarted one after the other, each when the one before is ready.
    pub rolling: bool,
    /// How much of its output is kept.
    pub log: LogLimits,
    /// Whether a run whose exit status is unknown is run again by itself.
    pub rerun_unknown: bool,
    /// Its registered name in the program that it is a service of, when that is made with the library.
    pub uses: Option<String>,
    /// Settings handed on to it, each as a file says it.
    pub config: BTreeMap<String, String>,
    /// What a launcher makes of it.
    pub runner: Runner,
}

impl Spec {
    /// A service of this kind with every default.
    pub fn new(id: ServiceId, kind: Kind, command: Command, working_dir: PathBuf) -> Self {
        let when = match kind {
            Kind::Permanent => RestartWhen::OnFailure,
            Kind::Oneshot => RestartWhen::Never,
        };
        Self {
            id,
            kind,
            command,
            working_dir,
            user: None,
            env: BTreeMap::new(),
            inherited: BTreeMap::new(),
            depends_on: Vec::new(),
            restart: RestartPolicy::with(when),
            ready: None,
            health: None,
            watchdog: None,
            stop: StopPolicy::default(),
            reload: None,
            hooks: Hooks::default(),
            watch: Vec::new(),
            rolling: false,
            log: LogLimits::default(),
            rerun_unknown: false,
            uses: None,
            config: BTreeMap::new(),
            runner: Runner::Process,
        }
    }

    /// By which ways it tells how it is.
    pub fn reports(&self) -> Reports {
        let check = self.ready.as_ref().map(|policy| &policy.check);
        Reports {
            notify: self.watchdog.is_some() || check == Some(&ReadyCheck::Notify),
            fd: match check {
                Some(ReadyCheck::Fd(number)) => Some(*number),
                _ => None,
            },
            watchdog: self.watchdog,
        }
    }

    /// Whether a process made from `other` would differ from one made from this: then it takes a restart to go from
    /// one to the other. The rest (policies, log limits, dependencies) changes without one.
    pub fn needs_restart_for(&self, other: &Self) -> bool {
        self.made_of() != other.made_of()
    }

    /// What a process of it is made of.
    pub fn made_of(&self) -> MadeOf<'_> {
        MadeOf {
            kind: self.kind,
            command: &self.command,
            working_dir: &self.working_dir,
            user: self.user.as_deref(),
            env: &self.env,
            reports: self.reports(),
            split: self.log.split,
            uses: self.uses.as_deref(),
            config: if self.reload.is_none() { Some(&self.config) } else { None }
                .filter(|config| !config.is_empty()),
        }
    }

    /// Whether a process made from this becomes one of `other` by a reload.
    pub fn needs_reload_for(&self, other: &Self) -> bool {
        !self.needs_restart_for(other) && self.config != other.config
    }
}

/// The part of a description that makes one process different from another. Whoever looks for differences looks here, so
/// that all agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeOf<'a> {
    /// What an end of it means.
    pub kind: Kind,
    /// What it runs.
    pub command: &'a Command,
    /// Where.
    pub working_dir: &'a Path,
    /// As whom.
    pub user: Option<&'a str>,
    /// With which variables, but for the inherited ones.
    pub env: &'a BTreeMap<String, String>,
    /// By which ways it tells how it is.
    pub reports: Reports,
    /// Whether its streams have a pipe each.
    pub split: bool,
    /// As which service of its program.
    pub uses: Option<&'a str>,
    /// With which settings, when it has some and cannot read them again.
    pub config: Option<&'a BTreeMap<String, String>>,
}

impl Spec {
    /// The command of this name.
    pub fn hook(&self, name: HookName) -> Option<&Hook> {
        match name {
            HookName::BeforeStart => self.hooks.before_start.as_ref(),
            HookName::AfterStart => self.hooks.after_start.as_ref(),
            HookName::BeforeStop => self.hooks.before_stop.as_ref(),
            HookName::AfterStop => self.hooks.after_stop.as_ref(),
            HookName::Reload => match &self.reload {
                Some(Reload::Command(hook)) => Some(hook),
                Some(Reload::Signal(_)) | None => None,
            },
        }
    }
}

/// The ways by which a process tells how it is; each is made with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// It gets a `NOTIFY_SOCKET` (`sd_notify(3)`).
    pub notify: bool,
    /// It writes a newline to this descriptor when it is ready (s6's `notification-fd`).
    pub fd: Option<u32>,
    /// It gets `WATCHDOG_USEC`.
    pub watchdog: Option<Duration>,
}

/// What an end of a service means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Meant to run always.
    Permanent,
    /// Meant to run once and to end.
    Oneshot,
}

impl Kind {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Oneshot => "oneshot",
        }
    }
}

/// What a launcher makes of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runner {
    /// A task in its own process.
    Task,
    /// A process of its own.
    #[default]
    Process,
}

impl Runner {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Process => "process",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A program and its arguments; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
}

impl Command {
    /// A command of these words; `None` when there is none, when the first is empty, or when one holds a NUL byte
    /// (no program can be handed that).
    pub fn new(words: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut words = words.into_iter();
        let program = words.next().filter(|word| !word.is_empty())?;
        let arguments: Vec<String> = words.collect();
        let clean = |word: &String| !word.contains('\0');
        (clean(&program) && arguments.iter().all(clean)).then_some(Self { program, arguments })
    }

    /// Stands for a command that nobody knows any more; the null utility of POSIX, which does nothing.
    pub fn unknown() -> Self {
        Self { program: ":".to_owned(), arguments: Vec::new() }
    }

    /// The program: a path when it has a slash (relative ones count from the working directory), else looked for in
    /// the service's PATH.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Program and arguments.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.program.as_str()).chain(self.arguments.iter().map(String::as_str))
    }
}

/// One thing that must be so before a service starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The service depended on; all its instances are meant.
    pub on: ServiceName,
    /// What it must have reached.
    pub until: Condition,
    /// Whether the dependent is restarted when that one went away and came back.
    pub restart: bool,
}

/// What a dependency must have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Its process was made.
    Started,
    /// It is ready; a oneshot without a check of its own: it completed.
    Ready,
    /// It is ready, and its latest health check succeeded.
    Healthy,
    /// It ended well (oneshots only).
    Completed,
}

impl Condition {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Healthy => "healthy",
            Self::Completed => "completed",
        }
    }

    /// As in "waiting for db to be ready".
    pub const fn infinitive(self) -> &'static str {
        match self {
            Self::Started => "start",
            Self::Ready => "be ready",
            Self::Healthy => "be healthy",
            Self::Completed => "complete",
        }
    }
}

/// What happens after a service ended without being asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Which ends are followed by a restart.
    pub when: RestartWhen,
    /// The wait before the first restart in a row.
    pub delay: Duration,
    /// What the wait is multiplied by for each further one, in thousandths (2000 doubles it); at least 1000.
    pub factor_milli: u32,
    /// The longest wait.
    pub max_delay: Duration,
    /// How many restarts in a row until it gives up.
    pub attempts: Attempts,
    /// A run this long ends the row.
    pub reset_after: Duration,
    /// Exit codes that count as success.
    pub success_exit_codes: BTreeSet<i32>,
}

impl RestartPolicy {
    /// The defaults of the contract with `when`.
    pub fn with(when: RestartWhen) -> Self {
        Self {
            when,
            delay: Duration::from_secs(1),
            factor_milli: 2000,
            max_delay: Duration::from_secs(60),
            attempts: Attempts::UpTo(10),
            reset_after: Duration::from_secs(600),
            success_exit_codes: BTreeSet::from([0]),
        }
    }
}

/// Which ends are followed by a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestartWhen {
    /// None.
    Never,
    /// Exit codes that are no success, signals, failed starts.
    OnFailure,
    /// All.
    Always,
}

impl RestartWhen {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnFailure => "on-failure",
            Self::Always => "always",
        }
    }
}

/// How many restarts in a row until a service gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// This many; 0 is none.
    UpTo(u32),
    /// It never gives up.
    Unlimited,
}

/// How a service is asked to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopPolicy {
    /// Sent to its process group.
    pub signal: Signal,
    /// What is left after this time is killed.
    pub timeout: Duration,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self { signal: Signal::TERM, timeout: Duration::from_secs(10) }
    }
}

/// How much of a service's output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// `current` is rotated before it exceeds this.
    pub max_size: Bytes,
    /// Rotated files kept.
    pub keep: NonZeroU32,
    /// All files of the service together.
    pub total: Bytes,
    /// Whether rotated files are compressed.
    pub compress: bool,
    /// What becomes of output that the log file does not take.
    pub when_full: WhenFull,
    /// The files of all services of the project together; `None` is no bound.
    pub all_services: Option<Bytes>,
    /// Whether standard output and standard error have a log each, with these bounds for each.
    pub split: bool,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            max_size: Bytes(10_000_000),
            keep: NonZeroU32::MIN.saturating_add(9),
            total: Bytes(100_000_000),
            compress: true,
            when_full: WhenFull::Wait,
            all_services: None,
            split: false,
        }
    }
}

/// What becomes of output that the log file does not take, because the disk is full or broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits, and once its pipe is full the service waits too.
    #[default]
    Wait,
    /// It is dropped and counted.
    Drop,
}

impl WhenFull {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Drop => "drop",
        }
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

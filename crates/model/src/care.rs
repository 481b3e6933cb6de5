//! How a service is looked after: when it counts as ready, whether it is well, and the commands beside it.

use std::{fmt, time::Duration};

use crate::{Command, Signal};

/// When a service counts as ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyPolicy {
    /// What is asked.
    pub check: ReadyCheck,
    /// Not ready within this time from its start is a failure of that start.
    pub timeout: Duration,
    /// The longest pause between two askings; the first ones follow faster.
    pub interval: Duration,
    /// How long one asking may take.
    pub probe_timeout: Duration,
}

/// What is asked to learn whether a service is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadyCheck {
    /// This is asked again and again, until it says yes.
    Probe(Probe),
    /// Its output has a line that matches this regular expression.
    Log(String),
    /// It says `READY=1` (`sd_notify(3)`).
    Notify,
    /// It writes a newline to this descriptor (s6's `notification-fd`).
    Fd(u32),
    /// This much time has passed since its start.
    After(Duration),
}

impl fmt::Display for ReadyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe(probe) => probe.fmt(f),
            Self::Log(pattern) => write!(f, "a line like `{pattern}`"),
            Self::Notify => write!(f, "its READY=1"),
            Self::Fd(number) => write!(f, "a newline on its descriptor {number}"),
            Self::After(span) => write!(f, "{} after its start", crate::span_text(*span)),
        }
    }
}

/// Something that can be asked once, and says yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A connection to this `host:port` succeeds.
    Tcp(String),
    /// A GET of this URL is answered well.
    Http(HttpProbe),
    /// This command, run in the service's directory and environment and as its user, exits with 0.
    Exec(Command),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp {address}"),
            Self::Http(http) => write!(f, "http {}", http.url),
            Self::Exec(command) => {
                let words: Vec<&str> = command.words().collect();
                write!(f, "`{}`", cut(&one_line(&words.join(" ")), COMMAND_COLUMNS))
            }
        }
    }
}

/// How much of a command is told.
const COMMAND_COLUMNS: usize = 40;

/// Whether what is asked is a command: that is told between back quotes.
pub fn is_command(check: &str) -> bool {
    check.starts_with('`')
}

/// A text without line ends and whatever else may move a terminal's cursor.
pub fn one_line(text: &str) -> String {
    let mut plain = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' && signs.next_if_eq(&'[').is_some() {
            // A control sequence (ECMA-48), up to its final byte.
            signs.by_ref().find(|sign| ('@'..='~').contains(sign));
        } else if !sign.is_control() || sign.is_whitespace() {
            plain.push(sign);
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most so many characters; what is missing is told by `…`.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// A GET over HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    /// `http://host:port/path`.
    pub url: String,
    /// The one answer that is good; `None`: 200 to 399.
    pub status: Option<u16>,
}

/// How a service is asked, once it is ready, whether it is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// What is asked.
    pub probe: Probe,
    /// The pause between two askings.
    pub interval: Duration,
    /// How long one asking may take.
    pub timeout: Duration,
    /// After so many failures in a row it is restarted; at least 1.
    pub failures: u32,
    /// Failures before the first success count only after this time; until then it is asked more often.
    pub start_period: Duration,
}

/// How a service is asked to read its configuration again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// By this signal to its main process.
    Signal(Signal),
    /// By this command.
    Command(Hook),
}

/// A command beside a service; run in its directory and environment and as its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What to run.
    pub command: Command,
    /// After this time it is killed, and has failed.
    pub timeout: Duration,
}

/// Which command beside a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookName {
    /// Before its process is made; a failure is a failed start.
    BeforeStart,
    /// When it is ready, before it counts so; a failure is a failed start.
    AfterStart,
    /// Before it is asked to end; a failure is only told.
    BeforeStop,
    /// When its process has ended, however; a failure is only told.
    AfterStop,
    /// A reload by command.
    Reload,
}

impl HookName {
    /// Each.
    pub const ALL: [Self; 5] =
        [Self::BeforeStart, Self::AfterStart, Self::BeforeStop, Self::AfterStop, Self::Reload];

    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeStart => "before_start",
            Self::AfterStart => "after_start",
            Self::BeforeStop => "before_stop",
            Self::AfterStop => "after_stop",
            Self::Reload => "reload",
        }
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Commands around the starts and stops of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// See [`HookName::BeforeStart`].
    pub before_start: Option<Hook>,
    /// See [`HookName::AfterStart`].
    pub after_start: Option<Hook>,
    /// See [`HookName::BeforeStop`].
    pub before_stop: Option<Hook>,
    /// See [`HookName::AfterStop`].
    pub after_stop: Option<Hook>,
}

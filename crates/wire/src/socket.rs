//! The local socket: one JSON object a line, each way. Any language speaks it, `socat` too.
//!
//! A request is `{"request":"status","service":"api"}`; its reply is one line, `{"ok":true,"answer":"services",…}` or
//! `{"ok":false,"error":{"code":"no-such-service","text":"…","help":"…"}}`. `follow` answers with many lines. Requests on
//! one connection are answered one after the other, in order.

use serde::{Deserialize, Serialize};

use crate::{HistoryView, ReportView, WireSpec};

/// The version of the shapes in this file.
pub const SCHEMA_VERSION: u32 = 1;

/// The longest line, in bytes, either way.
pub const LINE_LIMIT: usize = 16 * 1024 * 1024;

/// The most events of one answer to `history`; who wants more asks again with `before`.
pub const HISTORY_PAGE: u32 = 2000;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Is anybody there? Answered by [`Answer::Pong`].
    Ping,
    /// Run this description: what is new is added, what changed is restarted, what is gone is stopped and removed.
    Apply {
        /// The project's name.
        project: String,
        /// The folder that its paths count from.
        dir: String,
        /// The files that it was read from.
        files: Vec<String>,
        /// A hash of those files' texts.
        fingerprint: String,
        /// Every instance of every service.
        specs: Vec<WireSpec>,
        /// Which to start (with what they depend on): names, globs, `api@2`, `all`; empty is all.
        start: Vec<String>,
        /// Whether to answer only when all of these are ready or have failed, and what is gone has ended.
        wait: bool,
        /// With `wait`: the longest to wait, in milliseconds; then the answer says what is still pending.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_ms: Option<u64>,
    },
    /// Do this to services.
    Act {
        /// What.
        act: Act,
        /// Names, globs, `api@2`, `all`; never empty.
        services: Vec<String>,
        /// Whether to answer only when it is done or has failed.
        wait: bool,
        /// With `wait`: the longest to wait, in milliseconds; then the answer says what is still pending.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_ms: Option<u64>,
    },
    /// Every service.
    List,
    /// One service, or those of a name or glob.
    Status {
        /// Which.
        service: String,
    },
    /// What happened, the newest last. Works on what is kept: services that are gone have a history too.
    History {
        /// Whose: names, globs, `api@2`, `all`; empty is everybody's, and what happened to the project.
        #[serde(default)]
        services: Vec<String>,
        /// From then on; RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Before then; RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        /// At most the newest so many; never more than `HISTORY_PAGE`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        /// Only what was before this event (its `seq`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
    },
    /// How well services did.
    Report {
        /// Which: names, globs, `api@2`, `all`; empty is all.
        #[serde(default)]
        services: Vec<String>,
        /// From then on; RFC 3339. Without it, as far back as is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
    },
    /// Every change from now on, a line each; the first line is [`Answer::Services`], which comes again when something of it
    /// that is of no service changes.
    Follow,
    /// Stop all in reverse order, then daemon, keeper and anchor. Answered when all is stopped.
    Down {
        /// Kill at once instead of asking.
        kill: bool,
    },
}

/// What can be done to services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Wanted up, with what they depend on.
    Start,
    /// Wanted down, after what depends on them.
    Stop,
    /// Ended and started; only these.
    Restart,
    /// Wanted down, and killed at once; only these.
    Kill,
}

/// A reply: [`Answer`] or [`WireError`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether there is an answer.
    pub ok: bool,
    /// The answer.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<WireError>,
}

impl From<Result<Answer, WireError>> for Reply {
    fn from(result: Result<Answer, WireError>) -> Self {
        match result {
            Ok(answer) => Self { ok: true, answer: Some(answer), error: None },
            Err(error) => Self { ok: false, answer: None, error: Some(error) },
        }
    }
}

impl Reply {
    /// The answer or the error; a reply without either is an error of ours.
    ///
    /// # Errors
    /// What the daemon said.
    pub fn into_result(self) -> Result<Answer, WireError> {
        match (self.answer, self.error) {
            (Some(answer), _) if self.ok => Ok(answer),
            (_, Some(error)) => Err(error),
            (_, None) => {
                Err(WireError::new(ErrorCode::Internal, "the daemon's reply holds neither answer nor error"))
            }
        }
    }
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// To `Ping`.
    Pong {
        /// The daemon's version.
        version: String,
        /// The daemon's process.
        pid: u32,
        /// The keeper's process.
        keeper_pid: u32,
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
    },
    /// To `List`, `Status`, and the first line of `Follow`.
    Services {
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
        /// In dependency order.
        services: Vec<ServiceView>,
        /// What runs.
        config: ConfigView,
        /// Whether the anchor is there. Without it everything goes on, but nobody would start the keeper again.
        #[serde(default = "there")]
        anchor: bool,
    },
    /// To `Apply` and `Act`: what was acted on, and how it stands.
    Done {
        /// Each service that the request was about, dependencies and dependents included; after `Apply` also those that
        /// are no longer described (reason `removed` once they have ended).
        services: Vec<Settled>,
    },
    /// A line of `Follow`.
    Event(Box<EventView>),
    /// A line of `Follow`: this many events were left out, because the reader is slow.
    Missed {
        /// How many.
        events: u64,
    },
    /// To `History`.
    History {
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
        /// The newest last.
        events: Vec<HistoryView>,
        /// Whether there is more before the first of these.
        more: bool,
    },
    /// To `Report`.
    Report {
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
        /// From when on; RFC 3339, UTC. `null` when nothing was ever recorded.
        since: Option<String>,
        /// Until when; RFC 3339, UTC.
        until: String,
        /// In the order of their names.
        services: Vec<ReportView>,
    },
    /// To `Down`: everything is stopped.
    Down,
}

/// A daemon that says nothing of its anchor never had to.
fn there() -> bool {
    true
}

/// How one service stands after a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// `api@2`.
    pub id: String,
    /// Whether the request named it (else it is a dependency or dependent of one that it named).
    pub named: bool,
    /// How it stands.
    pub state: SettledState,
    /// Its phase's word.
    pub phase: String,
    /// Its process.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Its latest run; 0 before the first.
    #[serde(default)]
    pub run: u64,
    /// Why.
    pub reason: ReasonView,
}

/// How one service stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettledState {
    /// What was asked for is so: ready, completed, stopped.
    Done,
    /// It cannot become so by itself: failed, or waiting for one that failed.
    Failed,
    /// Not yet.
    Pending,
}

/// What runs, and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigView {
    /// The project's name.
    pub project: String,
    /// The files that it was read from.
    pub files: Vec<String>,
    /// A hash of those files' texts when they were read.
    pub fingerprint: String,
}

/// A change of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// RFC 3339, UTC.
    pub time: String,
    /// The service after it.
    pub service: ServiceView,
    /// The phase before it.
    pub from: String,
}

/// One service, as `list --json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// The service's name.
    pub name: String,
    /// The instance's number, when there are several.
    pub instance: Option<String>,
    /// `permanent` or `oneshot`.
    pub kind: String,
    /// The phase's word.
    pub phase: String,
    /// The health's word.
    pub status: String,
    /// Whether it is wanted up.
    pub wanted: bool,
    /// Whether it counts as ready.
    pub ready: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Its latest run; 0 before the first.
    pub run: u64,
    /// Restarts that nobody asked for.
    pub restarts: u64,
    /// When the phase began; RFC 3339, UTC.
    pub since: Option<String>,
    /// How its latest ended run ended.
    pub exit: Option<ExitView>,
    /// Why.
    pub reason: ReasonView,
    /// When something happens by itself; RFC 3339, UTC.
    pub next: Option<String>,
    /// Resident memory of its main process.
    pub memory_bytes: Option<u64>,
    /// Share of one core since the last reading; `null` until there are two.
    pub cpu_percent: Option<f64>,
    /// What it depends on: `db (ready)`.
    pub depends_on: Vec<String>,
    /// What depends on it.
    pub needed_by: Vec<String>,
    /// What it runs.
    pub command: Vec<String>,
    /// The folder of its logs.
    pub log_dir: String,
    /// What became of its output since its keeper knows of it.
    #[serde(default)]
    pub log_counts: LogView,
}

/// What became of a service's output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    /// Bytes written to its log; as fresh as the last `status` of it.
    pub written_bytes: u64,
    /// Bytes that were dropped, because its log took nothing and `when_full` is `drop`.
    pub dropped_bytes: u64,
    /// Why its log takes nothing now: `cannot be written since …: …`.
    pub trouble: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitView {
    /// Its code, when it ended itself.
    pub code: Option<i32>,
    /// The signal that ended it (`TERM`).
    pub signal: Option<String>,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// Stable.
    pub code: String,
    /// One sentence without a full stop.
    pub text: String,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct WireError {
    /// Stable.
    pub code: ErrorCode,
    /// One sentence that names the thing.
    pub text: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl WireError {
    /// An error without help.
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), help: None }
    }

    /// The same with a line of help.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Kinds of errors; each has an exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The line is no request.
    BadRequest,
    /// No service of that name.
    NoSuchService,
    /// The description is not valid.
    InvalidConfiguration,
    /// The peer may not do that.
    NotPermitted,
    /// Not now: the project is going down.
    GoingDown,
    /// Not now: too many are connected.
    Busy,
    /// It was asked for, and did not come about.
    Failed,
    /// A defect of ours.
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_the_reference_says() {
        let request: Request = serde_json::from_str(r#"{"request":"status","service":"api"}"#).unwrap();
        assert_eq!(request, Request::Status { service: "api".to_owned() });
        let down = Reply::from(Ok(Answer::Down));
        assert_eq!(serde_json::to_string(&down).unwrap(), r#"{"ok":true,"answer":"down"}"#);
        let error =
            WireError::new(ErrorCode::NoSuchService, "no service is called `x`").with_help("`mainstay list`");
        let text = serde_json::to_string(&Reply::from(Err(error))).unwrap();
        assert_eq!(
            text,
            r#"{"ok":false,"error":{"code":"no-such-service","text":"no service is called `x`","help":"`mainstay list`"}}"#
        );
        let back: Reply = serde_json::from_str(&text).unwrap();
        assert!(back.into_result().is_err());
    }
}

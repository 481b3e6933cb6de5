//! The local socket: one JSON object a line, each way. Any language speaks it, `socat` too.
//!
//! A request is `{"request":"status","service":"api"}`; its reply is one line, `{"ok":true,"answer":"services",…}` or
//! `{"ok":false,"error":{"code":"no-such-service","text":"…","help":"…"}}`. `follow` answers with many lines. Requests on
//! one connection are answered one after the other, in order.

use serde::{Deserialize, Serialize};

use crate::{
    ErrorCode, EventView, ExplanationView, GenerationView, HistoryView, MonitorView, PlanStep,
    ProbationVerdict, ProbationView, ReasonView, ReportView, ServiceView, UpgradeView, WireError, WireSpec,
};

/// The version of the shapes in this file.
pub const SCHEMA_VERSION: u32 = 1;

/// The longest line, in bytes, either way.
pub const LINE_LIMIT: usize = 16 * 1024 * 1024;

/// The most events of one answer to `history`; who wants more asks again with `before`.
pub const HISTORY_PAGE: u32 = 2000;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        /// Only if this generation runs (0: none), or what is applied runs already: else somebody was faster, and what was
        /// planned is not what would be done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<u64>,
        /// For so long it is on probation: the daemon goes back to the generation before by itself when something that was well
        /// is not any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        watch_ms: Option<u64>,
    },
    /// What an `apply` of these would do; changes nothing. Answered by [`Answer::Plan`].
    Plan {
        /// Every instance of every service.
        specs: Vec<WireSpec>,
        /// Which to start (with what they depend on): names, globs, `api@2`, `all`; empty is all.
        start: Vec<String>,
    },
    /// What a `rollback` would do; changes nothing. Answered by [`Answer::Plan`].
    PlanRollback {
        /// The generation; without it, the latest before the present one that is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    /// Run what an earlier generation described, as a new generation: what is wanted stays wanted, and so it is with what was
    /// wanted when it was removed.
    Rollback {
        /// The generation; without it, the latest before the present one that is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
        /// As in `apply`.
        wait: bool,
        /// As in `apply`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_ms: Option<u64>,
    },
    /// What was applied, and when.
    Generations,
    /// What became of the probation of a generation; answered when it is over.
    Verdict {
        /// Which.
        generation: u64,
        /// The longest to wait, in milliseconds.
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
    /// Send this signal to the main processes of services. Answered at once.
    Signal {
        /// `HUP`, `SIGHUP` or a number (`signal(7)`).
        signal: String,
        /// Names, globs, `api@2`, `all`; never empty.
        services: Vec<String>,
    },
    /// Answer when this is so of services, or cannot become so by itself; changes nothing.
    Wait {
        /// Names, globs, `api@2`, `all`; never empty.
        services: Vec<String>,
        /// What is waited for.
        until: WaitFor,
        /// The longest to wait, in milliseconds; then the answer says what is still pending.
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
    /// Why services are as they are. Answered by [`Answer::Explain`].
    Explain {
        /// Which: a name, a glob, `api@2`, `all`.
        service: String,
        /// The time zone in which sentences tell times: a name (`Europe/Zurich`) or an offset (`+01:00`); UTC without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
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
    /// Put this program in the place of daemon, keeper and anchor; services go on. Answered by [`Answer::Upgrading`] once the
    /// program has accepted the state that it will find; then this daemon ends.
    Upgrade {
        /// Its file; absolute.
        program: String,
    },
    /// What became of the first upgrade after this one. Answered by [`Answer::Upgraded`] when that is known; to be asked of
    /// whichever daemon is there then.
    UpgradeVerdict {
        /// `number_before` of the answer to `Upgrade`.
        after: u64,
        /// The longest to wait, in milliseconds; then the answer is what is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_ms: Option<u64>,
    },
    /// A service tells how it feels, by its monitors. Answered by [`Answer::Noted`].
    Monitor {
        /// Its `MAINSTAY_RUN_ID`.
        run_id: String,
        /// All of them.
        monitor: MonitorView,
    },
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
    /// The same, the instances of each service one after the other: the next when the one before is ready. What says
    /// `rolling` of itself is always restarted so.
    RollingRestart,
    /// Wanted down, and killed at once; only these.
    Kill,
    /// Made to read their configuration again, as their `reload` says.
    Reload,
    /// Frozen.
    Pause,
    /// Frozen no more.
    Resume,
    /// Their failures are taken back, and their restarts are forgotten.
    ResetFailed,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// They are ready; a oneshot without a check: it completed.
    Ready,
    /// They are ready, and their latest health check succeeded.
    Healthy,
    /// They ended well.
    Completed,
    /// They do not run.
    Stopped,
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
        /// Whether the anchor is there. Without it everything goes on; until the keeper has taken its place, nobody
        /// would start the keeper again.
        #[serde(default = "there")]
        anchor: bool,
    },
    /// To `Apply`, `Act`, `Signal` and `Wait`: what was meant, and how it stands.
    Done {
        /// Each service that the request was about, dependencies and dependents included; after `Apply` also those that
        /// are no longer described (reason `removed` once they have ended).
        services: Vec<Settled>,
        /// After `apply` and `rollback`: which generation it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
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
    /// To `Explain`.
    Explain {
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
        /// In dependency order.
        services: Vec<ExplanationView>,
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
    /// To `Plan` and `PlanRollback`.
    Plan {
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
        /// The generation that runs; 0: none.
        base: u64,
        /// After `PlanRollback`: the generation to which it would go back.
        #[serde(default)]
        to: Option<u64>,
        /// What would be done, without those of which nothing changes: first what is removed, then each after what it depends
        /// on.
        steps: Vec<PlanStep>,
        /// How many services nothing changes of.
        kept: usize,
    },
    /// To `Generations`.
    Generations {
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
        /// The latest first.
        generations: Vec<GenerationView>,
        /// Whether one of them is being watched.
        probation: Option<ProbationView>,
    },
    /// To `Verdict`.
    Verdict {
        /// What became of it.
        verdict: ProbationVerdict,
        /// The same in words: `taken back: api failed: exited with 1`.
        text: String,
        /// Which generation runs now.
        generation: u64,
    },
    /// A line of `Follow`: something happened to the project.
    Note {
        /// RFC 3339, UTC.
        time: String,
        /// What: `taken-back`, `probation-kept`, `probation-ended`.
        code: String,
        /// The same in words.
        text: String,
    },
    /// To `Upgrade`: it has begun.
    Upgrading {
        /// The number of the upgrade before, as the anchor counts; 0: none.
        number_before: u64,
        /// The version that ran until now.
        from: String,
        /// The version of the new program.
        to: String,
    },
    /// To `UpgradeVerdict`.
    Upgraded {
        /// The latest upgrade; `null` when none is known.
        upgrade: Option<UpgradeView>,
        /// The daemon's version.
        version: String,
        /// The daemon's process.
        pid: u32,
        /// The keeper's process.
        keeper_pid: u32,
        /// How many services run.
        running: usize,
    },
    /// To `Monitor`: it was taken.
    Noted,
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
    /// Which generation it is; 0: none.
    #[serde(default)]
    pub generation: u64,
    /// Whether it is being watched.
    #[serde(default)]
    pub probation: Option<Box<ProbationView>>,
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

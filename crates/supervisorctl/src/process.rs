//! An instance as supervisor shows a process: its state, its times, its description. Asks nobody.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use mainstay_model::PhaseName;
use mainstay_wire::ServiceView;

use crate::{names, xml::Value};

/// Supervisor's states, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Stopped = 0,
    Starting = 10,
    Running = 20,
    Backoff = 30,
    Stopping = 40,
    Exited = 100,
    Fatal = 200,
    Unknown = 1000,
}

impl State {
    pub(crate) fn of(view: &ServiceView) -> Self {
        let Some(phase) = PhaseName::from_word(&view.phase) else { return Self::Unknown };
        match (phase, view.reason.code.as_str()) {
            // It ended by itself, and as its policy wants it.
            (PhaseName::Stopped, "ended") | (PhaseName::Completed, _) => Self::Exited,
            (PhaseName::Stopped, _) => Self::Stopped,
            (PhaseName::Waiting, "backoff") => Self::Backoff,
            // For what it depends on. It was started, and nobody need start it again.
            (PhaseName::Waiting, _) | (PhaseName::Starting, _) => Self::Starting,
            // There is no word for one that stands still.
            (PhaseName::Running | PhaseName::Paused, _) => Self::Running,
            (PhaseName::Stopping, _) => Self::Stopping,
            (PhaseName::Failed, _) => Self::Fatal,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Backoff => "BACKOFF",
            Self::Stopping => "STOPPING",
            Self::Exited => "EXITED",
            Self::Fatal => "FATAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Whether it cannot be started, because it is; only such a process can be stopped.
    pub(crate) fn is_up(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Backoff)
    }

    /// Whether there may be a process.
    pub(crate) fn is_signallable(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }
}

/// What `getProcessInfo` answers.
pub(crate) fn info(view: &ServiceView, now: Timestamp) -> Value {
    let state = State::of(view);
    let since = since(view);
    let is_ended = matches!(state, State::Stopped | State::Exited | State::Fatal | State::Backoff);
    let log = log_file(view);
    Value::fields([
        ("name", Value::text(names::name(view))),
        ("group", Value::text(&view.name)),
        ("start", Value::int(since.filter(|_| view.run > 0).map_or(0, Timestamp::as_second))),
        ("stop", Value::int(since.filter(|_| view.run > 0 && is_ended).map_or(0, Timestamp::as_second))),
        ("now", Value::int(now.as_second())),
        ("state", Value::Int(state as i32)),
        ("statename", Value::text(state.name())),
        ("spawnerr", Value::text(spawn_error(view, state))),
        ("exitstatus", Value::Int(exit_status(view))),
        ("logfile", Value::text(&log)),
        ("stdout_logfile", Value::text(log)),
        ("stderr_logfile", Value::text(err_log_file(view).unwrap_or_default())),
        ("pid", Value::int(view.pid.map_or(0, i64::from))),
        ("description", Value::text(description(view, state, now, &TimeZone::system()))),
    ])
}

/// What `getAllConfigInfo` answers of one; only what is true here.
pub(crate) fn config(view: &ServiceView) -> Value {
    let command = shlex::try_join(view.command.iter().map(String::as_str));
    Value::fields([
        ("name", Value::text(names::name(view))),
        ("group", Value::text(&view.name)),
        ("command", Value::text(command.unwrap_or_else(|_| view.command.join(" ")))),
        ("inuse", Value::Flag(true)),
        ("autostart", Value::Flag(true)),
        // Supervisor's default: order comes from dependencies here.
        ("group_prio", Value::Int(999)),
        ("process_prio", Value::Int(999)),
        ("redirect_stderr", Value::Flag(view.err_log_dir.is_none())),
        ("stdout_logfile", Value::text(log_file(view))),
        ("stderr_logfile", Value::text(err_log_file(view).unwrap_or_else(|| "none".to_owned()))),
    ])
}

/// The file that its output goes to now.
pub(crate) fn log_file(view: &ServiceView) -> String {
    format!("{}/current", view.log_dir)
}

/// The file that its standard error goes to now, when that is kept apart.
pub(crate) fn err_log_file(view: &ServiceView) -> Option<String> {
    view.err_log_dir.as_ref().map(|dir| format!("{dir}/current"))
}

fn since(view: &ServiceView) -> Option<Timestamp> {
    view.since.as_deref()?.parse().ok()
}

fn exit_status(view: &ServiceView) -> i32 {
    match &view.exit {
        None => 0,
        // Supervisor's number for an end by a signal.
        Some(exit) => exit.code.unwrap_or(-1),
    }
}

fn spawn_error(view: &ServiceView, state: State) -> &str {
    if matches!(state, State::Fatal | State::Backoff) { &view.reason.text } else { "" }
}

fn description(view: &ServiceView, state: State, now: Timestamp, zone: &TimeZone) -> String {
    let since = since(view);
    match state {
        State::Running => {
            let seconds = since.map_or(0, |since| now.as_second() - since.as_second());
            format!("pid {}, uptime {}", view.pid.unwrap_or(0), uptime(seconds.max(0)))
        }
        State::Stopped | State::Exited => match since {
            Some(since) if view.run > 0 => {
                Zoned::new(since, zone.clone()).strftime("%b %d %I:%M %p").to_string()
            }
            _ => "Not started".to_owned(),
        },
        State::Starting | State::Backoff | State::Stopping | State::Fatal | State::Unknown => {
            view.reason.text.clone()
        }
    }
}

/// As Python prints a span: `0:03:12`, `1 day, 0:00:00`, `2 days, 1:02:03`.
fn uptime(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3_600, rest % 3_600 / 60, rest % 60);
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        days => format!("{days} days, {clock}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An instance in this phase, 192 seconds after the epoch.
    pub(crate) fn view(id: &str, phase: &str) -> ServiceView {
        let (name, instance) = id.split_once('@').map_or((id, None), |(name, number)| (name, Some(number)));
        serde_json::from_value(serde_json::json!({
            "name": name, "instance": instance, "kind": "permanent", "phase": phase, "status": "ok",
            "wanted": true, "ready": true, "pid": 18_806, "run": 1, "restarts": 0,
            "since": "1970-01-01T00:03:12Z", "exit": { "code": 3, "signal": null },
            "reason": { "code": "code", "text": "the reason" }, "next": null, "memory_bytes": null,
            "cpu_percent": null, "depends_on": [], "needed_by": [], "command": ["sh", "-c", "echo a"],
            "log_dir": format!("/logs/{id}"),
        }))
        .unwrap()
    }

    fn because(phase: &str, code: &str) -> ServiceView {
        let mut view = view("api", phase);
        view.reason.code = code.to_owned();
        view
    }

    /// The table of the guide.
    #[test]
    fn each_phase_is_a_state() {
        let now = Timestamp::from_second(384).unwrap();
        let rows = [
            (because("stopped", "never-started"), "STOPPED", "Jan 01 12:03 AM"),
            (because("stopped", "ended"), "EXITED", "Jan 01 12:03 AM"),
            (because("waiting", "waiting-for-dependency"), "STARTING", "the reason"),
            (because("waiting", "backoff"), "BACKOFF", "the reason"),
            (because("starting", "not-ready"), "STARTING", "the reason"),
            (because("running", "ready"), "RUNNING", "pid 18806, uptime 0:03:12"),
            (because("stopping", "stopping"), "STOPPING", "the reason"),
            (because("completed", "completed"), "EXITED", "Jan 01 12:03 AM"),
            (because("failed", "gave-up"), "FATAL", "the reason"),
            (because("something new", "code"), "UNKNOWN", "the reason"),
        ];
        for (view, name, text) in rows {
            let state = State::of(&view);
            assert_eq!((state.name(), description(&view, state, now, &TimeZone::UTC).as_str()), (name, text));
        }
        let never = ServiceView { run: 0, ..because("stopped", "never-started") };
        assert_eq!(description(&never, State::Stopped, now, &TimeZone::UTC), "Not started");
    }

    #[test]
    fn spans_are_as_python_prints_them() {
        let rows =
            [(0, "0:00:00"), (192, "0:03:12"), (86_400, "1 day, 0:00:00"), (176_523, "2 days, 1:02:03")];
        for (seconds, text) in rows {
            assert_eq!(uptime(seconds), text);
        }
    }
}

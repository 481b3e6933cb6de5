//! How a service is looked after: checks, hooks, reloads, watched files.

use std::time::Duration;

use mainstay_model::{HealthPolicy, Hook, Hooks, HttpProbe, Kind, Probe, ReadyCheck, ReadyPolicy, Reload};

use super::{Reader, Shared, instance::command};
use crate::{
    Code, expand,
    suggest::quoted,
    tree::{Data, Table, Value},
    value::{self, duration_text},
};

const READY_TIMEOUT: Duration = Duration::from_secs(90);
const READY_INTERVAL: Duration = Duration::from_millis(500);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const HEALTH_INTERVAL: Duration = Duration::from_secs(10);
const HEALTH_FAILURES: u32 = 3;
const HOOK_TIMEOUT: Duration = Duration::from_secs(60);
/// The most globs of one service.
const WATCH_LIMIT: usize = 100;

/// This check, with the usual times.
pub(super) fn usual(check: ReadyCheck) -> ReadyPolicy {
    ReadyPolicy { check, timeout: READY_TIMEOUT, interval: READY_INTERVAL, probe_timeout: PROBE_TIMEOUT }
}

impl Reader<'_, '_> {
    /// `ready`.
    pub(super) fn ready(&mut self, service: &Table, number: u32) -> Option<ReadyPolicy> {
        let table = service.table("ready")?;
        let timeout = table.duration("timeout");
        let after = table.duration("after");
        if let (Some(timeout), Some(after), Some(value)) = (timeout, after, table.get("timeout"))
            && timeout <= after
        {
            let message = "`timeout` ends before `after` has passed: it would never be ready";
            let help = format!("make it longer than {}, or take it out", duration_text(after));
            self.report.add(Code::OutOfRange, &value.place, message, help);
        }
        let usual = READY_TIMEOUT.saturating_add(after.unwrap_or_default());
        Some(ReadyPolicy {
            check: self.ready_check(table, number)?,
            timeout: timeout.unwrap_or(usual),
            interval: table.duration("interval").unwrap_or(READY_INTERVAL),
            probe_timeout: table.duration("probe_timeout").unwrap_or(PROBE_TIMEOUT),
        })
    }

    fn ready_check(&mut self, table: &Table, number: u32) -> Option<ReadyCheck> {
        if let Some(span) = table.duration("after") {
            return Some(ReadyCheck::After(span));
        }
        if let (Some(pattern), Some(value)) = (table.text("log"), table.get("log")) {
            let pattern = expand::instance(pattern, number);
            self.pattern(&pattern, value);
            return Some(ReadyCheck::Log(pattern));
        }
        if let (Some(says), Some(value)) = (table.boolean("notify"), table.get("notify")) {
            if !says {
                let help = "say notify = true, or take it out";
                self.report.add(Code::InvalidValue, &value.place, "`notify = false` is no check", help);
            }
            return Some(ReadyCheck::Notify);
        }
        if let Some(fd) = table.integer("fd") {
            return u32::try_from(fd).ok().map(ReadyCheck::Fd);
        }
        self.probe(table, number).map(ReadyCheck::Probe)
    }

    fn pattern(&mut self, pattern: &str, value: &Value) {
        if pattern.is_empty() {
            let help = "say what a line must have: log = \"listening on\"";
            self.report.add(Code::InvalidValue, &value.place, "an empty pattern matches every line", help);
        } else if let Err(error) = regex_syntax::Parser::new().parse(pattern) {
            let last = error.to_string();
            let why = last.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let message = format!("{} is no regular expression: {why}", quoted(pattern));
            let help = "a character with a meaning is written with \\\\ before it: \"port \\\\(80\\\\)\"";
            self.report.add(Code::InvalidValue, &value.place, message, help);
        }
    }

    /// One of `tcp`, `http` and `exec`.
    fn probe(&mut self, table: &Table, number: u32) -> Option<Probe> {
        if let (Some(text), Some(value)) = (table.text("tcp"), table.get("tcp")) {
            let address = expand::instance(text, number);
            if let Err(fault) = value::address(&address) {
                self.report.add(fault.code, &value.place, fault.message, fault.help);
            }
            self.status_without_http(table);
            return Some(Probe::Tcp(address));
        }
        if let (Some(text), Some(value)) = (table.text("http"), table.get("http")) {
            let url = expand::instance(text, number);
            if let Err(fault) = value::http_url(&url) {
                self.report.add(fault.code, &value.place, fault.message, fault.help);
            }
            let status = table.integer("status").and_then(|status| u16::try_from(status).ok());
            return Some(Probe::Http(HttpProbe { url, status }));
        }
        self.status_without_http(table);
        command(table, "exec", number).map(Probe::Exec)
    }

    fn status_without_http(&mut self, table: &Table) {
        if let Some(value) = table.get("status") {
            let message = "`status` belongs to `http`, which is not here";
            self.report.add(Code::InvalidValue, &value.place, message, "take it out");
        }
    }

    /// `health`.
    pub(super) fn health(
        &mut self,
        shared: &Shared<'_>,
        service: &Table,
        number: u32,
    ) -> Option<HealthPolicy> {
        let table = service.table("health")?;
        self.refuse_oneshot(shared, service, "health");
        let interval = table.duration("interval").unwrap_or(HEALTH_INTERVAL);
        Some(HealthPolicy {
            probe: self.probe(table, number)?,
            interval,
            timeout: table.duration("timeout").unwrap_or(PROBE_TIMEOUT),
            failures: table
                .integer("failures")
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(HEALTH_FAILURES),
            start_period: table.duration("start_period").unwrap_or(interval),
        })
    }

    /// `watchdog`.
    pub(super) fn watchdog(&mut self, shared: &Shared<'_>, service: &Table) -> Option<Duration> {
        let limit = service.duration("watchdog")?;
        self.refuse_oneshot(shared, service, "watchdog");
        Some(limit)
    }

    fn refuse_oneshot(&mut self, shared: &Shared<'_>, service: &Table, key: &str) {
        if let (Kind::Oneshot, Some(value)) = (shared.kind, service.get(key)) {
            let message = format!("`{key}` is for services that run on, and `{}` is a oneshot", shared.name);
            let help = "its exit code says how it went; `ready` says when others may start";
            self.report.add(Code::InvalidValue, &value.place, message, help);
        }
    }

    /// `watch`.
    pub(super) fn watch(&mut self, service: &Table) -> Vec<String> {
        let Some(value) = service.get("watch") else { return Vec::new() };
        let globs: Vec<&Value> = match &value.data {
            Data::List(list) => list.iter().collect(),
            _ => vec![value],
        };
        if globs.len() > WATCH_LIMIT {
            let message = format!("`watch` has {} globs, and {WATCH_LIMIT} are the most", globs.len());
            self.report.add(Code::OutOfRange, &value.place, message, "one with `**` means a whole folder");
        }
        globs.into_iter().filter_map(|value| self.glob(value)).collect()
    }

    fn glob(&mut self, value: &Value) -> Option<String> {
        let Data::Text(glob) = &value.data else { return None };
        let fault = match glob.as_str() {
            "" => Some("means no file"),
            text if text.starts_with('/') => {
                Some("is absolute, and files are watched in the project's directory")
            }
            text if text.split('/').any(|part| part == "..") => Some("leaves the project's directory"),
            _ => None,
        };
        let parsed = globset::Glob::new(glob).map_err(|error| format!("is none: {}", error.kind()));
        if let Some(fault) = fault.map(str::to_owned).or(parsed.err()) {
            let message = format!("the glob {} {fault}", quoted(glob));
            self.report.add(Code::InvalidValue, &value.place, message, "for example: watch = [\"src/**\"]");
        }
        Some(glob.clone())
    }
}

/// `reload`.
pub(super) fn reload(service: &Table, number: u32) -> Option<Reload> {
    let table = service.table("reload")?;
    match table.signal("signal") {
        Some(signal) => Some(Reload::Signal(signal)),
        None => Some(Reload::Command(Hook {
            command: command(table, "exec", number)?,
            timeout: table.duration("timeout").unwrap_or(HOOK_TIMEOUT),
        })),
    }
}

/// `hooks`.
pub(super) fn hooks(service: &Table, number: u32) -> Hooks {
    let hook = |key: &str| {
        let table = service.table("hooks")?.table(key)?;
        let timeout = table.duration("timeout").unwrap_or(HOOK_TIMEOUT);
        Some(Hook { command: command(table, "command", number)?, timeout })
    };
    Hooks {
        before_start: hook("before_start"),
        after_start: hook("after_start"),
        before_stop: hook("before_stop"),
        after_stop: hook("after_stop"),
    }
}

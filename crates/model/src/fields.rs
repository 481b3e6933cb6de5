//! A description as a row of settings with their values, to show what differs between two.

use std::collections::BTreeMap;

use crate::{Attempts, Bytes, Command, Hook, Reload, Spec, span_text};

/// What a name of a variable has in it when its value is nobody's business.
const SECRET_PARTS: [&str; 7] = ["PASS", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "API_KEY", "PRIVATE"];

/// A setting that two descriptions say differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As in the file: `restart.delay`, `env.LEVEL`.
    pub setting: String,
    /// What it was; `None`: it was not said.
    pub from: Option<String>,
    /// What it is; `None`: it is not said.
    pub to: Option<String>,
    /// Whether a process has to be made anew for it.
    pub restarts: bool,
}

impl Spec {
    /// What `other` says differently, in the order of the settings' names. Values of variables that look like secrets are not
    /// shown.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let (mut old, new) = (self.settings(), other.settings());
        let mut all: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
        for (setting, value) in new {
            let from = old.remove(&setting);
            all.insert(setting, (from, Some(value)));
        }
        all.extend(old.into_iter().map(|(setting, value)| (setting, (Some(value), None))));
        let differs = |(_, (from, to)): &(String, (Option<String>, Option<String>))| from != to;
        let reports = self.reports() != other.reports();
        all.into_iter()
            .filter(differs)
            .map(|(setting, (from, to))| {
                let restarts = makes_the_process(&setting) || (reports && makes_the_reports(&setting));
                let hide = |value: Option<String>| match is_secret(&setting) {
                    true => value.map(|_| "(hidden)".to_owned()),
                    false => value,
                };
                Difference { from: hide(from), to: hide(to), restarts, setting }
            })
            .collect()
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        let mut say = |setting: &str, value: String| {
            settings.insert(setting.to_owned(), value);
        };
        say("kind", self.kind.to_string());
        say("command", words(&self.command));
        say("working_dir", self.working_dir.display().to_string());
        say("rerun_unknown", self.rerun_unknown.to_string());
        say("rolling", self.rolling.to_string());
        say("stop.signal", self.stop.signal.to_string());
        say("stop.timeout", span_text(self.stop.timeout));
        self.user.iter().for_each(|user| say("user", user.clone()));
        self.watchdog.iter().for_each(|span| say("watchdog", span_text(*span)));
        if !self.watch.is_empty() {
            say("watch", self.watch.join(" "));
        }
        for (name, value) in &self.env {
            say(&format!("env.{name}"), value.clone());
        }
        for dependency in &self.depends_on {
            let restart = if dependency.restart { ", restart" } else { "" };
            say(&format!("depends_on.{}", dependency.on), format!("{}{restart}", dependency.until.as_str()));
        }
        match &self.reload {
            None => {}
            Some(Reload::Signal(signal)) => say("reload.signal", signal.to_string()),
            Some(Reload::Command(hook)) => say_hook("reload", hook, &mut say),
        }
        self.restart_settings(&mut say);
        self.log_settings(&mut say);
        self.check_settings(&mut say);
        settings
    }

    fn restart_settings(&self, say: &mut impl FnMut(&str, String)) {
        let restart = &self.restart;
        let attempts = match restart.attempts {
            Attempts::UpTo(most) => most.to_string(),
            Attempts::Unlimited => "unlimited".to_owned(),
        };
        let codes: Vec<String> = restart.success_exit_codes.iter().map(ToString::to_string).collect();
        say("restart.policy", restart.when.as_str().to_owned());
        say("restart.delay", span_text(restart.delay));
        say("restart.factor", format!("{}", f64::from(restart.factor_milli) / 1000.0));
        say("restart.max_delay", span_text(restart.max_delay));
        say("restart.attempts", attempts);
        say("restart.reset_after", span_text(restart.reset_after));
        say("restart.success_exit_codes", codes.join(" "));
    }

    fn log_settings(&self, say: &mut impl FnMut(&str, String)) {
        let bytes = |Bytes(bytes): Bytes| format!("{bytes} B");
        say("log.max_size", bytes(self.log.max_size));
        say("log.keep", self.log.keep.to_string());
        say("log.total", bytes(self.log.total));
    }

    fn check_settings(&self, say: &mut impl FnMut(&str, String)) {
        if let Some(ready) = &self.ready {
            say("ready", ready.check.to_string());
            say("ready.timeout", span_text(ready.timeout));
            say("ready.interval", span_text(ready.interval));
            say("ready.probe_timeout", span_text(ready.probe_timeout));
        }
        if let Some(health) = &self.health {
            say("health", health.probe.to_string());
            say("health.interval", span_text(health.interval));
            say("health.timeout", span_text(health.timeout));
            say("health.failures", health.failures.to_string());
            say("health.start_period", span_text(health.start_period));
        }
        let hooks = [
            ("hooks.before_start", &self.hooks.before_start),
            ("hooks.after_start", &self.hooks.after_start),
            ("hooks.before_stop", &self.hooks.before_stop),
            ("hooks.after_stop", &self.hooks.after_stop),
        ];
        for (name, hook) in hooks {
            hook.iter().for_each(|hook| say_hook(name, hook, say));
        }
    }
}

fn say_hook(name: &str, hook: &Hook, say: &mut impl FnMut(&str, String)) {
    say(name, words(&hook.command));
    say(&format!("{name}.timeout"), span_text(hook.timeout));
}

/// As a person would type it, where that is plain; else with its quotes.
fn words(command: &Command) -> String {
    let plain =
        |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\"\\$".contains(c));
    let one = |word: &str| if plain(word) { word.to_owned() } else { format!("{word:?}") };
    command.words().map(one).collect::<Vec<_>>().join(" ")
}

fn makes_the_process(setting: &str) -> bool {
    matches!(setting, "kind" | "command" | "working_dir" | "user") || setting.starts_with("env.")
}

fn makes_the_reports(setting: &str) -> bool {
    matches!(setting, "ready" | "watchdog")
}

/// Whether the value of this setting is nobody's business: the variable's name says so.
fn is_secret(setting: &str) -> bool {
    let Some(name) = setting.strip_prefix("env.") else { return false };
    let name = name.to_uppercase();
    SECRET_PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::{Kind, ReadyCheck, ReadyPolicy};

    fn spec() -> Spec {
        let command = Command::new(["./api".to_owned(), "two words".to_owned()]).unwrap();
        Spec::new("api".parse().unwrap(), Kind::Permanent, command, "/srv".into())
    }

    #[test]
    fn what_differs_is_told_with_its_values_and_what_it_takes() {
        let mut other = spec();
        other.restart.delay = Duration::from_secs(5);
        other.env = BTreeMap::from([("DB_PASSWORD".to_owned(), "x".to_owned())]);
        other.user = Some("shop".to_owned());
        let told: Vec<String> = spec()
            .differences(&other)
            .into_iter()
            .map(|one| format!("{} {:?} {:?} {}", one.setting, one.from, one.to, one.restarts))
            .collect();
        let rows = [
            "env.DB_PASSWORD None Some(\"(hidden)\") true",
            "restart.delay Some(\"1 s\") Some(\"5 s\") false",
            "user None Some(\"shop\") true",
        ];
        assert_eq!(told, rows);
        assert_eq!(spec().differences(&spec()), []);
    }

    #[test]
    fn a_way_of_reporting_is_made_with_the_process_and_a_probe_is_not() {
        let ready = |check| {
            let span = Duration::from_secs(1);
            let policy = ReadyPolicy { check, timeout: span, interval: span, probe_timeout: span };
            Spec { ready: Some(policy), ..spec() }
        };
        for (check, restarts) in [(ReadyCheck::Notify, true), (ReadyCheck::After(Duration::ZERO), false)] {
            let other = ready(check);
            let told = spec().differences(&other);
            assert_eq!(told.iter().any(|one| one.restarts), restarts);
            assert_eq!(spec().needs_restart_for(&other), restarts);
        }
    }
}

//! A description as a row of settings with their values, to show what differs between two.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    Attempts, Bytes, Command, HealthPolicy, Hook, Hooks, LogLimits, Probe, ReadyCheck, ReadyPolicy, Reload,
    RestartPolicy, Runner, Spec, WhenFull, holds_password, names_secret, span_text,
};

/// What is shown of a value that is nobody's business.
const HIDDEN: &str = "(hidden)";

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
    /// What `other` says differently, in the order of the settings' names. Values that look like secrets are not shown. What
    /// came from the terminal from which it was applied is no setting.
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
        let config = self.made_of().config != other.made_of().config;
        all.into_iter()
            .filter(differs)
            .map(|(setting, (from, to))| {
                let restarts = makes_the_process(&setting)
                    || (reports && makes_the_reports(&setting))
                    || (config && makes_the_config(&setting));
                let named = setting.strip_prefix("env.").or_else(|| setting.strip_prefix("config."));
                let variable = named.is_some_and(names_secret);
                let hide = |value: Option<String>| match value {
                    Some(value) if variable || holds_password(&value) => Some(HIDDEN.to_owned()),
                    value => value,
                };
                Difference { from: hide(from), to: hide(to), restarts, setting }
            })
            .collect()
    }

    /// Every setting with its value.
    fn settings(&self) -> BTreeMap<String, String> {
        // Every field by name: one more cannot be forgotten here.
        let Self {
            id: _,
            kind,
            command,
            working_dir,
            user,
            env,
            inherited: _,
            depends_on,
            restart,
            ready,
            health,
            watchdog,
            stop,
            reload,
            hooks,
            watch,
            rolling,
            log,
            rerun_unknown,
            uses,
            config,
            runner,
        } = self;
        let mut settings = BTreeMap::new();
        let mut say = |setting: &str, value: String| {
            settings.insert(setting.to_owned(), value);
        };
        say("kind", kind.to_string());
        say("command", words(command));
        // As paths are compared: `/srv/./shop/` is `/srv/shop`.
        say("working_dir", working_dir.components().collect::<PathBuf>().display().to_string());
        say("rerun_unknown", rerun_unknown.to_string());
        say("rolling", rolling.to_string());
        say("stop.signal", stop.signal.to_string());
        say("stop.timeout", span_text(stop.timeout));
        user.iter().for_each(|user| say("user", user.clone()));
        watchdog.iter().for_each(|span| say("watchdog", span_text(*span)));
        if !watch.is_empty() {
            say("watch", watch.join(" "));
        }
        for (name, value) in env {
            say(&format!("env.{name}"), value.clone());
        }
        for dependency in depends_on {
            let restart = if dependency.restart { ", restart" } else { "" };
            say(&format!("depends_on.{}", dependency.on), format!("{}{restart}", dependency.until.as_str()));
        }
        match reload {
            None => {}
            Some(Reload::Signal(signal)) => say("reload.signal", signal.to_string()),
            Some(Reload::Command(hook)) => say_hook("reload", hook, &mut say),
        }
        say_made(uses.as_deref(), config, *runner, &mut say);
        say_restart(restart, &mut say);
        say_log(log, &mut say);
        ready.iter().for_each(|ready| say_ready(ready, &mut say));
        health.iter().for_each(|health| say_health(health, &mut say));
        say_hooks(hooks, &mut say);
        settings
    }
}

fn say_made(
    uses: Option<&str>,
    config: &BTreeMap<String, String>,
    runner: Runner,
    say: &mut impl FnMut(&str, String),
) {
    say("runner", runner.as_str().to_owned());
    uses.iter().for_each(|service| say("use", (*service).to_owned()));
    for (name, value) in config {
        say(&format!("config.{name}"), value.clone());
    }
}

fn say_restart(restart: &RestartPolicy, say: &mut impl FnMut(&str, String)) {
    let RestartPolicy { when, delay, factor_milli, max_delay, attempts, reset_after, success_exit_codes } =
        restart;
    let attempts = match attempts {
        Attempts::UpTo(most) => most.to_string(),
        Attempts::Unlimited => "unlimited".to_owned(),
    };
    let codes: Vec<String> = success_exit_codes.iter().map(ToString::to_string).collect();
    say("restart.policy", when.as_str().to_owned());
    say("restart.delay", span_text(*delay));
    say("restart.factor", format!("{}", f64::from(*factor_milli) / 1000.0));
    say("restart.max_delay", span_text(*max_delay));
    say("restart.attempts", attempts);
    say("restart.reset_after", span_text(*reset_after));
    say("restart.success_exit_codes", codes.join(" "));
}

fn say_log(log: &LogLimits, say: &mut impl FnMut(&str, String)) {
    let LogLimits { max_size, keep, total, compress, when_full, all_services, split } = log;
    let when_full = match when_full {
        WhenFull::Wait => "wait",
        WhenFull::Drop => "drop",
    };
    say("log.max_size", size(*max_size));
    say("log.keep", keep.to_string());
    say("log.total", size(*total));
    say("log.compress", compress.to_string());
    say("log.when_full", when_full.to_owned());
    say("log.split", split.to_string());
    all_services.iter().for_each(|bytes| say("mainstay.log.total", size(*bytes)));
}

fn say_ready(ready: &ReadyPolicy, say: &mut impl FnMut(&str, String)) {
    let ReadyPolicy { check, timeout, interval, probe_timeout } = ready;
    let check = match check {
        ReadyCheck::Probe(probe) => asked(probe),
        check @ (ReadyCheck::Log(_) | ReadyCheck::Notify | ReadyCheck::Fd(_) | ReadyCheck::After(_)) => {
            check.to_string()
        }
    };
    say("ready", check);
    say("ready.timeout", span_text(*timeout));
    say("ready.interval", span_text(*interval));
    say("ready.probe_timeout", span_text(*probe_timeout));
}

fn say_health(health: &HealthPolicy, say: &mut impl FnMut(&str, String)) {
    let HealthPolicy { probe, interval, timeout, failures, start_period } = health;
    say("health", asked(probe));
    say("health.interval", span_text(*interval));
    say("health.timeout", span_text(*timeout));
    say("health.failures", failures.to_string());
    say("health.start_period", span_text(*start_period));
}

fn say_hooks(hooks: &Hooks, say: &mut impl FnMut(&str, String)) {
    let Hooks { before_start, after_start, before_stop, after_stop } = hooks;
    let named = [
        ("hooks.before_start", before_start),
        ("hooks.after_start", after_start),
        ("hooks.before_stop", before_stop),
        ("hooks.after_stop", after_stop),
    ];
    for (name, hook) in named {
        hook.iter().for_each(|hook| say_hook(name, hook, say));
    }
}

fn say_hook(name: &str, hook: &Hook, say: &mut impl FnMut(&str, String)) {
    say(name, words(&hook.command));
    say(&format!("{name}.timeout"), span_text(hook.timeout));
}

/// All that there is to a probe; as a name for it, less does.
fn asked(probe: &Probe) -> String {
    match probe {
        Probe::Tcp(address) => format!("tcp {address}"),
        Probe::Http(http) => {
            let status = http.status.map(|status| format!(" (status {status})")).unwrap_or_default();
            format!("http {}{status}", http.url)
        }
        Probe::Exec(command) => format!("exec {}", words(command)),
    }
}

/// In the largest unit in which it is a whole number.
fn size(Bytes(bytes): Bytes) -> String {
    let units = [
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("KB", 1000),
    ];
    let whole = |(_, unit): &&(&str, u64)| bytes >= *unit && bytes.is_multiple_of(*unit);
    match units.iter().find(whole) {
        Some((word, unit)) => format!("{} {word}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

/// As a person would type it, where that is plain; else with its quotes.
fn words(command: &Command) -> String {
    let plain =
        |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\"\\$".contains(c));
    let one = |word: &str| if plain(word) { word.to_owned() } else { format!("{word:?}") };
    command.words().map(one).collect::<Vec<_>>().join(" ")
}

fn makes_the_process(setting: &str) -> bool {
    matches!(setting, "kind" | "command" | "working_dir" | "user" | "use") || setting.starts_with("env.")
}

fn makes_the_reports(setting: &str) -> bool {
    matches!(setting, "ready" | "watchdog")
}

/// What is reloaded is not made anew.
fn makes_the_config(setting: &str) -> bool {
    setting.starts_with("config.") || setting.starts_with("reload")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::{HttpProbe, Kind, ReadyCheck, ReadyPolicy, Signal};

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

    #[test]
    fn settings_are_read_again_by_one_that_can_reload_and_take_a_restart_for_others() {
        let with = |level: &str, reload| {
            let config = [("level", level), ("token", "hush")];
            let config = config.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            Spec { config, reload, ..spec() }
        };
        let hup = Some(Reload::Signal(Signal::HUP));
        for (from, to, restarts, reloads) in [
            (with("1", None), with("2", None), true, false),
            (with("1", hup.clone()), with("2", hup.clone()), false, true),
            (with("1", None), with("2", hup.clone()), true, false),
            (with("1", None), with("1", hup), true, false),
            (with("1", None), with("1", None), false, false),
            (spec(), with("1", None), true, false),
        ] {
            assert_eq!((from.needs_restart_for(&to), from.needs_reload_for(&to)), (restarts, reloads));
            let told = from.differences(&to);
            assert_eq!(told.iter().any(|one| one.restarts), restarts);
            assert!(!format!("{told:?}").contains("hush"));
        }
    }

    #[test]
    fn what_makes_them_unequal_is_always_told() {
        type Change = (&'static str, fn(&mut Spec));
        let full = || {
            let span = Duration::from_secs(1);
            let probe = |words: [&str; 2]| Probe::Exec(Command::new(words.map(str::to_owned)).unwrap());
            let check =
                ReadyCheck::Probe(Probe::Http(HttpProbe { url: "http://a/".to_owned(), status: None }));
            Spec {
                ready: Some(ReadyPolicy { check, timeout: span, interval: span, probe_timeout: span }),
                health: Some(HealthPolicy {
                    probe: probe(["./ask", "one"]),
                    interval: span,
                    timeout: span,
                    failures: 3,
                    start_period: span,
                }),
                ..spec()
            }
        };
        let rows: [Change; 13] = [
            ("log.compress", |spec| spec.log.compress = !spec.log.compress),
            ("log.when_full", |spec| spec.log.when_full = WhenFull::Drop),
            ("log.split", |spec| spec.log.split = true),
            ("mainstay.log.total", |spec| spec.log.all_services = Some(Bytes(1))),
            ("ready", |spec| {
                let http = HttpProbe { url: "http://a/".to_owned(), status: Some(204) };
                spec.ready.as_mut().unwrap().check = ReadyCheck::Probe(Probe::Http(http));
            }),
            ("health", |spec| {
                let command = Command::new(["./ask", "two"].map(str::to_owned)).unwrap();
                spec.health.as_mut().unwrap().probe = Probe::Exec(command);
            }),
            ("command", |spec| spec.command = Command::new(["./api".to_owned()]).unwrap()),
            ("rolling", |spec| spec.rolling = true),
            ("watch", |spec| spec.watch = vec!["*.rs".to_owned()]),
            ("rerun_unknown", |spec| spec.rerun_unknown = true),
            ("use", |spec| spec.uses = Some("greeter".to_owned())),
            ("config.level", |spec| drop(spec.config.insert("level".to_owned(), "3".to_owned()))),
            ("runner", |spec| spec.runner = Runner::Task),
        ];
        for (setting, change) in rows {
            let mut other = full();
            change(&mut other);
            let told: Vec<String> = full().differences(&other).into_iter().map(|one| one.setting).collect();
            assert_eq!(told, [setting]);
        }
        let mut elsewhere = full();
        elsewhere.inherited = BTreeMap::from([("PATH".to_owned(), "/elsewhere".to_owned())]);
        elsewhere.working_dir = "/srv/.".into();
        assert_eq!(full().differences(&elsewhere), []);
    }

    #[test]
    fn passwords_are_never_told_wherever_they_stand() {
        let mut other = spec();
        other.command =
            Command::new(["./api", "--db=postgres://ann:hush@db/shop"].map(str::to_owned)).unwrap();
        other.env = [("API_KEY", "hush"), ("DB", "redis://:hush@h:1"), ("LEVEL", "info")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for differences in [spec().differences(&other), other.differences(&spec())] {
            let text = format!("{differences:?}");
            assert!(!text.contains("hush") && text.contains("info"), "{text}");
        }
    }

    #[test]
    fn sizes_are_whole_numbers() {
        let rows = [
            (0, "0 B"),
            (1, "1 B"),
            (1500, "1500 B"),
            (10_000_000, "10 MB"),
            (200 << 20, "200 MiB"),
            (1 << 30, "1 GiB"),
        ];
        for (bytes, text) in rows {
            assert_eq!(size(Bytes(bytes)), text);
        }
    }
}

//! A `Spec` on its way between processes and on disk.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

use mainstay_model::{
    Attempts, Bytes, Command, Condition, Dependency, Kind, LogLimits, RestartPolicy, RestartWhen, Runner,
    ServiceId, Signal, Spec, StopPolicy,
};
use serde::{Deserialize, Serialize};

use crate::{
    WireWhenFull,
    care::{WireHealth, WireHooks, WireReady, WireReload, millis, words},
};

/// A description that is none.
#[derive(Debug, thiserror::Error)]
#[error("the description of `{id}` has a wrong `{field}`")]
pub struct SpecError {
    /// Whose.
    pub id: String,
    /// Which field.
    pub field: &'static str,
}

/// A [`Spec`] as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireSpec {
    /// `api` or `api@2`.
    id: String,
    /// What an end of it means.
    kind: WireKind,
    /// Program and arguments; never empty.
    command: Vec<String>,
    /// Absolute.
    working_dir: String,
    /// As whom it runs; `null` is as the daemon.
    user: Option<String>,
    /// Declared variables.
    env: BTreeMap<String, String>,
    /// Variables of the caller's environment that are passed on.
    inherited: BTreeMap<String, String>,
    /// What must be so before it starts.
    depends_on: Vec<WireDependency>,
    /// What happens after it ended by itself.
    restart: WireRestart,
    /// When it counts as ready.
    ready: Option<WireReady>,
    /// How it is asked whether it is well.
    #[serde(default)]
    health: Option<WireHealth>,
    /// The longest silence of its watchdog.
    #[serde(default)]
    watchdog_ms: Option<u64>,
    /// How it is asked to read its configuration again.
    #[serde(default)]
    reload: Option<WireReload>,
    /// Commands around its starts and stops.
    #[serde(default)]
    hooks: WireHooks,
    /// Globs of files whose change restarts it.
    #[serde(default)]
    watch: Vec<String>,
    /// Whether its instances are restarted one after the other.
    #[serde(default)]
    rolling: bool,
    /// Sent to its process group (`signal(7)`).
    stop_signal: i32,
    /// What is left after this time is killed.
    stop_timeout_ms: u64,
    /// Bytes after which `current` is rotated.
    log_max_size: u64,
    /// Rotated files kept.
    log_keep: u32,
    /// Bytes of all its log files together.
    log_total: u64,
    /// Whether rotated files are compressed.
    #[serde(default)]
    log_compress: bool,
    /// What becomes of output that the log file does not take.
    #[serde(default)]
    log_when_full: WireWhenFull,
    /// Bytes of the log files of all services of the project; `null` is no bound.
    #[serde(default)]
    log_all_services: Option<u64>,
    #[serde(default)]
    log_split: bool,
    /// Whether a run whose exit status is unknown is run again.
    rerun_unknown: bool,
    /// Its registered name in a program that is made with the library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<String>,
    /// Settings handed on to it, each as a file says it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    config: BTreeMap<String, String>,
    /// What a launcher makes of it.
    #[serde(default, skip_serializing_if = "WireRunner::is_process")]
    runner: WireRunner,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireRunner {
    Task,
    #[default]
    Process,
}

impl WireRunner {
    fn is_process(&self) -> bool {
        *self == Self::Process
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireKind {
    Permanent,
    Oneshot,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WireDependency {
    /// The service depended on; all its instances.
    on: String,
    /// What that one must have reached.
    until: WireCondition,
    /// Whether its loss restarts the dependent.
    restart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireCondition {
    Started,
    Ready,
    Healthy,
    Completed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WireRestart {
    /// Which ends are followed by a restart.
    when: WireWhen,
    /// The wait before the first restart in a row.
    delay_ms: u64,
    /// What the wait is multiplied by each time, in thousandths.
    factor_milli: u32,
    /// The longest wait.
    max_delay_ms: u64,
    /// How many restarts in a row; `null` is without end.
    attempts: Option<u32>,
    /// A run this long ends the row.
    reset_after_ms: u64,
    /// Exit codes that count as success.
    success_exit_codes: Vec<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireWhen {
    Never,
    OnFailure,
    Always,
}

impl From<&Spec> for WireSpec {
    fn from(spec: &Spec) -> Self {
        Self {
            id: spec.id.to_string(),
            kind: match spec.kind {
                Kind::Permanent => WireKind::Permanent,
                Kind::Oneshot => WireKind::Oneshot,
            },
            command: words(&spec.command),
            working_dir: spec.working_dir.to_string_lossy().into_owned(),
            user: spec.user.clone(),
            env: spec.env.clone(),
            inherited: spec.inherited.clone(),
            depends_on: spec.depends_on.iter().map(WireDependency::from).collect(),
            restart: WireRestart::from(&spec.restart),
            ready: spec.ready.as_ref().map(WireReady::from),
            health: spec.health.as_ref().map(WireHealth::from),
            watchdog_ms: spec.watchdog.map(millis),
            reload: spec.reload.as_ref().map(WireReload::from),
            hooks: WireHooks::from(&spec.hooks),
            watch: spec.watch.clone(),
            rolling: spec.rolling,
            stop_signal: spec.stop.signal.number(),
            stop_timeout_ms: millis(spec.stop.timeout),
            log_max_size: spec.log.max_size.0,
            log_keep: spec.log.keep.get(),
            log_total: spec.log.total.0,
            log_compress: spec.log.compress,
            log_when_full: spec.log.when_full.into(),
            log_all_services: spec.log.all_services.map(|bytes| bytes.0),
            log_split: spec.log.split,
            rerun_unknown: spec.rerun_unknown,
            uses: spec.uses.clone(),
            config: spec.config.clone(),
            runner: match spec.runner {
                Runner::Task => WireRunner::Task,
                Runner::Process => WireRunner::Process,
            },
        }
    }
}

impl From<&Dependency> for WireDependency {
    fn from(dependency: &Dependency) -> Self {
        let until = match dependency.until {
            Condition::Started => WireCondition::Started,
            Condition::Ready => WireCondition::Ready,
            Condition::Healthy => WireCondition::Healthy,
            Condition::Completed => WireCondition::Completed,
        };
        Self { on: dependency.on.to_string(), until, restart: dependency.restart }
    }
}

impl From<&RestartPolicy> for WireRestart {
    fn from(policy: &RestartPolicy) -> Self {
        Self {
            when: match policy.when {
                RestartWhen::Never => WireWhen::Never,
                RestartWhen::OnFailure => WireWhen::OnFailure,
                RestartWhen::Always => WireWhen::Always,
            },
            delay_ms: millis(policy.delay),
            factor_milli: policy.factor_milli,
            max_delay_ms: millis(policy.max_delay),
            attempts: match policy.attempts {
                Attempts::UpTo(most) => Some(most),
                Attempts::Unlimited => None,
            },
            reset_after_ms: millis(policy.reset_after),
            success_exit_codes: policy.success_exit_codes.iter().copied().collect(),
        }
    }
}

impl TryFrom<WireSpec> for Spec {
    type Error = SpecError;

    fn try_from(wire: WireSpec) -> Result<Self, SpecError> {
        let name = wire.id.clone();
        let wrong = |field| SpecError { id: name.clone(), field };
        let ready = wire.ready.map(|ready| ready.into_model().ok_or_else(|| wrong("ready"))).transpose()?;
        let health =
            wire.health.map(|health| health.into_model().ok_or_else(|| wrong("health"))).transpose()?;
        let reload =
            wire.reload.map(|reload| reload.into_model().ok_or_else(|| wrong("reload"))).transpose()?;
        let depends_on = wire.depends_on.into_iter().map(|dependency| dependency.into_model());
        Ok(Self {
            id: wire.id.parse::<ServiceId>().map_err(|_| wrong("id"))?,
            kind: match wire.kind {
                WireKind::Permanent => Kind::Permanent,
                WireKind::Oneshot => Kind::Oneshot,
            },
            command: Command::new(wire.command).ok_or_else(|| wrong("command"))?,
            working_dir: PathBuf::from(wire.working_dir),
            user: wire.user,
            env: wire.env,
            inherited: wire.inherited,
            depends_on: depends_on.collect::<Option<_>>().ok_or_else(|| wrong("depends_on"))?,
            restart: wire.restart.into_model(),
            ready,
            health,
            watchdog: wire.watchdog_ms.map(Duration::from_millis),
            reload,
            hooks: wire.hooks.into_model().ok_or_else(|| wrong("hooks"))?,
            watch: wire.watch,
            rolling: wire.rolling,
            stop: StopPolicy {
                signal: Signal::from_number(wire.stop_signal).ok_or_else(|| wrong("stop"))?,
                timeout: Duration::from_millis(wire.stop_timeout_ms),
            },
            log: LogLimits {
                max_size: Bytes(wire.log_max_size),
                keep: NonZeroU32::new(wire.log_keep).ok_or_else(|| wrong("log"))?,
                total: Bytes(wire.log_total),
                compress: wire.log_compress,
                when_full: wire.log_when_full.into(),
                all_services: wire.log_all_services.map(Bytes),
                split: wire.log_split,
            },
            rerun_unknown: wire.rerun_unknown,
            uses: wire.uses,
            config: wire.config,
            runner: match wire.runner {
                WireRunner::Task => Runner::Task,
                WireRunner::Process => Runner::Process,
            },
        })
    }
}

impl WireDependency {
    fn into_model(self) -> Option<Dependency> {
        let until = match self.until {
            WireCondition::Started => Condition::Started,
            WireCondition::Ready => Condition::Ready,
            WireCondition::Healthy => Condition::Healthy,
            WireCondition::Completed => Condition::Completed,
        };
        Some(Dependency { on: self.on.parse().ok()?, until, restart: self.restart })
    }
}

impl WireRestart {
    fn into_model(self) -> RestartPolicy {
        RestartPolicy {
            when: match self.when {
                WireWhen::Never => RestartWhen::Never,
                WireWhen::OnFailure => RestartWhen::OnFailure,
                WireWhen::Always => RestartWhen::Always,
            },
            delay: Duration::from_millis(self.delay_ms),
            factor_milli: self.factor_milli.max(1000),
            max_delay: Duration::from_millis(self.max_delay_ms),
            attempts: self.attempts.map_or(Attempts::Unlimited, Attempts::UpTo),
            reset_after: Duration::from_millis(self.reset_after_ms),
            success_exit_codes: self.success_exit_codes.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_model::{
        HealthPolicy, Hook, Hooks, HttpProbe, Probe, ReadyCheck, ReadyPolicy, Reload, WhenFull,
    };

    use super::*;

    fn ready(check: ReadyCheck) -> ReadyPolicy {
        ReadyPolicy {
            check,
            timeout: Duration::from_secs(30),
            interval: Duration::from_millis(500),
            probe_timeout: Duration::from_secs(2),
        }
    }

    fn hook(program: &str) -> Hook {
        let command = Command::new([program.to_owned(), "now".to_owned()]).unwrap();
        Hook { command, timeout: Duration::from_secs(60) }
    }

    #[test]
    fn every_check_survives_the_way_to_json_and_back() {
        let exec = Command::new(["./check".to_owned()]).unwrap();
        let checks = [
            ReadyCheck::Probe(Probe::Exec(exec)),
            ReadyCheck::Probe(Probe::Http(HttpProbe { url: "http://[::1]:80/".to_owned(), status: None })),
            ReadyCheck::Log("listening on .*".to_owned()),
            ReadyCheck::Notify,
            ReadyCheck::Fd(3),
            ReadyCheck::After(Duration::from_millis(20)),
        ];
        for check in checks {
            let command = Command::new(["./api".to_owned()]).unwrap();
            let mut spec = Spec::new("api".parse().unwrap(), Kind::Oneshot, command, PathBuf::from("/"));
            spec.ready = Some(ready(check));
            spec.reload = Some(Reload::Signal(Signal::HUP));
            let text = serde_json::to_string(&WireSpec::from(&spec)).unwrap();
            let back: WireSpec = serde_json::from_str(&text).unwrap();
            assert_eq!(Spec::try_from(back).unwrap(), spec);
        }
    }

    #[test]
    fn a_description_survives_the_way_to_json_and_back() {
        let spec = Spec {
            id: "api@2".parse().unwrap(),
            kind: Kind::Permanent,
            command: Command::new(["./api".to_owned(), "--port".to_owned(), "80".to_owned()]).unwrap(),
            working_dir: PathBuf::from("/srv/shop"),
            user: Some("shop".to_owned()),
            env: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            inherited: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
            depends_on: vec![Dependency {
                on: "db".parse().unwrap(),
                until: Condition::Completed,
                restart: true,
            }],
            restart: RestartPolicy {
                attempts: Attempts::Unlimited,
                ..RestartPolicy::with(RestartWhen::Always)
            },
            ready: Some(ready(ReadyCheck::Probe(Probe::Tcp("127.0.0.1:80".to_owned())))),
            health: Some(HealthPolicy {
                probe: Probe::Http(HttpProbe { url: "http://127.0.0.1:80/".to_owned(), status: Some(204) }),
                interval: Duration::from_secs(10),
                timeout: Duration::from_secs(2),
                failures: 3,
                start_period: Duration::from_secs(5),
            }),
            watchdog: Some(Duration::from_secs(30)),
            reload: Some(Reload::Command(hook("./reload"))),
            hooks: Hooks {
                before_start: Some(hook("./prepare")),
                after_start: None,
                before_stop: None,
                after_stop: Some(hook("./clean")),
            },
            watch: vec!["src/**".to_owned()],
            rolling: true,
            stop: StopPolicy { signal: Signal::INT, timeout: Duration::from_secs(20) },
            log: LogLimits {
                max_size: Bytes(10),
                keep: NonZeroU32::new(3).unwrap(),
                total: Bytes(100),
                compress: true,
                when_full: WhenFull::Drop,
                all_services: Some(Bytes(1000)),
                split: true,
            },
            rerun_unknown: true,
            uses: Some("greeter".to_owned()),
            config: BTreeMap::from([("level".to_owned(), "3".to_owned())]),
            runner: Runner::Task,
        };
        let text = serde_json::to_string(&WireSpec::from(&spec)).unwrap();
        let back: WireSpec = serde_json::from_str(&text).unwrap();
        assert_eq!(Spec::try_from(back).unwrap(), spec);
    }
}

//! The parts of a description that say how a service is looked after, on their way between processes and on disk.

use std::time::Duration;

use mainstay_model::{
    Command, HealthPolicy, Hook, Hooks, HttpProbe, Probe, ReadyCheck, ReadyPolicy, Reload, Signal,
};
use serde::{Deserialize, Serialize};

/// When a service counts as ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireReady {
    /// What is asked.
    check: WireCheck,
    /// Not ready within this time is a failed start.
    timeout_ms: u64,
    /// The longest pause between two askings.
    interval_ms: u64,
    /// How long one asking may take.
    probe_timeout_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireCheck {
    Tcp(String),
    Http(WireHttp),
    Exec(Vec<String>),
    Log(String),
    Notify,
    Fd(u32),
    AfterMs(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireProbe {
    Tcp(String),
    Http(WireHttp),
    Exec(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WireHttp {
    /// `http://host:port/path`.
    url: String,
    /// The one good answer; `null`: 200 to 399.
    status: Option<u16>,
}

/// How a service is asked whether it is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireHealth {
    /// What is asked.
    probe: WireProbe,
    /// The pause between two askings.
    interval_ms: u64,
    /// How long one asking may take.
    timeout_ms: u64,
    /// How many failures in a row are one too many.
    failures: u32,
    /// Failures before the first success count only after this time.
    start_period_ms: u64,
}

/// How a service is asked to read its configuration again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WireReload {
    Signal(i32),
    Command(WireHook),
}

/// A command beside a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireHook {
    /// Program and arguments; never empty.
    command: Vec<String>,
    /// After this time it is killed.
    timeout_ms: u64,
}

/// Commands around starts and stops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireHooks {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before_start: Option<WireHook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_start: Option<WireHook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before_stop: Option<WireHook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_stop: Option<WireHook>,
}

/// Whole milliseconds of a span.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The words of a command.
pub(crate) fn words(command: &Command) -> Vec<String> {
    command.words().map(str::to_owned).collect()
}

impl From<&HttpProbe> for WireHttp {
    fn from(http: &HttpProbe) -> Self {
        Self { url: http.url.clone(), status: http.status }
    }
}

impl From<WireHttp> for HttpProbe {
    fn from(http: WireHttp) -> Self {
        Self { url: http.url, status: http.status }
    }
}

impl From<&Probe> for WireProbe {
    fn from(probe: &Probe) -> Self {
        match probe {
            Probe::Tcp(address) => Self::Tcp(address.clone()),
            Probe::Http(http) => Self::Http(http.into()),
            Probe::Exec(command) => Self::Exec(words(command)),
        }
    }
}

impl WireProbe {
    fn into_model(self) -> Option<Probe> {
        Some(match self {
            Self::Tcp(address) => Probe::Tcp(address),
            Self::Http(http) => Probe::Http(http.into()),
            Self::Exec(words) => Probe::Exec(Command::new(words)?),
        })
    }
}

impl From<&ReadyPolicy> for WireReady {
    fn from(policy: &ReadyPolicy) -> Self {
        Self {
            check: match &policy.check {
                ReadyCheck::Probe(Probe::Tcp(address)) => WireCheck::Tcp(address.clone()),
                ReadyCheck::Probe(Probe::Http(http)) => WireCheck::Http(http.into()),
                ReadyCheck::Probe(Probe::Exec(command)) => WireCheck::Exec(words(command)),
                ReadyCheck::Log(pattern) => WireCheck::Log(pattern.clone()),
                ReadyCheck::Notify => WireCheck::Notify,
                ReadyCheck::Fd(number) => WireCheck::Fd(*number),
                ReadyCheck::After(span) => WireCheck::AfterMs(millis(*span)),
            },
            timeout_ms: millis(policy.timeout),
            interval_ms: millis(policy.interval),
            probe_timeout_ms: millis(policy.probe_timeout),
        }
    }
}

impl WireReady {
    pub(crate) fn into_model(self) -> Option<ReadyPolicy> {
        let check = match self.check {
            WireCheck::Tcp(address) => ReadyCheck::Probe(Probe::Tcp(address)),
            WireCheck::Http(http) => ReadyCheck::Probe(Probe::Http(http.into())),
            WireCheck::Exec(words) => ReadyCheck::Probe(Probe::Exec(Command::new(words)?)),
            WireCheck::Log(pattern) => ReadyCheck::Log(pattern),
            WireCheck::Notify => ReadyCheck::Notify,
            WireCheck::Fd(number) => ReadyCheck::Fd(number),
            WireCheck::AfterMs(span) => ReadyCheck::After(Duration::from_millis(span)),
        };
        Some(ReadyPolicy {
            check,
            timeout: Duration::from_millis(self.timeout_ms),
            interval: Duration::from_millis(self.interval_ms),
            probe_timeout: Duration::from_millis(self.probe_timeout_ms),
        })
    }
}

impl From<&HealthPolicy> for WireHealth {
    fn from(policy: &HealthPolicy) -> Self {
        Self {
            probe: (&policy.probe).into(),
            interval_ms: millis(policy.interval),
            timeout_ms: millis(policy.timeout),
            failures: policy.failures,
            start_period_ms: millis(policy.start_period),
        }
    }
}

impl WireHealth {
    pub(crate) fn into_model(self) -> Option<HealthPolicy> {
        Some(HealthPolicy {
            probe: self.probe.into_model()?,
            interval: Duration::from_millis(self.interval_ms),
            timeout: Duration::from_millis(self.timeout_ms),
            failures: self.failures.max(1),
            start_period: Duration::from_millis(self.start_period_ms),
        })
    }
}

impl From<&Hook> for WireHook {
    fn from(hook: &Hook) -> Self {
        Self { command: words(&hook.command), timeout_ms: millis(hook.timeout) }
    }
}

impl WireHook {
    fn into_model(self) -> Option<Hook> {
        let timeout = Duration::from_millis(self.timeout_ms);
        Some(Hook { command: Command::new(self.command)?, timeout })
    }
}

impl From<&Reload> for WireReload {
    fn from(reload: &Reload) -> Self {
        match reload {
            Reload::Signal(signal) => Self::Signal(signal.number()),
            Reload::Command(hook) => Self::Command(hook.into()),
        }
    }
}

impl WireReload {
    pub(crate) fn into_model(self) -> Option<Reload> {
        Some(match self {
            Self::Signal(number) => Reload::Signal(Signal::from_number(number)?),
            Self::Command(hook) => Reload::Command(hook.into_model()?),
        })
    }
}

impl From<&Hooks> for WireHooks {
    fn from(hooks: &Hooks) -> Self {
        let hook = |hook: &Option<Hook>| hook.as_ref().map(WireHook::from);
        Self {
            before_start: hook(&hooks.before_start),
            after_start: hook(&hooks.after_start),
            before_stop: hook(&hooks.before_stop),
            after_stop: hook(&hooks.after_stop),
        }
    }
}

impl WireHooks {
    pub(crate) fn into_model(self) -> Option<Hooks> {
        let hook = |hook: Option<WireHook>| match hook {
            None => Some(None),
            Some(hook) => hook.into_model().map(Some),
        };
        Some(Hooks {
            before_start: hook(self.before_start)?,
            after_start: hook(self.after_start)?,
            before_stop: hook(self.before_stop)?,
            after_stop: hook(self.after_stop)?,
        })
    }
}

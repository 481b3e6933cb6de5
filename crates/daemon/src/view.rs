//! What the daemon knows, in the shapes of the local socket.

mod details;

use std::collections::BTreeMap;

use mainstay_decide::{Phase, Project, Service};
use mainstay_model::{Exit, Moment, ServiceId, Spec, Status};
use mainstay_wire::{ExitView, HealthView, LogView, ReasonView, ServiceView, errors_of};

pub(crate) use self::details::details;
use crate::clock;

/// The latest reading of each live process, to tell the share of a core since then.
#[derive(Debug, Default)]
pub(crate) struct Readings(BTreeMap<ServiceId, Reading>);

#[derive(Clone, Copy, Debug)]
struct Reading {
    pid: u32,
    at: Moment,
    cpu_nanos: u64,
}

impl Readings {
    /// Resident bytes now, and percent of one core since the last reading of the same process.
    fn read(&mut self, id: &ServiceId, pid: Option<u32>) -> (Option<u64>, Option<f64>) {
        let reading = pid.and_then(|pid| mainstay_host::process_usage(pid).map(|usage| (pid, usage)));
        let Some((pid, usage)) = reading else {
            self.0.remove(id);
            return (None, None);
        };
        let now = clock::now();
        let old = self.0.insert(id.clone(), Reading { pid, at: now, cpu_nanos: usage.cpu_nanos });
        let percent = old.filter(|old| old.pid == pid && now > old.at).map(|old| {
            let used = std::time::Duration::from_nanos(usage.cpu_nanos.saturating_sub(old.cpu_nanos));
            (used.as_secs_f64() / (now - old.at).as_secs_f64() * 1000.0).round() / 10.0
        });
        (Some(usage.resident_bytes), percent)
    }

    /// Forgets those that are no more.
    pub(crate) fn forget(&mut self, id: &ServiceId) {
        self.0.remove(id);
    }
}

/// One service with what its process uses.
pub(crate) fn service_with_usage(
    project: &Project,
    id: &ServiceId,
    log_dir: &std::path::Path,
    readings: &mut Readings,
) -> Option<ServiceView> {
    let mut view = service(project, id, log_dir)?;
    (view.memory_bytes, view.cpu_percent) = readings.read(id, view.pid);
    Some(view)
}

/// One service.
pub(crate) fn service(project: &Project, id: &ServiceId, log_dir: &std::path::Path) -> Option<ServiceView> {
    let status = project.status(id)?;
    let spec = project.service(id)?.spec();
    let needed_by = project.needed_by(id).iter().map(ToString::to_string).collect();
    Some(ServiceView {
        name: id.name.to_string(),
        instance: id.instance.map(|number| number.to_string()),
        kind: status.kind.as_str().to_owned(),
        phase: status.phase.as_str().to_owned(),
        status: status.health.as_str().to_owned(),
        said: status.said.clone(),
        monitor: None,
        health: health(project.service(id)?),
        wanted: status.wanted,
        ready: status.ready,
        pid: status.pid,
        run: status.run.0,
        restarts: status.restarts,
        since: Some(clock::wall(status.since)),
        exit: status.exit.map(exit),
        reason: reason(&status),
        next: status.next.map(clock::wall),
        memory_bytes: None,
        cpu_percent: None,
        depends_on: depends_on(spec),
        needed_by,
        command: spec.command.words().map(str::to_owned).collect(),
        log_dir: log_dir.to_string_lossy().into_owned(),
        err_log_dir: spec.log.split.then(|| errors_of(&log_dir.to_string_lossy())),
        log_counts: LogView::default(),
        watch_trouble: None,
        details: None,
    })
}

fn health(service: &Service) -> Option<HealthView> {
    let policy = service.spec().health.as_ref()?;
    let vitals = match service.phase() {
        Phase::Running { vitals, .. } => Some(vitals),
        _ => None,
    };
    Some(HealthView {
        check: policy.probe.to_string(),
        interval_ms: u64::try_from(policy.interval.as_millis()).unwrap_or(u64::MAX),
        failures: vitals.map_or(0, |vitals| vitals.failures),
        limit: policy.failures,
        was_well: vitals.map(|vitals| vitals.was_well),
    })
}

fn depends_on(spec: &Spec) -> Vec<String> {
    let of = |dependency: &mainstay_model::Dependency| {
        format!("{} ({})", dependency.on, dependency.until.as_str())
    };
    spec.depends_on.iter().map(of).collect()
}

fn reason(status: &Status) -> ReasonView {
    ReasonView { code: status.reason.code().to_owned(), text: status.reason.sentence(clock::now()) }
}

fn exit(exit: Exit) -> ExitView {
    match exit {
        Exit::Code(code) => ExitView { code: Some(code), signal: None },
        Exit::Signal(signal) => ExitView { code: None, signal: Some(signal.to_string()) },
        Exit::Unknown => ExitView { code: None, signal: None },
    }
}

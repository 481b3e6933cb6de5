//! What services say of how they feel, by their monitors: the latest tree of each live run. What that means for the service's
//! status, `decide` says.

use std::collections::BTreeMap;

use mainstay_decide::{Event, Notice};
use mainstay_model::{Health, Moment, RunId, ServiceId};
use mainstay_wire::{Answer, ErrorCode, MonitorView, WireError};

use crate::brain::Brain;

/// The latest report of each service; one each.
#[derive(Debug, Default)]
pub(crate) struct Monitors(BTreeMap<ServiceId, (RunId, MonitorView)>);

impl Monitors {
    /// What this run said last.
    pub(crate) fn of(&self, id: &ServiceId, run: RunId) -> Option<&MonitorView> {
        self.0.get(id).filter(|(of, _)| *of == run).map(|(_, monitor)| monitor)
    }

    /// It is no more.
    pub(crate) fn forget(&mut self, id: &ServiceId) {
        self.0.remove(id);
    }
}

/// A service tells how it feels. `run_id` is its `MAINSTAY_RUN_ID`.
pub(crate) fn take(
    brain: &mut Brain,
    now: Moment,
    run_id: &str,
    monitor: MonitorView,
) -> Result<Answer, WireError> {
    let bad = |text: String| WireError::new(ErrorCode::BadRequest, text);
    let health = Health::from_word(&monitor.status)
        .ok_or_else(|| bad(format!("`{}` is no status; it is one of {}", monitor.status, words())))?;
    monitor.check().map_err(bad)?;
    let (id, run) = live_run(brain, run_id)
        .ok_or_else(|| WireError::new(ErrorCode::Failed, format!("`{run_id}` is no run that is alive")))?;
    let message = monitor.message.clone();
    let before = brain.runner.project().service(&id).map(|service| service.health());
    brain.monitors.0.insert(id.clone(), (run, monitor));
    brain.feel(now, &id, Event::Notified { run, notice: Notice::Feels(health) });
    let after = brain.runner.project().service(&id).map(|service| service.health());
    if before != after && [before, after].into_iter().flatten().any(is_notable) {
        let colon = if message.is_empty() { "" } else { ": " };
        let text = format!("{id} says that it is {health}{colon}{message}");
        tracing::info!("{text}");
        brain.history.note("status", text, None);
    }
    Ok(Answer::Noted)
}

/// Whether somebody who reads what happened wants to know; who is at work every second does not fill the history.
fn is_notable(health: Health) -> bool {
    match health {
        Health::Degraded | Health::Warning | Health::Error | Health::Failed => true,
        Health::Unknown | Health::Startup | Health::Ok | Health::Idle | Health::Busy | Health::Shutdown => {
            false
        }
    }
}

fn words() -> String {
    Health::ALL.map(Health::as_str).join(", ")
}

/// `KEY.SERVICE.RUN` of a run that is alive.
fn live_run(brain: &Brain, run_id: &str) -> Option<(ServiceId, RunId)> {
    let (rest, run) = run_id.rsplit_once('.')?;
    let run = RunId(run.parse().ok()?);
    let (_, name) = rest.split_once('.')?;
    let id: ServiceId = name.parse().ok()?;
    let live = brain.runner.project().service(&id)?.phase().live();
    (live == Some(run)).then_some((id, run))
}

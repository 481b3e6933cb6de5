//! The log as a messenger: what is worth a line is that a service is not well, and that it is again.

use super::{Messenger, Report, Status};

/// Remembers what it said last.
#[derive(Debug)]
pub(crate) struct Log(Option<(Status, String)>);

impl Log {
    pub(crate) fn new() -> Self {
        Self(None)
    }
}

fn is_unwell(status: Status) -> bool {
    match status {
        Status::Degraded | Status::Warning | Status::Error => true,
        // The controller says more about an end than this could.
        Status::Unknown
        | Status::Startup
        | Status::Ok
        | Status::Idle
        | Status::Busy
        | Status::Shutdown
        | Status::Failed => false,
    }
}

impl Messenger for Log {
    fn publish(&mut self, report: &Report) {
        let status = Status::from_word(&report.monitor.status).unwrap_or(Status::Unknown);
        if is_unwell(status) {
            let words = (status, causes(&report.monitor));
            if self.0.as_ref() != Some(&words) {
                tracing::warn!("{}: {}", status, words.1);
                self.0 = Some(words);
            }
        } else if self.0.take().is_some() {
            tracing::info!("{status} again");
        }
    }
}

/// Which parts are as the whole is, and what they say.
fn causes(monitor: &super::MonitorView) -> String {
    fn collect(monitor: &super::MonitorView, path: &str, status: &str, causes: &mut Vec<String>) {
        if monitor.own_status.as_deref() == Some(status) {
            let message = Some(&*monitor.message).filter(|message| !message.is_empty());
            causes.push(
                [Some(path).filter(|path| !path.is_empty()), message]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(": "),
            );
        }
        for child in &monitor.children {
            let below = if path.is_empty() { child.name.clone() } else { format!("{path}/{}", child.name) };
            collect(child, &below, status, causes);
        }
    }
    let mut all = Vec::new();
    collect(monitor, "", &monitor.status, &mut all);
    all.retain(|cause| !cause.is_empty());
    all.join("; ")
}

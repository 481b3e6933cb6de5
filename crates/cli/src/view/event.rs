//! A change of a service in one line.

use mainstay_wire::{EventView, ServiceView};

use crate::view::cut::tame;

/// The id of a service: `api`, `api@2`.
pub(crate) fn id(service: &ServiceView) -> String {
    match &service.instance {
        None => service.name.clone(),
        Some(number) => format!("{}@{number}", service.name),
    }
}

/// `api running (pid 4242)`, `api waiting for db to be ready`, `api waiting: exited with 1; restart 1 of 10 in 1 s`. Nothing when only details changed.
pub(crate) fn line(event: &EventView) -> Option<String> {
    let service = &event.service;
    if service.phase == event.from {
        return None;
    }
    let id = id(service);
    let reason = tame(&service.reason.text);
    Some(match (service.phase.as_str(), service.pid) {
        ("running", Some(pid)) => format!("{id} running (pid {pid})"),
        ("starting", Some(pid)) => format!("{id} starting (pid {pid}): {reason}"),
        (phase, _) if reason.starts_with(phase) => format!("{id} {reason}"),
        (phase, _) => format!("{id} {phase}: {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::list::tests::service;

    #[test]
    fn only_a_new_phase_is_a_line() {
        let event = |phase: &str, pid, text: &str| EventView {
            time: "2026-11-21T12:00:00Z".to_owned(),
            service: ServiceView { pid, ..service("api@2", phase, text) },
            from: "starting".to_owned(),
        };
        assert_eq!(
            line(&event("running", Some(42), "its process runs")).as_deref(),
            Some("api@2 running (pid 42)")
        );
        assert_eq!(line(&event("failed", None, "gave\nup")).as_deref(), Some("api@2 failed: gave up"));
        assert_eq!(
            line(&event("waiting", None, "waiting for db to be ready")).as_deref(),
            Some("api@2 waiting for db to be ready")
        );
        assert_eq!(line(&event("starting", Some(42), "waiting for tcp")), None);
    }
}

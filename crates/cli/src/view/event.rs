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

/// `api running (pid 4242)`, `api waiting for db to be ready`, `api waiting: exited with 1; restart 1 of 10 in 1 s`; of one that
/// runs on, how it feels now. Nothing when only details changed.
pub(crate) fn line(event: &EventView) -> Option<String> {
    let service = &event.service;
    if service.phase != event.from {
        return Some(standing(&id(service), &service.phase, service.pid, &service.reason.text));
    }
    let from = event.from_status.as_deref().filter(|from| *from != service.status)?;
    let id = id(service);
    match (service.phase.as_str(), from, service.status.as_str()) {
        ("running", "startup", "ok") => {
            let check = service.health.as_ref().map(|health| format!(": {}", tame(&health.check)));
            Some(format!("{id} healthy{}", check.unwrap_or_default()))
        }
        ("running", _, "ok") => Some(format!("{id} ok again")),
        ("running", _, "startup") => None,
        ("running", _, status) => Some(format!("{id} {status}: {}", tame(&service.reason.text))),
        _ => None,
    }
}

/// The same for one that stands like this.
pub(crate) fn standing(id: &str, phase: &str, pid: Option<u32>, reason: &str) -> String {
    let reason = tame(reason);
    match (phase, pid) {
        ("running", Some(pid)) => format!("{id} running (pid {pid})"),
        ("starting", Some(pid)) => format!("{id} starting (pid {pid}): {reason}"),
        (phase, _) if reason.starts_with(phase) => format!("{id} {reason}"),
        (phase, _) => format!("{id} {phase}: {reason}"),
    }
}

/// How many services a list of lines has.
const LINES: usize = 20;

/// Lines of how services stand, of many only the first.
pub(crate) fn standings(services: &[ServiceView]) -> Vec<String> {
    let line = |it: &ServiceView| standing(&id(it), &it.phase, it.pid, &it.reason.text);
    let more = services.len().checked_sub(LINES).filter(|more| *more > 0);
    let more = more.map(|more| format!("and {more} more"));
    services.iter().take(LINES).map(line).chain(more).collect()
}

/// That some changes were left out.
pub(crate) fn missed(events: u64) -> String {
    let (changes, are) = if events == 1 { ("change", "is") } else { ("changes", "are") };
    format!("{events} {changes} {are} not shown: they came faster than they could be")
}

/// Whether somebody who waits for services to come up wants to hear of it: one is there, has failed, is tried again or is
/// gone. What only leads there is not.
pub(crate) fn is_news(event: &EventView) -> bool {
    let service = &event.service;
    match service.phase.as_str() {
        phase if phase == event.from => false,
        "running" => service.ready,
        "completed" | "failed" | "stopped" => true,
        "waiting" => service.reason.code == "backoff",
        _ => false,
    }
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
            from_status: None,
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

    #[test]
    fn how_one_that_runs_on_feels_is_a_line() {
        let event = |from: &str, status: &str, text: &str| {
            let mut service = service("api", "running", text);
            service.status = status.to_owned();
            service.health = Some(mainstay_wire::HealthView {
                check: "tcp db:1".to_owned(),
                interval_ms: 1000,
                failures: 0,
                limit: 3,
                was_well: Some(true),
            });
            let from_status = Some(from.to_owned());
            line(&EventView { time: String::new(), service, from: "running".to_owned(), from_status })
        };
        let rows = [
            ("startup", "ok", "", Some("api healthy: tcp db:1")),
            ("warning", "ok", "", Some("api ok again")),
            (
                "ok",
                "warning",
                "tcp db:1 refused (1 of 3 failures in a row)",
                Some("api warning: tcp db:1 refused (1 of 3 failures in a row)"),
            ),
            ("ok", "shutdown", "it says that it is ending", Some("api shutdown: it says that it is ending")),
            ("ok", "startup", "", None),
            ("ok", "ok", "", None),
        ];
        for (from, status, text, expected) in rows {
            assert_eq!(event(from, status, text).as_deref(), expected, "{from} {status}");
        }
    }

    #[test]
    fn whoever_waits_hears_of_what_is_there_failed_or_tried_again() {
        let event = |from: &str, phase: &str, code: &str, ready: bool| {
            let mut service = service("api", phase, "because so");
            (service.reason.code, service.ready) = (code.to_owned(), ready);
            let time = "2026-11-21T12:00:00Z".to_owned();
            is_news(&EventView { time, service, from: from.to_owned(), from_status: None })
        };
        let rows = [
            ("starting", "running", "running", true, true),
            // A oneshot at work.
            ("starting", "running", "running", false, false),
            ("running", "running", "running", true, false),
            ("running", "completed", "completed", true, true),
            ("starting", "waiting", "backoff", false, true),
            ("stopped", "waiting", "waiting-for-dependency", false, false),
            ("stopped", "starting", "spawning", false, false),
            ("running", "stopping", "stopping", false, false),
            ("stopping", "stopped", "removed", false, true),
            ("waiting", "failed", "gave-up", false, true),
        ];
        for (from, phase, code, ready, expected) in rows {
            assert_eq!(event(from, phase, code, ready), expected, "{from} {phase} {code}");
        }
    }
}

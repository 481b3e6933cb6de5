//! Waiting until started processes are up, or have failed once: supervisor answers a start at the first end that came too early,
//! and does not wait for the restarts that follow.

use std::{collections::BTreeMap, time::Duration};

use mainstay_model::PhaseName;
use mainstay_wire::{Act, Answer, Reply, ServiceView, SettledState};
use tokio::time::Instant;

use crate::{
    act::{Ask, Outcome, act},
    call::{Caller, unexpected},
    fault::{Code, Fault},
    names,
};

/// How long a process without a readiness check must run to count as started: supervisor's default `startsecs`.
const START_TIME: Duration = Duration::from_secs(1);

/// Starts these, and says how it went with each.
///
/// # Errors
/// Nothing was started.
pub(crate) async fn start(caller: &Caller, views: Vec<ServiceView>) -> Result<Vec<Outcome>, Fault> {
    // From before the start on, so that nothing is missed.
    let mut changes = caller.handle.follow().await;
    let ids = views.iter().map(names::name).collect();
    let mut watch = Watch::new(&views);
    let mut asked = std::pin::pin!(caller.ask(act(Act::Start, ids, Ask::Wait)));
    let mut is_answered = false;
    while !watch.is_over() {
        tokio::select! {
            // The request goes out before anything is asked about it.
            biased;
            answer = &mut asked, if !is_answered => {
                watch.take_answer(answer?)?;
                is_answered = true;
            }
            change = changes.recv() => match change.map(|change| watch.take_change(change)) {
                Some(Seen::Yes) => {}
                Some(Seen::TooLate) => watch.take_all(&caller.services().await?),
                None => return Err(Fault::new(Code::ShutdownState, "the daemon has ended")),
            },
            () = watch.next_start_time() => watch.end_start_times(),
        }
    }
    let outcome = |view: ServiceView| {
        let result = watch.results.get(&names::name(&view)).cloned().unwrap_or(Ok(()));
        (view, result)
    };
    Ok(views.into_iter().map(outcome).collect())
}

/// Whether a change was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Yes,
    /// Some were missed: how things are must be asked.
    TooLate,
}

/// What is known of the processes that were started.
struct Watch {
    /// The run before the start.
    runs: BTreeMap<String, u64>,
    /// When those that run and have no check will have run long enough.
    running: BTreeMap<String, Instant>,
    results: BTreeMap<String, Result<(), Fault>>,
}

impl Watch {
    fn new(views: &[ServiceView]) -> Self {
        let runs = views.iter().map(|view| (names::name(view), view.run)).collect();
        Self { runs, running: BTreeMap::new(), results: BTreeMap::new() }
    }

    fn is_over(&self) -> bool {
        self.results.len() == self.runs.len()
    }

    /// Returns when the next one has run long enough; never without one.
    async fn next_start_time(&self) {
        match self.running.values().min() {
            Some(at) => tokio::time::sleep_until(*at).await,
            None => std::future::pending().await,
        }
    }

    fn end_start_times(&mut self) {
        let now = Instant::now();
        let over: Vec<String> =
            self.running.iter().filter(|(_, at)| **at <= now).map(|(id, _)| id.clone()).collect();
        over.into_iter().for_each(|id| self.settle(id, Ok(())));
    }

    fn take_change(&mut self, change: Reply) -> Seen {
        match change.into_result() {
            Ok(Answer::Event(event)) => self.take(&event.service),
            // What there was before the start.
            Ok(Answer::Services { .. }) | Err(_) => {}
            Ok(_) => return Seen::TooLate,
        }
        Seen::Yes
    }

    fn take_all(&mut self, services: &[ServiceView]) {
        services.iter().for_each(|view| self.take(view));
    }

    fn take(&mut self, view: &ServiceView) {
        let id = names::name(view);
        let Some(run) = self.runs.get(&id) else { return };
        let has_run = view.run > *run;
        match PhaseName::from_word(&view.phase) {
            Some(PhaseName::Running | PhaseName::Completed) if has_run => self.is_up(id, &view.reason.code),
            Some(PhaseName::Failed) => self.settle(id, Err(failed(view))),
            Some(PhaseName::Waiting) if view.reason.code == "backoff" => self.settle(id, Err(failed(view))),
            Some(PhaseName::Stopped) if has_run => {
                let fault = Fault::new(Code::AbnormalTermination, names::full_name(view));
                self.settle(id, Err(fault.because(&view.reason.text)));
            }
            _ => {}
        }
    }

    /// The daemon's own word.
    fn take_answer(&mut self, answer: Answer) -> Result<(), Fault> {
        let Answer::Done { services, .. } = answer else { return Err(unexpected()) };
        for settled in services {
            match settled.state {
                _ if !self.runs.contains_key(&settled.id) => {}
                SettledState::Done => self.is_up(settled.id, &settled.reason.code),
                SettledState::Failed | SettledState::Pending => {
                    let fault = Fault::new(Code::SpawnError, &settled.id).because(&settled.reason.text);
                    self.settle(settled.id, Err(fault));
                }
            }
        }
        Ok(())
    }

    /// One whose check succeeded is started; one that has none has yet to show that it stays.
    fn is_up(&mut self, id: String, reason: &str) {
        if reason == "running" {
            self.running.entry(id).or_insert_with(|| Instant::now() + START_TIME);
        } else {
            self.settle(id, Ok(()));
        }
    }

    /// The first word on one counts.
    fn settle(&mut self, id: String, result: Result<(), Fault>) {
        self.running.remove(&id);
        self.results.entry(id).or_insert(result);
    }
}

fn failed(view: &ServiceView) -> Fault {
    Fault::new(Code::SpawnError, names::full_name(view)).because(&view.reason.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::view;

    fn seen(run: u64, phase: &str, reason: &str) -> ServiceView {
        let mut view = view("api", phase);
        view.run = run;
        view.reason.code = reason.to_owned();
        view
    }

    /// What the changes after a start of `api`, whose latest run was the first, come to.
    fn after(changes: &[ServiceView]) -> Option<Result<(), Code>> {
        let mut watch = Watch::new(&[seen(1, "stopped", "stop-requested")]);
        changes.iter().for_each(|view| watch.take(view));
        watch.results.get("api").map(|result| result.clone().map_err(|fault| fault.code))
    }

    #[test]
    fn the_first_end_that_came_too_early_is_the_answer() {
        let starting = || seen(2, "starting", "spawning");
        let running = || seen(2, "running", "running");
        let spawn_error = Some(Err(Code::SpawnError));
        assert_eq!(after(&[starting()]), None);
        assert_eq!(after(&[starting(), seen(2, "running", "ready")]), Some(Ok(())));
        assert_eq!(after(&[starting(), seen(2, "completed", "completed")]), Some(Ok(())));
        // One without a check runs, but has not shown yet that it stays.
        assert_eq!(after(&[starting(), running()]), None);
        assert_eq!(
            after(&[running(), seen(2, "waiting", "backoff"), seen(3, "running", "ready")]),
            spawn_error
        );
        assert_eq!(after(&[running(), seen(2, "failed", "gave-up")]), spawn_error);
        assert_eq!(after(&[running(), seen(2, "stopped", "ended")]), Some(Err(Code::AbnormalTermination)));
        assert_eq!(after(&[seen(1, "waiting", "backoff")]), spawn_error);
        assert_eq!(after(&[seen(1, "waiting", "waiting-for-dependency")]), None);
    }
}

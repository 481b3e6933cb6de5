//! Tells messengers what has changed: at once, but not more often than each moment; and on a period.

use std::{
    convert::Infallible,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Messenger, Monitor, MonitorView, Report, local_socket::LocalSocket, log::Log};

/// What changes within this is told together. What lasts longer is told.
const MOMENT: Duration = Duration::from_millis(50);

/// Without a change it is told so often.
const PERIOD: Duration = Duration::from_secs(10);

/// Those of a service in its own process: the log, and the daemon when one runs us.
pub(crate) fn messengers() -> Vec<Box<dyn Messenger>> {
    let mut messengers: Vec<Box<dyn Messenger>> = vec![Box::new(Log::new())];
    if let Some(socket) = LocalSocket::from_environment() {
        messengers.push(Box::new(socket));
    }
    messengers
}

/// Those of one service among others in a process.
pub(crate) fn log_alone() -> Vec<Box<dyn Messenger>> {
    vec![Box::new(Log::new())]
}

/// Tells them.
pub(crate) struct Reporter {
    monitor: Monitor,
    messengers: Vec<Box<dyn Messenger>>,
    /// What was told last, as a hash: there may be a thousand of us in a process.
    told: Option<u64>,
}

impl Reporter {
    pub(crate) fn new(monitor: Monitor, messengers: Vec<Box<dyn Messenger>>) -> Self {
        Self { monitor, messengers, told: None }
    }

    /// Until it is dropped.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` would have room for `self` twice")]
    pub(crate) fn run(mut self) -> impl Future<Output = Infallible> {
        async move {
            let mut period = Instant::now();
            loop {
                let is_due = Instant::now() >= period;
                if self.tell(is_due) || is_due {
                    period = Instant::now() + PERIOD;
                    sleep_until(Instant::now() + MOMENT).await;
                }
                let by_itself = self.monitor.next_change().map(Instant::from_std);
                let next = by_itself.map_or(period, |at| at.min(period));
                // Told or too late is the same: it is looked at.
                let _ = timeout_at(next, self.monitor.board().changed.notified()).await;
            }
        }
    }

    /// Whether there was something to tell. Numbers alone are told on the period.
    fn tell(&mut self, anyway: bool) -> bool {
        let view = self.monitor.view();
        let now = Some(hash(&view));
        if !anyway && self.told == now {
            return false;
        }
        let report = Report { id: view.name.clone(), monitor: view };
        for messenger in &mut self.messengers {
            messenger.publish(&report);
        }
        self.told = now;
        true
    }
}

/// Of everything but the numbers.
fn hash(view: &MonitorView) -> u64 {
    fn add(view: &MonitorView, hasher: &mut DefaultHasher) {
        (&view.name, &view.status, &view.own_status, &view.message, view.children.len()).hash(hasher);
        view.children.iter().for_each(|child| add(child, hasher));
    }
    let mut hasher = DefaultHasher::new();
    add(view, &mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use tokio::task::LocalSet;

    use super::*;
    use crate::monitor::Status;

    struct Book(Rc<RefCell<Vec<(Duration, String)>>>, Instant);

    impl Messenger for Book {
        fn publish(&mut self, report: &Report) {
            self.0.borrow_mut().push((self.1.elapsed(), report.monitor.status.clone()));
        }
    }

    /// What is told while `act` does something, in a time that stands still while nobody waits.
    fn told(act: impl AsyncFnOnce(Monitor)) -> Vec<(Duration, String)> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let book = Rc::default();
            let monitor = Monitor::detached("shop");
            let messengers: Vec<Box<dyn Messenger>> = vec![Box::new(Book(Rc::clone(&book), Instant::now()))];
            let reporter = Reporter::new(monitor.clone(), messengers);
            let running = tokio::task::spawn_local(reporter.run());
            act(monitor).await;
            running.abort();
            book.take()
        })
    }

    async fn pass(millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn words(told: &[(Duration, String)]) -> Vec<&str> {
        told.iter().map(|(_, word)| &**word).collect()
    }

    #[test]
    fn a_change_is_told_at_once_and_a_burst_together() {
        let all = told(async |monitor| {
            pass(1_000).await;
            for _ in 0..1_000 {
                monitor.set(Status::Degraded, "");
                monitor.set(Status::Ok, "");
            }
            monitor.child("cache").set(Status::Error, "");
            pass(1_000).await;
        });
        assert_eq!(words(&all), ["unknown", "error"]);
        let (at, _) = all[1];
        assert!(at < Duration::from_millis(1_002), "{at:?}");
    }

    #[test]
    fn what_lasted_is_told() {
        let all = told(async |monitor| {
            pass(1_000).await;
            for status in [Status::Busy, Status::Error, Status::Ok] {
                monitor.set(status, "");
                pass(60).await;
            }
        });
        assert_eq!(words(&all), ["unknown", "busy", "error", "ok"]);
    }

    #[test]
    fn without_a_change_it_is_told_on_the_period() {
        let all = told(async |monitor| {
            monitor.set(Status::Ok, "");
            monitor.counter("orders").add(1);
            pass(35_000).await;
        });
        assert_eq!(words(&all), ["ok"; 4]);
    }
}

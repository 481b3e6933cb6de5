//! Tells messengers what has changed: at once, but not more often than each moment; and on a period.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

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

/// Tells them.
pub(crate) struct Reporter {
    id: String,
    monitor: Monitor,
    messengers: Vec<Box<dyn Messenger>>,
    told: Option<MonitorView>,
}

impl Reporter {
    pub(crate) fn new(id: String, monitor: Monitor, messengers: Vec<Box<dyn Messenger>>) -> Self {
        Self { id, monitor, messengers, told: None }
    }

    /// Until it is dropped.
    pub(crate) async fn run(mut self) {
        let board = std::sync::Arc::clone(self.monitor.board());
        let mut period = Instant::now();
        loop {
            let is_due = Instant::now() >= period;
            if self.tell(is_due) || is_due {
                period = Instant::now() + PERIOD;
                sleep_until(Instant::now() + MOMENT).await;
            }
            let by_itself = self.monitor.next_change().map(Instant::from_std);
            let next = by_itself.map_or(period, |at| at.min(period));
            tokio::select! {
                () = board.changed.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Whether there was something to tell. Numbers alone are told on the period.
    fn tell(&mut self, anyway: bool) -> bool {
        let view = self.monitor.view();
        if !anyway && self.told.as_ref().is_some_and(|told| is_same(told, &view)) {
            return false;
        }
        let report = Report { id: self.id.clone(), monitor: view };
        for messenger in &mut self.messengers {
            messenger.publish(&report);
        }
        self.told = Some(report.monitor);
        true
    }
}

fn is_same(one: &MonitorView, other: &MonitorView) -> bool {
    (&one.name, &one.status, &one.own_status, &one.message)
        == (&other.name, &other.status, &other.own_status, &other.message)
        && one.children.len() == other.children.len()
        && one.children.iter().zip(&other.children).all(|(one, other)| is_same(one, other))
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
            let reporter = Reporter::new("shop".to_owned(), monitor.clone(), messengers);
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

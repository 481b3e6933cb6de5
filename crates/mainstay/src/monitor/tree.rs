//! The tree. Everything in it is reachable from any thread; nothing in it waits.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mainstay_decide::sum;
use mainstay_model::{cut, one_line};
use mainstay_wire::{
    METRICS_LIMIT, MONITOR_DEPTH, MONITOR_MESSAGE_LIMIT, MONITOR_NAME_LIMIT, MONITORS_LIMIT, MonitorView,
};
use tokio::sync::Notify;

use super::{Counter, Gauge, Status, metrics::Metric};

/// How long after its last task one still counts as busy: who works in short steps does not flicker.
const BUSY_AFTERWARDS: Duration = Duration::from_secs(1);

/// A part of a service: its status, its numbers, its tasks, and the parts below it.
///
/// ```
/// use mainstay::{Monitor, Status};
///
/// let service = Monitor::detached("shop");
/// let cache = service.child("cache");
/// cache.set(Status::Degraded, "it is cold");
/// assert_eq!(service.status(), Status::Degraded);
/// cache.set(Status::Ok, "");
/// assert_eq!(service.status(), Status::Ok);
/// ```
#[derive(Clone)]
pub struct Monitor(Arc<Node>);

struct Node {
    name: String,
    depth: usize,
    board: Arc<Board>,
    state: Mutex<State>,
}

/// What the monitors of one tree share.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) changed: Notify,
    count: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// What its service does, of the root.
    stage: Option<(Status, String)>,
    /// What was set.
    own: Option<(Status, String)>,
    children: Vec<Monitor>,
    metrics: BTreeMap<String, Metric>,
    tasks: usize,
    /// When the last task ended.
    quiet_since: Option<Instant>,
}

/// A task of a monitor: while it is there, the monitor is busy.
#[derive(Debug)]
pub struct TaskGuard(Monitor);

impl Monitor {
    /// A tree of its own, which nobody is told about: for tests.
    pub fn detached(name: &str) -> Self {
        Self::new(name, 1, Arc::default())
    }

    fn new(name: &str, depth: usize, board: Arc<Board>) -> Self {
        board.count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Node {
            name: cut(&one_line(name), MONITOR_NAME_LIMIT),
            depth,
            board,
            state: Mutex::default(),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The part of this name below it; it is made when there is none. Beyond 256 parts of a service, or a depth of 8, it is a
    /// tree of its own, which nobody is told about.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let wanted = cut(&one_line(name), MONITOR_NAME_LIMIT);
        let mut state = self.locked();
        if let Some(known) = state.children.iter().find(|child| child.0.name == wanted) {
            return known.clone();
        }
        let board = &self.0.board;
        if self.0.depth >= MONITOR_DEPTH || board.count.load(Ordering::Relaxed) >= MONITORS_LIMIT {
            drop(state);
            tracing::warn!("`{wanted}` is one monitor too many: nobody is told of it");
            return Self::detached(name);
        }
        let child = Self::new(name, self.0.depth + 1, Arc::clone(board));
        state.children.push(child.clone());
        drop(state);
        self.changed();
        child
    }

    /// Takes the part of this name, and what is below it, away.
    pub fn remove(&self, name: &str) {
        let mut state = self.locked();
        let Some(at) = state.children.iter().position(|child| child.0.name == name) else { return };
        let gone = state.children.remove(at);
        drop(state);
        self.0.board.count.fetch_sub(gone.size(), Ordering::Relaxed);
        self.changed();
    }

    /// Says how it is, and why in a few words.
    pub fn set(&self, status: Status, message: impl AsRef<str>) {
        let own = Some((status, cut(&one_line(message.as_ref()), MONITOR_MESSAGE_LIMIT)));
        let mut state = self.locked();
        if state.own == own {
            return;
        }
        state.own = own;
        drop(state);
        self.changed();
    }

    /// What the service does that this is the root of.
    pub(crate) fn set_stage(&self, status: Status, message: &str) {
        self.locked().stage = Some((status, cut(&one_line(message), MONITOR_MESSAGE_LIMIT)));
        self.changed();
    }

    /// Begins a task: the monitor is busy until the last of its guards is dropped, and a second longer, and idle then.
    ///
    /// ```
    /// use mainstay::{Monitor, Status};
    ///
    /// let worker = Monitor::detached("worker");
    /// let task = worker.task();
    /// assert_eq!(worker.status(), Status::Busy);
    /// drop(task);
    /// ```
    #[must_use = "the task ends when this is dropped"]
    pub fn task(&self) -> TaskGuard {
        let mut state = self.locked();
        state.tasks += 1;
        let is_first = state.tasks == 1;
        drop(state);
        if is_first {
            self.changed();
        }
        TaskGuard(self.clone())
    }

    /// A number that only grows.
    ///
    /// ```
    /// let mails = mainstay::Monitor::detached("mailer").counter("mails_sent");
    /// mails.add(2);
    /// assert_eq!(mails.get(), 2);
    /// ```
    pub fn counter(&self, name: &str) -> Counter {
        let found = self.metric(name, || Metric::Counter(Counter::default()));
        match found {
            Metric::Counter(counter) => counter,
            Metric::Gauge(_) => Counter::default(),
        }
    }

    /// A number that goes up and down.
    ///
    /// ```
    /// let depth = mainstay::Monitor::detached("queue").gauge("depth");
    /// depth.set(17.0);
    /// assert_eq!(depth.get(), 17.0);
    /// ```
    pub fn gauge(&self, name: &str) -> Gauge {
        let found = self.metric(name, || Metric::Gauge(Gauge::default()));
        match found {
            Metric::Gauge(gauge) => gauge,
            Metric::Counter(_) => Gauge::default(),
        }
    }

    fn metric(&self, name: &str, make: impl FnOnce() -> Metric) -> Metric {
        let mut state = self.locked();
        let has_room = state.metrics.len() < METRICS_LIMIT;
        match state.metrics.get(name) {
            Some(known) => known.clone(),
            None if has_room => state.metrics.entry(name.to_owned()).or_insert_with(make).clone(),
            None => {
                drop(state);
                tracing::warn!("`{name}` is one number too many of `{}`: nobody is told of it", self.0.name);
                make()
            }
        }
    }

    /// The sum of how it and what is below it are.
    pub fn status(&self) -> Status {
        self.status_at(Instant::now())
    }

    fn status_at(&self, now: Instant) -> Status {
        let (own, children) = {
            let state = self.locked();
            (state.own(now), state.children.clone())
        };
        sum(own.into_iter().chain(children.iter().map(|child| child.status_at(now)).filter(is_told)))
    }

    /// Everything that there is to say about it now.
    pub fn view(&self) -> MonitorView {
        self.view_at(Instant::now())
    }

    fn view_at(&self, now: Instant) -> MonitorView {
        let (own, message, children, metrics) = {
            let state = self.locked();
            let metrics = state.metrics.iter().map(|(name, metric)| (name.clone(), metric.value())).collect();
            (state.own(now), state.message(), state.children.clone(), metrics)
        };
        let children: Vec<MonitorView> = children.iter().map(|child| child.view_at(now)).collect();
        let below = children.iter().filter_map(|child| Status::from_word(&child.status)).filter(is_told);
        MonitorView {
            name: self.0.name.clone(),
            status: sum(own.into_iter().chain(below)).as_str().to_owned(),
            own_status: own.map(|own| own.as_str().to_owned()),
            message,
            children,
            metrics,
        }
    }

    /// When something of it changes by itself: busy becomes idle.
    pub(crate) fn next_change(&self) -> Option<Instant> {
        let (own, children) = {
            let state = self.locked();
            (state.next_change(), state.children.clone())
        };
        own.into_iter().chain(children.iter().filter_map(Self::next_change)).min()
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.0.board
    }

    /// How many monitors it is.
    fn size(&self) -> usize {
        let children = self.locked().children.clone();
        1 + children.iter().map(Self::size).sum::<usize>()
    }

    fn changed(&self) {
        self.0.board.changed.notify_one();
    }

    /// A panic of who held it leaves it whole.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of which nothing was said yet says nothing of the whole.
fn is_told(status: &Status) -> bool {
    *status != Status::Unknown
}

impl State {
    /// What it is without those below it.
    fn own(&self, now: Instant) -> Option<Status> {
        let of = |said: &Option<(Status, String)>| said.as_ref().map(|(status, _)| *status);
        let parts: Vec<Status> =
            [of(&self.stage), of(&self.own), self.work(now)].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| sum(parts))
    }

    /// What its tasks say.
    fn work(&self, now: Instant) -> Option<Status> {
        match self.quiet_since {
            _ if self.tasks > 0 => Some(Status::Busy),
            Some(since) if now < since + BUSY_AFTERWARDS => Some(Status::Busy),
            Some(_) => Some(Status::Idle),
            None => None,
        }
    }

    fn message(&self) -> String {
        let said = [&self.own, &self.stage].into_iter().flatten();
        said.map(|(_, message)| message).find(|message| !message.is_empty()).cloned().unwrap_or_default()
    }

    fn next_change(&self) -> Option<Instant> {
        let idle = self.quiet_since.filter(|_| self.tasks == 0).map(|since| since + BUSY_AFTERWARDS);
        idle.filter(|at| *at > Instant::now())
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        let mut state = self.0.locked();
        state.tasks = state.tasks.saturating_sub(1);
        let is_last = state.tasks == 0;
        if is_last {
            state.quiet_since = Some(Instant::now());
        }
        drop(state);
        if is_last {
            self.0.changed();
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Monitor of {}: {}", self.0.name, self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_unwell_is_seen_at_the_top_and_taken_away_it_is_not() {
        let root = Monitor::detached("shop");
        root.set_stage(Status::Ok, "running");
        let database = root.child("database");
        let pool = database.child("pool");
        pool.set(Status::Warning, "9 of 10\nare taken");
        assert_eq!(root.status(), Status::Warning);
        let view = root.view();
        assert_eq!((view.own_status.as_deref(), &*view.message), (Some("ok"), "running"));
        assert_eq!(view.children[0].children[0].message, "9 of 10 are taken");
        assert_eq!(view.check(), Ok(()));
        root.remove("database");
        assert_eq!(root.status(), Status::Ok);
        assert_eq!(root.board().count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_part_of_which_nothing_was_said_says_nothing() {
        let root = Monitor::detached("shop");
        root.set_stage(Status::Ok, "");
        let cache = root.child("cache");
        assert_eq!((root.status(), cache.status()), (Status::Ok, Status::Unknown));
        assert_eq!(root.view().status, "ok");
        cache.set(Status::Unknown, "nobody has looked");
        assert_eq!(root.status(), Status::Warning);
    }

    #[test]
    fn busy_lasts_a_second_longer_than_the_last_task() {
        let root = Monitor::detached("worker");
        let (one, two) = (root.task(), root.task());
        drop(one);
        assert_eq!(root.status(), Status::Busy);
        assert_eq!(root.next_change(), None);
        drop(two);
        assert_eq!(root.status(), Status::Busy);
        let idle = root.next_change().unwrap();
        assert_eq!(root.status_at(idle), Status::Idle);
    }

    #[test]
    fn there_are_never_more_than_a_report_may_have() {
        let root = Monitor::detached("many");
        let children: Vec<Monitor> = (0..400).map(|number| root.child(&number.to_string())).collect();
        children.iter().for_each(|child| child.set(Status::Ok, "x".repeat(1000)));
        (0..100).for_each(|number| root.counter(&number.to_string()).add(1));
        assert_eq!(root.view().check(), Ok(()));
        let mut deep = Monitor::detached("deep");
        let top = deep.clone();
        for _ in 0..20 {
            deep = deep.child("below");
        }
        assert_eq!(top.view().check(), Ok(()));
    }

    #[test]
    fn one_name_is_one_part_and_one_number() {
        let root = Monitor::detached("shop");
        root.child("cache").set(Status::Error, "gone");
        root.child("cache").set(Status::Ok, "");
        assert_eq!(root.view().children.len(), 1);
        root.counter("orders").add(2);
        root.counter("orders").add(3);
        assert_eq!(root.view().metrics["orders"], 5.0);
    }
}

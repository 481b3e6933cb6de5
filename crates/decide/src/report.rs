//! From what happened to one service to how well it did: rows in, sums out. It reads no clock and no database.
//!
//! A service is *due* while it is wanted up and neither stopped nor completed; its uptime is the share of that time in which
//! it was ready. An outage begins when one that is due is no longer ready, or fails, and ends when it is ready or no longer
//! due: a first start that comes about is none. Stretches that nobody saw (the machine lost its power) count neither way.

use std::time::Duration;

use mainstay_model::{Kind, PhaseName, RunId};

/// One change of the service. Times are counted from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Duration,
    /// What it then did.
    pub phase: PhaseName,
    /// Whether it was ready.
    pub ready: bool,
    /// Whether it was wanted up.
    pub wanted: bool,
    /// Its run.
    pub run: RunId,
    /// Restarts in a row before that.
    pub attempt: u32,
    /// Whether something failed by this change.
    pub failed: bool,
    /// By which the reader finds this change again.
    pub key: i64,
}

/// A stretch of which nothing is known: what was so at its beginning was no longer so at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The last sign of life before it.
    pub from: Duration,
    /// The first after it.
    pub until: Duration,
}

/// A stretch in which it should have been ready and was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When it began.
    pub from: Duration,
    /// When it ended, or the end of what is reported.
    pub until: Duration,
    /// Whether it still goes on at the end of what is reported.
    pub open: bool,
}

impl Outage {
    /// How long.
    pub fn span(&self) -> Duration {
        self.until.saturating_sub(self.from)
    }
}

/// How well a service did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How long it was due.
    pub due: Duration,
    /// How much of that it was ready.
    pub ready: Duration,
    /// Starts.
    pub starts: u64,
    /// Those of them that nobody asked for.
    pub restarts: u64,
    /// Runs that ended badly, starts that did not come about.
    pub failures: u64,
    /// The longest outage.
    pub longest_outage: Option<Outage>,
    /// The latest failure, by its key.
    pub last_failure: Option<i64>,
    /// From the start to being ready, on average.
    pub mean_time_to_ready: Option<Duration>,
}

impl Report {
    /// The share of the time in which it was due that it was ready.
    pub fn uptime_percent(&self) -> Option<f64> {
        (!self.due.is_zero()).then(|| self.ready.as_secs_f64() / self.due.as_secs_f64() * 100.0)
    }
}

/// What is known of the service at one moment.
#[derive(Clone, Copy, Debug)]
struct Known {
    phase: PhaseName,
    ready: bool,
    wanted: bool,
    run: RunId,
}

impl Known {
    fn is_due(self) -> bool {
        self.wanted && !matches!(self.phase, PhaseName::Stopped | PhaseName::Completed)
    }
}

/// The sums of one service, while its changes come in.
#[derive(Clone, Debug)]
pub struct Account<'a> {
    kind: Kind,
    from: Duration,
    /// Those that have not begun yet.
    unseen: &'a [Unseen],
    /// Up to here everything is counted.
    at: Duration,
    known: Option<Known>,
    outage: Option<Duration>,
    /// The start that has not become ready.
    started: Option<(RunId, Duration)>,
    became_ready: (Duration, u32),
    report: Report,
}

impl<'a> Account<'a> {
    /// An account from this time on. `unseen` is in order.
    pub fn new(kind: Kind, from: Duration, unseen: &'a [Unseen]) -> Self {
        Self {
            kind,
            from,
            unseen,
            at: Duration::ZERO,
            known: None,
            outage: None,
            started: None,
            became_ready: (Duration::ZERO, 0),
            report: Report::default(),
        }
    }

    /// The next change. One from before the account's beginning says how it was then, and is not counted.
    pub fn take(&mut self, entry: &Entry) {
        self.advance(entry.at);
        let before = self.known.replace(Known {
            phase: entry.phase,
            ready: entry.ready,
            wanted: entry.wanted,
            run: entry.run,
        });
        if entry.phase == PhaseName::Starting && before.is_none_or(|before| before.run != entry.run) {
            self.start(entry);
        }
        if entry.failed && entry.at >= self.from {
            self.report.failures += 1;
            self.report.last_failure = Some(entry.key);
        }
        if entry.ready {
            self.become_ready(entry);
        }
        self.follow_outage(entry, before);
    }

    /// The sums up to here.
    pub fn close(mut self, until: Duration) -> Report {
        self.advance(until);
        if let Some(from) = self.outage {
            self.add_outage(from, until, true);
        }
        let (sum, count) = self.became_ready;
        self.report.mean_time_to_ready = sum.checked_div(count);
        self.report
    }

    fn advance(&mut self, to: Duration) {
        while let Some((gap, rest)) = self.unseen.split_first()
            && gap.until <= to
        {
            self.unseen = rest;
            self.count_until(gap.from);
            self.end_outage(gap.from);
            self.at = self.at.max(gap.until);
            (self.known, self.started) = (None, None);
        }
        self.count_until(to);
    }

    fn count_until(&mut self, to: Duration) {
        let span = to.saturating_sub(self.at.max(self.from));
        self.at = self.at.max(to);
        let Some(known) = self.known.filter(|known| self.kind == Kind::Permanent && known.is_due()) else {
            return;
        };
        self.report.due += span;
        if known.ready {
            self.report.ready += span;
        }
    }

    fn start(&mut self, entry: &Entry) {
        self.started = Some((entry.run, entry.at));
        if entry.at >= self.from {
            self.report.starts += 1;
            self.report.restarts += u64::from(entry.attempt > 0);
        }
    }

    fn become_ready(&mut self, entry: &Entry) {
        if let Some((run, at)) = self.started.take()
            && run == entry.run
            && entry.at >= self.from
            && self.kind == Kind::Permanent
        {
            let (sum, count) = &mut self.became_ready;
            *sum += entry.at.saturating_sub(at);
            *count += 1;
        }
    }

    fn follow_outage(&mut self, entry: &Entry, before: Option<Known>) {
        let Some(known) = self.known else { return };
        if known.ready || !known.is_due() || self.kind != Kind::Permanent {
            self.end_outage(entry.at);
        } else if entry.failed || before.is_some_and(|before| before.ready) {
            self.outage.get_or_insert(entry.at);
        }
    }

    fn end_outage(&mut self, at: Duration) {
        if let Some(from) = self.outage.take() {
            self.add_outage(from, at, false);
        }
    }

    fn add_outage(&mut self, from: Duration, until: Duration, open: bool) {
        let outage = Outage { from: from.max(self.from), until, open };
        let longest = self.report.longest_outage.map_or(Duration::ZERO, |longest| longest.span());
        if outage.span() > longest {
            self.report.longest_outage = Some(outage);
        }
    }
}

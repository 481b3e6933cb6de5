//! The books of one live run: from the first word that asks for something of it to the last that it leaves behind.

use std::time::Duration;

use mainstay_decide::QuestionId;
use mainstay_model::{Exit, HookName, Kind, Moment, ReadyCheck, RunId, Signal, Spec};

/// The least pause between two askings in the start period.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// A live run: something of it was asked for, and not all of it is over.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) run: RunId,
    pub(crate) attempt: u32,
    /// Not before this, if a daemon that is no more began it.
    pub(crate) begun: Moment,
    /// Its process was asked for.
    pub(crate) spawned: bool,
    /// Its process was told to be there.
    pub(crate) made: bool,
    pub(crate) pid: Option<u32>,
    /// Since when it is waited for to be ready.
    pub(crate) asking_since: Moment,
    /// It said that its start takes until then.
    pub(crate) extended: Option<Moment>,
    /// Its check succeeded.
    pub(crate) ready: bool,
    /// Its after-start hook is over.
    pub(crate) announced: bool,
    /// Since when it runs as far as anybody asks.
    pub(crate) running_at: Option<Moment>,
    pub(crate) paused: bool,
    pub(crate) vitals: Vitals,
    /// Its longest silence.
    pub(crate) limit: Option<Duration>,
    /// The question that is not answered.
    pub(crate) question: Option<QuestionId>,
    /// The latest question, answered or not.
    pub(crate) latest_question: QuestionId,
    /// When its check last said no.
    pub(crate) refused_at: Option<Moment>,
    /// The hook that is waited for.
    pub(crate) beside: Option<Beside>,
    /// Its reload hook was killed, has not ended, and is not waited for.
    pub(crate) unloading: bool,
    /// What this call must ask for.
    pub(crate) due: Due,
    /// It was asked to end.
    pub(crate) ending: Option<Ending>,
    /// How its process ended, while it is cleaned up after.
    pub(crate) over: Option<Exit>,
    /// A new start is to follow its end.
    pub(crate) again: bool,
    /// It is ended for a fault of its own.
    pub(crate) failing: bool,
    /// That is its silence: it is asked to show where it hangs.
    pub(crate) abort: bool,
    /// And perhaps to start again, because something that it needs went away meanwhile.
    pub(crate) unclear: bool,
    /// It was made of another description, and was not wanted when that came.
    pub(crate) outdated: bool,
    /// Somebody asked for it to be killed.
    pub(crate) kill_requested: bool,
}

/// A hook that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beside {
    pub(crate) hook: HookName,
    /// When it is to be killed; `None`: it was.
    pub(crate) kill_at: Option<Moment>,
}

/// How a run was asked to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// Its before-stop hook runs, and its process was not asked yet.
    pub(crate) preparing: bool,
    /// When it is to be killed if it has not ended.
    pub(crate) kill_at: Option<Moment>,
    pub(crate) killed: bool,
}

/// What one call must ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) spawn: bool,
    pub(crate) pause: bool,
    pub(crate) resume: bool,
    /// Nobody knows whether it is frozen.
    pub(crate) thaw: bool,
    pub(crate) reload: Option<Signal>,
    pub(crate) hook: Option<HookName>,
    /// A hook was killed before its time: whatever it stood beside must change.
    pub(crate) change: bool,
}

/// How a running one is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    pub(crate) since: Moment,
    /// When its health is asked next: not before, and not after.
    pub(crate) next: Option<(Moment, Moment)>,
    pub(crate) failures: u32,
    pub(crate) well: bool,
    pub(crate) silent_at: Option<Moment>,
    pub(crate) doing: Doing,
}

/// What it said that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Work,
    Reloading,
    Ending,
}

impl Vitals {
    fn new(now: Moment) -> Self {
        Self { since: now, next: None, failures: 0, well: false, silent_at: None, doing: Doing::Work }
    }
}

impl Run {
    pub(crate) fn new(run: RunId, attempt: u32, now: Moment) -> Self {
        Self {
            run,
            attempt,
            begun: Moment::ZERO,
            spawned: false,
            made: false,
            pid: None,
            asking_since: now,
            extended: None,
            ready: false,
            announced: false,
            running_at: None,
            paused: false,
            vitals: Vitals::new(now),
            limit: None,
            question: None,
            latest_question: QuestionId::default(),
            refused_at: None,
            beside: None,
            unloading: false,
            due: Due::default(),
            ending: None,
            over: None,
            again: false,
            failing: false,
            abort: false,
            unclear: false,
            outdated: false,
            kill_requested: false,
        }
    }

    /// Whether its process is there, and nobody has asked it to end.
    pub(crate) fn is_up(&self) -> bool {
        self.made && self.ending.is_none() && self.over.is_none()
    }

    /// Whether it runs as far as anybody asks, and is not frozen.
    pub(crate) fn runs(&self) -> bool {
        self.is_up() && self.running_at.is_some() && !self.paused
    }

    /// Whether it is waited for to be ready.
    pub(crate) fn starts(&self) -> bool {
        self.is_up() && !self.ready
    }

    /// Whether its check (one that is asked) is being asked.
    pub(crate) fn is_asking(&self, spec: &Spec) -> bool {
        let asked = |check: &ReadyCheck| matches!(check, ReadyCheck::Probe(_) | ReadyCheck::Log(_));
        self.starts() && spec.ready.as_ref().is_some_and(|policy| asked(&policy.check))
    }

    /// When it has failed to become ready, if it can.
    pub(crate) fn deadline(&self, spec: &Spec) -> Option<Moment> {
        let can_fail = |check: &ReadyCheck| !matches!(check, ReadyCheck::After(_));
        let policy = spec.ready.as_ref().filter(|policy| self.starts() && can_fail(&policy.check))?;
        let at = self.asking_since + policy.timeout;
        Some(self.extended.map_or(at, |extended| extended.max(at)))
    }

    /// Whether this hook of it is waited for.
    pub(crate) fn waits_for(&self, hook: HookName) -> bool {
        self.beside.is_some_and(|beside| beside.hook == hook)
    }

    /// Whether it counts as ready.
    pub(crate) fn is_ready(&self, spec: &Spec) -> bool {
        let asked = spec.kind == Kind::Permanent || spec.ready.is_some();
        let ends = self.vitals.doing == Doing::Ending && !self.waits_for(HookName::Reload);
        self.runs() && asked && !ends
    }

    /// Whether it counts as healthy.
    pub(crate) fn is_healthy(&self, spec: &Spec) -> bool {
        let well = self.vitals.well && self.vitals.failures == 0;
        self.is_ready(spec) && (spec.health.is_none() || well)
    }

    /// It is waited for to be ready from now on.
    pub(crate) fn ask(&mut self, now: Moment, spec: &Spec) {
        (self.ready, self.running_at) = (false, None);
        self.asking_since = now;
        (self.question, self.refused_at, self.extended) = (None, None, None);
        if spec.ready.is_none() {
            self.succeed(now, spec);
        }
    }

    /// Its check succeeded.
    pub(crate) fn succeed(&mut self, now: Moment, spec: &Spec) {
        self.ready = true;
        self.question = None;
        match spec.hooks.after_start {
            Some(_) if !self.announced => self.due.hook = Some(HookName::AfterStart),
            _ => self.run_on(now, spec),
        }
    }

    /// It runs as far as anybody asks.
    pub(crate) fn run_on(&mut self, now: Moment, spec: &Spec) {
        self.running_at = Some(now);
        self.question = None;
        self.vitals = Vitals::new(now);
        self.vitals.next = spec.health.as_ref().map(|_| (now, now));
        self.hear(now);
    }

    /// Something is heard of it: its silence begins anew.
    pub(crate) fn hear(&mut self, now: Moment) {
        self.vitals.silent_at = self.limit.filter(|limit| !limit.is_zero()).map(|limit| now + limit);
    }

    /// Another health check: what was answered before says nothing of it.
    pub(crate) fn ask_health_anew(&mut self, now: Moment, spec: &Spec) {
        self.question = None;
        let (silent_at, doing) = (self.vitals.silent_at, self.vitals.doing);
        let next = spec.health.as_ref().map(|_| (now, now));
        self.vitals = Vitals { next, silent_at, doing, ..Vitals::new(now) };
    }

    /// Its health check was answered.
    pub(crate) fn health_answered(&mut self, now: Moment, spec: &Spec, yes: bool) {
        let Some(policy) = &spec.health else { return };
        let vitals = &mut self.vitals;
        let exactly = now + policy.interval;
        vitals.next = Some((exactly, exactly));
        if yes {
            (vitals.failures, vitals.well) = (0, true);
        } else if !vitals.well && now.since(vitals.since) < policy.start_period {
            vitals.next = Some((now + LEAST_PAUSE.min(policy.interval), exactly));
        } else {
            vitals.failures += 1;
            if vitals.failures >= policy.failures {
                self.fail(now, spec);
            }
        }
    }

    /// A new start is to follow its end; what that end was is no matter any more.
    pub(crate) fn start_again(&mut self) {
        self.again = true;
        if self.over.is_some() {
            self.ending.get_or_insert(Ending { preparing: false, kill_at: None, killed: false });
        }
    }

    /// It is to be ended for a fault of its own.
    pub(crate) fn fail(&mut self, now: Moment, spec: &Spec) {
        self.failing = true;
        if self.ran_long(now, spec) {
            self.attempt = 0;
        }
    }

    /// Whether it has run for so long that its end begins a new row.
    pub(crate) fn ran_long(&self, now: Moment, spec: &Spec) -> bool {
        self.runs() && self.running_at.is_some_and(|at| now.since(at) >= spec.restart.reset_after)
    }

    /// Time has passed.
    pub(crate) fn ticked(&mut self, now: Moment, spec: &Spec) {
        let after = spec.ready.as_ref().map(|policy| &policy.check);
        if let Some(ReadyCheck::After(span)) = after
            && self.starts()
            && self.asking_since + *span <= now
        {
            self.succeed(now, spec);
        } else if self.runs() && self.vitals.silent_at.is_some_and(|at| at <= now) {
            self.fail(now, spec);
            self.abort = true;
        }
    }

    /// What of it must have been asked for by the end of a call and was not.
    pub(crate) fn left_undone(&self) -> Option<Due> {
        let gone = self.ending.is_some() || self.over.is_some();
        let mut due = self.due;
        if gone {
            due = Due { hook: due.hook.filter(|hook| *hook == HookName::AfterStop), ..Due::default() };
        }
        if self.paused || self.starts() {
            due.change = false;
        }
        (due != Due::default()).then_some(due)
    }
}

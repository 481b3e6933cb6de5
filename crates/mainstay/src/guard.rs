//! A thread beside the service's own, which ends the process when a body neither ends in time nor lets anybody else run: a
//! service that is asked to stop must be over at some time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::Ending;

/// How long a task beside others may keep all of them waiting.
pub(crate) const YIELD_LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked, while anything happens at all, whether somebody does not yield.
const LOOK: Duration = Duration::from_secs(1);

/// What those who watch the time themselves get on top, to say it better.
const GRACE: Duration = Duration::from_secs(1);

/// Deadlines, and the thread that looks at them.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    watched: Mutex<Watched>,
    changed: Condvar,
    /// Done before the process is ended.
    last_act: OnceLock<fn()>,
}

#[derive(Debug, Default)]
struct Watched {
    deadlines: BTreeMap<(Instant, u64), &'static str>,
    /// Who has the thread that all share, and until when it may keep it.
    turn: Option<Turn>,
    /// Whether the guard looks again by itself, so that a turn need not wake it.
    looks: bool,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    who: &'static str,
    until: Instant,
}

/// A deadline that is taken back when this is dropped.
#[derive(Debug)]
pub(crate) struct Armed {
    guard: Arc<Guard>,
    key: (Instant, u64),
}

impl Guard {
    /// With its thread.
    pub(crate) fn begin() -> std::io::Result<Arc<Self>> {
        let guard = Arc::new(Self::default());
        let its = Arc::clone(&guard);
        thread::Builder::new().name("guard".to_owned()).stack_size(64 * 1024).spawn(move || its.watch())?;
        Ok(guard)
    }

    /// From now on there is this much time.
    pub(crate) fn arm(self: &Arc<Self>, span: Duration, words: &'static str) -> Armed {
        let at = Instant::now() + span + GRACE;
        let mut watched = self.locked();
        let deadlines = &mut watched.deadlines;
        let number = (0..).find(|number| !deadlines.contains_key(&(at, *number))).unwrap_or_default();
        deadlines.insert((at, number), words);
        drop(watched);
        self.changed.notify_one();
        Armed { guard: Arc::clone(self), key: (at, number) }
    }

    /// What is to be done before the process is ended, by whoever is not held up.
    pub(crate) fn before_end(&self, act: fn()) {
        // There is one launcher in a process.
        let _ = self.last_act.set(act);
    }

    /// `who` has the thread from now on.
    pub(crate) fn begin_turn(&self, who: &'static str, limit: Duration) {
        let mut watched = self.locked();
        watched.turn = Some(Turn { who, until: Instant::now() + limit });
        if !watched.looks {
            watched.looks = true;
            self.changed.notify_one();
        }
    }

    /// It has given it back.
    pub(crate) fn end_turn(&self) {
        self.locked().turn = None;
    }

    fn watch(&self) {
        let mut watched = self.locked();
        let mut look_at = None;
        loop {
            let now = Instant::now();
            if let Some(words) = watched.over(now) {
                tracing::error!("{words}: the process ends");
                if let Some(act) = self.last_act.get() {
                    act();
                }
                std::process::exit(i32::from(Ending::TimedOut.code()));
            }
            look_at = watched.next_look(look_at, now);
            let deadline = watched.deadlines.first_key_value().map(|((at, _), _)| *at);
            watched = match deadline.into_iter().chain(look_at).min() {
                None => self.changed.wait(watched).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let span = at.saturating_duration_since(now);
                    self.changed.wait_timeout(watched, span).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn locked(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// When to look again: a while after a first turn, however many follow, and not any more when none goes on.
    fn next_look(&mut self, at: Option<Instant>, now: Instant) -> Option<Instant> {
        let is_due = at.is_some_and(|at| at <= now);
        self.looks = self.looks && (!is_due || self.turn.is_some());
        match at {
            Some(at) if self.looks && !is_due => Some(at),
            _ => self.looks.then_some(now + LOOK),
        }
    }

    /// What took too long.
    fn over(&self, now: Instant) -> Option<String> {
        let late =
            self.deadlines.first_key_value().filter(|((at, _), _)| *at <= now).map(|(_, words)| *words);
        match (self.turn, late) {
            (Some(Turn { who, .. }), Some(words)) => Some(format!("`{who}` does not yield, and {words}")),
            (Some(Turn { who, until }), None) if until <= now => {
                Some(format!("`{who}` does not yield, and all beside it wait"))
            }
            (_, words) => words.map(str::to_owned),
        }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.guard.locked().deadlines.remove(&self.key);
    }
}

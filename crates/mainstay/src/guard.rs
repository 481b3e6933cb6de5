//! A thread beside the service's own, which ends the process when a body neither ends in time nor lets anybody else run: a
//! service that is asked to stop must be over at some time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::Ending;

/// What those who watch the time themselves get on top, to say it better.
const GRACE: Duration = Duration::from_secs(1);

/// Deadlines, and the thread that looks at them.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    deadlines: Mutex<BTreeMap<(Instant, u64), &'static str>>,
    changed: Condvar,
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
        let mut deadlines = self.locked();
        let number = (0..).find(|number| !deadlines.contains_key(&(at, *number))).unwrap_or_default();
        deadlines.insert((at, number), words);
        drop(deadlines);
        self.changed.notify_one();
        Armed { guard: Arc::clone(self), key: (at, number) }
    }

    fn watch(&self) {
        let mut deadlines = self.locked();
        loop {
            let now = Instant::now();
            let Some((&(at, _), words)) = deadlines.first_key_value() else {
                deadlines = self.changed.wait(deadlines).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if at <= now {
                tracing::error!("{words}: the process ends");
                std::process::exit(i32::from(Ending::TimedOut.code()));
            }
            let waited = self.changed.wait_timeout(deadlines, at - now);
            deadlines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), &'static str>> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.guard.locked().remove(&self.key);
    }
}

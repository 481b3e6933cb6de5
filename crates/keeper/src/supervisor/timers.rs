//! What is due when. There are a few at most, and none when nothing is under way.

use std::time::Duration;

use mainstay_host::monotonic_nanos;

/// Why somebody wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The daemon may be started again.
    StartDaemon,
    /// The daemon had time enough to end.
    KillDaemon,
    /// What a run left behind had time enough to die.
    LateVictims { slot: usize, round: u32 },
    /// A parent that is none of us had time enough to take the status of its child.
    LateParent { slot: usize },
    /// There may be room for waiting for this slot's lock.
    LookAtLock { slot: usize },
    /// A spawn may hang.
    LookAtSpawns,
    /// Services that were asked to end without a daemon had time enough.
    LastKill,
    /// A new program has waited long enough for us.
    Upgrade,
    /// A keeper without an anchor may become one.
    Alone,
    /// Nothing happened for a while.
    Idle,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    set: Vec<(u64, Timer)>,
}

impl Timers {
    /// Sets a timer; one of the same kind is replaced.
    pub(super) fn set(&mut self, timer: Timer, after: Duration) {
        let due = monotonic_nanos().saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
        self.set.retain(|(_, other)| *other != timer);
        self.set.push((due, timer));
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.set.retain(|(_, other)| *other != timer);
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.set.iter().any(|(_, other)| *other == timer)
    }

    /// How long until the next one.
    pub(super) fn patience(&self) -> Option<Duration> {
        let next = self.set.iter().map(|(due, _)| *due).min()?;
        Some(Duration::from_nanos(next.saturating_sub(monotonic_nanos())))
    }

    /// Those that are due.
    pub(super) fn take_due(&mut self) -> Vec<Timer> {
        if self.set.is_empty() {
            return Vec::new();
        }
        let now = monotonic_nanos();
        let due = self.set.iter().filter(|(due, _)| *due <= now).map(|(_, timer)| *timer).collect();
        self.set.retain(|(due, _)| *due > now);
        due
    }
}

//! What a restart policy says, worked out a second time: with floating point and from the contract, not from `decide`.

use std::time::Duration;

use mainstay_model::{Attempts, Exit, Kind, Moment, RestartPolicy, RestartWhen, Spec};

/// What a service's next spawn must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It begins a new row.
    Fresh,
    /// It is a restart.
    Restart {
        /// Not before this.
        at: Moment,
        /// Which in a row.
        attempt: u32,
        /// A new row is as good: a start was asked for at the end of the wait.
        or_fresh: bool,
    },
    /// There is none before somebody asks for it: it completed, or it gave up.
    Barred,
    /// The same: it ended well, and its policy leaves it so.
    Ended,
    /// Nobody can say: what would tell was lost with a daemon.
    Any,
}

impl Next {
    /// Whether more than one start would do.
    pub(crate) fn allows_many(self) -> bool {
        matches!(self, Self::Any | Self::Restart { or_fresh: true, .. })
    }
}

/// After an end that nobody asked for; and whether it completed. `None`: it could not be made.
pub(crate) fn after_end(spec: &Spec, row: u32, now: Moment, exit: Option<Exit>) -> (Next, bool) {
    let well = matches!(exit, Some(Exit::Code(code)) if spec.restart.success_exit_codes.contains(&code));
    let next = match (spec.kind, exit) {
        (Kind::Oneshot, _) if well => return (Next::Barred, true),
        (Kind::Oneshot, Some(Exit::Unknown)) if spec.rerun_unknown => restart(&spec.restart, row, now),
        (Kind::Oneshot, Some(Exit::Unknown)) => Next::Barred,
        (Kind::Permanent, _) if well && spec.restart.when != RestartWhen::Always => Next::Ended,
        (Kind::Oneshot | Kind::Permanent, _) => after_failure(spec, row, now),
    };
    (next, false)
}

/// After a failure, or an end that the policy takes for one.
pub(crate) fn after_failure(spec: &Spec, row: u32, now: Moment) -> Next {
    match spec.restart.when {
        RestartWhen::Never => Next::Barred,
        RestartWhen::OnFailure | RestartWhen::Always => restart(&spec.restart, row, now),
    }
}

/// The machine had no room for it: whatever the policy says, it is tried again, after five seconds at least, and that counts for
/// nothing.
pub(crate) fn without_room(policy: &RestartPolicy, row: u32, now: Moment) -> Next {
    let at = now + wait(policy, row + 1).max(Duration::from_secs(5));
    Next::Restart { at, attempt: row, or_fresh: false }
}

fn restart(policy: &RestartPolicy, row: u32, now: Moment) -> Next {
    match policy.attempts {
        Attempts::UpTo(most) if row >= most => Next::Barred,
        Attempts::UpTo(_) | Attempts::Unlimited => {
            let attempt = row + 1;
            Next::Restart { at: now + wait(policy, attempt), attempt, or_fresh: false }
        }
    }
}

/// `delay · factor^(attempt − 1)`, at most `max_delay`, at least `delay`.
pub(crate) fn wait(policy: &RestartPolicy, attempt: u32) -> Duration {
    if policy.delay.is_zero() {
        return Duration::ZERO;
    }
    let power = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
    let factor = (f64::from(policy.factor_milli) / 1000.0).powi(power);
    let seconds = policy.delay.as_secs_f64() * factor;
    let most = policy.max_delay.max(policy.delay).as_secs_f64();
    Duration::from_secs_f64(seconds.min(most))
}

/// How far two ways of calculating may be apart.
pub(crate) const ROUNDING: Duration = Duration::from_micros(10);

//! Time in which nobody was there to look: this process was stopped, its container frozen, its machine stood still. It knows no
//! clock.
//!
//! Those for whom a deadline holds mostly stood still as well, so that their silence says nothing of them: whoever was given a
//! time to do something is given it anew. (A suspended machine does not come to this: time here is `CLOCK_MONOTONIC`, which
//! stands still with it.)

use std::time::Duration;

use mainstay_model::Moment;

use crate::{
    phase::{Phase, Stage, Start, Step},
    service::Service,
    start::is_only_time,
};

/// Lateness that no load explains.
const ABSENCE: Duration = Duration::from_secs(2);

/// Whether nobody was there at the moment at which somebody was to look, nor soon after it.
pub fn is_absence(now: Moment, wake_at: Moment) -> bool {
    now.since(wake_at) >= ABSENCE
}

impl Service {
    pub(crate) fn on_absence(&mut self, now: Moment) {
        match &mut self.phase {
            Phase::Running { vitals, .. } => {
                if let Some(silence) = &mut vitals.silence {
                    silence.until = silence.until.max(now + silence.limit);
                }
            }
            Phase::Starting(Start { step: Step::Asking { deadline, .. }, .. }) => {
                if let Some(policy) = self.spec.ready.as_ref().filter(|policy| !is_only_time(&policy.check)) {
                    *deadline = (*deadline).max(now + policy.timeout);
                }
            }
            Phase::Stopping { stage: Stage::Asked { kill_at }, .. } => {
                *kill_at = (*kill_at).max(now + self.spec.stop.timeout);
                self.reason = self.stopping_reason();
            }
            Phase::Starting(_)
            | Phase::Stopping { .. }
            | Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Paused { .. }
            | Phase::Completed
            | Phase::Failed => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_late_is_load_and_much_is_absence() {
        let wake_at = Moment::from_nanos(0) + Duration::from_secs(10);
        assert!(!is_absence(wake_at, wake_at));
        assert!(!is_absence(wake_at + Duration::from_millis(1900), wake_at));
        assert!(is_absence(wake_at + ABSENCE, wake_at));
    }
}

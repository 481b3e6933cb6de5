//! How long to wait before a restart.

use std::time::Duration;

use mainstay_model::RestartPolicy;

/// The wait before restart number `attempt` in a row, from 1: `delay · factor^(attempt − 1)`, at most `max_delay`.
pub fn backoff(policy: &RestartPolicy, attempt: u32) -> Duration {
    let longest = policy.max_delay.max(policy.delay);
    let mut wait = policy.delay;
    for _ in 1..attempt {
        if wait >= longest || policy.factor_milli <= 1000 || wait.is_zero() {
            break;
        }
        wait = wait.saturating_mul(policy.factor_milli) / 1000;
    }
    wait.min(longest)
}

#[cfg(test)]
mod tests {
    use mainstay_model::RestartWhen;

    use super::*;

    fn policy(delay_ms: u64, factor_milli: u32, max_ms: u64) -> RestartPolicy {
        RestartPolicy {
            delay: Duration::from_millis(delay_ms),
            factor_milli,
            max_delay: Duration::from_millis(max_ms),
            ..RestartPolicy::with(RestartWhen::OnFailure)
        }
    }

    #[test]
    fn it_grows_by_the_factor_up_to_the_cap() {
        let waits =
            |policy: RestartPolicy| [1, 2, 3, 4, 1_000_000_000].map(|n| backoff(&policy, n).as_millis());
        assert_eq!(waits(policy(1000, 2000, 5000)), [1000, 2000, 4000, 5000, 5000]);
        assert_eq!(waits(policy(1000, 1500, 60_000)), [1000, 1500, 2250, 3375, 60_000]);
        assert_eq!(waits(policy(1000, 1000, 60_000)), [1000; 5]);
        assert_eq!(waits(policy(0, 2000, 60_000)), [0; 5]);
        // A delay above the cap is what the file says it is.
        assert_eq!(waits(policy(9000, 2000, 5000)), [9000; 5]);
    }
}

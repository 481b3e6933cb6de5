//! Signals as values: a thread waits for them and passes them on. Knows nothing of what is done about them.

use std::{
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{exit::Exit, failure::Failure};

/// Requests to end that come within this time of the first are one: `timeout` and the like send theirs to a program and
/// again to its group. No person presses Ctrl-C twice as fast.
const ONE: Duration = Duration::from_millis(50);

/// What a terminal or a person wants of a program that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Ctrl-C, or a request to end.
    Stop,
    /// The terminal is gone.
    HangUp,
}

/// From now on these signals no longer end the program; each is handed to `take`, and several of [`ONE`] only once.
pub(crate) fn listen(take: impl Fn(Wish) + Send + 'static) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot wait for signals: {error}")))?;
    thread::spawn(move || {
        let mut requests = Requests::default();
        for signal in signals.forever() {
            if signal == SIGHUP {
                take(Wish::HangUp);
            } else if requests.counts(Instant::now()) {
                take(Wish::Stop);
            }
        }
    });
    Ok(())
}

/// Which requests to end count.
#[derive(Debug, Default)]
struct Requests {
    /// The latest that did.
    counted: Option<Instant>,
}

impl Requests {
    /// Whether one that comes now does.
    fn counts(&mut self, now: Instant) -> bool {
        let counts = self.counted.is_none_or(|counted| now.saturating_duration_since(counted) >= ONE);
        if counts {
            self.counted = Some(now);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_once_is_one_request() {
        let mut requests = Requests::default();
        let start = Instant::now();
        let counted = [0, 0, 49, 50, 99, 100, 1000]
            .map(|milliseconds| requests.counts(start + Duration::from_millis(milliseconds)));
        assert_eq!(counted, [true, false, false, true, false, true, true]);
    }
}

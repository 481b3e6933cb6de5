//! What is not a yes: an answer, or that nothing could be asked. What follows from either is decided elsewhere.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::io::Errno;

/// An asking that came out later than its limit by this much was not slow: we were not there (`SIGSTOP`, a frozen container).
const ABSENT: Duration = Duration::from_secs(1);

/// Why it is no yes, in a word or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum No {
    /// The answer: `refused`, `answered 503`, `timed out after 2000 ms`.
    Answer(String),
    /// Nothing was asked, and that is no fault of whom it was about: `cannot run (Too many open files)`.
    Unasked(String),
}

impl From<String> for No {
    fn from(text: String) -> Self {
        Self::Answer(text)
    }
}

impl From<&str> for No {
    fn from(text: &str) -> Self {
        Self::Answer(text.to_owned())
    }
}

impl No {
    /// An error in these words: it is ours when this machine, or our limit, had no room for the question.
    pub(crate) fn of(error: &io::Error, text: String) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN | Errno::NOBUFS) => {
                Self::Unasked(text)
            }
            Some(_) | None => Self::Answer(text),
        }
    }

    /// It did not come within `limit`.
    pub(crate) fn late(since: Instant, limit: Duration) -> Self {
        Self::after(since.elapsed(), limit)
    }

    fn after(spent: Duration, limit: Duration) -> Self {
        if spent > limit + ABSENT {
            return Self::Unasked("was not waited for: we slept".to_owned());
        }
        Self::Answer(format!("timed out after {} ms", limit.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_our_own_fault_is_no_answer() {
        let of = |errno: Errno| No::of(&errno.into(), "failed".to_owned());
        assert_eq!(of(Errno::MFILE), No::Unasked("failed".to_owned()));
        assert_eq!(of(Errno::AGAIN), No::Unasked("failed".to_owned()));
        assert_eq!(of(Errno::CONNREFUSED), No::Answer("failed".to_owned()));
        let limit = Duration::from_secs(2);
        assert_eq!(No::after(limit, limit), No::Answer("timed out after 2000 ms".to_owned()));
        assert!(matches!(No::after(Duration::from_secs(9), limit), No::Unasked(_)));
    }
}

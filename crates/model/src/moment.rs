//! A point of monotonic time, which somebody else read from a clock.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// Nanoseconds of the monotonic clock of this boot (`CLOCK_MONOTONIC`): comparable between processes, not between boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);
    /// Later than any moment that comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment this many nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_and_never_panics() {
        let early = Moment::from_nanos(5);
        assert_eq!(early - Moment::NEVER, Duration::ZERO);
        assert_eq!(Moment::NEVER + Duration::MAX, Moment::NEVER);
        assert_eq!((early + Duration::from_secs(1)) - early, Duration::from_secs(1));
    }
}

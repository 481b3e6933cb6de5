//! The one place where the daemon reads clocks: monotonic for decisions, wall time for people.

use std::time::Duration;

use jiff::Timestamp;
use mainstay_model::Moment;

/// Now, for decisions.
pub(crate) fn now() -> Moment {
    Moment::from_nanos(mainstay_host::monotonic_nanos())
}

/// A moment as people write it: RFC 3339 in UTC, with milliseconds. Right as long as nobody sets the wall clock between.
pub(crate) fn wall(moment: Moment) -> String {
    let (now, wall) = (now(), Timestamp::now());
    let shifted = if moment > now { wall.checked_add(moment - now) } else { wall.checked_sub(now - moment) };
    text(shifted.unwrap_or(wall))
}

fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The span until `moment`; zero when it has passed.
pub(crate) fn until(moment: Moment) -> Duration {
    moment - now()
}

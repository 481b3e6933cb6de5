//! A moment as people write it: a date, a time of day, a word, or how long ago. Knows no clock but the one it is handed.

use jiff::{
    Span, Timestamp, ToSpan, Zoned,
    civil::{DateTime, Time},
};

/// What is understood.
pub(super) const FORMS: &str =
    "`2026-11-21 10:00`, `10:02`, `today`, `yesterday`, RFC 3339, or how long ago: `15m`, `1h 30m`";

/// The moment that a text means.
///
/// # Errors
/// In words: it means none.
pub(super) fn moment(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let moment = match text {
        "now" => Ok(now.clone()),
        "today" => now.start_of_day(),
        "yesterday" => now.checked_sub(1.day()).and_then(|day| day.start_of_day()),
        _ => return other(text, now).ok_or_else(|| format!("that is no time; a time is {FORMS}")),
    };
    moment.map(|moment| moment.timestamp()).map_err(|error| error.to_string())
}

fn other(text: &str, now: &Zoned) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let here =
        |local: DateTime| local.to_zoned(now.time_zone().clone()).ok().map(|moment| moment.timestamp());
    if let Ok(local) = text.parse::<DateTime>() {
        return here(local);
    }
    if text.contains(':')
        && let Ok(time) = text.parse::<Time>()
    {
        return here(now.date().to_datetime(time));
    }
    // `15m` and `15m ago` are the same here.
    let span: Span = text.parse().ok()?;
    now.checked_sub(span.abs()).ok().map(|moment| moment.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str) -> String {
        let now: Zoned = "2026-11-21T12:30:00+01:00[Europe/Zurich]".parse().unwrap();
        moment(text, &now).map_or_else(|error| error, |moment| moment.to_string())
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        for (text, meaning) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T10:00:00.5+02:00", "2026-11-20T08:00:00.5Z"),
            ("2026-11-20 10:00", "2026-11-20T09:00:00Z"),
            ("2026-11-20 10:00:05", "2026-11-20T09:00:05Z"),
            ("2026-07-20T10:00", "2026-07-20T08:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("10:02", "2026-11-21T09:02:00Z"),
            ("10:02:30", "2026-11-21T09:02:30Z"),
            ("now", "2026-11-21T11:30:00Z"),
            ("today", "2026-11-20T23:00:00Z"),
            ("yesterday", "2026-11-19T23:00:00Z"),
            ("15m", "2026-11-21T11:15:00Z"),
            ("1h 30m", "2026-11-21T10:00:00Z"),
            ("90 seconds ago", "2026-11-21T11:28:30Z"),
            ("2 days", "2026-11-19T11:30:00Z"),
            ("1w", "2026-11-14T11:30:00Z"),
        ] {
            assert_eq!(meant(text), meaning, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_told_what_one_is() {
        for text in ["", "soon", "25:00", "2026-13-01", "15", "m"] {
            assert!(meant(text).starts_with("that is no time; a time is `2026-11-21 10:00`"), "{text}");
        }
    }
}

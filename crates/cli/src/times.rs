//! Points in time as people write them, told from now.

use jiff::{Span, Timestamp, Zoned, civil};

/// What can be written, for errors and for the help of options.
macro_rules! forms {
    () => {
        "`2026-11-21 10:00`, `2026-11-21`, `10:02`, `today`, `yesterday`, RFC 3339, or how long ago: `15m`, `1h 30m`"
    };
}

/// The help of an option for the time from which on something is shown.
pub(crate) const SINCE: &str = concat!("From then on: ", forms!());

/// A point in time on the command line.
///
/// # Errors
/// See [`parse`].
pub(crate) fn argument(text: &str) -> Result<Timestamp, String> {
    parse(text, &Zoned::now())
}

/// The point in time that a text means: RFC 3339; a date, with or without a time of day, or a time of day of today, in the
/// zone of `now`; `now`, `today`, `yesterday`; or how long ago.
///
/// # Errors
/// What was expected, in words.
fn parse(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    word(text, now)
        .or_else(|| text.parse::<Timestamp>().ok())
        .or_else(|| civil(text, now))
        .or_else(|| ago(text, now))
        .ok_or_else(|| concat!("that is no time; a time is ", forms!()).to_owned())
}

fn word(text: &str, now: &Zoned) -> Option<Timestamp> {
    let day = match text {
        "now" => return Some(now.timestamp()),
        "today" => now.date(),
        "yesterday" => now.date().yesterday().ok()?,
        _ => return None,
    };
    at(day.at(0, 0, 0, 0), now)
}

/// Of a time of day that there is twice or never (the clocks are changed), the one that the other times of the day suggest.
fn at(time: civil::DateTime, now: &Zoned) -> Option<Timestamp> {
    time.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp())
}

fn civil(text: &str, now: &Zoned) -> Option<Timestamp> {
    // Numbers alone would be read as a date without separators, or as an hour: nobody means that.
    if !text.contains([':', '-']) || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Ok(time) = text.parse::<civil::DateTime>() {
        return at(time, now);
    }
    if let Ok(day) = text.parse::<civil::Date>() {
        return at(day.at(0, 0, 0, 0), now);
    }
    at(now.date().to_datetime(text.parse::<civil::Time>().ok()?), now)
}

fn ago(text: &str, now: &Zoned) -> Option<Timestamp> {
    let span: Span = text.strip_suffix("ago").unwrap_or(text).trim().parse().ok()?;
    // What lies ahead has not happened.
    if span.is_negative() {
        return None;
    }
    now.checked_sub(span).ok().map(|then| then.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-21T12:30:00+01:00[Europe/Zurich]".parse().unwrap()
    }

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let rows = [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00.25+02:00", "2026-11-21T08:00:00.25Z"),
            ("2026-11-20T10:00:00.5+02:00", "2026-11-20T08:00:00.5Z"),
            ("2026-11-21 10:02", "2026-11-21T09:02:00Z"),
            ("2026-11-20 10:00", "2026-11-20T09:00:00Z"),
            ("2026-11-20 10:00:05", "2026-11-20T09:00:05Z"),
            ("2026-07-20T10:00", "2026-07-20T08:00:00Z"),
            ("2026-11-21T10:02:03", "2026-11-21T09:02:03Z"),
            ("2026-11-21", "2026-11-20T23:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("10:02", "2026-11-21T09:02:00Z"),
            (" 10:02:03 ", "2026-11-21T09:02:03Z"),
            ("now", "2026-11-21T11:30:00Z"),
            ("today", "2026-11-20T23:00:00Z"),
            ("yesterday", "2026-11-19T23:00:00Z"),
            ("15m", "2026-11-21T11:15:00Z"),
            ("1h 30m", "2026-11-21T10:00:00Z"),
            ("90 seconds ago", "2026-11-21T11:28:30Z"),
            ("7d", "2026-11-14T11:30:00Z"),
            ("2 days", "2026-11-19T11:30:00Z"),
            ("1w", "2026-11-14T11:30:00Z"),
            ("2w", "2026-11-07T11:30:00Z"),
            ("0s", "2026-11-21T11:30:00Z"),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text, &now()).map(|time| time.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn days_ago_keep_the_time_of_day_when_the_clocks_change() {
        // In Zurich, summer time ended on 25 October 2026.
        assert_eq!(parse("30d", &now()).unwrap().to_string(), "2026-10-22T10:30:00Z");
        assert_eq!(parse("2026-10-25 02:30", &now()).unwrap().to_string(), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn nonsense_is_no_time_and_says_what_is() {
        for bad in [
            "",
            "5",
            "20261121",
            "-5m",
            "in 5m",
            "soon",
            "25:00",
            "2026-13-01",
            "99999999d",
            "10",
            "15",
            "m",
            "-15m",
        ] {
            let error = parse(bad, &now()).unwrap_err();
            assert!(error.contains("is no time") && error.contains("`15m`"), "{bad}: {error}");
            assert!(error.starts_with("that is no time; a time is `2026-11-21 10:00`"), "{bad}: {error}");
        }
    }
}

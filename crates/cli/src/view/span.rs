//! Times and sizes as people read them at a glance.

use jiff::{Timestamp, tz::TimeZone};

/// The time since then, in its two largest units: `2h 5m`. Nothing when it cannot be told.
pub(crate) fn since(then: Option<&str>, now: Timestamp) -> Option<String> {
    let then: Timestamp = then?.parse().ok()?;
    Some(span(now.duration_since(then).as_secs().max(0)))
}

/// The time until then; what is over is `0s`.
pub(crate) fn until(then: &str, now: Timestamp) -> Option<String> {
    let then: Timestamp = then.parse().ok()?;
    let left = then.duration_since(now);
    let begun = i64::from(left.subsec_nanos() > 0);
    Some(span((left.as_secs() + begun).max(0)))
}

fn span(seconds: i64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, size)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units.iter().skip(first).take(2) {
        let count = left / size;
        left -= count * size;
        if count > 0 || parts.is_empty() {
            parts.push(format!("{count}{unit}"));
        }
    }
    parts.join(" ")
}

/// A moment in this time zone: `2026-11-21 13:04:05 +01:00`. As it came, when it is none.
pub(crate) fn moment(text: &str, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// A moment in this time zone, to the second and without the zone: `2026-11-21 13:04:05`. As it came, when it is none.
pub(crate) fn second(text: &str, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// A moment in this time zone as one tells the time: `10:02`, with its day unless that is today. As it came, when it is none.
pub(crate) fn clock(text: &str, now: Timestamp, zone: &TimeZone) -> String {
    text.parse().map_or_else(|_| text.to_owned(), |moment| clock_of(moment, now, zone))
}

/// The same of a moment that is one.
pub(crate) fn clock_of(moment: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (moment, now) = (moment.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let form = if moment.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    moment.strftime(form).to_string()
}

/// A number of bytes: `12.3 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in units {
        if count >= size {
            let tenths = count * 10 / size;
            let fraction = if tenths >= 1000 { String::new() } else { format!(".{}", tenths % 10) };
            return format!("{}{fraction} {unit}", tenths / 10);
        }
    }
    format!("{count} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let rows = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3600, "1h"),
            (3661, "1h 1m"),
            (90_061, "1d 1h"),
            (86_401, "1d"),
        ];
        for (seconds, text) in rows {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_clock_that_went_back_is_no_reason_for_nonsense() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(since(Some("2026-11-21T11:58:00.5Z"), now).as_deref(), Some("1m 59s"));
        assert_eq!(since(Some("2026-11-21T13:00:00Z"), now).as_deref(), Some("0s"));
        assert_eq!(since(Some("yesterday"), now), None);
        assert_eq!(until("2026-11-21T12:00:00.5Z", now).as_deref(), Some("1s"));
        assert_eq!(until("2026-11-21T11:00:00Z", now).as_deref(), Some("0s"));
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(moment("2026-11-21T12:00:00.25Z", &zone), "2026-11-21 13:00:00 +01:00");
        assert_eq!(moment("never", &zone), "never");
        assert_eq!(clock("2026-11-21T10:02:03Z", now, &zone), "11:02");
        assert_eq!(clock("2026-11-20T23:02:03Z", now, &zone), "00:02");
        assert_eq!(clock("2026-11-20T22:02:03Z", now, &zone), "2026-11-20 23:02");
        assert_eq!(clock("never", now, &zone), "never");
    }

    #[test]
    fn sizes_have_one_digit_after_the_point_while_it_says_something() {
        let rows =
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (12_900_000, "12.3 MiB"), (5 << 30, "5.0 GiB")];
        for (count, text) in rows {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(bytes(200 << 20), "200 MiB");
    }
}

//! Single words of a configuration: durations, sizes, factors, addresses. Knows no setting and no place.

use std::time::Duration;

use jiff::{SpanRelativeTo, Unit, fmt::friendly::SpanParser};
use mainstay_model::Bytes;

use crate::{Code, suggest::quoted};

/// Nothing waits longer.
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// What is wrong with a word.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule it breaks.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: help.into() }
    }
}

/// Reads `500ms`, `5s`, `1h 30m`. A day is 24 hours.
///
/// # Errors
/// It is no duration, has no unit, is negative or longer than ten years.
pub fn duration(text: &str) -> Result<Duration, Fault> {
    let fault = |message: String, help: &str| Fault::new(Code::InvalidDuration, message, help);
    let trimmed = text.trim();
    if trimmed.parse::<f64>().is_ok_and(f64::is_finite) && !trimmed.starts_with('-') {
        return Err(fault(
            format!("the duration `{text}` has no unit"),
            &format!("write `{trimmed}s` for seconds; units are ms, s, m, h and d"),
        ));
    }
    let span = SpanParser::new().parse_span(trimmed).map_err(|_| {
        fault(format!("{} is not a duration", quoted(text)), "write it as \"500ms\", \"5s\" or \"1h 30m\"")
    })?;
    if span.is_negative() || trimmed.starts_with('-') {
        return Err(fault(
            format!("the duration `{text}` is negative"),
            "a wait is never negative: take off the `-`",
        ));
    }
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(fault(
            format!("the duration `{text}` has months or years, whose length differs"),
            "say it in days: \"30d\"",
        ));
    }
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .filter(|span| *span <= LONGEST)
        .ok_or_else(|| fault(format!("the duration `{text}` is too long"), "ten years (3650d) are the most"))
}

/// The units of a size, in bytes.
const UNITS: &[(&str, u64)] = &[
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Reads `200MiB`, `1GB`, `1.5 GiB`: decimal units count in thousands, those with an `i` in 1024.
///
/// # Errors
/// It is no size, has no unit or does not fit.
pub fn size(text: &str) -> Result<Bytes, Fault> {
    let fault = |message: String, help: String| Fault::new(Code::InvalidSize, message, help);
    let trimmed = text.trim();
    let number_end = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(number_end);
    let unit = unit.trim().to_ascii_lowercase();
    let malformed = || {
        fault(
            format!("{} is not a size", quoted(text)),
            "write it as \"10MB\", \"200MiB\" or \"1GB\"".to_owned(),
        )
    };
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(match unit.as_str() {
            _ if number.is_empty() => malformed(),
            "" => fault(
                format!("the size `{text}` has no unit"),
                format!("write `{number}B` for bytes; units are B, KB, MB, GB, KiB, MiB and GiB"),
            ),
            "k" | "m" | "g" | "t" => {
                let unit = unit.to_ascii_uppercase();
                fault(
                    format!("the size `{text}` has half a unit"),
                    format!("write `{number}{unit}B` (thousands) or `{number}{unit}iB` (1024)"),
                )
            }
            _ => malformed(),
        });
    };
    scaled(number, *factor).map(Bytes).ok_or_else(malformed)
}

/// `number` (`12`, `1.5`) times `factor`, cut to whole bytes.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    let digits = u32::try_from(fraction.len()).ok()?;
    let fraction: u64 = fraction.parse().ok()?;
    let part = u128::from(fraction) * u128::from(factor) / 10_u128.checked_pow(digits)?;
    whole.checked_mul(factor)?.checked_add(u64::try_from(part).ok()?)
}

/// `10MB`, `200MiB`, for a message; [`size`] reads it back.
pub(crate) fn size_text(size: Bytes) -> String {
    const NAMES: [&str; 9] = ["TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "KB", "B"];
    let exact = NAMES.iter().filter_map(|name| {
        let (_, factor) = UNITS.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name))?;
        (size.0 >= *factor && size.0.is_multiple_of(*factor)).then(|| (size.0 / factor, name))
    });
    let (number, name) = exact.min_by_key(|(number, _)| *number).unwrap_or((size.0, &"B"));
    format!("{number}{name}")
}

/// A factor in thousandths, when it is from 1 to 1000.
pub(crate) fn factor(number: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, reason = "at most a million, as the range says")]
    let thousandths = |number: f64| (number * 1000.0).round() as u32;
    (1.0..=1000.0).contains(&number).then(|| thousandths(number))
}

/// Checks `host:port`; an IPv6 address stands in brackets.
pub(crate) fn address(text: &str) -> Result<(), Fault> {
    let fault = |message: String, help: &str| Fault::new(Code::InvalidAddress, message, help);
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(fault(
            format!("the address {} has no port", quoted(text)),
            "write host and port: \"127.0.0.1:5432\" or \"[::1]:5432\"",
        ));
    };
    if port.parse::<u16>().map_or(true, |number| number == 0) {
        return Err(fault(format!("{} is not a port", quoted(port)), "a port is a number from 1 to 65535"));
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')),
    };
    if good {
        return Ok(());
    }
    let help = if host.contains("://") {
        "take off the scheme: host and port are all that is said"
    } else if bracketed.is_none() && host.contains(':') {
        "an IPv6 address stands in brackets: \"[::1]:5432\""
    } else {
        "write a host name or an address before the port: \"127.0.0.1:5432\" or \"[::1]:5432\""
    };
    Err(fault(format!("{} is not a host", quoted(host)), help))
}

/// A URL that can be asked by a plain GET: `http://host[:port][/path]`.
pub(crate) fn http_url(text: &str) -> Result<(), Fault> {
    let fault = |message: String, help: &str| Fault::new(Code::InvalidAddress, message, help);
    if text.starts_with("https://") {
        let help = "ask it on a plain port of this machine, or by a command: exec = \"curl -fsS https://…\"";
        return Err(fault("`https` is not supported yet".to_owned(), help));
    }
    let Some(rest) = text.strip_prefix("http://") else {
        let help = "write it whole: \"http://127.0.0.1:8080/healthz\"";
        return Err(fault(format!("{} is no URL of `http`", quoted(text)), help));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let help = "without a user, spaces and control characters: \"http://127.0.0.1:8080/healthz\"";
        return Err(fault(format!("{} is no URL that can be asked", quoted(text)), help));
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    if has_port { address(authority) } else { address(&format!("{authority}:80")) }
}

/// `1h 30m`, for a message; [`duration`] reads it back.
pub fn duration_text(span: Duration) -> String {
    let round = jiff::SignedDuration::try_from(span).ok();
    let span = round.and_then(|span| jiff::Span::try_from(span).ok()).unwrap_or_default();
    let balanced = span.round(jiff::SpanRound::new().largest(Unit::Hour).smallest(Unit::Nanosecond));
    format!("{:#}", balanced.unwrap_or(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row per form.
    #[test]
    fn durations_have_units_and_are_not_negative() {
        let good = [
            ("500ms", 500),
            ("5s", 5_000),
            ("0s", 0),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("2 minutes", 120_000),
            ("1.5s", 1_500),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            (" 5s ", 5_000),
        ];
        for (text, milliseconds) in good {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "5", "1.5", "-5s", "5s ago", "s", "5 apples", "1mo", "1y", "99999d", "PT5S", "inf"] {
            assert_eq!(duration(bad).map_err(|fault| fault.code), Err(Code::InvalidDuration), "{bad}");
        }
    }

    #[test]
    fn durations_are_told_as_they_are_written() {
        for text in ["10ms", "1s", "1h 30m"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes_count_in_thousands_or_in_1024() {
        let good = [
            ("0B", 0),
            ("10MB", 10_000_000),
            ("200MiB", 209_715_200),
            ("1 GB", 1_000_000_000),
            ("1.5KiB", 1_536),
            ("1kb", 1_000),
        ];
        for (text, bytes) in good {
            assert_eq!(size(text), Ok(Bytes(bytes)), "{text}");
        }
        for bad in
            ["", "10", "10M", "MB", "-1MB", "1.2.3MB", "1PB", "99999999999999999999B", "99999999TiB", ".5MB"]
        {
            assert_eq!(size(bad).map_err(|fault| fault.code), Err(Code::InvalidSize), "{bad}");
        }
    }

    #[test]
    fn sizes_are_told_in_their_largest_whole_unit() {
        for text in ["0B", "999B", "10MB", "200MiB", "1GB", "3TiB", "1KiB", "1536B"] {
            assert_eq!(size_text(size(text).unwrap()), text);
        }
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:5432", "localhost:1", "[::1]:65535", "db_1.local:80"] {
            assert_eq!(address(good), Ok(()), "{good}");
        }
        for bad in
            ["", "5432", ":5432", "localhost", "localhost:", "h:0", "h:65536", "::1:80", "[x]:80", "a b:80"]
        {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn factors_are_at_least_one() {
        assert_eq!(factor(1.0), Some(1000));
        assert_eq!(factor(1.5), Some(1500));
        for bad in [0.5, -2.0, 1001.0, f64::NAN, f64::INFINITY] {
            assert_eq!(factor(bad), None, "{bad}");
        }
    }
}

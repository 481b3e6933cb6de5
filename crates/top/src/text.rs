//! Times, sizes and names that are short enough for a table.

/// A number of seconds in at most six columns: `42s`, `3m20s`, `2h05m`, `3d04h`, `120d`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let pair = |big: i64, big_unit, small: i64, small_unit| format!("{big}{big_unit}{small:02}{small_unit}");
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => pair(seconds / 60, 'm', seconds % 60, 's'),
        3_600..86_400 => pair(seconds / 3_600, 'h', seconds % 3_600 / 60, 'm'),
        86_400..8_640_000 => pair(seconds / 86_400, 'd', seconds % 86_400 / 3_600, 'h'),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A number of bytes in at most five columns: `980B`, `12.3M`, `512M`.
pub(crate) fn bytes(count: u64) -> String {
    let units = [('T', 1_u64 << 40), ('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];
    for (unit, size) in units {
        if count >= size {
            let tenths = count / (size / 10).max(1);
            return if tenths >= 1000 {
                format!("{}{unit}", count / size)
            } else {
                format!("{}.{}{unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{count}B")
}

/// A share of a core in at most five columns: `0.0`, `12.3`, `1600`.
pub(crate) fn percent(share: f64) -> String {
    if share < 99.95 { format!("{share:.1}") } else { format!("{share:.0}") }
}

/// `web, worker and 3 more`.
pub(crate) fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let shown: Vec<&str> = names.take(most).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        let spans = [
            (-5, "0s"),
            (59, "59s"),
            (200, "3m20s"),
            (7_500, "2h05m"),
            (273_600, "3d04h"),
            (31_536_000, "365d"),
        ];
        for (seconds, shown) in spans {
            assert_eq!(span(seconds), shown);
        }
        let sizes = [
            (0, "0B"),
            (1023, "1023B"),
            (12_900_000, "12.3M"),
            (1 << 20, "1.0M"),
            (1023 << 20, "1023M"),
            (5 << 40, "5.0T"),
        ];
        for (count, shown) in sizes {
            assert_eq!(bytes(count), shown);
            assert!(shown.len() <= 5);
        }
        assert_eq!(
            (percent(0.04), percent(99.94), percent(1600.0)),
            ("0.0".to_owned(), "99.9".to_owned(), "1600".to_owned())
        );
        assert_eq!(names(["a", "b", "c"].into_iter(), 2), "a, b and 1 more");
    }
}

//! Text that must fit into so many columns, and times and sizes that are short enough for a table.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Where something is left out when there is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A sentence: the beginning tells most.
    End,
    /// A name: those of a family differ at their ends.
    Middle,
}

/// At most this many columns; what is left out is an ellipsis.
pub(crate) fn fit(text: &str, columns: usize, cut: Cut) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let left = columns.saturating_sub(1);
    let (head, tail) = match cut {
        Cut::End => (left, 0),
        Cut::Middle => (left.div_ceil(2), left / 2),
    };
    let end = text.len() - take(text.chars().rev(), tail);
    let ellipsis = if columns > 0 { "…" } else { "" };
    Cow::Owned(format!("{}{ellipsis}{}", &text[..take(text.chars(), head)], &text[end..]))
}

/// How many bytes of these characters fit into so many columns.
fn take(characters: impl Iterator<Item = char>, columns: usize) -> usize {
    let mut left = columns;
    let fitting = characters.take_while(|c| {
        let taken = c.width().unwrap_or(0);
        let fits = taken <= left;
        left = left.saturating_sub(taken);
        fits
    });
    fitting.map(char::len_utf8).sum()
}

/// The text from this column on.
pub(crate) fn after(text: &str, columns: usize) -> &str {
    &text[take(text.chars(), columns)..]
}

/// The first so many columns of a text, and the rest; always at least one character, so that it ends.
pub(crate) fn split(text: &str, columns: usize) -> (&str, &str) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.split_at(take(text.chars(), columns).max(first))
}

/// A text in lines of at most so many columns, broken at blanks where there are some.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while width(rest) > columns {
        let (head, tail) = split(rest, columns);
        let at = match head.rfind(' ') {
            Some(blank) if !tail.starts_with(' ') && blank > 0 => blank,
            _ => head.len(),
        };
        lines.push(&rest[..at]);
        rest = rest[at..].trim_start();
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest);
    }
    lines
}

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
    fn what_is_too_long_ends_in_an_ellipsis_or_has_one_within() {
        let rows = [
            ("refused", 7, Cut::End, "refused"),
            ("refused", 6, Cut::End, "refus…"),
            ("refused", 0, Cut::End, ""),
            ("日本語", 5, Cut::End, "日本…"),
            ("日本語", 4, Cut::End, "日…"),
            ("worker-of-north-12", 9, Cut::Middle, "work…h-12"),
            ("worker-of-north-12", 1, Cut::Middle, "…"),
            ("日本語日本語", 6, Cut::Middle, "日…語"),
        ];
        for (text, columns, cut, shown) in rows {
            assert_eq!(fit(text, columns, cut), shown);
        }
        assert_eq!(after("日本語", 2), "本語");
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("日本", 1), ["日", "本"]);
    }

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

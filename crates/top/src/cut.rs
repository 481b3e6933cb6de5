//! Text that must fit into so many columns of a terminal. What it says is not known here.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Where something is left out when there is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A sentence: the beginning tells most.
    End,
    /// Between these shares of the beginning and of the end.
    Within(usize, usize),
}

impl Cut {
    /// A name: those of a family differ at their ends.
    pub const MIDDLE: Self = Self::Within(1, 1);
}

/// At most this many columns; what is left out is an ellipsis.
pub fn fit(text: &str, columns: usize, cut: Cut) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let left = columns.saturating_sub(1);
    let head = match cut {
        Cut::End => left,
        Cut::Within(head, tail) => left * head / (head + tail).max(1),
    };
    let end = text.len() - take(text.chars().rev(), left - head);
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
pub fn wrapped(text: &str, columns: usize) -> Vec<&str> {
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
            ("worker-of-north-12", 9, Cut::MIDDLE, "work…h-12"),
            ("worker-of-north-12", 1, Cut::MIDDLE, "…"),
            ("日本語日本語", 6, Cut::MIDDLE, "日…語"),
        ];
        for (text, columns, cut, shown) in rows {
            assert_eq!(fit(text, columns, cut), shown);
        }
        assert_eq!(after("日本語", 2), "本語");
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("日本", 1), ["日", "本"]);
    }
}

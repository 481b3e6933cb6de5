//! Text that must fit into so many columns, and may hold anything.

use mainstay_top::cut;
pub(crate) use mainstay_top::cut::{Cut, width};

/// The text on one line and without anything that would move the cursor or turn the line around.
pub(crate) fn tame(text: &str) -> String {
    // Unicode's controls of direction: what comes behind one may show anywhere.
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !turns(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A name that takes more than this part of a terminal's line leaves too little of it to everything else.
const NAME_SHARE: usize = 3;

/// Whether a name stands on a line of its own, above what is said of it: names are what one types next, and are never cut.
pub(crate) fn needs_own_line(name: &str, columns: Option<usize>) -> bool {
    columns.is_some_and(|columns| width(name) > columns / NAME_SHARE)
}

/// At most this many columns; what is left out is an ellipsis.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    fit_within(text, columns, Cut::End)
}

/// The same, with a say in where something is left out.
pub(crate) fn fit_within(text: &str, columns: usize, cut: Cut) -> String {
    cut::fit(text, columns, cut).into_owned()
}

/// The text in lines of at most this many columns, broken between words; a word that is longer has its line to itself, broken
/// where it must be. Of any length when `columns` is none.
pub(crate) fn wrap(text: &str, columns: Option<usize>) -> Vec<String> {
    let lines = columns.map_or_else(|| vec![text], |columns| cut::wrapped(text, columns));
    lines.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// No line takes more columns, and none ends in blanks.
    #[track_caller]
    pub(crate) fn assert_fits(text: &str, columns: usize) {
        for line in text.lines() {
            assert!(width(line) <= columns, "{} columns: {line}", width(line));
            assert_eq!(line, line.trim_end());
        }
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis() {
        assert_eq!(fit("refused", 7), "refused");
        assert_eq!(fit("refused", 6), "refus…");
        assert_eq!(fit("refused", 1), "…");
        assert_eq!(fit("refused", 0), "");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(tame("a\nb\x1b[31mc"), "a b [31mc");
        assert_eq!(tame("a\u{202e}b\u{2066}c"), "abc");
    }

    #[test]
    fn what_is_cut_in_the_middle_keeps_both_ends() {
        assert_eq!(fit_within("warehouse", 9, Cut::Within(1, 1)), "warehouse");
        assert_eq!(fit_within("warehouse", 7, Cut::Within(1, 1)), "war…use");
        assert_eq!(fit_within("warehouse", 7, Cut::Within(1, 5)), "w…house");
        assert_eq!(fit_within("日本語日本語", 6, Cut::Within(1, 1)), "日…語");
        assert_eq!(fit_within("warehouse", 1, Cut::Within(1, 1)), "…");
    }

    #[test]
    fn a_name_has_a_third_of_the_line() {
        let name = "n".repeat(27);
        assert!(needs_own_line(&name, Some(80)) && !needs_own_line(&name[1..], Some(80)));
        assert!(!needs_own_line(&"n".repeat(500), None));
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("api is waiting for db", Some(11)), ["api is", "waiting for", "db"]);
        assert_eq!(wrap("a verylongword b", Some(5)), ["a", "veryl", "ongwo", "rd b"]);
        assert_eq!(wrap("日本語", Some(4)), ["日本", "語"]);
        assert_eq!(wrap("as long as it is", None), ["as long as it is"]);
        assert_eq!(wrap("", Some(5)), [""]);
        assert_eq!(wrap("ab", Some(0)), ["a", "b"]);
    }
}

//! The comments of a text, so that none is lost. Knows strings, and nothing else of TOML.

/// Which comments are not to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Those on lines of their own: one behind a value is about that value, and may go with it.
    OwnLine,
}

/// Such a comment of the first text that the second one has not, or not as often.
pub(super) fn lost(before: &str, after: &str, which: Which) -> Option<String> {
    let mut kept = of(after, which);
    of(before, which).into_iter().find_map(|comment| match kept.iter().position(|other| *other == comment) {
        Some(at) => {
            kept.swap_remove(at);
            None
        }
        None => Some(comment.to_owned()),
    })
}

/// Every such comment, from its `#` to the end of its line.
fn of(text: &str, which: Which) -> Vec<&str> {
    let is_wanted = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        which == Which::All || before.rsplit('\n').next().is_none_or(|line| line.trim().is_empty())
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['#', '"', '\'']) {
        let (_, from) = rest.split_at(at);
        let skipped = match from.as_bytes() {
            [b'#', ..] => {
                let end = from.find('\n').unwrap_or(from.len());
                let comment = from.get(..end).map(str::trim_end);
                found.extend(comment.filter(|_| is_wanted(text.len() - from.len())));
                end
            }
            [b'"', b'"', b'"', ..] => string(from, "\"\"\"", true),
            [b'\'', b'\'', b'\'', ..] => string(from, "'''", false),
            [b'"', ..] => string(from, "\"", true),
            _ => string(from, "'", false),
        };
        rest = from.get(skipped..).unwrap_or_default();
    }
    found
}

/// The length of the string that `text` begins with, its quotes included.
fn string(text: &str, quote: &str, escapes: bool) -> usize {
    let mut at = quote.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if escapes && rest.starts_with('\\') {
            at += 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
        } else if rest.starts_with(quote) {
            // A string of several lines may end in quotes of its own.
            let more = if quote.len() == 3 {
                rest.bytes().skip(3).take_while(|byte| quote.as_bytes().first() == Some(byte)).count().min(2)
            } else {
                0
            };
            return at + quote.len() + more;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_what_is_in_no_string() {
        let text = "# one\na = \"# no \\\" # no\" # two\nb = '# \\' # three\nc = \"\"\"\n# no\n\"\" # no\"\"\"\" # four\r\n\
                    d = '''# no''' # ä\ne = [ # six\n]\n";
        assert_eq!(of(text, Which::OwnLine), ["# one"]);
        assert_eq!(of(text, Which::All), ["# one", "# two", "# three", "# four", "# ä", "# six"]);
        assert_eq!(lost("# a\n# a\n", "# a\n", Which::All), Some("# a".to_owned()));
        assert_eq!(lost("# a\n# b\n", "# b\n# a\n# c\n", Which::All), None);
    }
}

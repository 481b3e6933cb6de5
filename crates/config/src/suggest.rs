//! Words in messages: "did you mean …?", lists, quotes. Knows nothing of what they mean.

/// The word nearest to `wrong`, when it is near enough to be what was meant.
pub fn nearest<'a>(wrong: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase().replace('-', "_");
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&wrong, &word.to_lowercase().replace('-', "_")), word))
        .filter(|(distance, word)| *distance <= tolerance(word))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// A third of the letters may be wrong, one at least.
fn tolerance(word: &str) -> usize {
    (word.chars().count() / 3).max(1)
}

/// `a`, `b` and `c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, and: &str) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} {and} {last}", words.join(", ")) }
}

/// A text as a message shows it: on one line, and visible when it is empty.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { format!("`{}`", text.escape_debug()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_far_ones_are_not() {
        let words = ["command", "env", "env_file", "depends_on"];
        let rows = [
            ("comand", Some("command")),
            ("depend-on", Some("depends_on")),
            ("dependsOn", Some("depends_on")),
            ("envfile", Some("env_file")),
            ("envs", Some("env")),
            ("xyz", None),
        ];
        for (wrong, meant) in rows {
            assert_eq!(nearest(wrong, words), meant, "{wrong}");
        }
    }

    #[test]
    fn words_are_listed_as_people_do() {
        assert_eq!(listed(["a"], "or"), "`a`");
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }
}

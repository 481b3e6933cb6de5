//! What a person means by `api`, `api@2`, `wor*`, `all`.

use mainstay_model::ServiceId;

/// The instances that `pattern` means: `all`; an id (`api@2`); a name (all its instances); either with `*` and `?`.
/// Empty when there is none.
pub fn select<'a>(pattern: &str, ids: impl IntoIterator<Item = &'a ServiceId>) -> Vec<ServiceId> {
    let matches = |id: &&ServiceId| {
        pattern == "all" || glob_matches(pattern, id.name.as_str()) || glob_matches(pattern, &id.to_string())
    };
    ids.into_iter().filter(matches).cloned().collect()
}

/// Whether `text` is of the form `pattern`, where `*` is any number of characters and `?` is one (`glob(7)` without sets).
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the latest star stood, and how much of the text it has taken: on a mismatch it takes one more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                None => return false,
                Some((at, taken)) => {
                    *taken += 1;
                    p = *at + 1;
                    t = *taken;
                }
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let rows = [
            ("api", "api", true),
            ("a*", "api", true),
            ("*i", "api", true),
            ("a?i", "api", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "", false),
            ("ap", "api", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_name_means_all_its_instances() {
        let ids: Vec<ServiceId> = ["api@1", "api@2", "db"].map(|id| id.parse().unwrap()).into();
        let chosen = |pattern| select(pattern, &ids).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(chosen("api"), ["api@1", "api@2"]);
        assert_eq!(chosen("api@2"), ["api@2"]);
        assert_eq!(chosen("*@1"), ["api@1"]);
        assert_eq!(chosen("all"), ["api@1", "api@2", "db"]);
        assert!(chosen("web").is_empty());
    }
}

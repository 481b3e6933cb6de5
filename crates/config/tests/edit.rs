//! Single values of a file, changed: what a person wrote around them stays.
//!
//! A case is a folder: `before.toml`, `command` (one line), `after.toml` and `said.txt`. `UPDATE_GOLDEN=1` rewrites the
//! last two: read the difference.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "the room is pure; these tests read its cases"
)]

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_config::{EditError, Edited, Explained, Inputs, Key, Problems, Source, explain, set, unset};
use proptest::prelude::*;

fn explained(text: &str) -> Result<Vec<Explained>, Problems> {
    explain(&Inputs {
        base: vec![Source { path: "mainstay.toml".into(), text: text.to_owned() }],
        local: None,
        directory: PathBuf::from("/srv/shop"),
        variables: &BTreeMap::new(),
        read: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
    })
}

fn edited(text: &str, command: &str) -> Result<Edited, EditError> {
    let words = shlex::split(command).unwrap();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["set", key, value] => set(text, &key.parse().unwrap(), value),
        ["unset", key] => unset(text, &key.parse().unwrap()),
        other => panic!("{other:?}"),
    }
}

fn told(outcome: &Result<Edited, EditError>) -> String {
    match outcome {
        Ok(Edited { key, before, after, line, .. }) => {
            let shown = |value: &Option<String>| value.clone().unwrap_or("-".to_owned());
            format!("{key}: {} -> {} in line {line}\n", shown(before), shown(after))
        }
        Err(error) => format!("refused: {error}\nhelp: {}\n", error.help()),
    }
}

/// Compares with the golden file, or rewrites it; says whether they differ.
fn differs(golden: &Path, outcome: Option<&str>) -> bool {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        match outcome {
            Some(outcome) => fs::write(golden, outcome).unwrap(),
            None => drop(fs::remove_file(golden)),
        }
        return false;
    }
    let differs = fs::read_to_string(golden).ok().as_deref() != outcome;
    if differs {
        eprintln!("--- {} should read:\n{outcome:?}", golden.display());
    }
    differs
}

#[test]
fn a_value_changes_and_the_rest_stays() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edit");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 30);
    let mut different = Vec::new();
    for case in cases {
        let before = fs::read_to_string(case.join("before.toml")).unwrap();
        let command = fs::read_to_string(case.join("command")).unwrap();
        let outcome = edited(&before, &command);
        let after = outcome.as_ref().ok().map(|edited| edited.text.as_str());
        if let Some(Err(problems)) = after.map(explained) {
            panic!("{}: {}", case.display(), problems.plain());
        }
        if differs(&case.join("said.txt"), Some(&told(&outcome))) | differs(&case.join("after.toml"), after) {
            different.push(case);
        }
    }
    assert!(different.is_empty(), "these differ (see above; UPDATE_GOLDEN=1 rewrites): {different:#?}");
}

/// Files that say the same in the ways in which people say it; the key of each is set, and a value of it.
const TEXTS: &[&str] = &[
    "# top\n[service.api] # api\n# what runs\ncommand = [\"./api\"] # it\n# end\n",
    "[mainstay]\nname = 'x' # name\n\n# all\n[defaults] # inherited\nrestart = \"always\" # policy\n\n[service.api]\ncommand = \"x\"\nuser = \"a\"#user\n",
    "[service.api]\ncommand = \"x\"\n\n  # sub\n  [service.api.restart] # how\n  delay = \"2s\" # wait\n  # factor\n  factor = 3\n\n[service.api.env] # variables\nA = \"# no\" # yes\n\n# other\n[service.b]\ncommand = \"b\" # b\n",
    "service.api.command = \"x\" # dotted\nservice.api.restart.delay = \"2s\" # wait\n# env\nservice.api.env.A = 1 # one\n# last",
    "[service]\napi = { command = \"x\", restart = { policy = \"never\" }, env = { A = \"1\" } } # braces\n# end\n",
    "[service.api]\r\n# windows\r\ncommand = \"x\" # c\r\nstop = { timeout = \"3s\" } # stop\r\n",
    "[service.api]\ncommand = \"x\"\nrestart = { # way\n  policy = \"always\", # p\n  delay = \"2s\" # d\n} # end\nenv = {\n  A = \"1\", # a\n}\n",
];

/// Keys, and values that are right for them.
const CHANGES: &[(&str, &[&str])] = &[
    ("service.api.restart.delay", &["5s", "1h 30m", "\"90s\"", "500ms"]),
    ("service.api.restart.policy", &["always", "'never'"]),
    ("service.api.restart", &["on-failure", "{ delay = \"4s\" }"]),
    ("service.api.restart.attempts", &["3", "unlimited"]),
    ("service.api.restart.factor", &["1.5", "3"]),
    ("service.api.user", &["shop", "1000", "\"a#b\""]),
    ("service.api.env.A", &["x", "8080", "true", "", "a \"b\" # c", "it's\n'''two''' lines\\"]),
    ("service.api.env.\"a.b\"", &["ä", " x "]),
    ("service.api.stop.signal", &["INT"]),
    ("service.api.command", &["./x --y 'a b'", "[\"./x\", \"#1\"]"]),
    ("service.api.log.max_size", &["200MiB"]),
    ("service.api.ready.after", &["2s"]),
    ("service.api.rerun_unknown", &["true"]),
    ("mainstay.name", &["shop", "2024", "2024-01-01"]),
    ("defaults.restart.delay", &["7s"]),
    ("defaults.user", &["ann"]),
];

/// A text with a value set, and what is in force then.
fn set_and_get(text: &str, key: &str, value: &str) -> Option<(Edited, Explained)> {
    let key: Key = key.parse().unwrap();
    let edited = match set(text, &key, value) {
        Ok(edited) => edited,
        // What would lose a comment is refused, never done.
        Err(EditError::LosesComment(_)) => return None,
        Err(error) => panic!("{key} {value}: {error} in\n{text}"),
    };
    let all = explained(&edited.text)
        .unwrap_or_else(|problems| panic!("{key} = {value}\n{}\n{}", edited.text, problems.plain()));
    let found = all.into_iter().find(|one| edited.key == one.key || edited.key.below(&one.key).is_some());
    let found = found.unwrap_or_else(|| panic!("{key} is not told in\n{}", edited.text));
    Some((edited, found))
}

fn comments(text: &str) -> Vec<&str> {
    let comment = |line: &'_ str| line.rfind(" # ").or_else(|| line.find('#'));
    text.lines().filter_map(|line| comment(line).and_then(|at| line.get(at..))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// One change after the other, in any order: each is in force then, and no comment is lost.
    #[test]
    fn what_is_set_is_what_is_there(
        text in prop::sample::select(TEXTS),
        changes in prop::collection::vec(prop::sample::select(CHANGES), 1..6),
        which in any::<prop::sample::Index>(),
    ) {
        let (original, mut text) = (text, text.to_owned());
        for (key, values) in changes {
            let value = values[which.index(values.len())];
            let Some((edited, found)) = set_and_get(&text, key, value) else { continue };
            let said = found.value.unwrap();
            if edited.key == found.key {
                let wanted = value.trim_matches(['"', '\'']);
                let same = said.plain() == value || said.plain() == wanted || said.toml() == value;
                prop_assert!(same, "{key}: {value} became {} in\n{}", said.toml(), edited.text);
                prop_assert_eq!(edited.after.as_deref().map(|after| after.trim_matches('"').is_empty()), Some(value.is_empty()));
                let line = found.origin.place().map(|place| place.line);
                prop_assert_eq!(line, Some(edited.line), "{}", &edited.text);
            }
            for comment in comments(original) {
                prop_assert!(edited.text.contains(comment), "`{comment}` is lost in\n{}", edited.text);
            }
            // The same again changes nothing.
            let again = set(&edited.text, &key.parse().unwrap(), value).unwrap();
            prop_assert_eq!(&again.text, &edited.text);
            text = edited.text;
        }
    }

    /// Whatever the text and the words: no panic, and what comes out is TOML where something came in.
    #[test]
    fn any_text_is_edited_or_refused(text in "\\PC*", key in "[a-z.\"*]{1,20}", value in "\\PC*") {
        if let Ok(key) = key.parse::<Key>() {
            let _ = (set(&text, &key, &value), unset(&text, &key));
        }
        for key in ["service.api.user", "service.api.env.A", "service.api.restart.delay"] {
            let key = key.parse().unwrap();
            if let Ok(edited) = set(&text, &key, &value) {
                prop_assert!(edited.text.parse::<toml_edit::DocumentMut>().is_ok(), "{}", edited.text);
            }
            if let Ok(edited) = set("[service.api]\n", &key, &value) {
                let gone = unset(&edited.text, &key);
                prop_assert!(gone.is_ok(), "{gone:?}");
            }
        }
    }
}

//! Every key and what it does: the help on the screen, and the hints at its foot.

use crate::{
    acts::{ACTS, Place},
    input::Key,
};

/// A part of the help.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) keys: Vec<(String, &'static str)>,
}

const MOVING: &[(&str, &str)] = &[
    ("↑ ↓ j k", "one row up, down"),
    ("PgUp PgDn", "a screen up, down"),
    ("Home End g G", "first, last"),
    ("Tab", "from table to pane and back"),
    ("wheel", "scrolls what it is over"),
    ("click", "selects, sorts, filters, presses"),
];

const LOOKING: &[(&str, &str)] = &[
    ("/", "filter: api, wor*, :failed"),
    ("s S", "next order; the other way round"),
    ("t", "tree by dependencies, or table"),
    ("l Enter", "logs of what is selected or marked"),
    ("d", "details of what is selected"),
    ("z", "pane on the whole screen"),
    ("Esc", "closes what was opened last"),
];

const MARKING: &[(&str, &str)] = &[("Space", "mark, and go on"), ("a", "mark all shown, or none")];

const LOGS: &[(&str, &str)] = &[
    ("f", "follow, or stay"),
    ("/ n N", "search; older, newer match"),
    ("w", "wrap long lines, or cut them"),
    ("← →", "to the side, where they are cut"),
];

const ENDING: &[(&str, &str)] =
    &[("q Ctrl-C", "quit; services go on"), ("Ctrl-Z", "suspend"), ("Ctrl-L", "draw again")];

/// The whole help.
pub(crate) fn sections() -> Vec<Section> {
    let section = |title, keys: &[(&str, &'static str)]| Section {
        title,
        keys: keys.iter().map(|(key, text)| ((*key).to_owned(), *text)).collect(),
    };
    let mut acting = section("Act on what is selected or marked", MARKING);
    acting.keys.extend(ACTS.iter().map(|row| (row.key.to_string(), row.help)));
    vec![
        section("Move", MOVING),
        section("Look", LOOKING),
        acting,
        section("In the logs", LOGS),
        section("Leave", ENDING),
    ]
}

/// A key at the foot of the screen; a click on it is the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) key: Key,
    pub(crate) shown: String,
    pub(crate) text: &'static str,
}

impl Hint {
    /// What is always useful.
    pub(crate) fn common() -> Vec<Self> {
        let hint = |key: char, text| Self { key: Key::Char(key), shown: key.to_string(), text };
        let mut hints = vec![hint('?', "help"), hint('q', "quit"), hint('/', "filter"), hint('l', "logs")];
        let acts = |place| ACTS.iter().filter(move |row| row.hint == place);
        hints.extend(acts(Place::First).map(|row| hint(row.key, row.word)));
        hints.extend([hint('d', "details"), hint('t', "tree"), hint('s', "sort")]);
        hints.push(Self { key: Key::Char(' '), shown: "Space".to_owned(), text: "mark" });
        hints.extend(acts(Place::Last).map(|row| hint(row.key, row.word)));
        hints
    }

    /// What is useful while keys go to the log.
    pub(crate) fn of_log() -> Vec<Self> {
        let hint = |key, shown: &str, text| Self { key, shown: shown.to_owned(), text };
        vec![
            hint(Key::Char('?'), "?", "help"),
            hint(Key::Tab, "Tab", "table"),
            hint(Key::Char('/'), "/", "search"),
            hint(Key::Char('n'), "n", "older"),
            hint(Key::Char('N'), "N", "newer"),
            hint(Key::Char('f'), "f", "follow"),
            hint(Key::Char('w'), "w", "wrap"),
            hint(Key::Char('z'), "z", "zoom"),
            hint(Key::Escape, "Esc", "back"),
        ]
    }

    /// What is useful while text is typed.
    pub(crate) fn of_prompt() -> Vec<Self> {
        let hint = |key, shown: &str, text| Self { key, shown: shown.to_owned(), text };
        vec![
            hint(Key::Enter, "Enter", "keep"),
            hint(Key::Escape, "Esc", "as it was"),
            hint(Key::Ctrl('u'), "Ctrl-U", "clear"),
        ]
    }
}

//! Which pictures there are. Runs nothing.

/// Rows of the terminal of a verb that answers and ends: more than any answer has.
pub(super) const ROWS: u16 = 2_500;

/// Rows of the terminal of a live view.
pub(super) const LIVE_ROWS: u16 = 24;

/// How a verb is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// On a terminal with so many columns.
    Columns(u16),
    /// The same with `NO_COLOR`.
    Plain(u16),
    /// Without a terminal.
    Piped,
}

/// On narrow terminals and on wide ones.
const BOTH: &[How] = &[How::Columns(80), How::Columns(200)];

/// In every way.
const EACH: &[How] = &[How::Columns(80), How::Columns(200), How::Plain(80), How::Piped];

/// A verb in a project.
#[derive(Debug)]
pub(super) struct Picture {
    /// The sample project.
    pub(super) project: &'static str,
    /// Its name among those of the project.
    pub(super) name: &'static str,
    /// What is typed behind `mainstay`.
    pub(super) arguments: &'static [&'static str],
    /// In which ways it is drawn.
    pub(super) how: &'static [How],
    /// Only this many lines are drawn.
    pub(super) lines: Option<usize>,
    /// A live view, which shows this once it is there.
    pub(super) live: Option<&'static str>,
    /// Whether every line must fit: all that is ours does, and what programs wrote may not.
    pub(super) must_not_wrap: bool,
    /// Whether the files are newer than what runs.
    pub(super) changes: bool,
}

impl Picture {
    pub(super) fn verb(&self) -> &'static str {
        self.arguments.first().copied().unwrap_or_default()
    }

    const fn new(
        project: &'static str,
        name: &'static str,
        arguments: &'static [&'static str],
        how: &'static [How],
    ) -> Self {
        Self { project, name, arguments, how, lines: None, live: None, must_not_wrap: false, changes: false }
    }

    const fn fits(self) -> Self {
        Self { must_not_wrap: true, ..self }
    }

    const fn first(self, lines: usize) -> Self {
        Self { lines: Some(lines), ..self }
    }

    const fn live(self, text: &'static str) -> Self {
        Self { live: Some(text), ..self }
    }

    const fn newer(self) -> Self {
        Self { changes: true, ..self }
    }
}

impl How {
    /// The end of the file's name.
    pub(super) fn word(self) -> String {
        match self {
            Self::Columns(columns) => columns.to_string(),
            Self::Plain(columns) => format!("{columns}-plain"),
            Self::Piped => "piped".to_owned(),
        }
    }

    /// How it is told.
    pub(super) fn words(self) -> String {
        match self {
            Self::Columns(columns) => format!("{columns} columns"),
            Self::Plain(columns) => format!("{columns} columns, without colour"),
            Self::Piped => "without a terminal".to_owned(),
        }
    }

    /// What is typed.
    pub(super) fn command(self, picture: &Picture) -> String {
        let verb = format!("mainstay {}", picture.arguments.join(" "));
        match self {
            Self::Columns(_) => verb,
            Self::Plain(_) => format!("NO_COLOR=1 {verb}"),
            Self::Piped => format!("{verb} | cat"),
        }
    }
}

/// How many lines are drawn of a thousand.
const OF_MANY: usize = 40;

/// Each picture, in the order in which they are drawn and shown.
pub(super) const ALBUM: &[Picture] = &[
    Picture::new("shop", "list", &["list"], EACH).fits(),
    Picture::new("shop", "status", &["status"], EACH).fits(),
    Picture::new("shop", "status-mailer", &["status", "mailer"], BOTH),
    Picture::new("shop", "explain-web", &["explain", "web"], BOTH),
    Picture::new("shop", "logs", &["logs", "-n", "20"], EACH),
    Picture::new("shop", "top", &["top"], BOTH).live("web").fits(),
    Picture::new("shop", "plan", &["plan"], BOTH).newer(),
    Picture::new("crowd", "list", &["list"], BOTH).first(OF_MANY).fits(),
    Picture::new("crowd", "status", &["status"], BOTH).first(OF_MANY).fits(),
    Picture::new("crowd", "logs", &["logs", "-n", "1"], BOTH).first(OF_MANY).fits(),
    Picture::new("crowd", "top", &["top"], BOTH).live("queue-0001").fits(),
    Picture::new("names", "list", &["list"], EACH).fits(),
    Picture::new("names", "status", &["status"], BOTH).fits(),
    Picture::new("names", "status-one", &["status", super::samples::LONG], BOTH),
    Picture::new("names", "explain-one", &["explain", super::samples::LONG], BOTH),
    Picture::new("names", "logs", &["logs", "-n", "20"], EACH),
    Picture::new("names", "top", &["top"], BOTH).live("hall").fits(),
];

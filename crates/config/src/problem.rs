//! What is wrong with a configuration: where, what, and how to mend it. Knows nothing of colours or terminals.

use std::{error::Error, fmt, ops::Range, path::Path, sync::Arc};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Which rule was broken; stable, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The file is no text in UTF-8.
    NotUtf8,
    /// The text is no TOML.
    Syntax,
    /// A key that no version knows.
    UnknownKey,
    /// A key or word that a later version gives a meaning to.
    NotSupportedYet,
    /// A number where a text belongs, and the like.
    WrongType,
    /// Something that has to be said is not.
    MissingKey,
    /// Two keys that exclude each other.
    ConflictingKeys,
    /// The same setting in two files of one layer.
    Duplicate,
    /// No span of time.
    InvalidDuration,
    /// No size.
    InvalidSize,
    /// No signal.
    InvalidSignal,
    /// None of the words that are possible here.
    InvalidWord,
    /// Smaller or larger than what makes sense.
    OutOfRange,
    /// No name for a service, a project, a user or a variable.
    InvalidName,
    /// A text that cannot be used here.
    InvalidValue,
    /// No command.
    InvalidCommand,
    /// No `host:port`.
    InvalidAddress,
    /// `${…}` that is neither `${VAR}` nor `${VAR:-default}`.
    InvalidSubstitution,
    /// A variable that the caller does not have.
    UndefinedVariable,
    /// An `env_file` that cannot be read.
    UnreadableEnvFile,
    /// A line of an `env_file` that sets no variable.
    InvalidEnvFile,
    /// A dependency on a service that is not there.
    UnknownDependency,
    /// A dependency named twice.
    DuplicateDependency,
    /// A service that depends on itself.
    SelfDependency,
    /// A service that waits for one to complete that never does.
    NeverCompletes,
    /// A service waits for one to be healthy that is never asked.
    NeverHealthy,
    /// Services that wait for each other in a circle.
    DependencyCycle,
    /// A project without services.
    NoServices,
}

impl Code {
    /// As scripts read it: `config::unknown_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "config::not_utf8",
            Self::Syntax => "config::syntax",
            Self::UnknownKey => "config::unknown_key",
            Self::NotSupportedYet => "config::not_supported_yet",
            Self::WrongType => "config::wrong_type",
            Self::MissingKey => "config::missing_key",
            Self::ConflictingKeys => "config::conflicting_keys",
            Self::Duplicate => "config::duplicate",
            Self::InvalidDuration => "config::invalid_duration",
            Self::InvalidSize => "config::invalid_size",
            Self::InvalidSignal => "config::invalid_signal",
            Self::InvalidWord => "config::invalid_word",
            Self::OutOfRange => "config::out_of_range",
            Self::InvalidName => "config::invalid_name",
            Self::InvalidValue => "config::invalid_value",
            Self::InvalidCommand => "config::invalid_command",
            Self::InvalidAddress => "config::invalid_address",
            Self::InvalidSubstitution => "config::invalid_substitution",
            Self::UndefinedVariable => "config::undefined_variable",
            Self::UnreadableEnvFile => "config::unreadable_env_file",
            Self::InvalidEnvFile => "config::invalid_env_file",
            Self::UnknownDependency => "config::unknown_dependency",
            Self::DuplicateDependency => "config::duplicate_dependency",
            Self::SelfDependency => "config::self_dependency",
            Self::NeverCompletes => "config::never_completes",
            Self::NeverHealthy => "config::never_healthy",
            Self::DependencyCycle => "config::dependency_cycle",
            Self::NoServices => "config::no_services",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text with the path by which a person knows it.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) path: std::path::PathBuf,
    pub(crate) named: NamedSource<String>,
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        self.named.inner()
    }
}

/// One thing that is wrong. As a [`Diagnostic`] it carries its text and underlines its place.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) text: Arc<Text>,
    pub(crate) span: Range<usize>,
}

impl Problem {
    /// Which rule was broken.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong: one clause that names the thing.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it: one line.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The file it is in, as it was named to `load`.
    pub fn path(&self) -> &Path {
        &self.text.path
    }

    /// The line where it begins, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The character of that line where it begins, from 1.
    pub fn column(&self) -> usize {
        let before = self.before();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        before.get(line_start..).unwrap_or_default().chars().count() + 1
    }

    fn before(&self) -> &str {
        self.text.as_str().get(..self.span.start).unwrap_or_default()
    }

    /// The line where it begins, and how many of its characters belong to it.
    fn excerpt(&self) -> (&str, usize) {
        let text = self.text.as_str();
        let line_start = self.before().rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let within = self.span.start - line_start..(self.span.end - line_start).min(line.len());
        (line, line.get(within).map_or(0, |marked| marked.chars().count()).max(1))
    }

    /// Several lines of plain text: place, message, the line underlined, help.
    pub fn plain(&self) -> String {
        let (line, width) = self.excerpt();
        let number = self.line().to_string();
        let gutter = " ".repeat(number.len());
        format!(
            "{}:{number}:{}: {} [{}]\n  {number} | {}\n  {gutter} | {}{}\n  help: {}\n",
            self.path().display(),
            self.column(),
            self.message,
            self.code,
            line.replace('\t', " ").trim_end(),
            " ".repeat(self.column() - 1),
            "^".repeat(width),
            self.help,
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text.named)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::underline(self.span.clone()))))
    }
}

/// Everything that is wrong with a configuration, in the order of the files; never empty. As a [`Diagnostic`] its parts are
/// the related ones.
#[derive(Clone, Debug)]
pub struct Problems {
    list: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    pub(crate) fn new(list: Vec<Problem>, omitted: usize) -> Self {
        debug_assert!(!list.is_empty(), "a refusal names what is wrong");
        Self { list, omitted }
    }

    /// One after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many more there were than are kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// All of them as plain text, an empty line between two.
    pub fn plain(&self) -> String {
        self.list.iter().map(Problem::plain).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list.len() + self.omitted {
            1 => f.write_str("the configuration has a problem"),
            several => write!(f, "the configuration has {several} problems"),
        }
    }
}

impl Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.list.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

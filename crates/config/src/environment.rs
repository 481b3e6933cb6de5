//! What a service's environment is made of: `env_file`s, `env`, and what it takes over from the caller. Reads nothing
//! by itself: texts and variables are handed in.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::{
    Code, Inputs,
    check::variable_name,
    report::{Place, Report},
};

/// Names and values.
pub(crate) type Variables = BTreeMap<String, String>;

/// A value and the line that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// What a file says: names, values and where each is said.
pub(crate) type Lines = BTreeMap<String, Line>;

/// Taken over from the caller by every service, as is everything that begins with [`LOCALE`].
const INHERITED: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "TZ"];
const LOCALE: &str = "LC_";

/// What a service takes over from the caller: the usual ones and these.
pub(crate) fn inherited(callers: &Variables, names: &[impl AsRef<str>]) -> Variables {
    let wanted = |name: &str| {
        INHERITED.contains(&name)
            || name.starts_with(LOCALE)
            || names.iter().any(|known| known.as_ref() == name)
    };
    callers
        .iter()
        .filter(|(name, value)| wanted(name) && variable_name(name) && !value.contains('\0'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Every `env_file` is read once, however many instances name it.
pub(crate) struct EnvFiles<'a> {
    read: &'a dyn Fn(&Path) -> io::Result<String>,
    known: BTreeMap<PathBuf, Outcome>,
}

/// What came of reading a file.
enum Outcome {
    Read(Lines),
    Missing,
    Unreadable(String),
}

impl<'a> EnvFiles<'a> {
    pub(crate) fn new(inputs: &Inputs<'a>) -> Self {
        Self { read: inputs.read, known: BTreeMap::new() }
    }

    /// All files that were asked for, missing ones too.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.known.keys().cloned().collect()
    }

    /// The variables of a file; what is wrong with it is charged to `place`, or to its own lines.
    pub(crate) fn variables(
        &mut self,
        path: &Path,
        optional: bool,
        place: &Place,
        report: &mut Report,
    ) -> Lines {
        let read = self.read;
        let outcome = self.known.entry(path.to_owned()).or_insert_with(|| outcome(read(path), path, report));
        let unreadable = |why: &str| format!("cannot read the env_file {}: {why}", path.display());
        match outcome {
            Outcome::Read(lines) => lines.clone(),
            Outcome::Missing if optional => Lines::new(),
            Outcome::Missing => {
                let help = "make it, or say that it may be missing: { path = \"…\", optional = true }";
                report.add(Code::UnreadableEnvFile, place, unreadable("it does not exist"), help);
                Lines::new()
            }
            Outcome::Unreadable(why) => {
                let help = "it is a text file in UTF-8 that the caller of mainstay may read";
                report.add(Code::UnreadableEnvFile, place, unreadable(why), help);
                Lines::new()
            }
        }
    }
}

fn outcome(read: io::Result<String>, path: &Path, report: &mut Report) -> Outcome {
    match read {
        Ok(text) => Outcome::Read(parse(&text, path, report)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Missing,
        Err(error) => Outcome::Unreadable(error.to_string()),
    }
}

/// `NAME=value` lines. Empty lines and those that begin with `#` say nothing; `export ` before a name is skipped; a
/// value in `'…'` is taken as it is, in `"…"` `\n`, `\t`, `\"`, `\\` and `\$` are escapes; without quotes it ends before
/// ` #` and the blanks before that. Nothing is replaced: a `$` is a `$`.
fn parse(text: &str, path: &Path, report: &mut Report) -> Lines {
    let number = report.add_text(path, text);
    let mut lines = Lines::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let begin = start;
        start += line.len();
        let content = line.trim_start_matches('\u{feff}').trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.find(content).unwrap_or(0);
        let place = Place::new(number, begin + indent..begin + indent + content.len());
        match assignment(content) {
            Ok((name, value)) => {
                lines.insert(name, Line { value, place });
            }
            Err(why) => {
                let help = "a line is NAME=value, NAME='value', NAME=\"value\" or begins with `#`";
                report.add(Code::InvalidEnvFile, &place, why, help);
            }
        }
    }
    lines
}

fn assignment(line: &str) -> Result<(String, String), &'static str> {
    let (name, value) = line.split_once('=').ok_or("the line has no `=`")?;
    let name = name.trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim);
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '\0') {
        return Err("what stands before the `=` is not the name of a variable");
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some('\'') => single_quoted(value)?,
        Some('"') => double_quoted(value)?,
        _ => unquoted(value),
    };
    if value.contains('\0') {
        return Err("the value holds a NUL byte, which no program can be handed");
    }
    Ok((name.to_owned(), value))
}

fn unquoted(value: &str) -> String {
    let comment = value.char_indices().find(|(at, c)| {
        let before = value.get(..*at).unwrap_or_default();
        *c == '#' && (before.is_empty() || before.ends_with(char::is_whitespace))
    });
    let end = comment.map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or_default().trim_end().to_owned()
}

fn single_quoted(value: &str) -> Result<String, &'static str> {
    let inside = value.get(1..).unwrap_or_default();
    let (inside, rest) = inside.split_once('\'').ok_or("a quote is not closed on its line")?;
    nothing_after(rest)?;
    Ok(inside.to_owned())
}

fn double_quoted(value: &str) -> Result<String, &'static str> {
    let mut out = String::new();
    let mut characters = value.chars();
    characters.next();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                nothing_after(characters.as_str())?;
                return Ok(out);
            }
            '\\' => match characters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(escaped @ ('"' | '\\' | '$')) => out.push(escaped),
                _ => return Err("only \\n, \\t, \\\", \\\\ and \\$ are escapes"),
            },
            c => out.push(c),
        }
    }
    Err("a quote is not closed on its line")
}

fn nothing_after(rest: &str) -> Result<(), &'static str> {
    let rest = rest.trim();
    if rest.is_empty() || rest.starts_with('#') { Ok(()) } else { Err("something follows the closing quote") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row per form.
    #[test]
    fn a_line_sets_a_variable() {
        let rows = [
            ("A=1", "A", "1"),
            ("A=", "A", ""),
            (" A = x y ", "A", "x y"),
            ("export A=1", "A", "1"),
            ("A=x # comment", "A", "x"),
            ("A=# comment", "A", ""),
            ("A=x#y", "A", "x#y"),
            ("A='x # y' # z", "A", "x # y"),
            ("A='\\n$B'", "A", "\\n$B"),
            ("A=\"x\\n\\\"y\\\"\"", "A", "x\n\"y\""),
            ("A=b=c", "A", "b=c"),
            ("A=$B", "A", "$B"),
            ("A=ä 'b'", "A", "ä 'b'"),
        ];
        for (line, name, value) in rows {
            assert_eq!(assignment(line.trim()), Ok((name.to_owned(), value.to_owned())), "{line}");
        }
        for bad in ["A", "=x", "A B=x", "A='x", "A=\"x", "A=\"x\\q\"", "A='x' y"] {
            assert!(assignment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn little_is_taken_over_from_the_caller() {
        let callers = ["PATH", "LC_ALL", "SECRET", "SSH_AUTH_SOCK", "LOGNAME"];
        let callers = callers.map(|name| (name.to_owned(), "x".to_owned())).into_iter().collect();
        let taken: Vec<String> = inherited(&callers, &["SSH_AUTH_SOCK", "ABSENT"]).into_keys().collect();
        assert_eq!(taken, ["LC_ALL", "PATH", "SSH_AUTH_SOCK"]);
    }
}

//! `mainstay config set` and `mainstay config unset`.

use std::path::PathBuf;

use clap::Args;
use mainstay_config::{EditError, Edited, Explained, Key, Said, Source, depth, set, unset};
use mainstay_wire::SCHEMA_VERSION;

use super::{
    key,
    replace::Held,
    values::{Values, no_service},
};
use crate::{
    exit::Exit,
    failure::Failure,
    output::{Form, Output},
    places::{FILE, ProjectFile},
    project::{self, Texts},
    verbs::Context,
};

/// Sets one value in the file; comments and everything else stay as they are
///
/// The whole project is checked first, and nothing is written when it would be wrong.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Set {
    /// Where the value hangs; a name with dots stands in quotes
    #[arg(value_name = "KEY", value_parser = key)]
    key: Key,

    /// TOML when it reads as such, else a text
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,

    /// Set it in `mainstay.local.toml`, which is laid over the other files
    #[arg(long)]
    local: bool,
}

const EXAMPLES: &str = "\
Examples:
  mainstay config set service.api.restart.delay 5s
  mainstay config set service.api.command '[\"./api\", \"-v\"]'
  mainstay config set --local service.api.env.LEVEL debug";

/// Takes one value out of the file: then the default is in force, or what another file says
///
/// The comment behind the value goes with it; others stay, and what holds one on a line of its own is not taken out.
#[derive(Debug, Args)]
pub(crate) struct Unset {
    /// Where the value hangs; a name with dots stands in quotes
    #[arg(value_name = "KEY", value_parser = key)]
    key: Key,

    /// Take it out of `mainstay.local.toml`
    #[arg(long)]
    local: bool,
}

impl Set {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        Change { key: &self.key, value: Some(&self.value), local: self.local }.run(context)
    }
}

impl Unset {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        Change { key: &self.key, value: None, local: self.local }.run(context)
    }
}

/// One value that is to change.
struct Change<'a> {
    key: &'a Key,
    /// `None` takes it out.
    value: Option<&'a str>,
    local: bool,
}

/// Which file is changed.
#[derive(Clone, Copy)]
enum Which {
    /// This one of the main file and its additions.
    Base(usize),
    Local,
}

impl Change<'_> {
    fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let file = places.require_file(&context.surroundings)?;
        let read = || Texts::read(file, &context.surroundings).map_err(|error| error.tell(context.output));
        let which = self.choose(&read()?)?;
        let held = Held::open(&path(file, which))?;
        // What another one changed while it was waited for is seen now.
        let mut texts = read()?;
        let before = Values::of(&texts, &context.surroundings).ok();
        let source = source(file, which, &texts, context);
        let edited = self.edited(&source.text).map_err(|error| self.refusal(error, &texts, context))?;
        let report = Report { edited: &edited, shown: source.path.display().to_string(), local: self.local };
        if edited.text == source.text {
            report.unchanged(context.output);
            return Ok(Exit::Done);
        }
        put(&mut texts, which, Source { text: edited.text.clone(), ..source });
        let after = Values::of(&texts, &context.surroundings).map_err(|error| error.tell(context.output))?;
        let mark = if held.bytes().starts_with(MARK) { MARK } else { b"" };
        held.replace(&[mark, edited.text.as_bytes()].concat())?;
        report.tell(before.as_ref(), &after, context.output);
        Ok(Exit::Done)
    }

    /// The file to change: the one that says it, or most of what is around it.
    fn choose(&self, texts: &Texts) -> Result<Which, Failure> {
        if let Some(name) = self.key.service().filter(|_| !self.key.is_glob()) {
            let service = Key::of_service(name);
            let all: Vec<&Source> = texts.base.iter().chain(&texts.local).collect();
            let says = |source: &&&Source| depth(&source.text, &service) == service.parts().len();
            match all.iter().find(says) {
                None => return Err(self.nobody(name, texts)),
                Some(_) if self.local || texts.base.iter().any(|source| says(&&source)) => {}
                Some(local) => {
                    let text = format!("`{name}` is only in {}", local.path.display());
                    return Err(Failure::new(Exit::Failed, text).with_help("`--local` changes it there"));
                }
            }
        }
        if self.local {
            return Ok(Which::Local);
        }
        let deepest =
            texts.base.iter().enumerate().rev().max_by_key(|(_, source)| depth(&source.text, self.key));
        match deepest {
            Some((at, _)) => Ok(Which::Base(at)),
            None => Ok(Which::Local),
        }
    }

    /// No file has a service of this name.
    fn nobody(&self, name: &str, texts: &Texts) -> Failure {
        let values = mainstay_config::explain(&texts.inputs()).unwrap_or_default();
        no_service(name, &Values { all: values }.services())
    }

    fn edited(&self, text: &str) -> Result<Edited, EditError> {
        match self.value {
            Some(value) => set(text, self.key, value),
            None => unset(text, self.key),
        }
    }

    fn refusal(&self, error: EditError, texts: &Texts, context: &Context<'_>) -> Failure {
        if error == EditError::Syntax
            && let Err(error) = Values::of(texts, &context.surroundings)
        {
            return error.tell(context.output);
        }
        let elsewhere = texts.local.as_ref().filter(|source| {
            matches!(error, EditError::NotSaid(_)) && !self.local && unset(&source.text, self.key).is_ok()
        });
        let help = match elsewhere {
            Some(local) => format!("{} says it: `--local` takes it out there", local.path.display()),
            None => error.help(),
        };
        Failure::new(Exit::Failed, format!("{error}; nothing was changed")).with_help(help)
    }
}

/// What editors of Windows put at the beginning of a file; it stays.
const MARK: &[u8] = b"\xef\xbb\xbf";

fn path(file: &ProjectFile, which: Which) -> PathBuf {
    match which {
        Which::Base(at) => file.base().nth(at).cloned().unwrap_or_else(|| file.directory.join(FILE)),
        Which::Local => file.local_path(),
    }
}

/// The text of the file; nothing where there is none yet.
fn source(file: &ProjectFile, which: Which, texts: &Texts, context: &Context<'_>) -> Source {
    let known = match which {
        Which::Base(at) => texts.base.get(at),
        Which::Local => texts.local.as_ref(),
    };
    known.cloned().unwrap_or_else(|| {
        let path = path(file, which);
        let shown = project::shown(&path, &context.surroundings.directory);
        Source { path: shown.to_owned(), text: String::new() }
    })
}

fn put(texts: &mut Texts, which: Which, source: Source) {
    match which {
        Which::Base(at) => {
            if let Some(known) = texts.base.get_mut(at) {
                *known = source;
            }
        }
        Which::Local => texts.local = Some(source),
    }
}

/// What is said of a change.
struct Report<'a> {
    edited: &'a Edited,
    /// The file, as people know it.
    shown: String,
    local: bool,
}

impl Report<'_> {
    fn unchanged(&self, output: &Output) {
        let Edited { key, line, .. } = self.edited;
        match output.form() {
            Form::Json => self.json(None, None, false, output),
            Form::Text => output.line(&format!("{key}: unchanged, {}:{line} says so already", self.shown)),
        }
    }

    fn tell(&self, before: Option<&Values>, after: &Values, output: &Output) {
        let Edited { key, line, .. } = self.edited;
        let (old, new) = (before.and_then(|values| of(values, key)), of(after, key));
        let secret = old.is_some_and(|one| one.secret) || within(after, key).any(|one| one.secret);
        let was = self.edited.before.clone().or_else(|| old.and_then(in_words));
        let is = self.edited.after.clone().or_else(|| new.and_then(in_words));
        let (was, is) = if secret { (None, None) } else { (was, is) };
        if output.form() == Form::Json {
            return self.json(was, is, true, output);
        }
        let not_set = || "not set".to_owned();
        let values = match secret {
            true => "(hidden)".to_owned(),
            false => format!("{} -> {}", was.unwrap_or_else(not_set), is.unwrap_or_else(not_set)),
        };
        let place = if self.edited.after.is_some() { " in" } else { ", taken out of" };
        output.line(&format!("{key}: {values}{place} {}:{line}", self.shown));
        if let Some(other) = new.and_then(|one| self.wins(one)) {
            let help = if self.local { "" } else { "; `--local` changes that" };
            output.note(&format!("note: {other} says otherwise and wins{help}"));
        }
        output.note("help: `mainstay up` makes it run");
    }

    /// Another place that is in force instead of the one that was changed.
    fn wins(&self, one: &Explained) -> Option<String> {
        self.edited.after.as_ref()?;
        let place = one.origin.place()?;
        let here = place.path.display().to_string() == self.shown;
        (!here).then(|| one.origin.to_string())
    }

    fn json(&self, before: Option<String>, after: Option<String>, changed: bool, output: &Output) {
        output.json(&serde_json::json!({
            "schema_version": SCHEMA_VERSION,
            "key": self.edited.key.to_string(),
            "before": before,
            "after": after,
            "file": self.shown,
            "line": self.edited.line,
            "changed": changed,
        }));
    }
}

fn of<'a>(values: &'a Values, key: &Key) -> Option<&'a Explained> {
    values.all.iter().find(|one| one.key == *key)
}

fn within<'a>(values: &'a Values, key: &'a Key) -> impl Iterator<Item = &'a Explained> {
    values.all.iter().filter(move |one| key.covers(&one.key, |one, other| one == other))
}

/// A value that the file does not say, with who says it.
fn in_words(one: &Explained) -> Option<String> {
    let value = one.value.as_ref().map(Said::toml)?;
    let origin = match &one.origin {
        mainstay_config::Origin::Default { .. } => "default".to_owned(),
        origin => origin.to_string(),
    };
    Some(format!("{value} ({origin})"))
}

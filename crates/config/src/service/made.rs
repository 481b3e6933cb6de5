//! A service of a program that is made with the library: which program, and what is handed on to it.

use std::{collections::BTreeMap, path::PathBuf};

use mainstay_model::{Command, Kind, ReadyCheck, ReadyPolicy, Runner};

use super::{Reader, Shared, care};
use crate::{
    Code, expand,
    report::Place,
    said::Said,
    suggest::quoted,
    trail::Trail,
    tree::{Table, Value},
};

/// What comes before the `:` of a service that ships with Mainstay.
const BUILTIN: &str = "builtin";

/// `use`, read.
pub(super) struct Made {
    /// The name under which the program has it.
    pub(super) service: String,
    program: Option<String>,
    /// The file that describes it.
    file: PathBuf,
}

impl Reader<'_, '_> {
    /// `use`; `place` is where the service stands.
    pub(super) fn made(&mut self, table: &Table, place: &Place) -> Option<Made> {
        let (text, value) = (table.text("use")?, table.get("use")?);
        let (program, service) = match text.rsplit_once(':') {
            Some((program, service)) => (Some(program), service),
            None => (None, text),
        };
        if program == Some(BUILTIN) {
            let message = format!("`use = \"{text}\"` is not supported yet");
            let help = "no service ships with Mainstay yet; say \"PROGRAM:TYPE\"";
            self.report.add(Code::NotSupportedYet, &value.place, message, help);
            return None;
        }
        if !is_name(service) || program.is_some_and(|program| program.trim().is_empty()) {
            let message = format!("{} names no service of a program", quoted(text));
            let help = "for example: use = \"./hello:greeter\"; a type has only a-z, 0-9, `_`, `-` and `.`";
            self.report.add(Code::InvalidValue, &value.place, message, help);
            return None;
        }
        let program = program.map(|program| self.program(program)).or(self.program.map(str::to_owned));
        if program.is_none() && table.get("command").is_none() {
            self.report_no_program(text, value);
        }
        Some(Made { service: service.to_owned(), program, file: self.file(place) })
    }

    fn report_no_program(&mut self, text: &str, value: &Value) {
        let message = format!("`use = \"{text}\"` does not say of which program");
        let help = format!("say use = \"./PROGRAM:{text}\", or add a `command`");
        self.report.add(Code::MissingKey, &value.place, message, help);
    }

    /// A path counts from where the file lies; a name is looked for in the PATH.
    fn program(&self, program: &str) -> String {
        match program.contains('/') {
            true => self.path(program).to_string_lossy().into_owned(),
            false => program.to_owned(),
        }
    }

    /// The file that describes what stands at `place`; what only the local overrides describe, the main file stands for.
    fn file(&self, place: &Place) -> PathBuf {
        let base = &self.inputs.base;
        let Some(source) = base.get(place.text).or(base.first()) else { return self.path("mainstay.toml") };
        let name = source.path.file_name().unwrap_or_default();
        let folder = source.path.parent().and_then(|folder| folder.file_name());
        let is_addition = folder.is_some_and(|folder| folder == "conf.d");
        let folder =
            if is_addition { self.inputs.directory.join("conf.d") } else { self.inputs.directory.clone() };
        folder.join(name)
    }

    /// The variables that `config` names: the service reads it by itself.
    pub(super) fn names_in_config(&self, table: &Table) -> Vec<String> {
        let values = table.table("config").map(|config| config.0.as_slice()).unwrap_or_default();
        let used = values.iter().flat_map(|entry| self.trail.used(&entry.value.place));
        used.map(|used| used.name).collect()
    }
}

impl Shared<'_> {
    /// What runs it when the file says no command.
    pub(super) fn command(&self, number: u32) -> Option<Command> {
        let made = self.made.as_ref()?;
        let file = made.file.to_string_lossy().into_owned();
        Command::new([made.program.clone()?, file, self.name.to_string(), number.to_string()])
    }

    /// What is made with the library says when it is ready; a oneshot says it by its end.
    pub(super) fn usual_ready(&self, table: &Table) -> Option<ReadyPolicy> {
        let says = self.made.is_some() && table.get("command").is_none() && table.get("ready").is_none();
        (says && self.kind == Kind::Permanent).then(|| care::usual(ReadyCheck::Notify))
    }
}

/// `config`: each setting as a file says it.
pub(super) fn config(table: &Table, number: u32) -> BTreeMap<String, String> {
    let trail = Trail::default();
    let entries = table.table("config").map(|config| config.0.as_slice()).unwrap_or_default();
    let said = |value| expand::instance(&Said::of(value, &trail).toml(), number);
    entries.iter().map(|entry| (entry.key.clone(), said(&entry.value))).collect()
}

/// `runner`.
pub(super) fn runner(table: &Table) -> Runner {
    let word = table.text("runner");
    [Runner::Task, Runner::Process]
        .into_iter()
        .find(|runner| Some(runner.as_str()) == word)
        .unwrap_or_default()
}

fn is_name(text: &str) -> bool {
    let is_right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    !text.is_empty() && text.chars().all(is_right)
}

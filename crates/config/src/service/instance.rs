//! One instance of a service: everything that `{instance}` can be in.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Component, Path, PathBuf},
};

use mainstay_model::{Command, ServiceId, Spec};

use super::{Layered, Reader, Shared, care, made};
use crate::{
    Code,
    environment::Line,
    expand,
    suggest::quoted,
    trail::{Candidate, CandidateKind},
    tree::Table,
};

impl Reader<'_, '_> {
    /// Instance `number` of `instances`.
    pub(super) fn instance(
        &mut self,
        shared: &Shared<'_>,
        layered: &Layered,
        number: u32,
        instances: u32,
    ) -> Option<Spec> {
        let table = &layered.merged;
        let instance = NonZeroU32::new(number).filter(|_| instances > 1);
        // Everything is read before the command may end it, so that every problem is told.
        let working_dir = self.working_dir(table, number);
        let user = self.user(table, number);
        let env = self.env(layered, number);
        let ready = self.ready(table, number).or_else(|| shared.usual_ready(table));
        let health = self.health(shared, table, number);
        let watchdog = self.watchdog(shared, table);
        let reload = care::reload(table, number);
        let hooks = care::hooks(table, number);
        Some(Spec {
            id: ServiceId { name: shared.name.clone(), instance },
            kind: shared.kind,
            command: command(table, "command", number).or_else(|| shared.command(number))?,
            working_dir,
            user,
            env,
            inherited: shared.inherited.clone(),
            depends_on: shared.depends_on.clone(),
            restart: shared.restart.clone(),
            ready,
            health,
            watchdog,
            reload,
            hooks,
            watch: shared.watch.clone(),
            rolling: shared.rolling,
            stop: shared.stop.clone(),
            log: shared.log,
            rerun_unknown: shared.rerun_unknown,
            uses: shared.made.as_ref().map(|made| made.service.clone()),
            config: made::config(table, number),
            runner: shared.runner,
        })
    }

    fn working_dir(&mut self, table: &Table, number: u32) -> PathBuf {
        let (Some(text), Some(value)) = (table.text("working_dir"), table.get("working_dir")) else {
            return self.inputs.directory.clone();
        };
        if text.is_empty() {
            let help = "say \".\" for the project's directory, or take it out";
            self.report.add(Code::InvalidValue, &value.place, "`working_dir` is empty", help);
        }
        if text.starts_with('~') {
            let help = "no shell reads it: write \"${HOME}/…\"";
            self.report.add(Code::InvalidValue, &value.place, "`~` is not replaced in `working_dir`", help);
        }
        self.path(&expand::instance(text, number))
    }

    /// A path of the file as an absolute one.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let joined = self.inputs.directory.join(Path::new(text));
        joined.components().filter(|component| *component != Component::CurDir).collect()
    }

    fn user(&mut self, table: &Table, number: u32) -> Option<String> {
        let user = expand::instance(table.text("user")?, number);
        if user.is_empty() || user.contains(|c: char| c.is_whitespace() || c == ':' || c == '/') {
            let place = &table.get("user")?.place;
            let message = format!("{} cannot be the name of a user", quoted(&user));
            let help = "it is a name or a number as in /etc/passwd: \"www-data\" or \"1000\"";
            self.report.add(Code::InvalidName, place, message, help);
        }
        Some(user)
    }

    /// Later layers win: the defaults' files, the defaults' `env`, the service's files, its `env`.
    fn env(&mut self, layered: &Layered, number: u32) -> BTreeMap<String, String> {
        let said = self.said(layered, number);
        said.into_iter().map(|(name, candidate)| (name, candidate.value)).collect()
    }

    /// Who says each variable of the first instance, the last one winning.
    pub(super) fn candidates(&mut self, layered: &Layered) -> BTreeMap<String, Vec<Candidate>> {
        let mut candidates: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for (name, candidate) in self.said(layered, 1) {
            candidates.entry(name).or_default().push(candidate);
        }
        candidates
    }

    /// Everything that is said of variables, in the order in which later ones win.
    fn said(&mut self, layered: &Layered, number: u32) -> Vec<(String, Candidate)> {
        let mut said = Vec::new();
        for layer in &layered.environment {
            for file in &layer.files {
                let path = self.path(&expand::instance(&file.path, number));
                let lines = self.env_files.variables(&path, file.optional, &file.place, self.report);
                said.extend(lines.into_iter().map(|(name, Line { value, place })| {
                    (name, Candidate { value, place, kind: CandidateKind::File })
                }));
            }
            said.extend(layer.variables.iter().map(|variable| {
                let (value, place) = (expand::instance(&variable.value, number), variable.place.clone());
                (variable.name.clone(), Candidate { value, place, kind: CandidateKind::Table })
            }));
        }
        said
    }
}

/// A checked list of words as a command.
pub(super) fn command(table: &Table, key: &str, number: u32) -> Option<Command> {
    Command::new(super::texts(table.list(key)).map(|(word, _)| expand::instance(word, number)))
}

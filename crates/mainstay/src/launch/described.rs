//! The file, read for a launcher: what it describes, and what of it cannot be hosted here, in words. It starts nothing.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use mainstay_config::{Inputs, Problem, Problems, Source, load_for};
use mainstay_model::{Command, Hooks, Probe, ReadyCheck, Reload, Runner, Signal, Spec};

use crate::{Registration, Registry, controller::TimeLimits, settings::local_of};

/// How long it may be silent, in microseconds (`sd_watchdog_enabled(3)`).
const WATCHDOG_VARIABLE: &str = "WATCHDOG_USEC";

/// How long a task may keep the thread that all share, when its description says so.
pub(crate) fn silence_of(spec: &Spec) -> Option<Duration> {
    let micros = spec.env.get(WATCHDOG_VARIABLE)?.parse().ok()?;
    Some(Duration::from_micros(micros))
}

/// What a launcher is made from.
#[derive(Debug)]
pub(crate) struct Blueprint {
    /// Absolute.
    pub(crate) file: PathBuf,
    pub(crate) registry: Registry,
    /// This program's own file.
    pub(crate) program: PathBuf,
    /// What the launcher is called.
    pub(crate) id: String,
}

impl Blueprint {
    /// What the file describes now.
    ///
    /// # Errors
    /// Everything that is wrong with it, a sentence each.
    pub(crate) fn read(&self) -> Result<Vec<Spec>, Vec<String>> {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let local = local_of(&self.file);
        let inputs = Inputs {
            base: vec![source(&self.file)?],
            local: local.as_deref().map(source).transpose()?,
            directory: self.folder().to_owned(),
            variables: &variables,
            read: &read_text,
        };
        let project =
            load_for(&inputs, &self.program.to_string_lossy()).map_err(|problems| told(&problems))?;
        let (specs, refused) = project.specs.into_iter().map(|spec| self.hosted(spec)).fold(
            (Vec::new(), Vec::new()),
            |(mut specs, mut refused), hosted| {
                match hosted {
                    Ok(spec) => specs.push(spec),
                    Err(words) => refused.push(words),
                }
                (specs, refused)
            },
        );
        if refused.is_empty() { Ok(specs) } else { Err(refused) }
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    /// The service of this program that a task is.
    pub(crate) fn registration(&self, spec: &Spec) -> Option<&Registration> {
        self.registry.get(spec.uses.as_deref()?)
    }

    /// The description as it is hosted here.
    fn hosted(&self, mut spec: Spec) -> Result<Spec, String> {
        let refused = |words: String| Err(format!("`{}`: {words}", spec.id));
        if let Some(words) = unwatched(&spec) {
            return refused(words);
        }
        if !spec.watch.is_empty() {
            tracing::warn!("{}: `watch` is looked at by `mainstay up` only", spec.id);
        }
        if spec.runner == Runner::Process {
            return Ok(spec);
        }
        let Some(name) = &spec.uses else {
            return refused("a command cannot be a task; say runner = \"process\", or `use`".to_owned());
        };
        let Some(registration) = self.registry.get(name) else {
            let names: Vec<&str> = self.registry.names().collect();
            return refused(format!("this program has no service `{name}`; there are: {}", names.join(", ")));
        };
        if let Err(words) = TimeLimits::of(registration) {
            return refused(words);
        }
        if spec.user.is_some() || spec.working_dir != self.folder() {
            let setting = if spec.user.is_some() { "user" } else { "working_dir" };
            return refused(format!(
                "a task shares its process with others and has no `{setting}` of its own; say runner = \"process\""
            ));
        }
        // Nothing is run for it unless it says so: what a process would be made of is no part of it.
        if !runs_commands(&spec) {
            spec.inherited = BTreeMap::new();
        }
        spec.command = Command::unknown();
        // As the process of a service would be told; the guard sees whether it lives.
        if let Some(span) = spec.watchdog.take() {
            spec.env.insert(WATCHDOG_VARIABLE.to_owned(), span.as_micros().to_string());
        }
        spec.reload = spec.reload.or(Some(Reload::Signal(Signal::HUP)));
        Ok(spec)
    }
}

/// Whether something beside itself is run for it.
fn runs_commands(spec: &Spec) -> bool {
    let is_command = |probe: &Probe| matches!(probe, Probe::Exec(_));
    let ready = spec.ready.as_ref().and_then(|ready| probe(&ready.check)).is_some_and(is_command);
    let health = spec.health.as_ref().is_some_and(|health| is_command(&health.probe));
    let reload = matches!(spec.reload, Some(Reload::Command(_)));
    ready || health || reload || spec.hooks != Hooks::default()
}

/// What of its checks is not looked at here.
fn unwatched(spec: &Spec) -> Option<String> {
    let check = spec.ready.as_ref().map(|ready| &ready.check);
    let probes = [check.and_then(probe), spec.health.as_ref().map(|health| &health.probe)];
    let kind = probes.into_iter().flatten().find_map(|probe| match probe {
        Probe::Tcp(_) => Some("tcp"),
        Probe::Http(_) => Some("http"),
        Probe::Exec(_) => None,
    });
    match (check, kind) {
        (Some(ReadyCheck::Log(_)), _) => Some("`ready.log` is looked at by `mainstay up` only".to_owned()),
        (Some(ReadyCheck::Fd(_)), _) => Some("`ready.fd` is looked at by `mainstay up` only".to_owned()),
        (_, Some(kind)) if !cfg!(feature = "probes") => Some(format!(
            "this program cannot ask by {kind}: build it with the feature `probes` of mainstay, or take the check out"
        )),
        _ => None,
    }
}

fn probe(check: &ReadyCheck) -> Option<&Probe> {
    match check {
        ReadyCheck::Probe(probe) => Some(probe),
        ReadyCheck::Log(_) | ReadyCheck::Notify | ReadyCheck::Fd(_) | ReadyCheck::After(_) => None,
    }
}

fn source(path: &Path) -> Result<Source, Vec<String>> {
    let bytes = std::fs::read(path);
    let bytes = bytes.map_err(|error| vec![format!("cannot read {}: {error}", path.display())])?;
    Source::from_bytes(path, bytes).map_err(|problems| told(&problems))
}

fn read_text(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

fn told(problems: &Problems) -> Vec<String> {
    let one = |problem: &Problem| {
        let (path, line) = (problem.path().display(), problem.line());
        format!("{path}:{line}: {} ({})", problem.message(), problem.help())
    };
    problems.iter().map(one).collect()
}

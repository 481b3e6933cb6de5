//! `PROGRAM launch FILE`: the services of a file in one process, as tasks beside each other or as processes of their own. It
//! holds no rule: what is done when is decided where it is decided for Mainstay itself, by the same descriptions.
//!
//! [`described`] reads the file and says what cannot be hosted here; [`hands`] carry out what is decided, with a [`task`] or a
//! [`child`]; what becomes of either arrives in one queue ([`heard`]), which one loop ([`main_loop`]) works off. Nothing polls.

mod answer;
mod child;
mod described;
mod hands;
mod heard;
mod main_loop;
mod task;

use std::path::PathBuf;

use crate::{Ending, Registry, process::Process};

use described::Blueprint;
use main_loop::MainLoop;

/// What is to be launched.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) registry: Registry,
    pub(crate) file: PathBuf,
    /// Only these; all when there are none.
    pub(crate) names: Vec<String>,
    /// What the launcher is called.
    pub(crate) id: Option<String>,
}

/// Runs them, to their end.
///
/// # Errors
/// What keeps all of them from being run, and how the program ends by it.
pub(crate) fn launch(launch: Launch) -> Result<Ending, (Ending, String)> {
    let failed = |error: std::io::Error| (Ending::Failed, format!("the process cannot be set up: {error}"));
    let process = Process::begin().map_err(failed)?;
    let file = std::path::absolute(&launch.file).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let id = launch.id.unwrap_or_else(|| {
        file.file_stem().map_or_else(|| "launcher".to_owned(), |stem| stem.to_string_lossy().into_owned())
    });
    let blueprint = Blueprint { file, registry: launch.registry, program, id };
    let specs = blueprint.read().map_err(|problems| (Ending::InvalidConfig, problems.join("\nerror: ")))?;
    let ids: Vec<_> = specs.iter().map(|spec| spec.id.clone()).collect();
    if let Some(unknown) = launch.names.iter().find(|name| mainstay_decide::select(name, &ids).is_empty()) {
        let known: Vec<String> = ids.iter().map(ToString::to_string).collect();
        return Err((
            Ending::Usage,
            format!("there is no service `{unknown}`; there are: {}", known.join(", ")),
        ));
    }
    process.guard.before_end(child::kill_all);
    let asked = process.asked().map_err(failed)?;
    let life = MainLoop::new(&process, blueprint, launch.names, asked);
    process.run(async move { life.run(specs).await }).map_err(failed)
}

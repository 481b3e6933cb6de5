//! `mainstay check`.

use std::path::PathBuf;

use clap::Args;
use mainstay_config::{Problem, Problems};
use mainstay_wire::SCHEMA_VERSION;
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::Failure,
    output::{Form, Loudness},
    places::{Places, ProjectFile},
    project::{self, LoadError, Project},
    verbs::Context,
};

/// Finds every mistake in the file
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file; without it, that of the project
    #[arg(value_name = "FILE")]
    path: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer<'a> {
    schema_version: u32,
    file: String,
    ok: bool,
    services: Option<usize>,
    problems: Vec<Mistake<'a>>,
    omitted: usize,
}

#[derive(Serialize)]
struct Mistake<'a> {
    file: String,
    line: usize,
    column: usize,
    code: &'a str,
    text: &'a str,
    help: &'a str,
}

impl Check {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let file = match &self.path {
            Some(path) => ProjectFile::named(path, &context.surroundings)?,
            None => {
                let places: Places = context.places()?;
                places.require_file(&context.surroundings)?.clone()
            }
        };
        let shown = match &self.path {
            Some(path) => path.display().to_string(),
            None => file.shown().display().to_string(),
        };
        match project::load(&file, &context.surroundings) {
            Ok(project) => {
                good(&project, shown, context);
                Ok(Exit::Done)
            }
            Err(LoadError::Problems(problems)) => Err(bad(&problems, shown, context)),
            Err(error @ LoadError::Unreadable { .. }) => Err(error.tell(context.output)),
        }
    }
}

fn good(project: &Project, file: String, context: &Context<'_>) {
    let output = context.output;
    let count = project.service_count();
    match output.form() {
        Form::Json => output.json(&Answer {
            schema_version: SCHEMA_VERSION,
            file,
            ok: true,
            services: Some(count),
            problems: Vec::new(),
            omitted: 0,
        }),
        Form::Text if output.loudness() > Loudness::Quiet => {
            let plural = if count == 1 { "" } else { "s" };
            output.line(&format!("{file}: ok, {count} service{plural}"));
        }
        Form::Text => {}
    }
}

fn bad(problems: &Problems, file: String, context: &Context<'_>) -> Failure {
    let output = context.output;
    if output.form() == Form::Json {
        output.json(&Answer {
            schema_version: SCHEMA_VERSION,
            file,
            ok: false,
            services: None,
            problems: problems.iter().map(mistake).collect(),
            omitted: problems.omitted(),
        });
        return Failure::said(Exit::InvalidConfiguration);
    }
    output.error_text(&project::render(problems, output.paint_errors));
    Failure::new(Exit::InvalidConfiguration, problems.to_string())
}

fn mistake(problem: &Problem) -> Mistake<'_> {
    Mistake {
        file: problem.path().display().to_string(),
        line: problem.line(),
        column: problem.column(),
        code: problem.code().as_str(),
        text: problem.message(),
        help: problem.help(),
    }
}

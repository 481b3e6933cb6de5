//! `mainstay logs`.

use std::{ops::ControlFlow, path::PathBuf};

use clap::Args;
use mainstay_logs::{Follow, From, Line, folders, read};
use mainstay_model::ServiceId;

use crate::{
    exit::Exit,
    failure::Failure,
    output::{Form, Output},
    places::Places,
    project::{self, choose},
    verbs::Context,
    view::prefix::Prefixes,
};

/// How many lines of each service are shown before what is followed, when nobody says.
const FOLLOWED: u64 = 20;

/// The folder in which the daemon's own words are.
const DAEMON: &str = "@daemon";

/// What services have written; works without a daemon too
#[derive(Debug, Args)]
#[command(after_help = LOGS_HELP)]
pub(crate) struct Logs {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`; `@daemon` is the daemon itself [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) services: Vec<String>,

    /// Go on with what is written from now on
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Only the last N lines of each [default: all; 20 with `-f`]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<u64>,

    // The global `-f FILE` stands before the verb; here `-f` is to follow.
    /// The project's file; `-f FILE` before `logs`
    #[arg(id = "file", long = "file", env = "MAINSTAY_FILE", hide_env_values = true, value_name = "FILE")]
    #[arg(help_heading = "Global options")]
    _file: Option<PathBuf>,
}

const LOGS_HELP: &str = "\
Lines of several services have their service in front; those of a single one are as it wrote them. Files do not say \
when a line was written: of several services, what was written last comes last, file by file.";

impl Logs {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let services = self.chosen(&places, context)?;
        let from = match (self.lines, self.follow) {
            (Some(lines), _) => From::Last(lines),
            (None, true) => From::Last(FOLLOWED),
            (None, false) => From::Start,
        };
        let mut show = Show::new(&services, context.output);
        if self.follow {
            let follow = Follow::new(&places.logs_dir, &services, from)?;
            let handle = follow.handle();
            context.output.when_reader_goes(move || handle.finish());
            follow.run(&mut |line| show.line_now(line))?;
        } else {
            read(&places.logs_dir, &services, from, &mut |line| show.line(line))?;
        }
        Ok(Exit::Done)
    }

    /// The folders to read: of what is in the files, and of what was once.
    fn chosen(&self, places: &Places, context: &Context<'_>) -> Result<Vec<String>, Failure> {
        let file = places.file.as_ref();
        let project = file.map(|file| project::load(file, &context.surroundings));
        let mut ids: Vec<ServiceId> = match project {
            Some(Ok(project)) => project.ids(),
            // Logs are most wanted when something is wrong.
            Some(Err(_)) | None => Vec::new(),
        };
        for folder in folders(&places.logs_dir)? {
            if let Ok(id) = folder.parse::<ServiceId>()
                && !ids.contains(&id)
            {
                ids.push(id);
            }
        }
        let (own, patterns): (Vec<String>, Vec<String>) =
            self.services.iter().cloned().partition(|name| name == DAEMON);
        let chosen =
            if patterns.is_empty() && !own.is_empty() { Vec::new() } else { choose(&patterns, &ids)? };
        Ok(chosen.iter().map(ToString::to_string).chain(own.into_iter().take(1)).collect())
    }
}

/// Prints lines.
struct Show<'a> {
    output: &'a Output,
    prefixes: Option<Prefixes>,
}

impl<'a> Show<'a> {
    fn new(services: &[String], output: &'a Output) -> Self {
        let names = services.iter().map(String::as_str);
        let prefixes = (services.len() > 1).then(|| Prefixes::new(names, output.paint));
        Self { output, prefixes }
    }

    fn line(&mut self, line: Line<'_>) -> ControlFlow<()> {
        match (self.output.form(), &mut self.prefixes) {
            (Form::Json, _) => {
                let text = String::from_utf8_lossy(line.text);
                self.output.json(&serde_json::json!({ "service": line.service, "text": text }));
            }
            (Form::Text, Some(prefixes)) => {
                self.output.write(&[prefixes.of(line.service), line.text, b"\n"]);
            }
            (Form::Text, None) => self.output.write(&[line.text, b"\n"]),
        }
        if self.output.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn line_now(&mut self, line: Line<'_>) -> ControlFlow<()> {
        let _ = self.line(line);
        self.output.flush();
        if self.output.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

//! `mainstay logs`.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use mainstay_decide::glob_matches;
use mainstay_logs::{Damage, Follow, From, Line, LogStream, Run, Wanted, folders, read_telling};
use mainstay_model::ServiceId;
use mainstay_wire::{Request, errors_of};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    output::{Form, Output},
    places::Places,
    project::{self, choose},
    times,
    verbs::Context,
    view::{
        event,
        prefix::{self, Prefixes},
    },
};

/// How many lines of each service are shown before what is followed, when nobody says.
const FOLLOWED: u64 = 20;

/// How long the daemon may take to name its services.
const ASKING: Duration = Duration::from_secs(2);

/// The folder in which the daemon's own words are.
const DAEMON: &str = "@daemon";

/// Between a service and its hook in the name of a folder.
const BESIDE: char = '+';

/// What services have written; works without a daemon too
#[derive(Debug, Args)]
#[command(after_help = LOGS_HELP)]
pub(crate) struct Logs {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`; `@daemon` is the daemon itself, `api+before_start` a hook of `api`
    /// [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) services: Vec<String>,

    /// Go on with what is written from now on
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Only the last N lines of each [default: all; 20 with `-f`]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<u64>,

    #[arg(long, value_name = "TIME", help = times::SINCE, value_parser = times::argument, allow_hyphen_values = true)]
    since: Option<Timestamp>,

    /// Only what was written then or earlier
    #[arg(long, value_name = "TIME", value_parser = times::argument, allow_hyphen_values = true)]
    #[arg(conflicts_with = "follow")]
    until: Option<Timestamp>,

    /// Only lines in which this regular expression matches; `(?i)` before it takes capitals for small letters
    #[arg(long, value_name = "REGEX")]
    grep: Option<regex::bytes::Regex>,

    /// Only what this run of a service wrote: its number as `status` shows it, 0 for the latest one, -1 for the one before
    #[arg(long, value_name = "RUN", value_parser = run, allow_hyphen_values = true)]
    run: Option<Run>,

    /// Only this stream, of services that keep theirs apart (`log.split`); others have everything in `out`
    #[arg(long, value_name = "STREAM", value_enum)]
    stream: Option<Stream>,

    // The global `-f FILE` stands before the verb; here `-f` is to follow.
    /// The project's file; `-f FILE` before `logs`
    #[arg(id = "file", long = "file", env = "MAINSTAY_FILE", hide_env_values = true, value_name = "FILE")]
    #[arg(help_heading = "Global options")]
    _file: Option<PathBuf>,
}

/// A stream on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stream {
    #[value(alias = "stdout")]
    Out,
    #[value(alias = "stderr")]
    Err,
}

const LOGS_HELP: &str = "\
Lines of several services have their service in front, and come in the order in which they were written; those of a single \
one are as it wrote them. The time of a line is when Mainstay saw it, to a hundredth of a second; with `--json` it is part of \
each. What was written where nobody noted the time has none: `--since` shows it when its file was written to since. Of a \
compressed file that is damaged, what can be read is shown, and standard error names it and what is missing.";

/// A run on the command line.
fn run(text: &str) -> Result<Run, String> {
    let number: i64 =
        text.parse().map_err(|_| "a run is a number; 0 is the latest, -1 the one before".to_owned())?;
    let size = number.unsigned_abs();
    Ok(if number > 0 { Run::Number(size) } else { Run::Back(size) })
}

impl Logs {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let services = self.chosen(&places, context)?;
        let wanted = self.wanted();
        self.say_where_nothing_is(&places, &services, context.output);
        // Each service's log is two files, and there may be a thousand.
        let _ = mainstay_host::Limits::raise();
        let tell = &mut |damage: &Damage| context.output.note(&format!("note: {damage}"));
        let mut show = Show::new(&services, context.output);
        if self.follow {
            let follow = Follow::new(&places.logs_dir, &services, wanted)?;
            let handle = follow.handle();
            context.output.when_reader_goes(move || handle.finish());
            follow.run_telling(&mut |line| show.line_now(line), tell)?;
        } else {
            read_telling(&places.logs_dir, &services, wanted, &mut |line| show.line(line), tell)?;
        }
        Ok(Exit::Done)
    }

    /// Errors that are asked for and kept apart nowhere are no silence.
    fn say_where_nothing_is(&self, places: &Places, services: &[String], output: &Output) {
        let is_apart = |service: &String| places.logs_dir.join(errors_of(service)).is_dir();
        if self.stream == Some(Stream::Err) && !services.is_empty() && !services.iter().any(is_apart) {
            output.note("note: nobody's standard error is kept apart; `log.split = true` does that from the next start on");
        }
    }

    /// Which lines.
    fn wanted(&self) -> Wanted {
        let says_from = self.since.is_some() || self.run.is_some();
        let from = match (self.lines, self.follow) {
            (Some(lines), _) => From::Last(lines),
            (None, true) if !says_from => From::Last(FOLLOWED),
            (None, _) => From::Start,
        };
        let (since, until) = (self.since.map(SystemTime::from), self.until.map(SystemTime::from));
        let stream = self.stream.map(|stream| match stream {
            Stream::Out => LogStream::Out,
            Stream::Err => LogStream::Err,
        });
        Wanted { from, since, until, run: self.run, pattern: self.grep.clone(), stream }
    }

    /// The folders to read: of what is in the files, of what was once, and of what runs.
    fn chosen(&self, places: &Places, context: &Context<'_>) -> Result<Vec<String>, Failure> {
        let (own, patterns): (Vec<String>, Vec<String>) =
            self.services.iter().cloned().partition(|name| name == DAEMON);
        let (hooks, patterns): (Vec<String>, Vec<String>) =
            patterns.into_iter().partition(|name| name.contains(BESIDE));
        let hooks = hook_folders(&hooks, places)?;
        let chosen = if patterns.is_empty() && !(own.is_empty() && hooks.is_empty()) {
            Vec::new()
        } else {
            services(&patterns, places, context)?
        };
        Ok(chosen.iter().map(ToString::to_string).chain(hooks).chain(own.into_iter().take(1)).collect())
    }
}

/// The folders of hooks that these patterns mean.
fn hook_folders(patterns: &[String], places: &Places) -> Result<Vec<String>, Failure> {
    let folders = if patterns.is_empty() { Vec::new() } else { folders(&places.logs_dir)? };
    let mut chosen = BTreeSet::new();
    for pattern in patterns {
        let meant = |name: &&String| name.contains(BESIDE) && glob_matches(pattern, name);
        let found: Vec<&String> = folders.iter().filter(meant).collect();
        if found.is_empty() {
            let text = format!("no hook called `{pattern}` has run");
            return Err(Failure::new(Exit::NoSuchService, text)
                .with_help("a hook's log is called as its service and itself: `api+before_start`"));
        }
        chosen.extend(found.into_iter().cloned());
    }
    Ok(chosen.into_iter().collect())
}

fn services(patterns: &[String], places: &Places, context: &Context<'_>) -> Result<Vec<ServiceId>, Failure> {
    let project = places.file.as_ref().map(|file| project::load(file, &context.surroundings));
    // Logs are most wanted when something is wrong, the files not excepted.
    let (mut ids, are_files_good, wrong) = match project {
        Some(Ok(project)) => (project.ids(), true, None),
        Some(Err(wrong)) => (Vec::new(), false, Some(wrong)),
        None => (Vec::new(), false, None),
    };
    add(&mut ids, folders(&places.logs_dir)?);
    match choose(patterns, &ids) {
        Ok(chosen) if are_files_good || !patterns.is_empty() => Ok(chosen),
        // One that runs and has written nothing yet is known to the daemon alone.
        _ => {
            let running = running(places);
            // Nobody else knows which services there are.
            let wrong = wrong.filter(|_| running.is_empty());
            add(&mut ids, running);
            choose(patterns, &ids).map_err(|failure| match wrong {
                Some(wrong) => wrong.tell(context.output),
                None => failure,
            })
        }
    }
}

fn add(ids: &mut Vec<ServiceId>, names: Vec<String>) {
    for id in names.iter().filter_map(|name| name.parse().ok()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
}

/// What the daemon knows. Nothing when it cannot say so soon: logs are read without it.
fn running(places: &Places) -> Vec<String> {
    let overview = door::read(places, Some(ASKING), &Request::List);
    overview.map(|overview| overview.services.iter().map(event::id).collect()).unwrap_or_default()
}

/// A line as an object.
fn json(line: &Line<'_>) -> serde_json::Value {
    // What has no name of its own but `@daemon` is no instance.
    let (service, instance) = match line.service.split_once('@') {
        Some((name, number)) if !name.is_empty() => (name, Some(number)),
        Some(_) | None => (line.service, None),
    };
    let time = line.time.and_then(|time| Timestamp::try_from(time).ok()).map(|time| format!("{time:.3}"));
    serde_json::json!({
        "time": time,
        "service": service,
        "instance": instance,
        "run": line.run,
        // Where the two are not kept apart nobody knows.
        "stream": line.stream.map(LogStream::as_str),
        "line": String::from_utf8_lossy(line.text),
    })
}

/// Prints lines.
struct Show<'a> {
    output: &'a Output,
    prefixes: Option<Prefixes>,
}

impl<'a> Show<'a> {
    fn new(services: &[String], output: &'a Output) -> Self {
        let names = services.iter().map(String::as_str);
        let prefixes = (services.len() > 1).then(|| Prefixes::new(names, output.width, output.paint));
        Self { output, prefixes }
    }

    fn line(&mut self, line: Line<'_>) -> ControlFlow<()> {
        match (self.output.form(), &mut self.prefixes) {
            (Form::Json, _) => {
                self.output.json(&json(&line));
            }
            (Form::Text, Some(prefixes)) => {
                let end = prefix::end(line.text, self.output.paint);
                self.output.write(&[prefixes.of(line.service), line.text, end]);
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

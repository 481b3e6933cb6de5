//! `mainstay history`.

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use mainstay_daemon::read_history;
use mainstay_wire::{Answer, HISTORY_PAGE, HistoryView, Request, SCHEMA_VERSION};

use crate::{
    door, exit::Exit, failure::Failure, output::Form, places::Places, project, times, verbs::Context, view,
};

/// How many events are shown when nobody says how many, or from when on.
const SHOWN: usize = 50;

/// How many events of a time are shown when nobody says how many.
const MOST: usize = 10_000;

/// What happened to services, and who asked for what; works without a daemon too
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`, also of services that are gone [default: everything]
    #[arg(value_name = "NAME")]
    services: Vec<String>,

    #[arg(long, value_name = "TIME", help = times::SINCE, value_parser = times::argument, allow_hyphen_values = true)]
    since: Option<Timestamp>,

    /// Before then
    #[arg(long, value_name = "TIME", value_parser = times::argument, allow_hyphen_values = true)]
    until: Option<Timestamp>,

    /// At most the newest N [default: 50; 10000 with `--since` or `--until`]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
}

impl History {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let in_time = self.since.is_some() || self.until.is_some();
        let most = self.lines.unwrap_or(if in_time { MOST } else { SHOWN });
        let source = Source::of(context)?;
        let (events, more) = self.events(&source, most)?;
        let output = context.output;
        match output.form() {
            Form::Json => output.json(&serde_json::json!({
                "schema_version": SCHEMA_VERSION,
                "events": events,
                "more": more,
            })),
            Form::Text => {
                let zone = TimeZone::system();
                output.print(&view::history::render(&events, &zone, output.width, output.paint));
            }
        }
        if events.is_empty() {
            output.note("note: nothing of that kind has happened, as far as is known");
        }
        if more && self.lines.is_none() {
            output.note(&format!("note: these are the newest {most}; `-n` shows more"));
        }
        Ok(Exit::Done)
    }

    /// The newest events, page by page from the end; and whether there are more.
    fn events(&self, source: &Source<'_>, most: usize) -> Result<(Vec<HistoryView>, bool), Failure> {
        let mut pages: Vec<Vec<HistoryView>> = Vec::new();
        let mut left = most;
        let mut before = None;
        let more = loop {
            let request = Request::History {
                services: self.services.clone(),
                since: self.since.map(|time| time.to_string()),
                until: self.until.map(|time| time.to_string()),
                limit: Some(u32::try_from(left).unwrap_or(u32::MAX).min(HISTORY_PAGE)),
                before,
            };
            let Some(answer) = source.ask(&request)? else { break false };
            let Answer::History { events, more, .. } = answer else { return Err(other_question()) };
            left = left.saturating_sub(events.len());
            before = events.first().map(|event| event.seq);
            pages.push(events);
            if !more || left == 0 || before.is_none() {
                break more;
            }
        };
        Ok((pages.into_iter().rev().flatten().collect(), more))
    }
}

/// Where the history is asked for: the daemon, or what it left.
pub(super) struct Source<'a> {
    context: &'a Context<'a>,
    places: Places,
}

impl<'a> Source<'a> {
    pub(super) fn of(context: &'a Context<'a>) -> Result<Self, Failure> {
        Ok(Self { context, places: context.places()? })
    }

    /// `None`: nothing was ever kept.
    pub(super) fn ask(&self, request: &Request) -> Result<Option<Answer>, Failure> {
        match door::ask(&self.places, self.context.timeout(), request) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_no_daemon() => {
                let file = self.places.file.as_ref();
                let project = file.and_then(|file| project::load(file, &self.context.surroundings).ok());
                let known = project.map(|project| project.ids()).unwrap_or_default();
                Ok(read_history(&self.places.state_dir, request, &known)?)
            }
            Err(error) => Err(error.into()),
        }
    }
}

pub(super) fn other_question() -> Failure {
    Failure::new(Exit::Bug, "the daemon answers another question than was asked")
}

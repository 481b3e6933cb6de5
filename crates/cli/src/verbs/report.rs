//! `mainstay report`.

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use mainstay_wire::{Answer, Request, SCHEMA_VERSION};

use super::history::{Source, other_question};
use crate::{exit::Exit, failure::Failure, output::Form, times, verbs::Context, view};

/// How well services did: uptime, restarts, failures, outages
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`, also of services that are gone [default: all]
    #[arg(value_name = "NAME")]
    services: Vec<String>,

    #[arg(long, value_name = "TIME", help = times::SINCE, value_parser = times::argument, allow_hyphen_values = true)]
    #[arg(default_value = "7d")]
    since: Timestamp,
}

impl Report {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let now = Timestamp::now();
        let since = Some(self.since.to_string());
        let request = Request::Report { services: self.services.clone(), since: since.clone() };
        let nothing = || Answer::Report {
            schema_version: SCHEMA_VERSION,
            since,
            until: format!("{now:.3}"),
            services: Vec::new(),
        };
        let answer = Source::of(context)?.ask(&request)?.unwrap_or_else(nothing);
        let Answer::Report { since, until, services, .. } = answer else { return Err(other_question()) };
        let output = context.output;
        match output.form() {
            Form::Json => output.json(&serde_json::json!({
                "schema_version": SCHEMA_VERSION,
                "since": since,
                "until": until,
                "services": services,
            })),
            Form::Text => {
                let period = view::history_report::Period { since: since.as_deref(), until: &until };
                let zone = TimeZone::system();
                output.print(&view::history_report::render(
                    &services,
                    &period,
                    &zone,
                    output.width,
                    output.paint,
                ));
            }
        }
        Ok(Exit::Done)
    }
}

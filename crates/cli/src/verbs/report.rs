//! `mainstay report`.

use clap::Args;
use jiff::{Zoned, tz::TimeZone};
use mainstay_wire::{Answer, Request, SCHEMA_VERSION};

use super::history::{Source, TIMES_HELP, other_question, point};
use crate::{exit::Exit, failure::Failure, output::Form, verbs::Context, view};

/// How well services did: uptime, restarts, failures, outages
#[derive(Debug, Args)]
#[command(after_help = TIMES_HELP)]
pub(crate) struct Report {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`, also of services that are gone [default: all]
    #[arg(value_name = "NAME")]
    services: Vec<String>,

    /// From then on
    #[arg(long, value_name = "TIME", default_value = "7d")]
    since: String,
}

impl Report {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let now = Zoned::now();
        let since = point(Some(&self.since), &now)?.map(|time| time.to_string());
        let request = Request::Report { services: self.services.clone(), since: since.clone() };
        let nothing = || Answer::Report {
            schema_version: SCHEMA_VERSION,
            since,
            until: format!("{:.3}", now.timestamp()),
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

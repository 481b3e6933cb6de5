//! `mainstay list`.

use clap::Args;
use jiff::Timestamp;
use mainstay_wire::{Request, SCHEMA_VERSION};

use crate::{door, exit::Exit, failure::Failure, output::Form, verbs::Context, view};

/// Every service, what it does and why
#[derive(Debug, Args)]
#[command(visible_aliases = ["ls", "ps"])]
pub(crate) struct List {}

impl List {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let overview = door::read(&places, context.timeout(), &Request::List)
            .map_err(|error| door::explain(error, &places))?;
        let output = context.output;
        match output.form() {
            Form::Json => {
                let services = &overview.services;
                output.json(&serde_json::json!({
                    "schema_version": SCHEMA_VERSION,
                    "services": services,
                    "anchor": overview.anchor,
                }));
            }
            Form::Text => {
                let now = Timestamp::now();
                output.print(&view::list::render(&overview.services, now, output.width, output.paint));
            }
        }
        door::note_newer_files(&places, &context.surroundings, &overview.config, output);
        door::note_missing_anchor(overview.anchor, output);
        Ok(Exit::Done)
    }
}

//! What `start`, `stop`, `restart`, `kill` and their like have in common: asking, and reporting what became of each service.

use std::time::Duration;

use clap::Args;
use mainstay_wire::{Act, Request, SCHEMA_VERSION, Settled};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch,
    output::{Form, Loudness, Output},
    verbs::Context,
    view::settled,
};

/// Which services, and whether to wait for them.
#[derive(Debug, Args)]
pub(crate) struct Services {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`
    #[arg(required = true, value_name = "NAME")]
    pub(crate) services: Vec<String>,

    /// Return at once, and not when it is done or has failed
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// When those are there that are started.
pub(crate) const SETTLED: &str = "\
It returns once they are ready or have failed (1). What has no readiness check is there once it has run for 300 ms: it may be \
one that ends at once.";

/// Does this to them.
pub(crate) fn run(act: Act, services: &Services, context: &Context<'_>) -> Result<Exit, Failure> {
    let places = context.places()?;
    if matches!(act, Act::Start | Act::Restart | Act::RollingRestart) {
        launch::refuse_elsewhere(&places)?;
    }
    if matches!(act, Act::Restart | Act::RollingRestart) {
        let overview = door::read(&places, context.timeout(), &Request::List)
            .map_err(|error| door::explain(error, &places))?;
        door::note_newer_files(&places, &context.surroundings, &overview.config, context.output);
    }
    let wait = !services.no_wait;
    let within = context.timeout().filter(|_| wait);
    let within_ms = door::milliseconds(within);
    let request = Request::Act { act, services: services.services.clone(), wait, within_ms };
    let mut client =
        door::connect(&places, context.timeout()).map_err(|error| door::explain(error, &places))?;
    let answer = if wait { door::order(&mut client, within, &request) } else { client.request(&request) };
    report(Some(act), &door::settled(answer?)?, within, context)
}

/// Does what is done at once to services.
pub(crate) fn at_once(act: Act, services: &[String], context: &Context<'_>) -> Result<Exit, Failure> {
    let places = context.places()?;
    let request = Request::Act { act, services: services.to_vec(), wait: false, within_ms: None };
    let answer = door::connect(&places, context.timeout()).and_then(|mut client| client.request(&request));
    let services = door::settled(answer.map_err(|error| door::explain(error, &places))?)?;
    report(Some(act), &services, None, context)
}

/// Says how each service came out; that one failed, or was not there in time, is the program's failure.
pub(crate) fn report(
    act: Option<Act>,
    services: &[Settled],
    within: Option<Duration>,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let output = context.output;
    let failure = within.and_then(|within| settled::late(services, within)).or(settled::failure(services));
    match output.form() {
        Form::Json => return Ok(document(services, failure.as_ref(), output)),
        Form::Text if output.loudness() > Loudness::Quiet => {
            output.print(&settled::table(services, output.width, output.paint));
            if let Some(text) = act.and_then(|act| settled::company(act, services)) {
                output.line(&text);
            }
        }
        Form::Text => {}
    }
    failure.map_or(Ok(Exit::Done), Err)
}

/// The answer as one document, which holds the failure as well.
pub(crate) fn document(services: &[Settled], failure: Option<&Failure>, output: &Output) -> Exit {
    output.json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "services": services }));
    failure.map_or(Exit::Done, |failure| failure.exit)
}

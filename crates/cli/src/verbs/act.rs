//! What `start`, `stop`, `restart` and `kill` have in common: asking, and reporting what became of each service.

use clap::Args;
use mainstay_wire::{Act, Request, SCHEMA_VERSION, Settled};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    output::{Form, Loudness},
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

/// Does this to them.
pub(crate) fn run(act: Act, services: &Services, context: &Context<'_>) -> Result<Exit, Failure> {
    let places = context.places()?;
    if act == Act::Restart {
        let overview = door::read(&places, context.timeout(), &Request::List)?;
        door::note_newer_files(&places, &context.surroundings, &overview.config, context.output);
    }
    let request = Request::Act { act, services: services.services.clone(), wait: !services.no_wait };
    let done = door::order(&places, context.timeout(), &request)?;
    report(&done, Some(act), context)
}

/// Says how each service came out; that one failed is the program's failure.
pub(crate) fn report(services: &[Settled], act: Option<Act>, context: &Context<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    let failure = settled::failure(services);
    match output.form() {
        Form::Json => {
            output.json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "services": services }));
            // The answer is one document, and it holds the failure.
            return Ok(if failure.is_some() { Exit::Failed } else { Exit::Done });
        }
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

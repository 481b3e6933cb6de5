//! `mainstay signal`.

use clap::Args;
use mainstay_model::Signal as Number;
use mainstay_wire::Request;

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    verbs::{Context, act},
};

/// Sends a signal to the main processes of services
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Signal {
    /// `HUP`, `SIGHUP` or a number
    #[arg(value_name = "SIGNAL", value_parser = signal)]
    signal: Number,

    /// Names, globs (`wor*`), instances (`api@2`) or `all`
    #[arg(required = true, value_name = "NAME")]
    services: Vec<String>,
}

const HELP: &str = "\
What a signal does is the service's affair: one that ends by it has ended by itself, and its restart policy decides what \
follows. `stop`, `kill` and `pause` are for what they say. A service without a process is a failure (1).";

fn signal(text: &str) -> Result<Number, String> {
    text.parse().map_err(|()| "no such signal; `kill -l` lists all".to_owned())
}

impl Signal {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let request = Request::Signal { signal: self.signal.to_string(), services: self.services.clone() };
        let answer =
            door::connect(&places, context.timeout()).and_then(|mut client| client.request(&request));
        let services = door::settled(answer.map_err(|error| door::explain(error, &places))?)?;
        act::report(None, &services, None, context)
    }
}

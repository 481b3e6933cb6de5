//! `mainstay top`.

use std::io::{self, IsTerminal};

use clap::Args;
use mainstay_top::Paint;

use crate::{door, exit::Exit, failure::Failure, top, verbs::Context};

/// A live view of every service, with its logs, to act on them
#[derive(Debug, Args)]
#[command(after_help = TOP_HELP)]
pub(crate) struct Top {}

const TOP_HELP: &str = "\
In it, `?` tells every key, and `q` quits: services go on. `mainstay list` prints the same once.";

impl Top {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if dumb || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(
                Failure::new(Exit::Usage, "`top` needs a terminal").with_help("`mainstay list` prints once")
            );
        }
        let places = context.places()?;
        // Whoever has no daemon is told so in words, and not in a view without services.
        let client = door::connect(&places, context.timeout());
        let events = client.map_err(|error| door::explain(error, &places))?.follow()?;
        let paint = if context.global.may_colour() { Paint::Colour } else { Paint::Plain };
        top::show(places.socket(), events, paint)
    }
}

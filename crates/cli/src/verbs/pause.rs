//! `mainstay pause`.

use clap::Args;
use mainstay_wire::Act;

use crate::{
    exit::Exit,
    failure::Failure,
    verbs::{
        Context,
        act::{self, Services},
    },
};

/// Freezes all processes of running services
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Pause {
    #[command(flatten)]
    services: Services,
}

const HELP: &str = "\
A paused service counts as not ready; its health check and its watchdog wait as well. `resume` lets it go on, and so does a stop.";

impl Pause {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        act::run(Act::Pause, &self.services, context)
    }
}

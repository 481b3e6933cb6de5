//! `mainstay reload`.

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

/// Has services read their configuration again, as their `reload` says
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Reload {
    #[command(flatten)]
    services: Services,
}

const HELP: &str = "\
A reload by signal is done when the signal was sent; one by command when the command has ended. A service that has no \
`reload`, does not run, or whose command failed is a failure (1).";

impl Reload {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        act::run(Act::Reload, &self.services, context)
    }
}

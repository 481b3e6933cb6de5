//! `mainstay restart`.

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

/// Stops and starts services; only these
#[derive(Debug, Args)]
#[command(after_help = act::SETTLED)]
pub(crate) struct Restart {
    #[command(flatten)]
    services: Services,

    /// One instance of each after the other: the next when the one before is ready; what follows one that does not become
    /// ready is left as it is
    #[arg(long)]
    rolling: bool,
}

impl Restart {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let act = if self.rolling { Act::RollingRestart } else { Act::Restart };
        act::run(act, &self.services, context)
    }
}

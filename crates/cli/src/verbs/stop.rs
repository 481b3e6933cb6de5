//! `mainstay stop`.

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

/// Stops services, after what depends on them
#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    services: Services,
}

impl Stop {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        act::run(Act::Stop, &self.services, context)
    }
}

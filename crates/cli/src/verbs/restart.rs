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
pub(crate) struct Restart {
    #[command(flatten)]
    services: Services,
}

impl Restart {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        act::run(Act::Restart, &self.services, context)
    }
}

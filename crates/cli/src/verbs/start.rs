//! `mainstay start`.

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

/// Starts services, with what they depend on
#[derive(Debug, Args)]
#[command(after_help = act::SETTLED)]
pub(crate) struct Start {
    #[command(flatten)]
    services: Services,
}

impl Start {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        act::run(Act::Start, &self.services, context)
    }
}

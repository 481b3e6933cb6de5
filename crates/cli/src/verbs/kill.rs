//! `mainstay kill`.

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

/// Kills services at once; only these
#[derive(Debug, Args)]
pub(crate) struct Kill {
    #[command(flatten)]
    services: Services,
}

impl Kill {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        act::run(Act::Kill, &self.services, context)
    }
}

//! `mainstay resume`.

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

/// Lets paused services go on
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    services: Services,
}

impl Resume {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        act::run(Act::Resume, &self.services, context)
    }
}

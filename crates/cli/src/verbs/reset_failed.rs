//! `mainstay reset-failed`.

use clap::Args;
use mainstay_wire::Act;

use crate::{
    exit::Exit,
    failure::Failure,
    verbs::{Context, act},
};

/// Forgets failures and restarts of services: what has failed is stopped
#[derive(Debug, Args)]
pub(crate) struct ResetFailed {
    /// Names, globs (`wor*`), instances (`api@2`) or `all` [default: all]
    #[arg(value_name = "NAME")]
    services: Vec<String>,
}

impl ResetFailed {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let all = ["all".to_owned()];
        let services = if self.services.is_empty() { &all[..] } else { &self.services[..] };
        act::at_once(Act::ResetFailed, services, context)
    }
}

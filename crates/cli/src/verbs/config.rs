//! `mainstay config`: single values of the project's files, and where each comes from. Each word has a file of its own.

mod explain;
mod get;
mod init;
mod replace;
mod set;
mod values;
mod versions;

use clap::Subcommand;
use mainstay_config::{Key, KeyError};

use crate::{exit::Exit, failure::Failure, verbs::Context};

/// Single values, where each comes from, and a first file
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Config {
    Get(get::Get),
    Set(set::Set),
    Unset(set::Unset),
    Explain(explain::Explain),
    Init(init::Init),
    Versions(versions::Versions),
}

impl Config {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Get(get) => get.run(context),
            Self::Set(set) => set.run(context),
            Self::Unset(unset) => unset.run(context),
            Self::Explain(explain) => explain.run(context),
            Self::Init(init) => init.run(context),
            Self::Versions(versions) => versions.run(context),
        }
    }
}

/// Reads a key of the command line.
fn key(text: &str) -> Result<Key, String> {
    text.parse().map_err(|error: KeyError| format!("{}; {}", error.message, error.help))
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::new(Exit::Failed, error.message).with_help(error.help)
    }
}

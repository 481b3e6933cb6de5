//! `mainstay schema`.

use clap::Args;

use crate::{exit::Exit, output::Output};

/// The JSON Schema of the file, for editors
#[derive(Debug, Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(&self, output: &Output) -> Exit {
        output.line(&format!("{:#}", mainstay_config::schema()));
        Exit::Done
    }
}

//! `mainstay config init`.

use std::path::PathBuf;

use clap::Args;
use mainstay_config::STARTER;
use mainstay_wire::SCHEMA_VERSION;

use super::replace;
use crate::{exit::Exit, failure::Failure, output::Form, places::FILE, project, verbs::Context};

/// Writes a first `mainstay.toml` with comments into the current directory
///
/// It asks nothing, and overwrites nothing.
#[derive(Debug, Args)]
pub(crate) struct Init {}

impl Init {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let directory = &context.surroundings.directory;
        let named = context.global.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let path = directory.join(named);
        replace::create(&path, STARTER.as_bytes())?;
        let output = context.output;
        match output.form() {
            Form::Json => output.json(&serde_json::json!({
                "schema_version": SCHEMA_VERSION,
                "file": path.display().to_string(),
            })),
            Form::Text => {
                let shown = project::shown(&path, directory);
                output
                    .line(&format!("{}: written, with one service that shows how it works", shown.display()));
                output.note("help: put your program in its place, then `mainstay check` and `mainstay up`");
            }
        }
        Ok(Exit::Done)
    }
}

//! `mainstay completions`.

use clap::Args;
use clap_complete::Shell;

use crate::{arguments::Arguments, exit::Exit, output::Output};

/// Writes the completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Bash: `mainstay completions bash > ~/.local/share/bash-completion/completions/mainstay`"
)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, output: &Output) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::described(), "mainstay", &mut script);
        output.write(&[&script]);
        Exit::Done
    }
}

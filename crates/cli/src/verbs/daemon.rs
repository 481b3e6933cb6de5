//! `mainstay daemon`: the program as one of its three processes, which nobody calls by hand; and another program in their
//! place.

mod upgrade;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use self::upgrade::Upgrade;
use crate::{doors::doors, exit::Exit, failure::Failure, output::Output, verbs::Context};

/// The processes that Mainstay is made of: puts another program in their place
#[derive(Debug, Subcommand)]
pub(crate) enum Daemon {
    Upgrade(Upgrade),
    /// Holds: what must not be lost, and the keeper
    #[command(hide = true)]
    Anchor {
        #[command(flatten)]
        directories: Directories,
        /// The process was the anchor before; what it had is behind this descriptor
        #[arg(long, value_name = "FD")]
        take_over: Option<i32>,
    },
    /// Works: starts, signals, waits, writes logs
    #[command(hide = true)]
    Keeper {
        #[command(flatten)]
        directories: Directories,
        /// The process was the keeper before
        #[arg(long)]
        again: bool,
    },
    /// Thinks: decides, remembers, answers
    #[command(hide = true)]
    Run(Directories),
    /// Says whether this program can go on with what is there, and which version it is; changes nothing
    #[command(hide = true)]
    CheckState {
        #[command(flatten)]
        directories: Directories,
        /// What an anchor would hand over is behind this descriptor
        #[arg(long, value_name = "FD")]
        anchor_state: Option<i32>,
    },
    /// Compresses rotated log files; ends when that is done
    #[command(hide = true)]
    Compress {
        /// The folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Files with smaller numbers
        #[arg(long, value_name = "N")]
        below: u64,
    },
}

/// Where things are. Named as the global options are, so that these take their place.
#[derive(Debug, Args)]
pub(crate) struct Directories {
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    #[arg(long, value_name = "DIR")]
    run_dir: PathBuf,
    #[arg(long, value_name = "DIR")]
    logs_dir: PathBuf,
}

impl Daemon {
    pub(crate) fn run<'a>(
        self,
        output: &Output,
        context: impl FnOnce() -> Result<Context<'a>, Failure>,
    ) -> Result<Exit, Failure> {
        let code = match self {
            Self::Upgrade(upgrade) => return upgrade.run(&context()?),
            Self::CheckState { directories, anchor_state } => {
                return directories.check(anchor_state).map(|()| {
                    output.line(env!("CARGO_PKG_VERSION"));
                    Exit::Done
                });
            }
            Self::Anchor { directories, take_over } => {
                mainstay_keeper::anchor_main(directories.for_keeper()?, take_over)
            }
            Self::Keeper { directories, again } => {
                mainstay_keeper::keeper_main(directories.for_keeper()?, again)
            }
            Self::Compress { dir, below } => mainstay_keeper::compress_main(&dir, below),
            Self::Run(directories) => {
                let options = directories.for_daemon();
                mainstay_daemon::main(&options, doors(&options.logs_dir))
            }
        };
        // Nobody but the keeper and the anchor sees how these end.
        Ok(if code == ExitCode::SUCCESS { Exit::Done } else { Exit::Failed })
    }
}

impl Directories {
    fn check(self, anchor_state: Option<i32>) -> Result<(), Failure> {
        let for_daemon = mainstay_daemon::Options {
            state_dir: self.state_dir.clone(),
            run_dir: self.run_dir.clone(),
            logs_dir: self.logs_dir.clone(),
        };
        mainstay_keeper::check_state(&self.for_keeper()?, anchor_state)
            .and_then(|memos| mainstay_daemon::check_state(&for_daemon, &memos))
            .map_err(|text| Failure::new(Exit::Failed, text))
    }

    fn for_keeper(self) -> Result<mainstay_keeper::Options, Failure> {
        let exe = std::env::current_exe().map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot find this program's own file: {error}"))
        })?;
        let Self { state_dir, run_dir, logs_dir } = self;
        Ok(mainstay_keeper::Options { exe, state_dir, run_dir, logs_dir })
    }

    fn for_daemon(self) -> mainstay_daemon::Options {
        let Self { state_dir, run_dir, logs_dir } = self;
        mainstay_daemon::Options { state_dir, run_dir, logs_dir }
    }
}

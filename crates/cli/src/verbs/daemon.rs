//! `mainstay daemon`: the program as one of its three processes. Nobody calls this by hand.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use crate::{doors::doors, exit::Exit, failure::Failure};

/// One of the processes that Mainstay is made of
#[derive(Debug, Subcommand)]
pub(crate) enum Daemon {
    /// Holds: what must not be lost, and the keeper
    Anchor(Directories),
    /// Works: starts, signals, waits, writes logs
    Keeper(Directories),
    /// Thinks: decides, remembers, answers
    Run(Directories),
    /// Compresses rotated log files; ends when that is done
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
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let code = match self {
            Self::Anchor(directories) => mainstay_keeper::anchor_main(directories.for_keeper()?),
            Self::Keeper(directories) => mainstay_keeper::keeper_main(directories.for_keeper()?),
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

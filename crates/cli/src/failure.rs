//! Why a verb did not do what was asked: one line, one line of help, and the exit code. Prints nothing.

use std::{error::Error, fmt::Write};

use mainstay_client::ClientError;
use mainstay_host::HostError;
use mainstay_logs::LogError;
use mainstay_wire::{ErrorCode, WireError};

use crate::exit::Exit;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// One line; empty when everything was said already.
    pub(crate) text: String,
    /// The particulars, a line each.
    pub(crate) lines: Vec<String>,
    /// What a person can do about it.
    pub(crate) help: Option<String>,
}

impl Failure {
    /// One without help.
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), lines: Vec::new(), help: None }
    }

    /// One of which everything was said already.
    pub(crate) fn said(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// An error and its causes in one line.
    pub(crate) fn of(exit: Exit, error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        Self::new(exit, text)
    }

    /// The same with a line of help.
    #[must_use]
    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same with particulars.
    #[must_use]
    pub(crate) fn with_lines(self, lines: Vec<String>) -> Self {
        Self { lines, ..self }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NoDaemon { .. } | ClientError::DeadSocket { .. } | ClientError::InTrouble { .. } => {
                Exit::NoDaemon
            }
            ClientError::NotPermitted { .. } => Exit::NotPermitted,
            ClientError::TimedOut { .. } => Exit::TimedOut,
            ClientError::Protocol(_) => Exit::Bug,
            ClientError::Broken { .. } | ClientError::RequestTooLong { .. } | ClientError::Closed => {
                Exit::Failed
            }
            ClientError::Refused(refused) => return Self::from(refused.clone()),
        };
        let help = match &error {
            ClientError::NoDaemon { .. } | ClientError::DeadSocket { .. } => "`mainstay up` starts it",
            ClientError::InTrouble { .. } => {
                "services go on, and it is tried again within a minute; `mainstay down` stops everything, all at once"
            }
            ClientError::NotPermitted { .. } => "only the user whose project it is may ask",
            ClientError::TimedOut { .. } => "what was asked for goes on; `--timeout` allows more time",
            ClientError::Closed => {
                "it was killed or is ending; `mainstay list` says whether another one runs"
            }
            ClientError::Protocol(_) => {
                "the daemon may be of another version: `mainstay down`, then `mainstay up`"
            }
            ClientError::Broken { .. } | ClientError::RequestTooLong { .. } | ClientError::Refused(_) => "",
        };
        let failure = Self::of(exit, &error);
        if help.is_empty() { failure } else { failure.with_help(help) }
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let exit = match error.code {
            ErrorCode::NoSuchService => Exit::NoSuchService,
            ErrorCode::InvalidConfiguration => Exit::InvalidConfiguration,
            ErrorCode::NotPermitted => Exit::NotPermitted,
            ErrorCode::GoingDown | ErrorCode::Busy | ErrorCode::Conflict | ErrorCode::Failed => Exit::Failed,
            ErrorCode::BadRequest | ErrorCode::Internal => Exit::Bug,
        };
        Self { help: error.help, ..Self::new(exit, error.text) }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let exit = match &error {
            LogError::File { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::NotPermitted
            }
            LogError::File { .. } | LogError::Watch { .. } => Exit::Failed,
        };
        let help = error.help().map(str::to_owned);
        Self { help, ..Self::of(exit, &error) }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let exit = match &error {
            HostError::Path { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::NotPermitted
            }
            HostError::ForeignOwner { .. } => Exit::NotPermitted,
            _ => Exit::Failed,
        };
        Self { help: error.help(), ..Self::of(exit, &error) }
    }
}

//! Why there is no history, or no answer from it.

use std::{io, path::PathBuf};

use mainstay_wire::{ErrorCode, WireError};
use rusqlite::ErrorCode as Sqlite;

use super::schema::VERSION;

/// Why there is no history, or no answer from it.
#[derive(Debug, thiserror::Error)]
pub(super) enum HistoryError {
    /// The database refused.
    #[error("cannot {act} `{path}`: {source}")]
    Database {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// The system refused.
    #[error("cannot {act} `{path}`: {source}")]
    File {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is of a later Mainstay.
    #[error(
        "`{path}` was written by a later Mainstay (version {version} of the history, this one knows {VERSION})"
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// The question makes no sense.
    #[error("{0}")]
    Refused(WireError),
}

impl HistoryError {
    /// Whether what the file holds is no database any more.
    pub(super) fn is_broken(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        matches!(source.sqlite_error_code(), Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase))
    }
}

impl From<HistoryError> for WireError {
    fn from(error: HistoryError) -> Self {
        let failed = |code| Self::new(code, error.to_string());
        match &error {
            HistoryError::Refused(refused) => refused.clone(),
            HistoryError::Later { .. } => failed(ErrorCode::Failed)
                .with_help("services run all the same; move the file away to begin a new history"),
            HistoryError::Database { source, .. } => match source.sqlite_error_code() {
                Some(Sqlite::CannotOpen | Sqlite::PermissionDenied | Sqlite::ReadOnly) => {
                    failed(ErrorCode::Failed)
                        .with_help("only the user that runs this project, and root, may read it")
                }
                _ if error.is_broken() => {
                    failed(ErrorCode::Failed).with_help("the next daemon moves it aside and begins a new one")
                }
                _ => failed(ErrorCode::Failed),
            },
            HistoryError::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                failed(ErrorCode::NotPermitted)
            }
            HistoryError::File { .. } => failed(ErrorCode::Failed),
        }
    }
}

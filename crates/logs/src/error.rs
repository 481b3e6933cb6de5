//! Why logs cannot be read.

use std::{io, path::PathBuf};

/// Why logs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file or folder cannot be opened, listed or read.
    #[error("cannot {act} {}", path.display())]
    File {
        /// `open`, `list`, `read`.
        act: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder cannot be watched for changes.
    #[error("cannot watch {} for changes", path.display())]
    Watch {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: notify::Error,
    },
}

impl LogError {
    /// What a person can do about it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Watch { source, .. } if matches!(source.kind, notify::ErrorKind::MaxFilesWatch) => {
                Some("the limit of watches is reached: raise it with `sysctl fs.inotify.max_user_watches`")
            }
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("only the user whose project it is may read its logs")
            }
            Self::Watch { .. } | Self::File { .. } => None,
        }
    }
}

//! What goes wrong with the machine: the act, the object, and what a person can do about it.

use std::{io, path::PathBuf};

/// An act on the machine that failed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A system call on a path failed.
    #[error("cannot {act} `{}`", path.display())]
    Path {
        /// A verb: `create`, `read`, …
        act: &'static str,
        /// The object.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A folder that must be ours is a symbolic link.
    #[error("`{}` is a symbolic link; it must be a real folder", path.display())]
    Link {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that must be ours is no folder.
    #[error("`{}` is not a folder", path.display())]
    NotFolder {
        /// The path.
        path: PathBuf,
    },
    /// A folder that must be ours belongs to somebody else.
    #[error("`{}` belongs to user {owner}, and this is user {user}", path.display())]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// No such user.
    #[error("there is no user `{name}`")]
    NoSuchUser {
        /// The name or number asked for.
        name: String,
    },
    /// No such group.
    #[error("there is no group `{name}`")]
    NoSuchGroup {
        /// The name asked for.
        name: String,
    },
    /// The user database did not answer.
    #[error("cannot look up the user `{name}`")]
    UserLookup {
        /// The name or number asked for.
        name: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl HostError {
    pub(crate) fn path(act: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::Path { act, path: path.into(), source: source.into() }
    }

    /// What to do about it, when a person can.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Path { source, path, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!("check the owner and mode of `{}` and of the folders above it", path.display()))
            }
            Self::Link { path } | Self::NotFolder { path } => {
                Some(format!("remove `{}`, or choose another place", path.display()))
            }
            Self::ForeignOwner { path, owner, .. } => {
                Some(format!("run this as user {owner}, or remove `{}`", path.display()))
            }
            Self::NoSuchUser { .. } => Some("`getent passwd` lists the users of this machine".to_owned()),
            Self::NoSuchGroup { .. } => Some("`getent group` lists the groups of this machine".to_owned()),
            Self::Path { .. } | Self::UserLookup { .. } => None,
        }
    }
}

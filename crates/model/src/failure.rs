//! Why a program could not be started.

/// Which part of starting a program failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnFailureKind {
    /// The program's file does not exist, or is not on the PATH.
    NoProgram,
    /// The program may not be executed by the service's user.
    NotPermitted,
    /// The file is no program: no known format, no `#!` line, or its interpreter is missing.
    NotExecutable,
    /// The working directory does not exist, is none, or may not be entered.
    NoDirectory,
    /// The user or group does not exist, or may not be taken on.
    NoUser,
    /// The machine has no room: processes, memory, descriptors.
    NoResources,
    /// Nothing failed: whoever was starting it was killed before the program ran.
    Interrupted,
    /// Anything else; the text says what.
    Other,
}

impl SpawnFailureKind {
    /// The stable code, also used as a reason's.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoProgram => "no-such-program",
            Self::NotPermitted => "not-permitted",
            Self::NotExecutable => "not-executable",
            Self::NoDirectory => "no-such-directory",
            Self::NoUser => "no-such-user",
            Self::NoResources => "no-resources",
            Self::Interrupted => "interrupted",
            Self::Other => "cannot-start",
        }
    }

    /// Reads a stable code; an unknown one is `Other`.
    pub fn from_code(code: &str) -> Self {
        [
            Self::NoProgram,
            Self::NotPermitted,
            Self::NotExecutable,
            Self::NoDirectory,
            Self::NoUser,
            Self::NoResources,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
        .unwrap_or(Self::Other)
    }
}

/// A start that failed before the program ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnFailure {
    /// Which part failed.
    pub kind: SpawnFailureKind,
    /// One clause that names the thing: "`./api` does not exist (looked in `/srv/shop`)".
    pub text: String,
}

//! Supervisor's faults: its numbers and names, and which of them a daemon's error is.

use mainstay_wire::{ErrorCode, WireError};

/// Kinds of faults, by supervisor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    UnknownMethod = 1,
    IncorrectParameters = 2,
    BadArguments = 3,
    SignatureUnsupported = 4,
    ShutdownState = 6,
    BadName = 10,
    BadSignal = 11,
    NoFile = 20,
    Failed = 30,
    AbnormalTermination = 40,
    SpawnError = 50,
    AlreadyStarted = 60,
    NotRunning = 70,
    /// No fault: the status of one that went well, in a list of results.
    Success = 80,
    AlreadyAdded = 90,
    StillRunning = 91,
    CantReread = 92,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::UnknownMethod => "UNKNOWN_METHOD",
            Self::IncorrectParameters => "INCORRECT_PARAMETERS",
            Self::BadArguments => "BAD_ARGUMENTS",
            Self::SignatureUnsupported => "SIGNATURE_UNSUPPORTED",
            Self::ShutdownState => "SHUTDOWN_STATE",
            Self::BadName => "BAD_NAME",
            Self::BadSignal => "BAD_SIGNAL",
            Self::NoFile => "NO_FILE",
            Self::Failed => "FAILED",
            Self::AbnormalTermination => "ABNORMAL_TERMINATION",
            Self::SpawnError => "SPAWN_ERROR",
            Self::AlreadyStarted => "ALREADY_STARTED",
            Self::NotRunning => "NOT_RUNNING",
            Self::Success => "SUCCESS",
            Self::AlreadyAdded => "ALREADY_ADDED",
            Self::StillRunning => "STILL_RUNNING",
            Self::CantReread => "CANT_REREAD",
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which kind.
    pub(crate) code: Code,
    /// What it is about; may be nothing.
    pub(crate) about: String,
}

impl Fault {
    pub(crate) fn new(code: Code, about: impl Into<String>) -> Self {
        Self { code, about: about.into() }
    }

    /// The same with more to say.
    pub(crate) fn because(self, text: &str) -> Self {
        Self { about: format!("{}: {text}", self.about), ..self }
    }

    pub(crate) fn number(&self) -> i32 {
        self.code as i32
    }

    /// As supervisor says it: the name of the kind, then what it is about.
    pub(crate) fn text(&self) -> String {
        match self.about.as_str() {
            "" => self.code.name().to_owned(),
            about => format!("{}: {about}", self.code.name()),
        }
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        let code = match error.code {
            ErrorCode::NoSuchService => Code::BadName,
            ErrorCode::GoingDown => Code::ShutdownState,
            _ => Code::Failed,
        };
        let text = match &error.help {
            Some(help) => format!("{} ({help})", error.text),
            None => error.text,
        };
        Self::new(code, text)
    }
}

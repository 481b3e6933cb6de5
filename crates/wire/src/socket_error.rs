//! Why a request on the local socket failed.

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct WireError {
    /// Stable.
    pub code: ErrorCode,
    /// One sentence that names the thing.
    pub text: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl WireError {
    /// An error without help.
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), help: None }
    }

    /// The same with a line of help.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Kinds of errors; each has an exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The line is no request.
    BadRequest,
    /// No service of that name.
    NoSuchService,
    /// The description is not valid.
    InvalidConfiguration,
    /// The peer may not do that.
    NotPermitted,
    /// Not now: the project is going down.
    GoingDown,
    /// Not now: too many are connected.
    Busy,
    /// Somebody was faster: it was planned on what runs no longer.
    Conflict,
    /// It was asked for, and did not come about.
    Failed,
    /// A defect of ours.
    Internal,
}

//! What is asked of the history, in its own terms.

use jiff::Timestamp;
use mainstay_model::ServiceId;
use mainstay_wire::{ErrorCode, HISTORY_PAGE, Reply, Request, WireError};
use tokio::sync::oneshot;

use super::nanos;

/// What is asked. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// What happened.
    Events {
        /// Whose, as patterns; empty is everything.
        services: Vec<String>,
        /// From then on.
        since: Option<i64>,
        /// Before then.
        until: Option<i64>,
        /// At most so many.
        limit: usize,
        /// Before this event.
        before: Option<i64>,
    },
    /// How well it went.
    Report {
        /// For whom, as patterns; empty is all.
        services: Vec<String>,
        /// From then on.
        since: Option<i64>,
    },
}

/// A question and the way back.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) known: Vec<ServiceId>,
    pub(super) reply: oneshot::Sender<Reply>,
}

impl Question {
    /// The question that this request asks.
    pub(super) fn of(request: &Request) -> Result<Self, WireError> {
        match request {
            Request::History { services, since, until, limit, before } => Ok(Self::Events {
                services: services.clone(),
                since: time("since", since.as_deref())?,
                until: time("until", until.as_deref())?,
                limit: usize::try_from(limit.unwrap_or(HISTORY_PAGE).min(HISTORY_PAGE)).unwrap_or(usize::MAX),
                before: before.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX)),
            }),
            Request::Report { services, since } => {
                Ok(Self::Report { services: services.clone(), since: time("since", since.as_deref())? })
            }
            _ => Err(WireError::new(ErrorCode::Internal, "the history was asked what it cannot know")),
        }
    }
}

fn time(field: &str, text: Option<&str>) -> Result<Option<i64>, WireError> {
    let Some(text) = text else { return Ok(None) };
    let time: Timestamp = text.parse().map_err(|_| {
        let error = WireError::new(ErrorCode::BadRequest, format!("`{field}` is no time: `{text}`"));
        error.with_help("times are RFC 3339, such as 2026-11-21T10:00:00Z")
    })?;
    Ok(Some(nanos(time)))
}

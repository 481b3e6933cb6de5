//! Why a service is as it is, and all that belongs to it: the answer to `explain`, and what `status` adds to `list`.

use serde::{Deserialize, Serialize};

/// Why a service is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplanationView {
    /// Which (`api@2`).
    pub service: String,
    /// One sentence without a full stop. Its times are those of the reader's time zone.
    pub sentence: String,
    /// From the service to the root of the matter.
    pub chain: Vec<LinkView>,
    /// What happens next by itself, in a clause.
    pub next: String,
    /// What a person can do, the likeliest first.
    #[serde(rename = "try")]
    pub tries: Vec<TryView>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// Of which service; `null`: it is about the one before it.
    pub service: Option<String>,
    /// What that one does.
    pub phase: Option<String>,
    /// The code of its reason.
    pub code: Option<String>,
    /// In words.
    pub text: String,
    /// Since when, or when; RFC 3339, UTC.
    pub time: Option<String>,
}

/// Something that a person can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryView {
    /// The command line.
    pub command: String,
    /// What it does.
    pub what: String,
}

/// What `status` says of a service beyond `list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailsView {
    /// As whom it runs; `null` is as Mainstay itself.
    pub user: Option<String>,
    /// The socket on which it can be called, when it offers that.
    #[serde(default)]
    pub calls: Option<String>,
    /// Where it runs.
    pub working_dir: String,
    /// When it counts as ready: `tcp 127.0.0.1:5432`; `null`: as soon as it runs (a oneshot: when it completed).
    pub ready_check: Option<String>,
    /// The longest silence of one that says by itself that it lives.
    pub watchdog_ms: Option<u64>,
    /// Which ends are followed by a restart: `never`, `on-failure`, `always`.
    pub restart: String,
    /// Restarts in a row.
    pub attempt: u32,
    /// What it needs, each instance.
    pub needs: Vec<NeighbourView>,
    /// What needs it, each instance.
    pub needed_by: Vec<NeighbourView>,
}

/// A service that another one needs, or that needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourView {
    /// Which (`api@2`).
    pub id: String,
    /// What must be so of the one that is needed: `ready`.
    pub until: String,
    /// Whether that is so.
    pub met: bool,
    /// What it does.
    pub phase: String,
}

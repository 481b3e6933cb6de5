//! What people see of services: tables, blocks and lines. Prints nothing, reads no clock.

pub(crate) mod cut;
pub(crate) mod event;
pub(crate) mod excerpt;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod history_report;
pub(crate) mod list;
pub(crate) mod origins;
pub(crate) mod plan;
pub(crate) mod prefix;
pub(crate) mod settled;
pub(crate) mod span;
pub(crate) mod status;
pub(crate) mod strip;
pub(crate) mod style;
pub(crate) mod versions;

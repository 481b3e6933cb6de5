//! What a file with a service in it uses.

pub use std::time::Duration;

pub use tracing::{debug, error, info, trace, warn};

#[cfg(feature = "calls")]
pub use mainstay_macros::calls;

pub use crate::{
    Blocking, Context, Error, Monitor, Periodic, Permanent, Reload, Result, Secret, ServiceConfig,
    SingleShot, Status, fail, service,
};

//! What a file with a service in it uses.

pub use std::time::Duration;

pub use tracing::{debug, error, info, trace, warn};

pub use crate::{
    Blocking, Context, Error, Monitor, Periodic, Permanent, Reload, Result, Secret, ServiceConfig,
    SingleShot, Status, fail, service,
};

//! What every service is, of whatever kind: it has a configuration, and can be made from it.

use std::fmt;

use crate::{Context, Result, ServiceConfig, SettingShape, SettingValues};

/// A service. [`#[service]`](crate::service) writes this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "this needs `#[service]`",
    note = "put `#[service]` on the struct: it says how the service is made, and registers it"
)]
pub trait Service: Sized + 'static {
    /// Its settings.
    type Config: ServiceConfig;

    /// Makes it.
    ///
    /// # Errors
    /// Whatever keeps it from being made; it is told as the reason for which the service does not run.
    fn make(config: Self::Config, ctx: &Context) -> Result<Self>;

    /// Puts another configuration into it, and returns the one before; `None` when it keeps none.
    fn replace_config(&mut self, _config: Self::Config) -> Option<Self::Config> {
        None
    }
}

/// The configuration of a service that needs none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoConfig;

impl ServiceConfig for NoConfig {
    fn settings() -> Vec<SettingShape> {
        Vec::new()
    }

    fn read(_values: &mut SettingValues) -> Option<Self> {
        Some(Self)
    }
}

/// Where in the source something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    file: &'static str,
    line: u32,
}

impl Place {
    /// This one.
    pub const fn new(file: &'static str, line: u32) -> Self {
        Self { file, line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

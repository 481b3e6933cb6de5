//! The configuration of a service: typed settings, layers of values, and where each came from.
//!
//! Several layers may set one setting. From the strongest: arguments, environment, the broker, the file, the default. All
//! problems are told at once, each with its place.

mod file;
mod inputs;
mod layers;
mod secret;
mod setting;
mod shape;
mod values;

pub(crate) use file::{FileLayer, starter};
pub(crate) use inputs::{Inputs, local_of, schema};
pub(crate) use layers::Layers;
pub use layers::{Origin, Source};
pub use secret::Secret;
pub use setting::{Setting, SettingKind};
pub use shape::SettingShape;
pub use values::{ConfigProblem, Explained, SettingValues};

/// The configuration of a service. `#[derive(ServiceConfig)]` writes this, and a `Debug` that hides secrets.
///
/// ```
/// use mainstay::prelude::*;
///
/// #[derive(ServiceConfig)]
/// struct DoorConfig {
///     /// Where to listen.
///     #[default("127.0.0.1:8080")]
///     listen: std::net::SocketAddr,
///     /// How many may come in at once.
///     #[default(64)]
///     #[range(1, 10_000)]
///     limit: u32,
///     /// What they have to show.
///     #[secret]
///     token: Option<String>,
/// }
/// # fn main() {}
/// ```
pub trait ServiceConfig: Sized + Send + 'static {
    /// What can be set.
    fn settings() -> Vec<SettingShape>;

    /// Reads it; `None` when a value is missing or wrong, which `values` remembers.
    fn read(values: &mut SettingValues) -> Option<Self>;
}

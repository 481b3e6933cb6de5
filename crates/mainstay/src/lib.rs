//! The library with which a service is written once, and runs by hand, under a supervisor, as one task among many and in a
//! container, unchanged.
//!
//! A service is a struct with [`#[service]`](service) that implements one of four kinds: [`Permanent`], [`Blocking`],
//! [`SingleShot`] or [`Periodic`]. [`main!`] makes the program.
//!
//! ```no_run
//! use mainstay::prelude::*;
//!
//! #[derive(ServiceConfig)]
//! struct HelloWorldConfig {
//!     /// Time between two greetings.
//!     #[default("5s")]
//!     interval: Duration,
//!     /// What is said.
//!     #[default("Hello World!")]
//!     message: String,
//! }
//!
//! #[service]
//! struct HelloWorld {
//!     config: HelloWorldConfig,
//! }
//!
//! impl Blocking for HelloWorld {
//!     async fn run(&mut self, ctx: &Context) -> Result {
//!         while ctx.is_running() {
//!             info!("{}", self.config.message);
//!             ctx.sleep(self.config.interval).await;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! mainstay::main!();
//! ```

// What calls need of the other modules stays there in a program that is built without them.
#![cfg_attr(not(feature = "calls"), allow(dead_code, reason = "only calls use it"))]

// The attributes name this crate as whoever uses them does; so do its own tests and examples.
extern crate self as mainstay;

mod body;
mod called;
#[cfg_attr(not(feature = "calls"), path = "no_calls.rs")]
mod calls;
mod command;
mod context;
mod controller;
#[cfg(feature = "command")]
mod embedded;
mod ending;
mod error;
mod guard;
mod hosting;
mod init;
mod kind;
mod launch;
mod listen;
mod log;
mod monitor;
mod names;
mod notify;
mod panics;
pub mod prelude;
#[doc(hidden)]
pub mod private;
mod process;
mod registry;
mod service;
mod settings;
mod visit;

/// The crate with which [`service_command`] is made.
#[cfg(feature = "command")]
pub use clap;
pub use command::{Program, run_program};
pub use context::Context;
#[cfg(feature = "command")]
pub use embedded::{run_service_command, service_command};
pub use ending::Ending;
pub use error::{Error, Result};
pub use kind::{Blocking, Periodic, Permanent, Reload, SingleShot};
pub use listen::Listener;
/// Offers methods of a service to callers: `mainstay call NAME METHOD '{"name": "Ada"}'`, or one JSON object a line on the
/// service's socket. It stands on an `impl` block of the service, and [`#[call]`](calls) on each method that is offered.
///
/// Arguments are named, and read from JSON by their types; what is returned is written as JSON. `ctx: &Context` may be among
/// them. Doc comments are the help that callers see. An error, and a panic, is the caller's answer, and nothing more.
///
/// ```
/// use mainstay::prelude::*;
///
/// #[service]
/// #[derive(Default)]
/// struct Greeter {
///     count: u64,
/// }
///
/// # impl Permanent for Greeter { async fn start(&mut self, _ctx: &Context) -> Result { Ok(()) } }
/// #[calls]
/// impl Greeter {
///     /// Greets somebody, several times if need be.
///     #[call]
///     async fn greet(&mut self, ctx: &Context, name: String, times: Option<usize>) -> Result<String> {
///         self.count += 1;
///         ctx.emit("greeted", &name);
///         Ok(format!("Hello {name}! ").repeat(times.unwrap_or(1)))
///     }
///
///     /// How many were greeted; it changes nothing, so whoever may connect may call it.
///     #[call(reads)]
///     fn count(&self) -> Result<u64> {
///         Ok(self.count)
///     }
/// }
/// # fn main() {}
/// ```
///
/// With `self`, a method of a [`Permanent`] or [`Periodic`] service runs between its other work, one at a time. Without it,
/// it runs at once and beside everything else. When the service is asked to stop, what has not ended is dropped.
///
/// The `run` of a [`Blocking`] service and the `execute` of a [`SingleShot`] hold the service, so their methods have no
/// `self`; what they share with it is in the [`Context`]:
///
/// ```
/// # use mainstay::prelude::*;
/// # use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// # #[service]
/// # struct Counter;
/// impl Blocking for Counter {
///     async fn on_start(&mut self, ctx: &Context) -> Result {
///         ctx.share(Arc::new(AtomicU64::new(0)));
///         Ok(())
///     }
///     async fn run(&mut self, ctx: &Context) -> Result {
///         while ctx.sleep(Duration::from_secs(1)).await {
///             ctx.shared::<AtomicU64>()?.fetch_add(1, Ordering::Relaxed);
///         }
///         Ok(())
///     }
/// }
///
/// #[calls]
/// impl Counter {
///     #[call(reads)]
///     fn seconds(ctx: &Context) -> Result<u64> {
///         Ok(ctx.shared::<AtomicU64>()?.load(Ordering::Relaxed))
///     }
/// }
/// # fn main() {}
/// ```
///
/// One with `self` is refused:
///
/// ```compile_fail
/// # use mainstay::prelude::*;
/// # #[service]
/// # struct Counter;
/// # impl Blocking for Counter { async fn run(&mut self, ctx: &Context) -> Result { Ok(ctx.stopped().await) } }
/// #[calls]
/// impl Counter {
///     #[call]
///     fn seconds(&self) -> Result<u64> {
///         Ok(1)
///     }
/// }
/// # fn main() {}
/// ```
///
/// # Who may call
/// The socket is the service's own: nobody but its user and root connects. `#[service(calls_group = "ops")]`, or
/// `$MAINSTAY_CALLS_GROUP`, lets the members of a group connect as well, where they reach the folder. Whoever else connects,
/// because somebody has opened the socket, may call what only reads. Under Mainstay the place is known to the project; by hand
/// it is `mainstay/calls/NAME@INSTANCE` below `$XDG_RUNTIME_DIR`, or below `mainstay-UID` in the temporary folder;
/// `$MAINSTAY_CALLS` names another one, and none when it is empty.
#[cfg(feature = "calls")]
pub use mainstay_macros::calls;
pub use mainstay_macros::{ServiceConfig, service};
pub use monitor::{Check, Counter, Gauge, Messenger, Monitor, MonitorView, Report, Status, TaskGuard};
pub use registry::{Registered, Registration, Registry, RegistryError};
pub use service::{NoConfig, Place, Service};
pub use settings::{
    ConfigProblem, Explained, Origin, Secret, ServiceConfig, Setting, SettingKind, SettingShape,
    SettingValues, Source,
};

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
mod kind;
mod log;
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
#[cfg(feature = "calls")]
pub use mainstay_macros::calls;
pub use mainstay_macros::{ServiceConfig, service};
pub use registry::{Registered, Registration, Registry, RegistryError};
pub use service::{NoConfig, Place, Service};
pub use settings::{
    ConfigProblem, Explained, Origin, Secret, ServiceConfig, Setting, SettingKind, SettingShape,
    SettingValues, Source,
};

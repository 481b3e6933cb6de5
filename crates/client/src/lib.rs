//! The clients of local sockets: they ask the daemon or a running service, and read the answers. Knows neither what an answer means nor how it is shown.

mod calls;
mod client;
mod connect;
mod error;
mod lines;

pub use calls::{CallClient, CallEvents, CallFailure};
pub use client::{Client, Events};
pub use error::ClientError;

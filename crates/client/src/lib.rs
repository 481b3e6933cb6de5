//! The local socket's client: asks the daemon and reads its answers. Knows neither what an answer means nor how it is shown.

mod client;
mod connect;
mod error;
mod lines;

pub use client::{Client, Events};
pub use error::ClientError;

//! The hands: processes, files, clocks, users. It decides nothing, and is the only place for `unsafe` and `cfg(os)`.
#![allow(unsafe_code, reason = "system calls without a safe wrapper live here, each with its SAFETY note")]

mod counting;
mod error;
#[cfg(unix)]
mod unix;

pub use counting::CountingAllocator;
pub use error::HostError;
#[cfg(unix)]
pub use unix::*;

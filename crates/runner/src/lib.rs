//! Carrying decisions out: drives a [`Project`](mainstay_decide::Project) through one kind of execution. It holds no rule of its own.

mod execution;
mod runner;

pub use execution::{Execution, Spawn};
pub use runner::Runner;

//! The lifecycle stories of `docs/guides/lifecycle.md`, each as a row on the pure project: what happens, and what is asked
//! for. Stories on real processes have the same names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;
mod stories;

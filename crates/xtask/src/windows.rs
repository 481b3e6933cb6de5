//! Type-checks the rooms without I/O for Windows. Builds no program, so it needs neither a linker nor Windows.
//!
//! The compiler needs the standard library's metadata for that target. Where rustup has it, all is well. Where it has
//! not, the library is checked from its own sources once, from Debian's `rust-src` of the very same version, and kept
//! outside of the checkout. The `msvc` target is what most people have on Windows, and unlike `gnu` it asks for no
//! foreign tool on the way.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{read_output, repo, run_visibly, test::Outcome, tidy};

/// What is built when rustup has none of them.
const TARGET: &str = "x86_64-pc-windows-msvc";

/// As good as that one.
const OTHER_TARGET: &str = "x86_64-pc-windows-gnu";

/// Where Debian has newer compilers than its stable release.
const SUITES: [&str; 2] = ["trixie-backports", "sid"];

/// Runs `cargo check` for Windows.
pub(crate) fn check() -> Result<Outcome> {
    let mut cargo = repo::cargo();
    cargo.args(["check", "--locked"]);
    let installed = [TARGET, OTHER_TARGET].into_iter().find(|target| rustup_has(target));
    if let Some(target) = installed {
        cargo.args(["--target", target]);
    } else {
        match sysroot()? {
            Ok(sysroot) => {
                cargo.args(["--target", TARGET]);
                cargo.env(flags_variable(), format!("--sysroot {}", sysroot.display()));
            }
            Err(reason) => return Ok(Outcome::Skipped(reason)),
        }
    }
    for room in tidy::pure_rooms().filter(|room| repo::root().join("crates").join(room).is_dir()) {
        cargo.arg("--package").arg(format!("mainstay-{room}"));
    }
    cargo.env("CARGO_TARGET_DIR", repo::target_dir().join("windows"));
    run_visibly(&mut cargo).map(|()| Outcome::Passed)
}

fn flags_variable() -> String {
    format!("CARGO_TARGET_{}_RUSTFLAGS", TARGET.replace('-', "_").to_uppercase())
}

fn rustup_has(target: &str) -> bool {
    let library = read_output(rustc().args(["--print", "target-libdir", "--target", target]));
    library.is_ok_and(|dir| fs::read_dir(dir.trim()).is_ok_and(|mut entries| entries.next().is_some()))
}

fn rustc() -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(repo::root());
    command
}

/// A sysroot with the standard library for Windows, made when it is not there; or why it cannot be had.
fn sysroot() -> Result<Result<PathBuf, String>> {
    let about = read_output(rustc().arg("-vV"))?;
    let release =
        about.lines().find_map(|line| line.strip_prefix("release: ")).context("rustc has no release")?;
    let cache = repo::cache_dir()?;
    let sysroot = cache.join(format!("sysroot-{release}-{TARGET}"));
    if sysroot.is_dir() {
        return Ok(Ok(sysroot));
    }
    if let Some(missing) = ["apt-get", "dpkg", "tar"].into_iter().find(|program| !repo::on_path(program)) {
        let how = format!("`rustup target add {TARGET}`");
        return Ok(Err(format!(
            "rustup has no Windows target ({how}), and there is no `{missing}` to get one by"
        )));
    }
    let work = cache.join(format!("work-{}", std::process::id()));
    let made = make(&work, release, &sysroot);
    fs::remove_dir_all(&work).ok();
    made.map(|()| Ok(sysroot))
}

/// Makes the sysroot beside its place, and puts it there whole.
fn make(work: &Path, release: &str, sysroot: &Path) -> Result<()> {
    let library = unpack_sources(work, release)?;
    let seed = work.join("seed");
    write(&seed.join("Cargo.toml"), "[package]\nname = \"seed\"\nedition = \"2024\"\n[lib]\n[workspace]\n")?;
    write(&seed.join("src/lib.rs"), "")?;
    // Unstable features are for the standard library alone: our own crates are then checked without them.
    let mut cargo = repo::cargo();
    cargo.current_dir(&seed).args(["check", "--quiet", "-Zbuild-std=std,panic_unwind", "--target", TARGET]);
    cargo.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_TESTS_ONLY_SRC_ROOT", &library);
    cargo.env("CARGO_TARGET_DIR", seed.join("target"));
    run_visibly(&mut cargo)?;
    let made = work.join("sysroot");
    let place = made.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&place).with_context(|| format!("cannot make `{}`", place.display()))?;
    let built = seed.join("target").join(TARGET).join("debug/deps");
    let mut libraries = repo::files(&built, "rlib")?;
    libraries.extend(repo::files(&built, "rmeta")?);
    for file in libraries.iter().filter(|file| !file.to_string_lossy().contains("libseed-")) {
        fs::copy(file, place.join(file.file_name().unwrap_or_default()))
            .with_context(|| format!("cannot copy `{}`", file.display()))?;
    }
    fs::rename(&made, sysroot).with_context(|| format!("cannot make `{}`", sysroot.display()))
}

/// Downloads and unpacks the standard library's sources; returns their folder.
fn unpack_sources(work: &Path, release: &str) -> Result<PathBuf> {
    let mut last = None;
    for suite in SUITES {
        match download(&work.join(suite), suite, release) {
            Ok(package) => {
                let script = "dpkg --fsys-tarfile \"$1\" | tar -x --wildcards './usr/src/rustc-*/library/*'";
                let mut shell = Command::new("sh");
                shell.current_dir(work).args(["-ec", script, "unpack"]).arg(package);
                run_visibly(&mut shell)?;
                return Ok(work.join(format!("usr/src/rustc-{release}/library")));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no suite to ask")?)
}

/// Asks one suite with a configuration of our own: the machine's lists of packages stay as they are.
fn download(dir: &Path, suite: &str, release: &str) -> Result<PathBuf> {
    let mirror = mirror()?;
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    write(&dir.join("etc/sources.list"), &format!("deb [signed-by={keys}] {mirror} {suite} main\n"))?;
    for folder in ["etc/apt.conf.d", "etc/preferences.d", "lists/partial", "cache/archives/partial", "state"]
    {
        let path = dir.join(folder);
        fs::create_dir_all(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
    }
    let configuration = dir.join("apt.conf");
    let at = dir.display();
    let lines = format!(
        "Dir::Etc \"{at}/etc\";\nDir::State \"{at}/state\";\nDir::State::lists \"{at}/lists\";\n\
         Dir::State::status \"/var/lib/dpkg/status\";\nDir::Cache \"{at}/cache\";\n\
         Acquire::Languages \"none\";\nAPT::Sandbox::User \"root\";\n"
    );
    write(&configuration, &lines)?;
    run_visibly(Command::new("apt-get").env("APT_CONFIG", &configuration).args(["-qq", "update"]))?;
    let known = read_output(
        Command::new("apt-cache").env("APT_CONFIG", &configuration).args(["madison", "rust-src"]),
    )?;
    let version = known.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    let version = version
        .into_iter()
        .find(|version| version.starts_with(&format!("{release}+")))
        .with_context(|| format!("Debian's {suite} has no `rust-src` {release}"))?;
    let mut get = Command::new("apt-get");
    get.current_dir(dir).env("APT_CONFIG", &configuration).args(["-qq", "download"]);
    run_visibly(get.arg(format!("rust-src={version}")))?;
    repo::files(dir, "deb")?.pop().context("apt-get downloaded nothing")
}

/// The mirror that this machine uses for Debian.
fn mirror() -> Result<String> {
    let known = read_output(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]))?;
    let is_debian = |line: &&str| line.trim_end_matches('/').ends_with("/debian");
    Ok(known.lines().find(is_debian).unwrap_or("http://deb.debian.org/debian").to_owned())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

//! A machine of its own with another kernel, in which the soak is the first process: Debian's kernel, emulated by QEMU, and a file
//! system in memory that holds two programs and their libraries. Knows nothing of what is soaked.

mod archive;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    mount::{MountFlags, mount},
    system::{RebootCommand, reboot},
};

use self::archive::Archive;
use super::world::Scale;
use crate::{read_output, repo, run_visibly, test::Outcome};

/// The kernel that there is: Debian 12 has it, and it lacks `PIDFD_INFO_EXIT`.
pub(super) const KERNEL: &str = "6.1";

const QEMU: &str = "qemu-system-x86_64";

/// Debian's package that depends on the latest build of its kernel; what a virtual machine needs is built into that one.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// Where the program is, in the machine.
const PROGRAM: &str = "bin/mainstay";

/// The last words of the machine.
const PASSED: &str = "soak-guest: passed";
const FAILED: &str = "soak-guest: failed";

/// How many lines of each file are shown when it did not pass.
const EVIDENCE: usize = 400;

/// How much longer than the soak itself the machine may run.
const MARGIN: Duration = Duration::from_secs(480);

/// How often it is looked whether it runs.
const GLANCE: Duration = Duration::from_millis(200);

/// Soaks the program in a machine with this kernel.
pub(super) fn run(kernel: &str, program: &Path, scale: &Scale) -> Result<Outcome> {
    if kernel != KERNEL {
        bail!("there is no kernel `{kernel}` to be had, only {KERNEL}");
    }
    if !repo::on_path(QEMU) {
        return Ok(Outcome::Skipped(format!(
            "`{QEMU}` is not here; as root: apt-get install qemu-system-x86"
        )));
    }
    let dir = repo::target_dir().join("soak");
    let image = match find_kernel(&dir.join("kernel")) {
        Ok(image) => image,
        Err(error) => return Ok(Outcome::Skipped(format!("there is no kernel {KERNEL} here: {error:#}"))),
    };
    let memory = dir.join("initramfs");
    let own = std::env::current_exe().context("cannot find its own file")?;
    pack(&own, program, &memory)?;
    boot(&image, &memory, scale).map(|()| Outcome::Passed)
}

/// The kernel of Debian's package, unpacked and not installed.
fn find_kernel(dir: &Path) -> Result<PathBuf> {
    if let Some(image) = find_in(&dir.join("boot"), |name| name.starts_with("vmlinuz-")) {
        return Ok(image);
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    let depends = read_output(Command::new("apt-cache").args(["depends", PACKAGE]))?;
    let build = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: ")).unwrap_or_default();
    if !build.starts_with(&format!("linux-image-{KERNEL}.")) {
        bail!("`{PACKAGE}` is `{build}`");
    }
    run_visibly(Command::new("apt-get").args(["-q", "download", build]).current_dir(dir))?;
    let package = find_in(dir, |name| name.ends_with(".deb")).context("`apt-get download` left nothing")?;
    run_visibly(Command::new("dpkg-deb").arg("-x").args([&package, dir]))?;
    let image = find_in(&dir.join("boot"), |name| name.starts_with("vmlinuz-"));
    image.with_context(|| format!("there is none in `{}`", package.display()))
}

fn find_in(dir: &Path, is_it: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut files = fs::read_dir(dir).ok()?.flatten();
    files.find(|file| is_it(&file.file_name().to_string_lossy())).map(|file| file.path())
}

/// The file system of the machine.
fn pack(own: &Path, program: &Path, to: &Path) -> Result<()> {
    let mut archive = Archive::default();
    ["dev", "proc", "sys", "tmp"].into_iter().for_each(|dir| archive.dir(dir));
    archive.console();
    archive.file("init", own)?;
    archive.file(PROGRAM, program)?;
    let mut libraries = [libraries(own)?, libraries(program)?].concat();
    libraries.sort();
    libraries.dedup();
    for library in libraries {
        archive.file(library.to_string_lossy().trim_start_matches('/'), &library)?;
    }
    archive.write(to)
}

/// What a program is linked with, the loader included.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let text = read_output(Command::new("ldd").arg(program))?;
    Ok(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

fn boot(image: &Path, memory: &Path, scale: &Scale) -> Result<()> {
    let Scale { seed, rate, span, slowness } = scale;
    let order = format!("--seconds {} --seed {seed} --rate {rate} --slowness {slowness}", span.as_secs());
    let line = format!(
        "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=1 -- soak-guest --program /{PROGRAM} {order}"
    );
    let mut qemu = Command::new(QEMU);
    // Where KVM can be opened it may still not work, so that everything is emulated everywhere.
    qemu.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048"]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"]);
    qemu.arg("-kernel").arg(image).arg("-initrd").arg(memory).args(["-append", &line]);
    println!("$ {}", crate::line(&qemu));
    let mut child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run QEMU")?;
    let heard = listen(&mut child)?;
    let deadline = Instant::now() + *span + MARGIN;
    while child.try_wait().context("cannot wait for QEMU")?.is_none() {
        if Instant::now() > deadline {
            child.kill().context("cannot end QEMU")?;
            child.wait().context("cannot wait for QEMU")?;
            bail!("the machine did not come to its end in time");
        }
        thread::sleep(GLANCE);
    }
    match heard.join() {
        Ok(true) => Ok(()),
        Ok(false) => bail!("it did not pass, with seed {seed}; what was wrong is above"),
        Err(_) => bail!("nobody listened to the machine"),
    }
}

/// Shows what the machine says; whether that was that it passed.
fn listen(child: &mut Child) -> Result<thread::JoinHandle<bool>> {
    let output = child.stdout.take().context("QEMU has no output")?;
    Ok(thread::spawn(move || {
        let mut passed = false;
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            passed |= line == PASSED;
            println!("| {line}");
        }
        passed
    }))
}

/// The first process of the machine: makes it one, does this, says how it went, and switches it off.
pub(super) fn guest(work: impl FnOnce() -> Result<()>) -> Result<()> {
    if std::process::id() != 1 {
        bail!("`soak-guest` is for the machine that `cargo xtask soak --kernel {KERNEL}` makes");
    }
    match mount_all().and_then(|()| work()) {
        Ok(()) => println!("{PASSED}"),
        Err(error) => {
            show_evidence();
            println!("{FAILED}: {error:#}");
        }
    }
    reboot(RebootCommand::PowerOff).context("cannot switch the machine off")
}

/// What is kept in the machine goes with it: what tells most of it is shown.
fn show_evidence() {
    let Some(root) = find_in(Path::new("/tmp"), |name| name.starts_with("mainstay-soak-")) else { return };
    for file in ["driver.log", "p/.mainstay/anchor.log"] {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        let skipped = text.lines().count().saturating_sub(EVIDENCE);
        println!("{file}, but for {skipped} lines:");
        text.lines().skip(skipped).for_each(|line| println!("{line}"));
    }
}

fn mount_all() -> Result<()> {
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp")] {
        mount(kind, place, kind, MountFlags::empty(), None)
            .with_context(|| format!("cannot mount {kind} at {place}"))?;
    }
    Ok(())
}

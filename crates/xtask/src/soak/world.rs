//! The project that is soaked: its folder, its file, and the program in it, as a user would run it. Judges nothing.

use std::{
    cell::Cell,
    fs::{self, File},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use mainstay_host::{adopt_orphans, children_of, monotonic_nanos, next_dead_child, reap_child};
use mainstay_model::Signal;
use serde_json::Value;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use super::{
    truth::CALM,
    writer::{self, Kind},
};

/// How often the loop turns.
const TURN: Duration = Duration::from_millis(2);

/// How long whatever is killed in the end may take to be gone.
const DYING: Duration = Duration::from_secs(20);

/// A service of the project.
pub(super) struct Service {
    pub(super) name: String,
    kind: Kind,
    /// How many instances; none is one without a number.
    instances: Option<u32>,
    /// What `current` may hold.
    max_size: &'static str,
    /// How much of the others' rate is its own, in percent.
    percent: u64,
    /// The pause before a restart.
    delay: &'static str,
}

/// The service that all others need.
pub(super) const FIRST: &str = "first";

fn services() -> Vec<Service> {
    let plain = |name: &str, max_size, percent| Service {
        name: name.to_owned(),
        kind: Kind::Plain,
        instances: None,
        max_size,
        percent,
        delay: "100ms",
    };
    let mut all = vec![Service { kind: Kind::Once, ..plain(FIRST, "10MB", 100) }];
    all.extend((1..=18).map(|number| plain(&format!("w{number:02}"), "10MB", 100)));
    all.extend(
        (1..=2).map(|number| Service { kind: Kind::Forking, ..plain(&format!("forks{number}"), "1MB", 100) }),
    );
    all.push(Service { instances: Some(3), ..plain("twin", "10MB", 100) });
    all.push(Service { delay: "0s", ..plain("quick", "10MB", 100) });
    all.push(plain("rotates", "100KB", 100));
    all.push(plain("small", "8KB", 20));
    all
}

impl Service {
    /// `twin@1`, …
    fn ids(&self) -> Vec<String> {
        match self.instances {
            None => vec![self.name.clone()],
            Some(count) => (1..=count).map(|number| format!("{}@{number}", self.name)).collect(),
        }
    }
}

/// What a soak is like.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub(super) seed: u64,
    /// Lines a second of all services together.
    pub(super) rate: u64,
    pub(super) span: Duration,
    /// How much longer than usual this machine may take.
    pub(super) slowness: u32,
}

/// A project that exists.
pub(super) struct World {
    root: tempfile::TempDir,
    program: PathBuf,
    /// Another file with the same in it.
    successor: PathBuf,
    own: PathBuf,
    /// How much longer than usual everything may take.
    slowness: u32,
    /// Somebody wants this to end.
    stopped: Arc<AtomicBool>,
    was_stopped: Cell<bool>,
    /// Commands under way, which have somebody who waits for them.
    awaited: Vec<u32>,
    mouth: UnixDatagram,
    ids: Vec<String>,
}

/// A command that was run.
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

impl World {
    /// Makes the folder of a project, and takes in from now on what falls to this process.
    pub(super) fn new(program: &Path, scale: &Scale) -> Result<Self> {
        adopt_orphans().context("cannot take in orphans")?;
        let stopped = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&stopped)).context("cannot hear signals")?;
        }
        let root =
            tempfile::Builder::new().prefix("mainstay-soak-").tempdir().context("cannot make a folder")?;
        let bin = root.path().join("bin");
        for dir in [&bin, &root.path().join("r"), &root.path().join("t"), &root.path().join("p")] {
            fs::create_dir(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        }
        let mouth = UnixDatagram::unbound().context("cannot make a socket")?;
        mouth.set_nonblocking(true).context("cannot make a socket")?;
        let own = std::env::current_exe().context("cannot find its own file")?;
        let mut world = Self {
            program: keep(program, &bin)?,
            successor: copy(program, &bin)?,
            own: keep(&own, &bin)?,
            slowness: scale.slowness,
            root,
            stopped,
            was_stopped: Cell::new(false),
            awaited: Vec::new(),
            mouth,
            ids: Vec::new(),
        };
        world.describe(scale)?;
        Ok(world)
    }

    /// Writes the project's file.
    fn describe(&mut self, scale: &Scale) -> Result<()> {
        let until = scale.span.saturating_mul(2) + Duration::from_secs(600) * self.slowness;
        let until = monotonic_nanos() + u64::try_from(until.as_nanos()).unwrap_or(u64::MAX / 2);
        let all = services();
        self.ids = all.iter().flat_map(Service::ids).collect();
        for id in &self.ids {
            let dir = self.truth(id);
            fs::create_dir(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        }
        let writers = (self.ids.len() as u64 - 1).max(1);
        let mut text = String::from(
            "[mainstay]\nname = \"soak\"\n\n[defaults]\nlog = { keep = 10000, total = \"1000GB\" }\n",
        );
        for service in &all {
            // A quarter more than asked for: some are always between two runs.
            let rate = (scale.rate * 5 / 4 * service.percent / 100 / writers).max(1);
            text.push_str(&self.service(service, rate, scale.seed, until));
        }
        let file = self.dir().join("mainstay.toml");
        fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))
    }

    fn service(&self, service: &Service, rate: u64, seed: u64, until: u64) -> String {
        let Service { name, kind, instances, max_size, delay, .. } = service;
        let dir = self.truth(&instances.map_or_else(|| name.clone(), |_| format!("{name}@{{instance}}")));
        let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers = [rate, seed, until].map(|number| number.to_string());
        let words = [self.own.display().to_string(), "soak-writer".to_owned(), dir.display().to_string(), id];
        let words: Vec<String> = words.into_iter().chain([kind.word().to_owned()]).chain(numbers).collect();
        let how = match kind {
            Kind::Once => "kind = \"oneshot\"\n".to_owned(),
            Kind::Plain | Kind::Forking => format!(
                "depends_on = {{ {FIRST} = \"completed\" }}\n\
                 restart = {{ policy = \"always\", delay = \"{delay}\", factor = 1, attempts = \"unlimited\" }}\n"
            ),
        };
        let instances = instances.map(|count| format!("instances = {count}\n")).unwrap_or_default();
        format!("\n[service.{name}]\ncommand = {words:?}\nlog.max_size = \"{max_size}\"\n{how}{instances}")
    }

    /// Every instance.
    pub(super) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Where a writer says what is true.
    pub(super) fn truth(&self, id: &str) -> PathBuf {
        self.root.path().join("t").join(id)
    }

    /// Where the driver writes what it did.
    pub(super) fn diary(&self) -> PathBuf {
        self.root.path().join("driver.log")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.dir().join(".mainstay/logs")
    }

    /// The project's folder.
    pub(super) fn dir(&self) -> PathBuf {
        self.root.path().join("p")
    }

    pub(super) fn is_slow(&self) -> bool {
        self.slowness > 1
    }

    /// What is usual, on this machine.
    pub(super) fn patience(&self, usual: Duration) -> Duration {
        usual * self.slowness
    }

    /// Says something to a writer, if it is there.
    pub(super) fn tell(&self, id: &str, word: &[u8]) {
        // One that is between two runs does not hear it.
        let _ = self.mouth.send_to(word, writer::socket(&self.truth(id)));
    }

    /// From now on nobody ends by itself.
    pub(super) fn calm(&self) -> Result<()> {
        let path = self.truth(CALM);
        fs::write(&path, "").with_context(|| format!("cannot write `{}`", path.display()))?;
        self.ids.iter().for_each(|id| self.tell(id, writer::GO_ON));
        Ok(())
    }

    /// One turn of the loop: lets those go that fell to us and ended. An error when somebody wants this to end.
    pub(super) fn turn(&self) -> Result<()> {
        if self.stopped.swap(false, Ordering::Relaxed) {
            self.was_stopped.set(true);
            bail!("it was stopped by a signal");
        }
        self.reap();
        thread::sleep(TURN);
        Ok(())
    }

    fn reap(&self) {
        while let Some(child) = next_dead_child() {
            if self.awaited.contains(&child.pid) {
                return;
            }
            reap_child(child.pid);
        }
    }

    /// Starts the program; whoever does has to [`end`](Self::end) it.
    pub(super) fn start(&mut self, arguments: &[&str]) -> Result<Child> {
        let name = arguments.first().copied().unwrap_or_default();
        let file = |end: &str| {
            let path = self.root.path().join(format!("{name}.{end}"));
            File::create(&path).with_context(|| format!("cannot create `{}`", path.display()))
        };
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.dir()).env("XDG_RUNTIME_DIR", self.root.path().join("r"));
        let ours = |name: &str| name.starts_with("MAINSTAY_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(file("out")?).stderr(file("err")?);
        let child = command.spawn().with_context(|| format!("cannot run `{}`", crate::line(&command)))?;
        self.awaited.push(child.id());
        Ok(child)
    }

    /// Whether it has ended, and how.
    pub(super) fn end(&mut self, child: &mut Child) -> Result<Option<ExitStatus>> {
        let status = child.try_wait().context("cannot wait")?;
        if status.is_some() {
            self.awaited.retain(|pid| *pid != child.id());
        }
        Ok(status)
    }

    /// Has the three become the other one of two programs.
    pub(super) fn upgrade(&mut self, number: u64) -> Result<Child> {
        let program = if number.is_multiple_of(2) { &self.successor } else { &self.program };
        let program = program.to_string_lossy().into_owned();
        self.start(&["daemon", "upgrade", "--program", &program, "--timeout", "30s"])
    }

    /// Runs the program, but not for ever.
    pub(super) fn run(&mut self, arguments: &[&str], patience: Duration) -> Result<Ran> {
        let mut child = self.start(arguments)?;
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.end(&mut child)? {
                break status;
            }
            if Instant::now() > deadline {
                // It may have ended in this moment.
                let _ = child.kill();
            }
            self.turn().inspect_err(|_| drop(child.kill()))?;
        };
        let name = arguments.first().copied().unwrap_or_default();
        let text = |end: &str| fs::read_to_string(self.root.path().join(format!("{name}.{end}")));
        Ok(Ran { status, out: text("out").unwrap_or_default(), err: text("err").unwrap_or_default() })
    }

    /// What the program says as JSON, if it can say it at the moment.
    pub(super) fn ask(&mut self, arguments: &[&str]) -> Result<Option<Value>> {
        let patience = self.patience(Duration::from_secs(60));
        let ran = self.run(arguments, patience)?;
        Ok(serde_json::from_str(&ran.out).ok().filter(|_| ran.status.success()))
    }

    /// Stops the project, and ends whatever is left of it.
    pub(super) fn bring_down(&mut self) -> Result<Ran> {
        let patience = self.patience(Duration::from_secs(60));
        let ran = self.run(&["down"], patience);
        let ended = self.sweep();
        ran.and_then(|ran| ended.map(|()| ran))
    }

    /// Kills what is below us, until nothing is: what it leaves behind falls to us.
    pub(super) fn sweep(&self) -> Result<()> {
        let deadline = Instant::now() + self.patience(DYING);
        loop {
            self.reap();
            let children = children_of(std::process::id());
            if children.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} processes cannot be ended: {children:?}", children.len());
            }
            for pid in children {
                let row = mainstay_host::read_stat(pid);
                let process = row.and_then(|row| mainstay_host::Process::open(pid, row.start_time));
                process.iter().for_each(|process| process.signal(Signal::KILL));
            }
            thread::sleep(TURN);
        }
    }

    /// Whether somebody wanted this to end.
    pub(super) fn was_stopped(&self) -> bool {
        self.was_stopped.get()
    }

    /// Keeps the folder for whoever wants to know what was wrong.
    pub(super) fn keep(self) -> PathBuf {
        self.root.keep()
    }
}

/// What it can be upgraded to.
fn copy(program: &Path, bin: &Path) -> Result<PathBuf> {
    let copy = bin.join("successor");
    fs::copy(program, &copy)
        .with_context(|| format!("cannot copy `{}` to `{}`", program.display(), copy.display()))?;
    Ok(copy)
}

/// A program's own place in the folder: another build of it must not come between.
fn keep(program: &Path, bin: &Path) -> Result<PathBuf> {
    let kept = bin.join(program.file_name().unwrap_or_default());
    fs::hard_link(program, &kept)
        .or_else(|_| fs::copy(program, &kept).map(drop))
        .with_context(|| format!("cannot copy `{}` to `{}`", program.display(), kept.display()))?;
    Ok(kept)
}

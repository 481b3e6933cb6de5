//! One anchor with its own folders, the daemon's side of the protocol in the test's hands, and the cleaning up.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{Read, Write},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mainstay_host::{AnchorChild, Lock, Process, read_stat, start_anchor};
use mainstay_model::Signal;
use mainstay_wire::{
    ChildPart, Frames, FromKeeper, KEEPER_PROTOCOL, LOG_INDEX_RECORD, LogCounts, LogFile, LogMark, Program,
    Scope, SlotRecord, SlotState, ToKeeper, UpgradeView, WireExit, WireNotice, WireReports, frame,
    log_index_name,
};
use tempfile::TempDir;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    root: TempDir,
    run_dir: PathBuf,
    /// The run-time folder is in memory, as it mostly is.
    _memory: Option<TempDir>,
    pub(crate) anchor: Option<AnchorChild>,
    control: UnixListener,
    faults: Option<u32>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self::unstarted();
        world.start();
        world
    }

    /// With keepers that die at one of so many points.
    pub(crate) fn with_faults(rarity: u32) -> Self {
        let mut world = Self::unstarted();
        world.faults = Some(rarity);
        world.start();
        world
    }

    pub(crate) fn unstarted() -> Self {
        let root = TempDir::new().unwrap();
        for dir in ["state", "logs"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        let control = UnixListener::bind(root.path().join("state/control")).unwrap();
        control.set_nonblocking(true).unwrap();
        let memory = TempDir::new_in("/dev/shm").ok();
        let run_dir = memory.as_ref().unwrap_or(&root).path().join("run");
        Self { root, run_dir, _memory: memory, anchor: None, control, faults: None }
    }

    /// With the run-time folder on a disk.
    pub(crate) fn on_disk() -> Self {
        let mut world = Self::unstarted();
        world.run_dir = world.root.path().join("run");
        world.start();
        world
    }

    pub(crate) fn start(&mut self) {
        self.anchor = Some(self.another_anchor());
    }

    /// As this program, which is a copy of ours.
    pub(crate) fn start_program(&mut self, exe: &Path) {
        self.anchor = Some(self.another_anchor_of(exe, &self.run_dir()));
    }

    pub(crate) fn another_anchor(&self) -> AnchorChild {
        self.another_anchor_in(&self.run_dir())
    }

    /// With the same state.
    pub(crate) fn another_anchor_in(&self, run_dir: &Path) -> AnchorChild {
        self.another_anchor_of(&std::env::current_exe().unwrap(), run_dir)
    }

    fn another_anchor_of(&self, exe: &Path, run_dir: &Path) -> AnchorChild {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let mut words = vec!["daemon".to_owned(), "anchor".to_owned()];
        for (name, dir) in [
            ("--state-dir", self.state_dir()),
            ("--run-dir", run_dir.to_owned()),
            ("--logs-dir", self.logs_dir()),
        ] {
            words.extend([name.to_owned(), text(dir)]);
        }
        let log = self.root.path().join("anchor.log");
        match self.faults {
            None => start_anchor(exe, words, &log).unwrap(),
            Some(rarity) => {
                let mut env = vec![format!("MAINSTAY_FAULTS={rarity}"), text(exe.to_owned())];
                env.extend(words);
                start_anchor(Path::new("/usr/bin/env"), env, &log).unwrap()
            }
        }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.run_dir.clone()
    }

    pub(crate) fn logs_dir(&self) -> PathBuf {
        self.root.path().join("logs")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn anchor_log(&self) -> String {
        fs::read_to_string(self.root.path().join("anchor.log")).unwrap_or_default()
    }

    /// The process that holds a lock.
    pub(crate) fn holder(&self, lock: &str) -> Option<Process> {
        // Some stories take one of the folders away.
        let dirs = [self.run_dir(), self.state_dir()];
        dirs.iter().find_map(|dir| Lock::holder(&dir.join(lock)).ok()??.process)
    }

    pub(crate) fn keeper(&self) -> Process {
        let mut found = None;
        wait_until("a keeper works", || {
            found = self.holder("keeper.lock");
            found.is_some()
        });
        found.unwrap()
    }

    /// Stops the keeper, and waits until each of its threads is.
    pub(crate) fn stop_keeper(&self) -> Process {
        let keeper = self.keeper();
        keeper.signal(Signal::STOP);
        let is_stopped = |task: fs::DirEntry| {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("State:\tT"))
        };
        wait_until("it stands still", || {
            let tasks = fs::read_dir(format!("/proc/{}/task", keeper.pid)).unwrap();
            tasks.flatten().all(is_stopped)
        });
        keeper
    }

    pub(crate) fn kill_keeper(&self) {
        let keeper = self.keeper();
        keeper.signal(Signal::KILL);
        assert!(keeper.wait_gone(PATIENCE));
    }

    pub(crate) fn kill_anchor(&mut self) {
        let anchor = self.anchor.as_ref().unwrap();
        let process = Process::open(anchor.pid(), read_stat(anchor.pid()).unwrap().start_time).unwrap();
        process.signal(Signal::KILL);
        process.wait_and_reap();
        self.anchor = None;
    }

    /// The anchor's death, and the keeper that comes after the one that takes its place; that one was before.
    pub(crate) fn kill_whoever_is_anchor(&mut self) -> Process {
        let keeper = self.keeper();
        let anchor = self.holder("anchor.lock").unwrap();
        anchor.signal(Signal::KILL);
        assert!(anchor.wait_gone(PATIENCE));
        if let Some(first) = &mut self.anchor {
            let _ = first.try_wait();
        }
        wait_until("the keeper is the anchor", || {
            self.holder("anchor.lock").is_some_and(|anchor| anchor.pid == keeper.pid)
        });
        let mut next = None;
        wait_until("there is another keeper", || {
            next = self.holder("keeper.lock").filter(|next| next.pid != keeper.pid);
            next.is_some()
        });
        next.unwrap()
    }

    /// The next daemon that the keeper starts, before its hello.
    pub(crate) fn silent_daemon(&self) -> Daemon {
        let mut stream = None;
        wait_until("a daemon comes", || {
            stream = self.control.accept().ok();
            stream.is_some()
        });
        let (stream, _) = stream.unwrap();
        stream.set_nonblocking(true).unwrap();
        let pid = rustix::net::sockopt::socket_peercred(&stream).unwrap().pid;
        let pid = u32::try_from(pid.as_raw_nonzero().get()).unwrap();
        Daemon { stream, frames: Frames::default(), events: VecDeque::new(), pid }
    }

    /// The next daemon, and what it was told.
    pub(crate) fn daemon(&self) -> (Daemon, Vec<SlotState>) {
        let (daemon, slots, _) = self.told_daemon();
        (daemon, slots)
    }

    /// The same, with what it was told of upgrades.
    pub(crate) fn told_daemon(&self) -> (Daemon, Vec<SlotState>, Option<UpgradeView>) {
        let mut daemon = self.silent_daemon();
        daemon.say(&ToKeeper::Hello { protocol: KEEPER_PROTOCOL });
        let mut all = Vec::new();
        loop {
            match daemon.next() {
                FromKeeper::Slots { slots } => all.extend(slots),
                FromKeeper::Snapshot { slots, upgrade, .. } => {
                    all.extend(slots);
                    return (daemon, all, upgrade);
                }
                other => panic!("no snapshot: {other:?}"),
            }
        }
    }

    /// As `daemon`, for a keeper that dies at any moment.
    pub(crate) fn try_daemon(&self) -> Option<(Daemon, Vec<SlotState>)> {
        let (daemon, slots, _) = self.try_told_daemon()?;
        Some((daemon, slots))
    }

    /// The same, with what it was told of upgrades.
    pub(crate) fn try_told_daemon(&self) -> Option<(Daemon, Vec<SlotState>, Option<UpgradeView>)> {
        let (stream, _) = self.control.accept().ok()?;
        stream.set_nonblocking(true).unwrap();
        let pid = rustix::net::sockopt::socket_peercred(&stream).unwrap().pid;
        let pid = u32::try_from(pid.as_raw_nonzero().get()).unwrap();
        let mut daemon = Daemon { stream, frames: Frames::default(), events: VecDeque::new(), pid };
        daemon.try_say(&ToKeeper::Hello { protocol: KEEPER_PROTOCOL });
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match daemon.poll() {
                Polled::Event(FromKeeper::Snapshot { slots, upgrade, .. }) => {
                    return Some((daemon, slots, upgrade));
                }
                Polled::Event(_) | Polled::Nothing => std::thread::sleep(Duration::from_micros(200)),
                Polled::Gone => return None,
            }
        }
        None
    }

    pub(crate) fn log_file(&self, slot: &str, max_size: u64, keep: u32, total: u64) -> LogFile {
        let dir = self.logs_dir().join(slot).to_str().unwrap().to_owned();
        LogFile { dir, max_size, keep, total, ..LogFile::default() }
    }

    pub(crate) fn spawn(&self, slot: &str, run: u64, words: &[&str]) -> ToKeeper {
        self.spawn_with(slot, run, words, self.log_file(slot, 1_000_000, 1000, 1_000_000_000))
    }

    pub(crate) fn spawn_with(&self, slot: &str, run: u64, words: &[&str], log: LogFile) -> ToKeeper {
        let program = Program {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            dir: self.root.path().to_str().unwrap().to_owned(),
            env: vec![
                "PATH=/usr/bin:/bin".to_owned(),
                format!("MAINSTAY_RUN_ID={}-{slot}-{run}", self.root.path().display()),
            ],
            identity: None,
        };
        ToKeeper::Spawn {
            slot: slot.to_owned(),
            run,
            program: Box::new(program),
            log,
            memo: format!("memo {run}"),
            reports: WireReports::default(),
        }
    }

    /// A run that tells how it is.
    pub(crate) fn spawn_telling(
        &self,
        slot: &str,
        run: u64,
        words: &[&str],
        notify: bool,
        fd: Option<u32>,
    ) -> ToKeeper {
        let mut spawn = self.spawn(slot, run, words);
        if let ToKeeper::Spawn { reports, .. } = &mut spawn {
            *reports = WireReports { notify, fd };
        }
        spawn
    }

    /// The socket of a slot's run.
    pub(crate) fn notify_socket(&self, slot: &str) -> PathBuf {
        PathBuf::from(self.record(slot).0.notify.unwrap())
    }

    /// Says something in the name of a slot's run.
    pub(crate) fn tell(&self, slot: &str, text: &str) {
        let sent = UnixDatagram::unbound().unwrap().send_to(text.as_bytes(), self.notify_socket(slot));
        assert_eq!(sent.unwrap(), text.len());
    }

    /// A service that writes numbered lines; when its streams are kept apart, by both.
    pub(crate) fn lines(
        &self,
        slot: &str,
        run: u64,
        count: u64,
        pause: u64,
        code: u8,
        log: LogFile,
    ) -> ToKeeper {
        let exe = std::env::current_exe().unwrap();
        let (count, pause, code) = (count.to_string(), pause.to_string(), code.to_string());
        let name = format!("{slot}/{run}");
        let how = if log.split { "lines-apart" } else { "lines" };
        self.spawn_with(
            slot,
            run,
            &[exe.to_str().unwrap(), "service", how, &name, &count, &pause, &code],
            log,
        )
    }

    /// All that is in the log of a slot, in order.
    pub(crate) fn log(&self, slot: &str) -> String {
        let dir = self.logs_dir().join(slot);
        let mut text = String::new();
        for path in self.rotated(slot).into_iter().chain([dir.join("current")]) {
            text.push_str(&String::from_utf8_lossy(&content(&path)));
        }
        text
    }

    /// The rotated files of a slot, in order.
    pub(crate) fn rotated(&self, slot: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.logs_dir().join(slot)).into_iter().flatten().flatten();
        let files: BTreeMap<u64, PathBuf> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                // Compressed or not, and for a moment both.
                let plain = name.strip_suffix(".zst").unwrap_or(&name);
                let number =
                    plain.strip_prefix('@')?.strip_suffix(".log")?.rsplit_once('-')?.1.parse().ok()?;
                Some((number, entry.path().with_file_name(plain)))
            })
            .collect();
        files.into_values().collect()
    }

    /// The marks of the index of a log file.
    pub(crate) fn marks(&self, log: &Path) -> Vec<LogMark> {
        let name = log_index_name(log.file_name().unwrap().to_str().unwrap()).unwrap();
        let bytes = fs::read(log.with_file_name(name)).unwrap_or_default();
        bytes.chunks(LOG_INDEX_RECORD).filter_map(LogMark::from_bytes).collect()
    }

    /// The record of a slot and what its process wrote.
    pub(crate) fn record(&self, slot: &str) -> (SlotRecord, ChildPart) {
        let bytes = fs::read(self.run_dir().join("slots").join(slot)).unwrap();
        (SlotRecord::decode(&bytes).unwrap().0, ChildPart::from_bytes(&bytes))
    }
}

/// What a log file holds, whether it was compressed meanwhile or not.
pub(crate) fn content(path: &Path) -> Vec<u8> {
    let packed = || {
        let file = fs::File::open(format!("{}.zst", path.display())).ok()?;
        let mut bytes = Vec::new();
        zstd::Decoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
        Some(bytes)
    };
    fs::read(path).ok().or_else(packed).unwrap_or_default()
}

impl Drop for World {
    /// By pid and start time: nothing else is touched.
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the anchor's log:\n{}", self.anchor_log());
        }
        // Stopped first: each would bring the other back.
        for signal in [Signal::STOP, Signal::KILL] {
            let holders = [self.holder("anchor.lock"), self.holder("keeper.lock")];
            for process in holders.iter().flatten() {
                process.signal(signal);
            }
        }
        for process in [self.holder("anchor.lock"), self.holder("keeper.lock")].iter().flatten() {
            process.signal(Signal::KILL);
            process.wait_gone(PATIENCE);
        }
        for entry in fs::read_dir(self.run_dir().join("slots")).into_iter().flatten().flatten() {
            let child = ChildPart::from_bytes(&fs::read(entry.path()).unwrap_or_default());
            if let Some(process) = Process::open(child.pid, child.start_time) {
                process.signal_group(Signal::KILL);
            }
            let record = SlotRecord::decode(&fs::read(entry.path()).unwrap_or_default());
            let main = record.and_then(|(record, _)| record.main);
            if let Some(process) = main.and_then(|main| Process::open(main.pid, main.start_time)) {
                process.signal(Signal::KILL);
            }
        }
        if let Some(anchor) = &mut self.anchor {
            let _ = anchor.try_wait();
        }
    }
}

/// A daemon in the test's hands.
pub(crate) struct Daemon {
    stream: UnixStream,
    frames: Frames,
    events: VecDeque<FromKeeper>,
    pub(crate) pid: u32,
}

pub(crate) enum Polled {
    Event(FromKeeper),
    Nothing,
    Gone,
}

impl Daemon {
    pub(crate) fn say(&mut self, message: &ToKeeper) {
        assert!(self.try_say(message), "the keeper does not listen");
    }

    pub(crate) fn try_say(&mut self, message: &ToKeeper) -> bool {
        let bytes = frame(message).unwrap();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(_) => return false,
            }
        }
        true
    }

    pub(crate) fn poll(&mut self) -> Polled {
        let mut bytes = [0; 64 * 1024];
        loop {
            if let Some(message) = self.frames.next_message().unwrap() {
                return Polled::Event(message);
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return Polled::Gone,
                Ok(count) => self.frames.push(&bytes[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Polled::Nothing,
                Err(_) => return Polled::Gone,
            }
        }
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> FromKeeper {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        let mut event = None;
        wait_until("the keeper says something", || match self.poll() {
            Polled::Event(message) => {
                event = Some(message);
                true
            }
            Polled::Nothing => false,
            Polled::Gone => panic!("the keeper is gone"),
        });
        event.unwrap()
    }

    /// The next event of which `wanted` makes something; those before it are kept.
    fn find<R>(&mut self, wanted: impl Fn(&FromKeeper) -> Option<R>) -> R {
        let mut others = VecDeque::new();
        loop {
            let event = self.next();
            match wanted(&event) {
                Some(found) => {
                    others.append(&mut self.events);
                    self.events = others;
                    return found;
                }
                None => others.push_back(event),
            }
        }
    }

    pub(crate) fn started(&mut self, name: &str) -> u32 {
        self.find(|event| match event {
            FromKeeper::Started { slot, pid, .. } if slot == name => Some(*pid),
            FromKeeper::NotStarted { slot, failure, .. } if slot == name => panic!("{failure:?}"),
            _ => None,
        })
    }

    pub(crate) fn exited(&mut self, name: &str) -> (u64, WireExit) {
        self.find(|event| match event {
            FromKeeper::Exited { slot, run, exit } if slot == name => Some((*run, *exit)),
            _ => None,
        })
    }

    /// The next words of a slot's run.
    pub(crate) fn notified(&mut self, name: &str) -> Vec<WireNotice> {
        self.find(|event| match event {
            FromKeeper::Notified { slot, notices, .. } if slot == name => Some(notices.clone()),
            FromKeeper::Exited { slot, .. } if slot == name => panic!("{name} said nothing and ended"),
            _ => None,
        })
    }

    /// Words of a slot's run until one of them is this.
    pub(crate) fn notified_until(&mut self, name: &str, last: &WireNotice) {
        while !self.notified(name).contains(last) {}
    }

    pub(crate) fn not_started(&mut self, name: &str) -> (String, String) {
        self.find(|event| match event {
            FromKeeper::NotStarted { slot, failure, .. } if slot == name => {
                Some((failure.code.clone(), failure.text.clone()))
            }
            _ => None,
        })
    }

    pub(crate) fn hears_that_the_anchor_is_gone(&mut self) {
        self.find(|event| matches!(event, FromKeeper::AnchorGone).then_some(()));
    }

    /// What became of all output, when that was asked for.
    pub(crate) fn all_counts(&mut self) -> BTreeMap<String, LogCounts> {
        self.find(|event| match event {
            FromKeeper::Logs { counts, complete: true } => Some(counts.clone()),
            _ => None,
        })
    }

    pub(crate) fn terminate(&mut self) {
        self.find(|event| matches!(event, FromKeeper::Terminate).then_some(()));
    }

    pub(crate) fn signal(&mut self, slot: &str, run: u64, signal: Signal, scope: Scope) {
        self.say(&ToKeeper::Signal { slot: slot.to_owned(), run, signal: signal.number(), scope });
    }

    pub(crate) fn acknowledge(&mut self, slot: &str, run: u64) {
        self.say(&ToKeeper::Acknowledge { slot: slot.to_owned(), run, memo: "acknowledged".to_owned() });
    }

    /// Waits until everything said before was taken in.
    pub(crate) fn sync(&mut self, world: &World) {
        self.say(&world.spawn("@sync", 1, &["true"]));
        self.not_started("@sync");
    }

    pub(crate) fn kill(&self) {
        let process = Process::open(self.pid, read_stat(self.pid).unwrap().start_time).unwrap();
        process.signal(Signal::KILL);
    }
}

/// A process that nobody may touch.
pub(crate) struct Innocent(pub(crate) Child);

impl Innocent {
    pub(crate) fn new() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a condition, but not for ever.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_micros(300));
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    read_stat(pid).is_some_and(|row| !row.is_zombie())
}

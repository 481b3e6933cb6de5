//! The start of a keeper: what it takes over, and what it says when it cannot work here.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::PermissionsExt, net::UnixListener},
    },
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use mainstay_host::{
    Asked, Interest, Limits, Lock, Patience, Poller, SignalReader, Waker, boot_id, ignore_signals,
    inherited_socket, keep_files_private, monotonic_nanos, parent_pid, pid_namespace, private_dir,
    settle_allocator, sheltered_dir,
};
use mainstay_wire::{ANCHOR_FD, FromAnchor, ToAnchor, UpgradeView, WireExit};

use super::{Supervisor, Token, daemon::Daemon, slots::Slots, spawner::Spawner, timers::Timers};
use crate::{
    PLACE_HELP,
    lock::had_or_told,
    mail::{Mail, MailBox},
    options::Options,
    pump::Pump,
    report::{chain, say},
};

/// How long a keeper before us may take to end.
const PREDECESSOR_PATIENCE: Duration = Duration::from_secs(5);

// `signal(7)`; the same on all machines that we run on.
const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGPIPE: i32 = 13;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;
const SIGXFSZ: i32 = 25;

/// The name under which the anchor holds the local socket.
pub(super) const SOCKET_NAME: &str = "socket";

/// Only we may connect.
const SOCKET_MODE: u32 = 0o600;

/// What the anchor handed over.
#[derive(Default)]
struct Heritage {
    held: BTreeMap<String, OwnedFd>,
    orphans: BTreeMap<(u32, u64), WireExit>,
    fosters: Vec<u32>,
    terminating: bool,
    upgraded: Option<UpgradeView>,
}

/// A keeper with everything that the one before it had, and a daemon on the way.
pub(super) fn start(options: Options, again: bool) -> Result<Supervisor, ExitCode> {
    settle_allocator();
    keep_files_private();
    // A write beyond a hard limit on sizes shall fail instead of killing us.
    ignore_signals(&[SIGINT, SIGHUP, SIGPIPE, SIGXFSZ]);
    let socket = inherited_socket(ANCHOR_FD).map_err(|error| {
        say(format_args!("a keeper is started by an anchor only: {error}"));
        ExitCode::FAILURE
    })?;
    let mut anchor = MailBox::new(socket);
    if again {
        anchor.send(&ToAnchor::Again, None);
    }
    match take_over(options.clone(), &mut anchor) {
        Ok(parts) => finish(parts, anchor),
        Err(StartError::Busy(text)) => {
            say(&text);
            anchor.send(&ToAnchor::Trouble { text }, None);
            Err(ExitCode::FAILURE)
        }
        Err(StartError::Hopeless(text)) => Err(give_up(&options, &mut anchor, text)),
    }
}

/// Why a keeper cannot work.
enum StartError {
    /// Another one does: nothing of what is there may be touched.
    Busy(String),
    /// The place will not do.
    Hopeless(String),
}

impl From<String> for StartError {
    fn from(text: String) -> Self {
        Self::Hopeless(text)
    }
}

/// The start failed. When no service runs, that is the end; else the anchor shall try again.
fn give_up(options: &Options, anchor: &mut MailBox<ToAnchor, FromAnchor>, text: String) -> ExitCode {
    say(&text);
    anchor.send(&ToAnchor::Trouble { text }, None);
    if !may_have_slots(options) {
        anchor.send(&ToAnchor::Finished, None);
    }
    ExitCode::FAILURE
}

/// A folder that cannot be read, when there is one, may hold anything.
fn may_have_slots(options: &Options) -> bool {
    let is_service = |entry: io::Result<fs::DirEntry>| {
        entry.map_or(true, |entry| !entry.file_name().as_encoded_bytes().starts_with(b"@"))
    };
    match fs::read_dir(options.slots_dir()) {
        Ok(mut entries) => entries.any(is_service),
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

struct Parts {
    options: Options,
    lock: Lock,
    state_lock: Option<Lock>,
    poller: Poller,
    waker: Arc<Waker>,
    signals: SignalReader,
    children: SignalReader,
    limits: Limits,
    heritage: Heritage,
    listener: OwnedFd,
    pump: Pump,
}

fn take_over(options: Options, anchor: &mut MailBox<ToAnchor, FromAnchor>) -> Result<Parts, StartError> {
    let failed = |error: io::Error| format!("the keeper cannot start: {error}");
    let limits = Limits::raise();
    sheltered_dir(&options.run_dir).map_err(|error| format!("{}; {PLACE_HELP}", chain(&error)))?;
    for dir in [options.fifo_dir(), options.slots_dir()] {
        private_dir(&dir).map_err(|error| format!("{}; {PLACE_HELP}", chain(&error)))?;
    }
    let lock = own_lock(&options)?;
    let state_lock = own_state_lock(&options);
    let poller = Poller::new().map_err(failed)?;
    let waker = Arc::new(Waker::new().map_err(failed)?);
    // Before the first thread: a thread that does not block a signal would swallow it.
    let signals = SignalReader::new(&[SIGTERM]).map_err(failed)?;
    let children = SignalReader::new(&[SIGCHLD]).map_err(failed)?;
    poller.add(&*waker, Token::Waker.number(), Interest::Read).map_err(failed)?;
    poller.add(&signals, Token::Signals.number(), Interest::Read).map_err(failed)?;
    poller.add(&*anchor, Token::Anchor.number(), Interest::Read).map_err(failed)?;
    let mut heritage = listen_to(anchor);
    let listener = open_socket(&options, &mut heritage, anchor)?;
    let memory_dir = options.memory_dir();
    private_dir(&memory_dir).map_err(|error| format!("{}; {PLACE_HELP}", chain(&error)))?;
    let pump = Pump::start(&memory_dir, options.program(), Arc::clone(&waker))
        .map_err(|error| format!("cannot use `{}` for the log buffer: {error}", memory_dir.display()))?;
    Ok(Parts {
        options,
        lock,
        state_lock,
        poller,
        waker,
        signals,
        children,
        limits,
        heritage,
        listener,
        pump,
    })
}

/// The keeper before us may still be dying inside of a system call.
fn own_lock(options: &Options) -> Result<Lock, StartError> {
    let path = options.keeper_lock();
    match Lock::ask_patiently(&path, PREDECESSOR_PATIENCE) {
        Ok(Asked::Held(lock)) => Ok(lock),
        Ok(Asked::Busy(holder)) => {
            let who = holder.in_brackets();
            let dir = options.run_dir.display();
            Err(StartError::Busy(format!(
                "another keeper{who} still works in `{dir}`; `mainstay down` ends it"
            )))
        }
        Err(error) => Err(format!("cannot lock `{}`: {error}; {PLACE_HELP}", path.display()).into()),
    }
}

/// The lock where the state is. It says to others that the project runs; that there is one keeper only, the other lock and the
/// anchor see to. So services are taken care of without it, when their folder was moved or removed since they were started.
fn own_state_lock(options: &Options) -> Option<Lock> {
    had_or_told(&options.state_keeper_lock(), PREDECESSOR_PATIENCE)
}

/// Everything that the anchor holds, and every end that nobody took in.
fn listen_to(anchor: &mut MailBox<ToAnchor, FromAnchor>) -> Heritage {
    let mut heritage = Heritage::default();
    loop {
        match anchor.receive(Patience::Wait) {
            Mail::Message(FromAnchor::Held { name }, Some(descriptor)) => {
                heritage.held.insert(name, descriptor);
            }
            Mail::Message(FromAnchor::Held { name }, None) => {
                say(format_args!("the descriptor of `{name}` did not arrive"));
            }
            Mail::Message(FromAnchor::Orphan { pid, start_time, exit }, _) => {
                heritage.orphans.insert((pid, start_time), exit);
            }
            Mail::Message(FromAnchor::Foster { pid }, _) => heritage.fosters.push(pid),
            Mail::Message(FromAnchor::Terminate, _) => heritage.terminating = true,
            Mail::Message(FromAnchor::Upgraded { upgrade }, _) => heritage.upgraded = Some(upgrade),
            // One that is gone is noticed by the loop.
            Mail::Message(FromAnchor::Complete, _) | Mail::Nothing | Mail::Gone => return heritage,
        }
    }
}

/// The local socket outlives keepers, so that connections wait while a daemon is on the way.
fn open_socket(
    options: &Options,
    heritage: &mut Heritage,
    anchor: &mut MailBox<ToAnchor, FromAnchor>,
) -> Result<OwnedFd, String> {
    if let Some(held) = heritage.held.remove(SOCKET_NAME) {
        return Ok(held);
    }
    let path = options.socket();
    // Nobody listens there: we have the keeper's lock, and no keeper before us gave the anchor a socket.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .and_then(|listener| {
            fs::set_permissions(&path, Permissions::from_mode(SOCKET_MODE)).map(|()| listener)
        })
        .map_err(|error| format!("cannot listen on `{}`: {error}; {PLACE_HELP}", path.display()))?;
    let listener = OwnedFd::from(listener);
    anchor.send(&ToAnchor::Hold { name: SOCKET_NAME.to_owned() }, Some(listener.as_fd()));
    Ok(listener)
}

fn finish(parts: Parts, anchor: MailBox<ToAnchor, FromAnchor>) -> Result<Supervisor, ExitCode> {
    let spawner = Spawner::new(Arc::clone(&parts.waker), parts.limits);
    let mut supervisor = Supervisor {
        options: parts.options,
        lock: parts.lock,
        state_lock: parts.state_lock,
        poller: parts.poller,
        waker: parts.waker,
        signals: parts.signals,
        children: parts.children,
        anchor: Some(anchor),
        anchor_pid: parent_pid(),
        strange_fosters: parts.heritage.fosters,
        since: monotonic_nanos(),
        alone: None,
        held: parts.heritage.held,
        orphans: parts.heritage.orphans,
        listener: parts.listener,
        boot_id: boot_id(),
        pid_namespace: pid_namespace(),
        slots: Slots::default(),
        pump: parts.pump,
        spawner,
        held_back: Vec::new(),
        daemon: Daemon::default(),
        timers: Timers::default(),
        to_sweep: Vec::new(),
        talkative: Vec::new(),
        victims: BTreeMap::new(),
        next_victim: 0,
        is_adopting: true,
        terminating: parts.heritage.terminating,
        leaving: false,
        successor: None,
        upgraded: parts.heritage.upgraded,
        has_news: false,
    };
    if let Err(error) = supervisor.adopt_all() {
        // Whoever connects meanwhile is told as well: the anchor holds the socket.
        supervisor.daemon_in_trouble(format!("cannot read the slots: {error}"));
        return Err(ExitCode::FAILURE);
    }
    supervisor.start_daemon();
    Ok(supervisor)
}

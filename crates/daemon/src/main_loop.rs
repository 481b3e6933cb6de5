//! Wires the daemon: the keeper's line and the local socket come in, one loop takes what happens.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use mainstay_host::inherited_socket;
use mainstay_wire::{
    FromKeeper, KEEPER_FD, KEEPER_PROTOCOL, LISTEN_FD, Memo, Request, SlotState, ToKeeper, UpgradeView,
};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::timeout,
};

use crate::{
    brain::{Anchor, Brain, Flow},
    clock,
    connections::{CONNECTION_LIMIT, Connections},
    generations::Generations,
    handle::Doors,
    hands::{Hands, Surroundings},
    history::History,
    keeper_link::{self, FromKeeperReader, ToKeeperSender},
    local_socket, request,
    salvage::{self, Salvaged},
    slot::is_hook_memo,
    state::StateFile,
    upgrade::Upgrades,
    wake::Wake,
};

/// How many wakes wait for the loop; whoever has one more waits.
pub(crate) const WAKE_LIMIT: usize = 1024;

/// How long threads that are still at work are waited for at the end.
const LAST_THREADS: Duration = Duration::from_millis(500);

/// How long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Where the daemon finds its things.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What must survive: `applied.json`.
    pub state_dir: PathBuf,
    /// Sockets and FIFOs.
    pub run_dir: PathBuf,
    /// One folder for each service.
    pub logs_dir: PathBuf,
}

/// What keeps a daemon from coming up, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("the daemon is started by the keeper only: {0}")]
    NoKeeper(std::io::Error),
    #[error("{0}")]
    Keeper(String),
    #[error("{0}")]
    State(String),
}

/// Runs the daemon on the descriptors that its keeper handed over, with these doors, until everything is stopped for good.
pub fn main(options: &Options, doors: Doors) -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false).init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let flow = runtime.block_on(run(options, doors));
    // A command whose `execve` hangs holds up a thread of its own, which nobody waits for.
    runtime.shutdown_timeout(LAST_THREADS);
    match flow {
        Ok(Flow::Finished | Flow::Replaced) => ExitCode::SUCCESS,
        Ok(Flow::Continue | Flow::Lost) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options, doors: Doors) -> Result<Flow, StartError> {
    let line = inherited_socket(KEEPER_FD).map_err(StartError::NoKeeper)?;
    let (keeper, mut reader, writing) = keeper_link::connect(line).map_err(StartError::NoKeeper)?;
    let listener =
        inherited_socket(LISTEN_FD).and_then(local_socket::listener).map_err(StartError::NoKeeper)?;
    let Greeting { slots, anchor, upgrade } = greet(&keeper, &mut reader).await?;
    let (wakes, woken) = mpsc::channel(WAKE_LIMIT);
    let brain = recall(options, keeper.clone(), wakes.clone(), &slots);
    let mut brain = match brain {
        Ok(brain) => brain,
        Err(error) => {
            keeper.send(&ToKeeper::Trouble { text: error.to_string() });
            drop(keeper);
            let _ = timeout(LAST_ANSWERS, writing).await;
            return Err(error);
        }
    };
    brain.anchor = anchor;
    brain.upgrades = Upgrades::new(options.clone(), upgrade);
    keeper.send(&ToKeeper::Up);
    tokio::spawn(reader.pass_on(wakes.clone()));
    let flow = serve(brain, listener, doors, wakes, woken).await;
    drop(keeper);
    // The brain and its senders are gone: the writer ends when `Finish` is written.
    let _ = timeout(LAST_ANSWERS, writing).await;
    Ok(flow)
}

/// What is so.
struct Greeting {
    slots: Vec<SlotState>,
    anchor: Anchor,
    upgrade: Option<UpgradeView>,
}

/// Says hello, and learns it.
async fn greet(keeper: &ToKeeperSender, reader: &mut FromKeeperReader) -> Result<Greeting, StartError> {
    keeper.send(&ToKeeper::Hello { protocol: KEEPER_PROTOCOL });
    let mut all = Vec::new();
    let answer = loop {
        match reader.next().await.map_err(StartError::Keeper)? {
            FromKeeper::Slots { slots } => all.extend(slots),
            answer => break answer,
        }
    };
    match answer {
        FromKeeper::Snapshot { protocol: KEEPER_PROTOCOL, slots: rest, daemon_starts, anchor, upgrade } => {
            all.extend(rest);
            let slots = all;
            tracing::info!(
                "daemon {} up: start {}, {} slots, {}",
                env!("CARGO_PKG_VERSION"),
                daemon_starts + 1,
                slots.len(),
                if anchor { "anchored" } else { "without an anchor" }
            );
            let anchor = if anchor { Anchor::There } else { Anchor::Gone };
            Ok(Greeting { slots, anchor, upgrade })
        }
        FromKeeper::Snapshot { protocol, .. } => Err(StartError::Keeper(format!(
            "the keeper speaks version {protocol}, this daemon {KEEPER_PROTOCOL}"
        ))),
        other => Err(StartError::Keeper(format!("the keeper said {other:?} instead of how things are"))),
    }
}

fn recall(
    options: &Options,
    keeper: ToKeeperSender,
    wakes: mpsc::Sender<Wake>,
    slots: &[SlotState],
) -> Result<Brain, StartError> {
    let surroundings = Surroundings {
        logs_dir: options.logs_dir.clone(),
        socket: options.run_dir.join("sock").to_string_lossy().into_owned(),
        run_dir: options.run_dir.clone(),
        project_key: key(&options.run_dir),
        boot_id: mainstay_host::boot_id(),
    };
    refuse_later(slots)?;
    let generations =
        Generations::of(&options.state_dir).map_err(|error| StartError::State(error.to_string()))?;
    let state = StateFile::of(&options.state_dir);
    let Salvaged { recorded, note } =
        salvage::read(&state, slots).map_err(|error| StartError::State(error.to_string()))?;
    let hands = Hands::new(keeper, wakes, surroundings);
    let mut history = History::begin(&options.state_dir);
    note.into_iter().for_each(|note| history.note("state-damaged", note, None));
    Brain::recall(state, recorded, hands, history, generations, slots)
        .map_err(|error| StartError::State(error.to_string()))
}

/// Nothing is guessed of services of which a later program had the keeper remember something.
pub(crate) fn refuse_later(slots: &[SlotState]) -> Result<(), StartError> {
    let later = |slot: &SlotState| {
        Some((
            slot.slot.clone(),
            Memo::check(&slot.memo).err().filter(|_| Memo::later(&slot.memo).is_some())?,
        ))
    };
    match slots.iter().find_map(later) {
        Some((slot, why)) => {
            Err(StartError::State(format!("what was remembered of `{slot}` cannot be read: {why}")))
        }
        None => Ok(()),
    }
}

/// Whether this program can go on with what is there, without changing it: what was applied and its earlier versions, the
/// history, and what an earlier daemon had the keeper remember.
///
/// # Errors
/// What it does not understand, in one sentence.
pub fn check_state(options: &Options, memos: &[String]) -> Result<(), String> {
    StateFile::of(&options.state_dir).read().map_err(|error| error.to_string())?;
    let known =
        &Request::History { services: vec![], since: None, until: None, limit: Some(1), before: None };
    let texts = [
        request::read_generations(&options.state_dir, None).err(),
        crate::history::read_history(&options.state_dir, known, &[]).err(),
    ];
    if let Some(error) = texts.into_iter().flatten().next() {
        return Err(error.text);
    }
    let strange = |memo: &String| {
        let why = Memo::check(memo).err().filter(|_| !memo.is_empty() && !is_hook_memo(memo))?;
        Some(format!("what the daemon remembers cannot be read: {why}: {memo}"))
    };
    memos.iter().find_map(strange).map_or(Ok(()), Err)
}

/// The last part of the run folder is keyed by project.
fn key(run_dir: &Path) -> String {
    run_dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

async fn serve(
    mut brain: Brain,
    listener: UnixListener,
    doors: Doors,
    wakes: mpsc::Sender<Wake>,
    mut woken: mpsc::Receiver<Wake>,
) -> Flow {
    let (busy, mut all_answered) = mpsc::channel(1);
    let connections = Connections::new(CONNECTION_LIMIT);
    let accepting = tokio::spawn(local_socket::accept_all(listener, connections, doors, wakes, busy));
    let mut terminate = signal(SignalKind::terminate()).ok();
    // A daemon that found itself going down has that to finish first.
    let mut flow = if brain.going_down { brain.take(Wake::Terminate) } else { Flow::Continue };
    while flow == Flow::Continue {
        let wake = next(&brain, &mut woken, terminate.as_mut()).await;
        flow = brain.take(wake);
    }
    accepting.abort();
    let mut history = std::mem::take(&mut brain.history);
    drop(brain);
    if flow == Flow::Finished {
        while let Ok(wake) = woken.try_recv() {
            if let Wake::Asked(asked) = wake {
                request::take_too_late(asked);
            }
        }
    }
    drop(woken);
    let _ = timeout(LAST_ANSWERS, history.finish()).await;
    let _ = timeout(LAST_ANSWERS, all_answered.recv()).await;
    flow
}

async fn next(
    brain: &Brain,
    woken: &mut mpsc::Receiver<Wake>,
    terminate: Option<&mut tokio::signal::unix::Signal>,
) -> Wake {
    let due = async {
        match brain.wake_at() {
            Some(at) => tokio::time::sleep(clock::until(at)).await,
            None => std::future::pending().await,
        }
    };
    let asked_to_end = async {
        match terminate {
            Some(terminate) => terminate.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        wake = woken.recv() => wake.unwrap_or_else(|| Wake::KeeperGone("every source of events is gone".to_owned())),
        () = due => Wake::Time,
        _ = asked_to_end => Wake::Terminate,
    }
}

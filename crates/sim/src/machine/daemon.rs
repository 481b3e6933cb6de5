//! The modelled daemon around the real `runner` and `decide`: what it hears, what it writes before it acts, what it asks for, and
//! how the next one learns what is so.
//!
//! What stands for what, in `daemon/src`: [`World::step_daemon`] is the loop of `main_loop.rs`; [`World::recall`] is
//! `Brain::recall` with `take_over` and `recall.rs`; [`Hands`] is `hands.rs`; the memo is `memo.rs`, over the real `Memo`; a
//! [`Request`] is `request/act.rs`, and its four effects on the disk are `write_atomic`, synced.

use std::{
    cell::RefCell,
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

use mainstay_decide::{Check, Event, Found, Live, Memory, Notice, Phase, QuestionId, SeenHooks};
use mainstay_model::{
    HookName, Moment, PhaseName, Reason, RunId, ServiceId, Signal, SpawnFailure, SpawnFailureKind, Spec,
};
use mainstay_runner::{Execution, Runner, Spawn};
use mainstay_wire::{Applied, MEMO_VERSION, Memo, SlotPhase, WireNotice};

use crate::{
    Breach,
    breach::{Checked, Invariant, breach, hold},
    machine::{Fault, FromKeeper, SLOTS, SlotNo, ToKeeper, View, World, disk::StateFile},
};

/// A daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) pid: u32,
    /// The keeper that started it, by its number.
    pub(crate) keeper: u64,
    pub(crate) inbox: VecDeque<FromKeeper>,
    out: Hands,
    pub(crate) runner: Option<Runner<Hands>>,
    said_hello: bool,
    pub(crate) wanted: BTreeSet<ServiceId>,
    pub(crate) writing: Option<Writing>,
}

/// A request whose state is being written.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    pub(crate) request: Request,
    slot: SlotNo,
    wanted: BTreeSet<ServiceId>,
    pub(crate) stage: u8,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Start,
    Stop,
    Restart,
    /// Everything.
    Up,
}

/// What is asked for and not sent yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hands(Rc<RefCell<VecDeque<Said>>>);

/// Something for the keeper.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) message: ToKeeper,
    is_spawn: bool,
}

impl Hands {
    fn say(&self, message: ToKeeper) {
        let is_spawn = matches!(message, ToKeeper::Spawn { .. });
        self.0.borrow_mut().push_back(Said { message, is_spawn });
    }
}

/// The slot of a service.
pub(crate) fn slot_of(id: &ServiceId) -> SlotNo {
    let digit = id.name.as_str().bytes().last().unwrap_or(b'0');
    usize::from(digit.saturating_sub(b'0')).min(SLOTS - 1)
}

/// What the latest run was made from: descriptions do not change here.
const MADE_FROM: u64 = 7;

fn to_memo(memory: &Memory) -> String {
    Memo {
        version: MEMO_VERSION,
        phase: memory.phase.as_str().to_owned(),
        code: memory.reason.code().to_owned(),
        text: String::new(),
        attempts: memory.attempts,
        restarts: memory.restarts,
        exit: memory.exit.map(Into::into),
        until_nanos: memory.until.map(Moment::as_nanos),
        since_nanos: memory.since.as_nanos(),
        made_from: MADE_FROM,
        // The history is no part of these machines.
        ends: Vec::new(),
    }
    .to_text()
}

fn from_memo(text: &str) -> Option<Memory> {
    let memo = Memo::from_text(text);
    Some(Memory {
        phase: PhaseName::from_word(&memo.phase)?,
        reason: Reason::Recalled { code: memo.code, text: memo.text },
        since: Moment::from_nanos(memo.since_nanos),
        attempts: memo.attempts,
        restarts: memo.restarts,
        exit: memo.exit.map(Into::into),
        until: memo.until_nanos.map(Moment::from_nanos),
    })
}

impl Execution for Hands {
    fn spawn(&mut self, spawn: Spawn<'_>) {
        let (slot, run) = (slot_of(spawn.id), spawn.run.0);
        self.say(ToKeeper::Spawn { slot, run, memo: to_memo(&spawn.memory) });
    }
    fn signal(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        self.say(ToKeeper::Signal { slot: slot_of(id), run: run.0, signal: signal.number() });
    }
    fn signal_main(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        self.signal(id, run, signal);
    }
    fn kill(&mut self, id: &ServiceId, run: RunId) {
        self.signal(id, run, Signal::KILL);
    }
    // Nobody pauses, there are no hooks, and no check is asked: the storms of `decide` have all of that.
    fn pause(&mut self, _: &ServiceId, _: RunId) {}
    fn resume(&mut self, _: &ServiceId, _: RunId) {}
    fn ask(&mut self, _: &ServiceId, _: RunId, _: Check, _: QuestionId, _: &Spec) {}
    fn run_hook(&mut self, _: &ServiceId, _: RunId, _: HookName, _: &Spec) {}
    fn kill_hook(&mut self, _: &ServiceId, _: RunId, _: HookName) {}
    fn acknowledge(&mut self, id: &ServiceId, run: RunId, memory: Option<Memory>) {
        let memo = memory.map(|memory| to_memo(&memory)).unwrap_or_default();
        self.say(ToKeeper::Acknowledge { slot: slot_of(id), run: run.0, memo });
    }
    fn remember(&mut self, id: &ServiceId, run: RunId, memory: Memory) {
        self.say(ToKeeper::Remember { slot: slot_of(id), run: run.0, memo: to_memo(&memory) });
    }
    fn forget(&mut self, _: &ServiceId) {}
}

/// What is known of a service from its slot (`Left::find`).
fn found(view: Option<&View>) -> Found {
    let hooks = SeenHooks::default();
    let Some(view) = view else {
        return Found { memory: None, live: Live::Over(RunId::default()), hooks };
    };
    let run = RunId(view.run);
    let live = match &view.phase {
        SlotPhase::Spawning => Live::Spawning(run),
        SlotPhase::Running { pid } => Live::Running(run, *pid),
        SlotPhase::NotStarted { .. } | SlotPhase::Exited { .. } => Live::Ending(run),
        SlotPhase::Over => Live::Over(run),
    };
    Found { memory: from_memo(&view.memo), live, hooks }
}

impl Daemon {
    pub(crate) fn new(pid: u32, keeper: u64) -> Self {
        Self {
            pid,
            keeper,
            inbox: VecDeque::new(),
            out: Hands::default(),
            runner: None,
            said_hello: false,
            wanted: BTreeSet::new(),
            writing: None,
        }
    }

    /// Whether nothing of it is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.out.0.borrow().is_empty() && self.writing.is_none()
    }

    pub(crate) fn unsent(&self) -> usize {
        self.out.0.borrow().len()
    }

    pub(crate) fn wake_at(&self) -> Option<Moment> {
        self.runner.as_ref().and_then(|runner| runner.project().wake_at())
    }
}

impl World {
    /// One effect of the daemon; whether there was one.
    pub(crate) fn step_daemon(&mut self) -> Result<bool, Breach> {
        let now = self.moment();
        let is_alone =
            self.keeper.is_none() || self.daemon.as_ref().is_some_and(|it| it.keeper != self.keepers);
        let Some(daemon) = &mut self.daemon else { return Ok(false) };
        if !daemon.said_hello {
            daemon.said_hello = true;
            daemon.out.say(ToKeeper::Hello);
            return Ok(true);
        }
        // Its one thread writes, and does nothing else meanwhile.
        if daemon.writing.is_some() {
            self.write_on()?;
            return Ok(true);
        }
        let unsent = daemon.out.0.borrow_mut().pop_front();
        if let Some(said) = unsent {
            return self.send(said).map(|()| true);
        }
        if let Some(message) = daemon.inbox.pop_front() {
            self.hear_keeper(message)?;
            return Ok(true);
        }
        if is_alone {
            // The line is at its end: whoever comes next starts another daemon.
            let pid = daemon.pid;
            self.note(|| "the daemon lost its keeper".to_owned());
            self.end_process(pid, mainstay_wire::WireExit::Code(1))?;
            return Ok(true);
        }
        let Some(runner) = &mut daemon.runner else { return Ok(false) };
        if runner.project().wake_at().is_some_and(|at| at <= now) {
            drop(runner.tick(now));
            self.decisions()?;
            return Ok(true);
        }
        Ok(false)
    }

    fn send(&mut self, said: Said) -> Checked {
        self.note(|| format!("    daemon: {:?}", said.message));
        let is_this = self.daemon.as_ref().is_some_and(|daemon| daemon.keeper == self.keepers);
        if let Some(link) = self.keeper.as_mut().filter(|_| is_this).and_then(|keeper| keeper.link.as_mut()) {
            link.inbox.push_back(said.message);
        }
        Ok(())
    }

    fn hear_keeper(&mut self, message: FromKeeper) -> Checked {
        let now = self.moment();
        self.note(|| format!("    keeper: {message:?}"));
        match message {
            FromKeeper::Snapshot(views) => return self.recall(&views),
            FromKeeper::Started { slot, run, pid } => {
                self.feed(slot, Event::Spawned { run: RunId(run), pid }, now);
            }
            FromKeeper::NotStarted { slot, run, kind } => {
                self.truth.told_not_started(slot, run)?;
                self.feed(slot, not_spawned(run, kind), now);
            }
            FromKeeper::Exited { slot, run, exit } => {
                self.truth.told_exit(slot, run, exit, &mut self.sights)?;
                self.feed(slot, Event::Exited { run: RunId(run), exit: exit.into() }, now);
            }
            FromKeeper::Notified { slot, run, notices } => self.notified(slot, run, &notices, now),
        }
        self.decisions()
    }

    fn notified(&mut self, slot: SlotNo, run: u64, notices: &[WireNotice], now: Moment) {
        let run = RunId(run);
        for notice in notices {
            let notice = match notice {
                WireNotice::Ready => Notice::Ready,
                WireNotice::Status(text) => Notice::Said(text.clone()),
                _ => continue,
            };
            self.feed(slot, Event::Notified { run, notice }, now);
        }
    }

    fn feed(&mut self, slot: SlotNo, event: Event, now: Moment) {
        let Some(runner) = self.daemon.as_mut().and_then(|daemon| daemon.runner.as_mut()) else { return };
        self.sights.decisions += 1;
        drop(runner.event(now, &self.templates.ids[slot], event));
    }

    /// Looks at what was decided.
    fn decisions(&mut self) -> Checked {
        let Some(daemon) = &self.daemon else { return Ok(()) };
        let mut out = daemon.out.0.borrow_mut();
        for said in out.iter_mut() {
            if !std::mem::take(&mut said.is_spawn) {
                continue;
            }
            if let (ToKeeper::Spawn { slot, run, .. }, Some(runner)) = (&said.message, &daemon.runner) {
                self.truth.check_spawn(*slot, *run, &self.templates, runner.project())?;
            }
        }
        Ok(())
    }

    /// What an earlier daemon left, as far as the keeper confirms it.
    fn recall(&mut self, views: &[View]) -> Checked {
        let now = self.moment();
        let bytes = self.disk.state.current.as_deref();
        let applied: Option<Applied> = match bytes.map(serde_json::from_slice) {
            None => None,
            Some(Ok(applied)) => Some(applied),
            Some(Err(error)) => return Err(breach(Invariant::StateReadable, error.to_string())),
        };
        // Temporary files of daemons before it go, and what it finds is made to last before it goes on with it.
        self.disk.state.leftovers = 0;
        if self.fault != Some(Fault::FoundStateNotSynced) {
            self.disk.state.sync_folder();
        }
        let is_empty = views.is_empty() && self.fault != Some(Fault::WantedAfterPowerCut);
        let wanted: BTreeSet<ServiceId> = applied
            .filter(|_| !is_empty)
            .map(|applied| applied.wanted.iter().filter_map(|id| id.parse().ok()).collect())
            .unwrap_or_default();
        self.truth.recalled(&wanted, views.is_empty())?;
        self.note(|| format!("a daemon finds {} slots, {} wanted", views.len(), wanted.len()));
        let view = |id: &ServiceId| views.iter().find(|view| view.slot == slot_of(id));
        let nothing = self.fault == Some(Fault::NothingRecalled);
        let seen = |id: &ServiceId| found(view(id).filter(|_| !nothing));
        let specs = self.templates.specs.clone();
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let recalled = Runner::recall(now, daemon.out.clone(), specs, &wanted, seen);
        let (runner, _) = recalled.map_err(|error| breach(Invariant::StateReadable, error.to_string()))?;
        (daemon.runner, daemon.wanted) = (Some(runner), wanted);
        self.check_backoffs(now)?;
        self.take_over(views, now)?;
        if let Some(daemon) = &self.daemon {
            daemon.out.say(ToKeeper::Up);
        }
        self.decisions()
    }

    /// Nobody waits longer than its policy says, whatever clock an earlier daemon had.
    fn check_backoffs(&self, now: Moment) -> Checked {
        let Some(runner) = self.daemon.as_ref().and_then(|daemon| daemon.runner.as_ref()) else {
            return Ok(());
        };
        for service in self.templates.ids.iter().filter_map(|id| runner.project().service(id)) {
            let longest = now + service.spec().restart.max_delay;
            let is_late = matches!(service.phase(), Phase::WaitingForBackoff { until } if *until > longest);
            hold(!is_late && service.since() <= now, Invariant::BackoffInBounds, || {
                format!(
                    "{} is {:?} since {:?}, and it is {now:?}",
                    service.spec().id,
                    service.phase(),
                    service.since()
                )
            })?;
        }
        Ok(())
    }

    /// Takes in the ends and words that nobody has taken in.
    fn take_over(&mut self, views: &[View], now: Moment) -> Checked {
        for View { slot, run, phase, notices, .. } in views {
            match phase {
                SlotPhase::NotStarted { failure } => {
                    self.truth.told_not_started(*slot, *run)?;
                    let kind = SpawnFailureKind::from_code(&failure.code);
                    self.feed(*slot, not_spawned(*run, kind), now);
                }
                SlotPhase::Exited { exit } if self.fault != Some(Fault::EndsNotToldAgain) => {
                    self.truth.told_exit(*slot, *run, *exit, &mut self.sights)?;
                    self.feed(*slot, Event::Exited { run: RunId(*run), exit: (*exit).into() }, now);
                }
                SlotPhase::Exited { .. }
                | SlotPhase::Over
                | SlotPhase::Spawning
                | SlotPhase::Running { .. } => {}
            }
            self.notified(*slot, *run, notices, now);
        }
        Ok(())
    }

    /// Somebody asks for something; whether a daemon heard it.
    pub(crate) fn ask(&mut self, request: Request, slot: SlotNo) -> bool {
        let Some(daemon) = self.daemon.as_mut().filter(|daemon| daemon.writing.is_none()) else {
            return false;
        };
        let Some(runner) = &daemon.runner else { return false };
        let ids = [self.templates.ids[slot].clone()];
        let mut wanted = daemon.wanted.clone();
        match request {
            Request::Start => wanted.extend(runner.project().with_dependencies(&ids)),
            Request::Restart => wanted.extend(ids.iter().cloned()),
            Request::Up => wanted.extend(self.templates.ids.iter().skip(1).cloned()),
            Request::Stop => {
                let all = runner.project().with_dependents(&ids);
                wanted.retain(|id| !all.contains(id));
            }
        }
        let stage = if wanted == daemon.wanted { 4 } else { 0 };
        self.truth.asked(&wanted);
        daemon.writing = Some(Writing { request, slot, wanted, stage });
        self.note(|| format!("somebody asks for {request:?} of {slot}"));
        true
    }

    /// What is wanted is on disk before it is acted on.
    fn write_on(&mut self) -> Checked {
        let fault = self.fault;
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let Some(writing) = &mut daemon.writing else { return Ok(()) };
        if fault == Some(Fault::ActBeforeState) && writing.stage == 0 {
            let writing = writing.clone();
            self.act(&writing)?;
        }
        let Some(writing) = self.daemon.as_mut().and_then(|daemon| daemon.writing.as_mut()) else {
            return Ok(());
        };
        let state = &mut self.disk.state;
        let stage = writing.stage;
        writing.stage += 1;
        match stage {
            0 => {
                let wanted: Vec<String> = writing.wanted.iter().map(ToString::to_string).collect();
                state.fill(StateFile::encode(&wanted));
            }
            1 if fault == Some(Fault::StateNotSynced) => {}
            1 => state.sync(),
            2 => {
                state.rename();
                self.truth.on_disk();
            }
            3 => state.sync_folder(),
            _ => {
                let writing = writing.clone();
                if let Some(daemon) = &mut self.daemon {
                    daemon.writing = None;
                }
                self.act(&writing)?;
                self.truth.promise();
            }
        }
        Ok(())
    }

    fn act(&mut self, writing: &Writing) -> Checked {
        let now = self.moment();
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        daemon.wanted = writing.wanted.clone();
        let Some(runner) = &mut daemon.runner else { return Ok(()) };
        let ids = [self.templates.ids[writing.slot].clone()];
        let project = runner.project();
        let touched = match writing.request {
            Request::Start => project.with_dependencies(&ids),
            Request::Stop => project.with_dependents(&ids),
            Request::Restart => ids.to_vec(),
            Request::Up => self.templates.ids[1..].to_vec(),
        };
        for service in touched.iter().filter_map(|id| project.service(id)) {
            let is_running = matches!(service.phase(), Phase::Running { .. });
            let slot = slot_of(&service.spec().id);
            self.truth.acted(writing.request, slot, service.run().0, is_running);
        }
        match writing.request {
            Request::Start => drop(runner.start(now, &ids)),
            Request::Stop => drop(runner.stop(now, &ids)),
            Request::Restart => drop(runner.restart(now, &ids)),
            Request::Up => drop(runner.want(now, &self.templates.ids[1..])),
        }
        self.decisions()
    }

    /// Whether one that lives needs it: then it stays, though nobody wants it.
    fn is_needed(&self, slot: SlotNo) -> bool {
        let needs = |other: &SlotNo| self.templates.needs[*other].is_some_and(|(on, _)| on == slot);
        (1..SLOTS).filter(needs).any(|other| self.kernel.live_of(other).next().is_some())
    }

    fn slot_text(&self, slot: SlotNo) -> String {
        let known = self.keeper.as_ref().and_then(|keeper| keeper.slots[slot].as_ref());
        let keeper = known.map(|known| (known.record.run, known.phase));
        let runner = self.daemon.as_ref().and_then(|daemon| daemon.runner.as_ref());
        let service = runner.and_then(|runner| runner.project().service(&self.templates.ids[slot]));
        let daemon =
            service.map(|service| (service.run(), service.goal(), service.phase(), service.stop_gate()));
        format!("slot {slot}: {keeper:?} {daemon:?}")
    }

    /// Which slots a daemon takes for at rest as they are wanted; none when there is no daemon.
    pub(crate) fn check_rest(&self, daemon: &Daemon) -> Checked {
        let Some(runner) = &daemon.runner else { return Ok(()) };
        for (slot, id) in self.templates.ids.iter().enumerate().skip(1) {
            let Some(service) = runner.project().service(id) else { continue };
            let phase = service.phase().name();
            let runs = self.kernel.live_of(slot).count();
            let wanted = daemon.wanted.contains(id);
            let is_right = match phase {
                PhaseName::Running => runs == 1 && (wanted || self.is_needed(slot)),
                PhaseName::Completed | PhaseName::Failed => runs == 0,
                PhaseName::Stopped => {
                    runs == 0 && (!wanted || self.truth.may_stay_stopped(slot, &self.templates))
                }
                PhaseName::Waiting => runs == 0 && wanted && self.templates.needs[slot].is_some(),
                PhaseName::Starting | PhaseName::Stopping | PhaseName::Paused => false,
            };
            hold(is_right, Invariant::CalmAsWanted, || {
                let all: Vec<String> = (1..SLOTS).map(|slot| self.slot_text(slot)).collect();
                format!(
                    "{id} is {phase} in the calm, wanted {wanted}, with {runs} processes; {}",
                    all.join("; ")
                )
            })?;
            self.truth.check_failed(slot, phase)?;
        }
        Ok(())
    }
}

fn not_spawned(run: u64, kind: SpawnFailureKind) -> Event {
    let failure = SpawnFailure { kind, text: String::new() };
    Event::NotSpawned { run: RunId(run), failure }
}

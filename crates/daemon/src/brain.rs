//! The daemon's state, owned by one loop. It takes in one wake after the other; what follows is decided in `decide`.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use mainstay_decide::{Change, Event, GraphError, Live, Memory, Project};
use mainstay_model::{
    Bytes, Command, Health, Kind, LogLimits, Moment, Reason, RestartPolicy, RestartWhen, RunId, ServiceId,
    Signal, Spec, StopPolicy,
};
use mainstay_runner::Runner;
use mainstay_wire::{
    Answer, ConfigView, DAEMON_SLOT, EventView, FromKeeper, Memo, Reply, ServiceView, SlotPhase, SlotState,
    ToKeeper,
};
use tokio::sync::oneshot;

use crate::{
    clock,
    followers::Followers,
    hands::Hands,
    history::{self, History},
    logs::Logs,
    memo::{from_memo, made_from},
    request,
    state::{Recorded, StateError, StateFile},
    view::{self, Readings},
    waiters::Waiters,
    wake::Wake,
};

/// How long one that was being removed may take to end.
const STRAY_PATIENCE: Duration = Duration::from_secs(10);

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    Continue,
    /// Everything is stopped, for good.
    Finished,
    /// The keeper is gone: whoever comes next starts another daemon.
    Lost,
}

/// Who watches over the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The anchor does.
    There,
    /// Nobody does any more.
    Gone,
}

/// Everything that the daemon knows.
#[derive(Debug)]
pub(crate) struct Brain {
    pub(crate) runner: Runner<Hands>,
    pub(crate) recorded: Recorded,
    pub(crate) waiters: Waiters,
    pub(crate) followers: Followers,
    pub(crate) going_down: bool,
    /// Whether somebody would start the keeper again.
    pub(crate) anchor: Anchor,
    /// Those who wait for everything to be stopped.
    pub(crate) leavers: Vec<oneshot::Sender<Reply>>,
    pub(crate) history: History,
    state: StateFile,
    pub(crate) logs: Logs,
    readings: Readings,
    /// Those that are in no description any more, as they were when that was so: their end is shown when nothing else is
    /// known of them.
    leaving: BTreeMap<ServiceId, ServiceView>,
}

impl Brain {
    /// What an earlier daemon left, as far as the keeper confirms it. A keeper without slots has run nothing since the
    /// machine or the project came up: then nothing is started before somebody applies a description.
    pub(crate) fn recall(
        state: StateFile,
        recorded: Recorded,
        mut hands: Hands,
        history: History,
        slots: &[SlotState],
    ) -> Result<Self, GraphError> {
        let now = clock::now();
        let slots: BTreeMap<ServiceId, &SlotState> = by_id(slots);
        let recorded = if slots.is_empty() { Recorded::default() } else { recorded };
        for (id, slot) in &slots {
            hands.recall(id, Memo::from_text(&slot.memo).made_from);
        }
        let mut specs = recorded.specs.clone();
        let described: BTreeSet<&ServiceId> = recorded.specs.iter().map(|spec| &spec.id).collect();
        specs.extend(slots.keys().filter(|id| !described.contains(id)).map(stray));
        let seen = |id: &ServiceId| find(&slots, id);
        let (runner, changes) = Runner::recall(now, hands, specs, &recorded.wanted, seen)?;
        let mut brain = Self {
            runner,
            going_down: recorded.going_down,
            anchor: Anchor::There,
            recorded,
            waiters: Waiters::default(),
            followers: Followers::default(),
            leavers: Vec::new(),
            history,
            state,
            logs: Logs::default(),
            readings: Readings::default(),
            leaving: BTreeMap::new(),
        };
        brain.note_start(slots.is_empty());
        brain.show(&changes);
        brain.take_over(now, &slots)?;
        brain.note_found();
        Ok(brain)
    }

    /// Takes in what happened, and says whether the loop goes on.
    pub(crate) fn take(&mut self, wake: Wake) -> Flow {
        let now = clock::now();
        match wake {
            Wake::Keeper(message) => self.heard(now, message),
            Wake::KeeperGone(text) => {
                tracing::warn!("{text}");
                self.history.note("daemon-ended", text, None);
                return Flow::Lost;
            }
            Wake::Asked(asked) => request::take(self, asked),
            Wake::Followed(sender) => request::follow(self, sender),
            Wake::Resolved(resolved) => {
                let (id, run) = (resolved.id.clone(), resolved.run);
                if let Some(failure) = self.runner.execution().resolved(resolved) {
                    self.feed(now, &id, Event::NotSpawned { run, failure });
                }
            }
            Wake::Answered { id, run, question, answer } => {
                self.feed(now, &id, Event::Answered { run, question, answer });
            }
            Wake::Time => {
                let changes = self.runner.tick(now);
                self.show(&changes);
            }
            Wake::Terminate => self.terminate(),
        }
        self.waiters.answer(clock::now(), self.runner.project());
        if self.going_down && self.is_quiet() { self.leave() } else { Flow::Continue }
    }

    /// When the loop is to be woken for the project, or for somebody who waits.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        let project = self.runner.project().wake_at().filter(|at| *at != Moment::NEVER);
        project.into_iter().chain(self.waiters.wake_at()).min()
    }

    /// Writes what is wanted, before it is acted on.
    pub(crate) fn record(&mut self, recorded: Recorded) -> Result<(), StateError> {
        self.state.write(&recorded)?;
        self.recorded = recorded;
        Ok(())
    }

    /// Shows changes to those who follow, and to the log.
    pub(crate) fn show(&mut self, changes: &[Change]) {
        for change in changes {
            let kind = self.runner.project().service(&change.id).map(|service| service.spec().kind);
            self.history.changed(change, kind);
            let reason = change.reason.sentence(clock::now());
            tracing::info!("{} {} (was {}): {reason}", change.id, change.to, change.from);
            if self.followers.is_empty() {
                continue;
            }
            if let Some(mut service) = self.view_of_changed(change) {
                // Several changes of one service may follow from one event: each is shown as it was.
                service.phase = change.to.as_str().to_owned();
                service.reason.code = change.reason.code().to_owned();
                service.reason.text = reason;
                let from = change.from.as_str().to_owned();
                self.followers.show(&EventView { time: clock::wall(clock::now()), service, from });
            }
        }
        let project = self.runner.project();
        self.leaving.retain(|id, _| project.service(id).is_some());
    }

    /// Those that are there and have no place in this description.
    pub(crate) fn not_among(&self, specs: &[Spec]) -> Vec<ServiceId> {
        let described: BTreeSet<&ServiceId> = specs.iter().map(|spec| &spec.id).collect();
        self.runner.project().ids().filter(|id| !described.contains(id)).cloned().collect()
    }

    /// Keeps what is known of those that are about to be removed, so that their end can be shown.
    pub(crate) fn expect_to_leave(&mut self, ids: &[ServiceId]) {
        for id in ids {
            let log_dir = self.runner.execution().log_dir(id);
            if let Some(service) = view::service(self.runner.project(), id, &log_dir) {
                self.leaving.insert(id.clone(), service);
            }
        }
    }

    fn view_of_changed(&mut self, change: &Change) -> Option<ServiceView> {
        let log_dir = self.runner.execution().log_dir(&change.id);
        view::service(self.runner.project(), &change.id, &log_dir).or_else(|| {
            let known = self.leaving.get(&change.id)?.clone();
            Some(ServiceView {
                status: Health::from(change.to).as_str().to_owned(),
                wanted: false,
                ready: false,
                pid: None,
                since: Some(clock::wall(clock::now())),
                exit: None,
                next: None,
                ..known
            })
        })
    }

    /// Every service, for a list.
    pub(crate) fn services(&mut self, ids: &[ServiceId]) -> Answer {
        let mut services: Vec<ServiceView> = Vec::new();
        for id in ids {
            let log_dir = self.runner.execution().log_dir(id);
            let project = self.runner.project();
            let view = view::service_with_usage(project, id, &log_dir, &mut self.readings);
            let log_counts = self.logs.view(id);
            services.extend(view.map(|view| ServiceView { log_counts, ..view }));
        }
        Answer::Services {
            schema_version: mainstay_wire::SCHEMA_VERSION,
            services,
            config: self.config(),
            anchor: self.anchor == Anchor::There,
        }
    }

    fn config(&self) -> ConfigView {
        ConfigView {
            project: self.recorded.project.clone(),
            files: self.recorded.files.clone(),
            fingerprint: self.recorded.fingerprint.clone(),
        }
    }

    fn heard(&mut self, now: Moment, message: FromKeeper) {
        let (slot, event) = match message {
            FromKeeper::Started { slot, run, pid } => (slot, Event::Spawned { run: RunId(run), pid }),
            FromKeeper::NotStarted { slot, run, failure } => {
                (slot, Event::NotSpawned { run: RunId(run), failure: failure.into() })
            }
            FromKeeper::Exited { slot, run, exit } => {
                (slot, Event::Exited { run: RunId(run), exit: exit.into() })
            }
            FromKeeper::Logs { counts, complete } => {
                self.logs.take(counts);
                if complete {
                    request::counted(self);
                }
                return;
            }
            FromKeeper::Terminate => {
                self.terminate();
                return;
            }
            FromKeeper::AnchorGone => {
                tracing::warn!("the anchor has ended: nobody would start the keeper again");
                self.anchor = Anchor::Gone;
                let ids: Vec<ServiceId> = self.runner.project().ids().cloned().collect();
                let answer = self.services(&ids);
                self.followers.tell(&answer);
                return;
            }
            FromKeeper::Snapshot { .. } => {
                tracing::error!("the keeper sent a second snapshot");
                return;
            }
        };
        if let Ok(id) = slot.parse() {
            self.feed(now, &id, event);
        }
    }

    fn feed(&mut self, now: Moment, id: &ServiceId, event: Event) {
        let changes = self.runner.event(now, id, event);
        self.show(&changes);
        if self.runner.project().service(id).is_none() {
            self.readings.forget(id);
            self.logs.forget(id);
        }
    }

    /// Takes in the ends that nobody has taken in, restarts what is still made from an earlier description, and stops and
    /// removes what is in no description.
    fn take_over(&mut self, now: Moment, slots: &BTreeMap<ServiceId, &SlotState>) -> Result<(), GraphError> {
        for (id, slot) in slots {
            let run = RunId(slot.run);
            match &slot.phase {
                SlotPhase::NotStarted { failure } => {
                    self.feed(now, id, Event::NotSpawned { run, failure: failure.clone().into() });
                }
                SlotPhase::Exited { exit } => self.feed(now, id, Event::Exited { run, exit: (*exit).into() }),
                SlotPhase::Over | SlotPhase::Spawning | SlotPhase::Running { .. } => {}
            }
        }
        let specs = self.recorded.specs.clone();
        self.expect_to_leave(&self.not_among(&specs));
        let changes = self.runner.apply(now, specs)?;
        self.show(&changes);
        let was_made_otherwise = |spec: &&Spec| {
            let made = slots.get(&spec.id).map_or(0, |slot| Memo::from_text(&slot.memo).made_from);
            made != 0 && made != made_from(spec)
        };
        let changed: Vec<ServiceId> =
            self.recorded.specs.iter().filter(was_made_otherwise).map(|spec| spec.id.clone()).collect();
        for id in changed {
            self.feed(now, &id, Event::Restart(Reason::Changed));
        }
        Ok(())
    }

    /// Tells the keeper the log limits of services that go on running with another description.
    pub(crate) fn tell_log_limits(&mut self, ids: &BTreeSet<ServiceId>) {
        for id in ids {
            if let Some(service) = self.runner.project().service(id) {
                let spec = Arc::clone(service.spec());
                let log = self.runner.execution().log_file(&spec);
                self.tell(&ToKeeper::Relog { slot: id.to_string(), log });
            }
        }
    }

    pub(crate) fn tell(&mut self, message: &ToKeeper) {
        self.runner.execution().tell(message);
    }

    /// Whether nothing runs.
    fn is_quiet(&self) -> bool {
        let project: &Project = self.runner.project();
        let live = |id| project.service(id).is_some_and(|service| service.phase().live().is_some());
        !project.ids().any(live)
    }

    /// Somebody asked this process to end, and with it everything.
    fn terminate(&mut self) {
        if !self.going_down {
            self.history.note("down-requested", "a signal asked for the end of everything".to_owned(), None);
        }
        request::down::begin(self, request::down::How::InOrder);
    }

    /// Where nothing ran, what was before has ended unseen.
    fn note_start(&mut self, afresh: bool) {
        let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
        let (code, what) = if afresh {
            (history::STARTED, "found nothing running")
        } else {
            ("daemon-returned", "found its services again")
        };
        self.history.note(code, format!("daemon {version} (pid {pid}) {what}"), None);
    }

    /// How services are now, for a history that may lack the last words of an earlier daemon.
    fn note_found(&mut self) {
        let project = self.runner.project();
        for service in project.ids().filter_map(|id| project.service(id)) {
            self.history.found(service);
        }
    }

    fn leave(&mut self) -> Flow {
        for leaver in self.leavers.drain(..) {
            // A client that left in this moment needs no answer.
            let _ = leaver.send(Ok(Answer::Down).into());
        }
        self.followers.finish();
        self.history.note("daemon-ended", "everything is stopped".to_owned(), None);
        self.tell(&ToKeeper::Finish);
        Flow::Finished
    }
}

/// The slots of services.
fn by_id(slots: &[SlotState]) -> BTreeMap<ServiceId, &SlotState> {
    let services = slots.iter().filter(|slot| slot.slot != DAEMON_SLOT);
    services.filter_map(|slot| Some((slot.slot.parse().ok()?, slot))).collect()
}

/// What is known of a service from its slot.
fn find(slots: &BTreeMap<ServiceId, &SlotState>, id: &ServiceId) -> (Option<Memory>, Live) {
    let Some(slot) = slots.get(id) else { return (None, Live::Over(RunId::default())) };
    let run = RunId(slot.run);
    let live = match &slot.phase {
        SlotPhase::Spawning => Live::Spawning(run),
        SlotPhase::Running { pid } => Live::Running(run, *pid),
        SlotPhase::NotStarted { .. } | SlotPhase::Exited { .. } => Live::Ending(run),
        SlotPhase::Over => Live::Over(run),
    };
    (from_memo(&slot.memo), live)
}

/// A service that was being removed when an earlier daemon died: how it wants to be stopped died with that one, so it is
/// stopped as one that says nothing of it.
fn stray(id: &ServiceId) -> Spec {
    Spec {
        id: id.clone(),
        kind: Kind::Permanent,
        command: Command::unknown(),
        working_dir: "/".into(),
        user: None,
        env: BTreeMap::new(),
        inherited: BTreeMap::new(),
        depends_on: Vec::new(),
        restart: RestartPolicy::with(RestartWhen::Never),
        ready: None,
        stop: StopPolicy { signal: Signal::TERM, timeout: STRAY_PATIENCE },
        log: LogLimits { keep: NonZeroU32::MIN, total: Bytes(20_000_000), ..LogLimits::default() },
        rerun_unknown: false,
    }
}

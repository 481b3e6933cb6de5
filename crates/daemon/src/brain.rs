//! The daemon's state, owned by one loop. It takes in one wake after the other; what follows is decided in `decide`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mainstay_decide::{Change, Event, GraphError, Project, is_absence};
use mainstay_model::{Exit, Health, Moment, Reason, RunId, ServiceId, ServiceName, Spec};
use mainstay_runner::Runner;
use mainstay_wire::{
    Answer, ConfigView, EventView, FromKeeper, Memo, ProbationView, Reply, ServiceView, SlotPhase, SlotState,
    ToKeeper, UpgradeOutcome, UpgradeView, WireNotice,
};
use tokio::sync::oneshot;

use crate::{
    clock,
    files::Files,
    followers::Followers,
    generations::Generations,
    hands::Hands,
    history::{self, History},
    logs::Logs,
    memo::made_from,
    monitors::Monitors,
    notices::notices,
    outcomes::OutcomeWaiters,
    probation::{self, Watched},
    recall::{Left, stray},
    request,
    slot::{HookId, Slot},
    state::{Recorded, StateError, StateFile},
    upgrade::{self, Upgrades},
    view::{self, Readings},
    waiters::Waiters,
    wake::Wake,
};

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    Continue,
    /// Everything is stopped, for good.
    Finished,
    /// The keeper is gone: whoever comes next starts another daemon.
    Lost,
    /// Another program takes our place.
    Replaced,
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
    pub(crate) generations: Generations,
    /// What is on probation.
    pub(crate) watched: Option<Watched>,
    pub(crate) verdicts: OutcomeWaiters,
    pub(crate) upgrades: Upgrades,
    pub(crate) monitors: Monitors,
    files: Files,
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
        generations: Generations,
        slots: &[SlotState],
    ) -> Result<Self, GraphError> {
        let now = clock::now();
        let left = Left::of(slots);
        let recorded = if left.is_empty() { Recorded::default() } else { recorded };
        left.tell(&mut hands);
        let files = Files::new(hands.wakes());
        let mut specs = recorded.specs.clone();
        let described: BTreeSet<&ServiceId> = recorded.specs.iter().map(|spec| &spec.id).collect();
        specs.extend(left.services.keys().filter(|id| !described.contains(id)).map(stray));
        let (runner, changes) =
            Runner::recall(now, hands, specs, &recorded.wanted, |id: &ServiceId| left.find(id))?;
        let mut brain = Self {
            runner,
            going_down: recorded.going_down,
            generations,
            watched: Watched::recall(&recorded),
            verdicts: OutcomeWaiters::default(),
            upgrades: Upgrades::default(),
            monitors: Monitors::default(),
            anchor: Anchor::There,
            recorded,
            waiters: Waiters::default(),
            followers: Followers::default(),
            leavers: Vec::new(),
            history,
            state,
            logs: Logs::default(),
            files,
            readings: Readings::default(),
            leaving: BTreeMap::new(),
        };
        brain.history.generation = Some(brain.recorded.generation).filter(|number| *number != 0);
        brain.note_start(left.is_empty());
        brain.show(&changes);
        brain.resume_restarts(now);
        brain.take_over(now, &left)?;
        brain.remember_restarts();
        brain.watch_files();
        brain.note_found(&left);
        Ok(brain)
    }

    /// Takes in what happened, and says whether the loop goes on.
    pub(crate) fn take(&mut self, wake: Wake) -> Flow {
        let now = clock::now();
        let is_request = matches!(wake, Wake::Asked(_));
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
                if let Some((id, event)) = self.runner.execution().resolved(resolved) {
                    self.feed(now, &id, event);
                }
            }
            Wake::HookNotMade { name: HookId { id, hook }, of, text } => {
                self.feed(now, &id, Event::HookEnded { run: of, hook, result: Err(text) });
            }
            Wake::FileChanged { name, path } => self.file_changed(now, &name, path),
            Wake::WatchTrouble(trouble) => self.watch_trouble(trouble),
            Wake::Answered { id, run, question, answer } => {
                self.feed(now, &id, Event::Answered { run, question, answer });
            }
            Wake::Unasked { id, run, question, why } => {
                self.feed(now, &id, Event::Unasked { run, question, why });
            }
            Wake::UpgradeChecked { program, result, reply } => {
                if upgrade::checked(self, &program, result, reply) {
                    self.tell(&ToKeeper::Upgrade { program });
                    return Flow::Replaced;
                }
            }
            Wake::Time => {
                if self.runner.project().wake_at().is_some_and(|at| is_absence(now, at)) {
                    tracing::warn!("nobody looked for a while: deadlines begin anew");
                    let changes = self.runner.was_absent(now);
                    self.show(&changes);
                }
                let changes = self.runner.tick(now);
                self.show(&changes);
            }
            Wake::Terminate => self.terminate(),
        }
        if is_request || !self.recorded.restarts.is_empty() {
            self.remember_restarts();
        }
        probation::attend(self, now);
        self.waiters.answer(clock::now(), self.runner.project());
        probation::answer_verdicts(self, now);
        upgrade::answer(self, now);
        if self.going_down && self.is_quiet() { self.leave() } else { Flow::Continue }
    }

    /// When the loop is to be woken for the project, or for somebody who waits.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        let project = self.runner.project().wake_at().filter(|at| *at != Moment::NEVER);
        let waiters = self
            .waiters
            .wake_at()
            .into_iter()
            .chain(self.verdicts.wake_at())
            .chain(self.upgrades.waiters.wake_at());
        project.into_iter().chain(waiters).chain(probation::wake_at(self)).min()
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
            if let Some(watched) = &mut self.watched {
                watched.hear(change);
            }
            let reason = change.reason.sentence(clock::now());
            tracing::info!("{} {} (was {}): {reason}", change.id, change.to, change.from);
            self.show_to_followers(change);
        }
        let project = self.runner.project();
        self.leaving.retain(|id, _| project.service(id).is_some());
    }

    /// How a service feels has changed by what it says itself: that is shown, and nothing has happened.
    pub(crate) fn feel(&mut self, now: Moment, id: &ServiceId, event: Event) {
        for change in self.runner.event(now, id, event) {
            if let Some(watched) = &mut self.watched {
                watched.hear(&change);
            }
            self.show_to_followers(&change);
        }
    }

    fn show_to_followers(&mut self, change: &Change) {
        if self.followers.is_empty() {
            return;
        }
        if let Some(mut service) = self.view_of_changed(change) {
            // Several changes of one service may follow from one event: each is shown as it was.
            service.phase = change.to.as_str().to_owned();
            service.reason.code = change.reason.code().to_owned();
            service.reason.text = change.reason.sentence(clock::now());
            let from = change.from.as_str().to_owned();
            let from_status = Some(change.from_health.as_str().to_owned());
            service.status = change.health.as_str().to_owned();
            self.followers.show(&EventView { time: clock::wall(clock::now()), service, from, from_status });
        }
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
        let view = view::service(self.runner.project(), &change.id, &log_dir).map(|view| {
            let (log_counts, watch_trouble) =
                (self.logs.view(&change.id), self.files.trouble(&change.id.name));
            ServiceView { log_counts, watch_trouble, ..view }
        });
        view.or_else(|| {
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
            let watch_trouble = self.files.trouble(&id.name);
            services.extend(view.map(|view| ServiceView { log_counts, watch_trouble, ..view }));
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
            generation: self.recorded.generation,
            probation: self.probation_view().map(Box::new),
        }
    }

    /// What is on probation, for a client.
    pub(crate) fn probation_view(&self) -> Option<ProbationView> {
        self.watched.as_ref().map(Watched::view)
    }

    /// Something has changed of all together: whoever follows is told how everything stands.
    pub(crate) fn tell_services(&mut self) {
        let ids: Vec<ServiceId> = self.runner.project().ids().cloned().collect();
        let answer = self.services(&ids);
        self.followers.tell(&answer);
    }

    fn heard(&mut self, now: Moment, message: FromKeeper) {
        match message {
            FromKeeper::Started { slot, run, pid } => {
                if let Some(Slot::Service(id)) = Slot::of(&slot) {
                    self.runner.execution().note_main(&id, RunId(run), pid);
                    self.feed(now, &id, Event::Spawned { run: RunId(run), pid });
                }
            }
            FromKeeper::NotStarted { slot, run, failure } => {
                self.ended(now, &slot, run, SlotPhase::NotStarted { failure });
            }
            FromKeeper::Exited { slot, run, exit } => {
                self.ended(now, &slot, run, SlotPhase::Exited { exit });
            }
            FromKeeper::Notified { slot, run, notices } => {
                if let Some(Slot::Service(id)) = Slot::of(&slot) {
                    self.notified(now, &id, RunId(run), &notices);
                }
            }
            FromKeeper::Logs { counts, complete } => {
                for text in self.logs.take(counts) {
                    self.history.note("log-interference", text, None);
                }
                if complete {
                    request::counted(self);
                }
            }
            FromKeeper::Terminate => self.terminate(),
            FromKeeper::AnchorGone => {
                tracing::warn!(
                    "the anchor has ended: until the keeper is one, nobody would start another keeper"
                );
                self.anchor = Anchor::Gone;
                self.tell_services();
            }
            FromKeeper::Upgraded { upgrade } => self.upgraded(upgrade),
            FromKeeper::Slots { .. } | FromKeeper::Snapshot { .. } => {
                tracing::error!("the keeper sent a second snapshot")
            }
        }
    }

    /// The anchor says what became of an upgrade.
    fn upgraded(&mut self, upgrade: UpgradeView) {
        let program = &upgrade.program;
        match &upgrade.outcome {
            UpgradeOutcome::Trying => {}
            UpgradeOutcome::Done => {
                self.history.note("upgraded", format!("anchor, keeper and daemon are `{program}`"), None);
            }
            UpgradeOutcome::TakenBack { why } => {
                tracing::warn!("the upgrade to `{program}` was taken back: {why}");
                self.history.note("upgrade-taken-back", format!("`{program}`: {why}"), None);
            }
        }
        self.upgrades.heard(upgrade);
    }

    /// The run of a slot is over, or never began.
    fn ended(&mut self, now: Moment, slot: &str, run: u64, phase: SlotPhase) {
        match (Slot::of(slot), phase) {
            (Some(Slot::Service(id)), SlotPhase::NotStarted { failure }) => {
                self.feed(now, &id, Event::NotSpawned { run: RunId(run), failure: failure.into() });
            }
            (Some(Slot::Service(id)), SlotPhase::Exited { exit }) => {
                let (run, exit): (RunId, Exit) = (RunId(run), exit.into());
                self.runner.execution().note_exit(&id, run, exit);
                self.feed(now, &id, Event::Exited { run, exit });
            }
            (Some(Slot::Hook(name)), phase) => self.hook_ended(now, &name, run, phase),
            (Some(Slot::Service(_)) | None, _) => {}
        }
    }

    /// What its end means comes before it is taken in: whoever told it keeps it until then.
    fn hook_ended(&mut self, now: Moment, name: &HookId, run: u64, phase: SlotPhase) {
        if let Some((of, result)) = self.runner.execution().hook_ended(name, run, phase) {
            if let Err(text) = &result {
                tracing::info!("the {} hook of {} {text}", name.hook, name.id);
            }
            self.feed(now, &name.id, Event::HookEnded { run: of, hook: name.hook, result });
        }
        self.runner.execution().hook_over(name, run);
    }

    fn notified(&mut self, now: Moment, id: &ServiceId, run: RunId, said: &[WireNotice]) {
        for notice in notices(said) {
            if let mainstay_decide::Notice::MainPid(pid) = notice {
                self.runner.execution().note_main(id, run, pid);
            }
            self.feed(now, id, Event::Notified { run, notice });
        }
    }

    /// The description has changed: other files may be watched.
    pub(crate) fn watch_files(&mut self) {
        self.files.watch(&self.recorded.dir, &self.recorded.specs);
    }

    /// A file that a service watches has changed.
    fn file_changed(&mut self, now: Moment, name: &ServiceName, path: String) {
        let ids: Vec<ServiceId> =
            self.runner.project().ids().filter(|id| id.name == *name).cloned().collect();
        let changes = self.runner.restart_because(now, &ids, &Reason::FileChanged { path });
        self.show(&changes);
    }

    fn watch_trouble(&mut self, trouble: BTreeMap<ServiceName, String>) {
        for (name, text) in self.files.take_trouble(trouble) {
            tracing::warn!("{name}: {text}");
            self.history.note("watch-trouble", format!("{name}: {text}"), None);
        }
    }

    fn feed(&mut self, now: Moment, id: &ServiceId, event: Event) {
        let changes = self.runner.event(now, id, event);
        self.show(&changes);
        if self.runner.project().service(id).is_none() {
            self.readings.forget(id);
            self.logs.forget(id);
            self.monitors.forget(id);
        }
    }

    /// Goes on with what somebody asked an earlier daemon for; before the ends of which it may be the cause.
    fn resume_restarts(&mut self, now: Moment) {
        if !self.recorded.going_down {
            let asked = self.recorded.restarts.clone();
            let changes = self.runner.resume_restarts(now, &asked);
            self.show(&changes);
        }
    }

    /// Writes which restarts are not over, when those are others than before.
    fn remember_restarts(&mut self) {
        let restarts = self.runner.project().asked_restarts();
        if restarts == self.recorded.restarts {
            return;
        }
        let recorded = Recorded { restarts, ..self.recorded.clone() };
        if let Err(error) = self.record(recorded.clone()) {
            // They go on all the same, as long as this daemon lives.
            tracing::error!("{error}");
            self.recorded = recorded;
        }
    }

    /// Takes in the ends and words that nobody has taken in, restarts what is still made from an earlier description, and stops
    /// and removes what is in no description.
    fn take_over(&mut self, now: Moment, left: &Left) -> Result<(), GraphError> {
        for (id, slot) in &left.services {
            self.ended(now, &id.to_string(), slot.run, slot.phase.clone());
            self.notified(now, id, RunId(slot.run), &slot.notices);
        }
        for slot in left.hooks.iter().filter(|slot| slot.is_open()) {
            if matches!(slot.phase, SlotPhase::NotStarted { .. } | SlotPhase::Exited { .. }) {
                self.hook_ended(now, &slot.name, slot.run, slot.phase.clone());
            }
        }
        let specs = self.recorded.specs.clone();
        self.expect_to_leave(&self.not_among(&specs));
        let changes = self.runner.apply(now, specs)?;
        self.show(&changes);
        let was_made_otherwise = |spec: &&Spec| {
            let made = left.services.get(&spec.id).map_or(0, |slot| Memo::from_text(&slot.memo).made_from);
            made != 0 && made != made_from(spec)
        };
        let changed: Vec<ServiceId> =
            self.recorded.specs.iter().filter(was_made_otherwise).map(|spec| spec.id.clone()).collect();
        let changes = self.runner.restart_because(now, &changed, &Reason::Changed);
        self.show(&changes);
        self.leave_hooks(left);
        Ok(())
    }

    /// Hooks that nobody waits for are killed, and the slots of services that are no more go.
    fn leave_hooks(&mut self, left: &Left) {
        let project = self.runner.project();
        let live = |id: &ServiceId| project.service(id).and_then(|service| service.phase().live());
        let gone: BTreeSet<ServiceId> = left
            .hooks
            .iter()
            .map(|slot| &slot.name.id)
            .filter(|id| project.service(id).is_none())
            .cloned()
            .collect();
        let awaited: BTreeSet<HookId> = left
            .hooks
            .iter()
            .filter(|slot| live(&slot.name.id) == Some(slot.of))
            .map(|slot| slot.name.clone())
            .collect();
        let hands = self.runner.execution();
        hands.leave_hooks(|name, _| awaited.contains(name));
        gone.iter().for_each(|id| hands.forget_hooks(id));
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
    fn note_found(&mut self, left: &Left) {
        let project = self.runner.project();
        for (id, slot) in &left.services {
            let spec = project.service(id).map(mainstay_decide::Service::spec);
            for end in Memo::from_text(&slot.memo).ends {
                self.history.ended_before(id, spec.map(AsRef::as_ref), &end);
            }
        }
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

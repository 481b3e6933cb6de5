//! Carries decisions out through the keeper, and asks checks through probes. It turns descriptions into what a keeper needs
//! (numbers of users, a whole environment, folders), and decides nothing.

mod ask;
mod ends;
mod hooks;
mod user;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use mainstay_decide::{Check, Event, Memory, QuestionId};
use mainstay_host::{User, find_calls_socket, make_calls_place};
use mainstay_model::{
    Exit, HookName, PhaseName, RunId, ServiceId, Signal, SpawnFailure, SpawnFailureKind, Spec,
};
use mainstay_runner::{Execution, Spawn};
use mainstay_wire::{LogFile, Memo, Program, Scope, ToKeeper, WireReports};
use tokio::sync::mpsc;

pub(crate) use self::user::Resolved;
use self::{
    ask::{Asker, Askings, Question},
    ends::Ends,
    hooks::Hooks,
    user::{Making, allowed, identity_of, look_up},
};
use crate::{
    clock,
    environment::{Invocation, PersonalData, environment},
    keeper_link::ToKeeperSender,
    memo::{made_from, to_memo},
    slot::HookId,
    wake::Wake,
};

/// A start that waits for its user.
#[derive(Debug)]
struct Pending {
    run: RunId,
    spec: Spec,
    attempt: u32,
    previous_exit: Option<Exit>,
    memo: String,
    /// It was stopped before it began.
    cancelled: bool,
}

/// Where things are, and what tells this project's runs from others'.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) logs_dir: PathBuf,
    pub(crate) socket: String,
    pub(crate) run_dir: PathBuf,
    pub(crate) project_key: String,
    pub(crate) boot_id: String,
}

impl Surroundings {
    /// The environment of what runs for this service.
    fn variables(
        &self,
        spec: &Spec,
        user: Option<&User>,
        run: RunId,
        attempt: u32,
        previous_exit: Option<Exit>,
    ) -> BTreeMap<String, String> {
        let personal = user.map(|user| PersonalData {
            name: user.name.clone(),
            home: user.home.to_string_lossy().into_owned(),
        });
        let invocation = Invocation {
            run,
            attempt,
            previous_exit,
            project_key: &self.project_key,
            boot_id: &self.boot_id,
            socket: &self.socket,
        };
        environment(spec, personal.as_ref(), invocation)
    }
}

/// The keeper's end of a decision.
#[derive(Debug)]
pub(crate) struct Hands {
    keeper: ToKeeperSender,
    wakes: mpsc::Sender<Wake>,
    surroundings: Arc<Surroundings>,
    pending: BTreeMap<ServiceId, Pending>,
    /// Users of live services, for checks that run as they do.
    users: BTreeMap<ServiceId, User>,
    askings: Askings,
    /// What the latest run of each service was made from.
    made_from: BTreeMap<ServiceId, u64>,
    /// The main process of the latest run of each service, for its hooks.
    mains: BTreeMap<ServiceId, Main>,
    hooks: Hooks,
    ends: Ends,
}

/// The main process of a run.
#[derive(Clone, Copy, Debug, Default)]
struct Main {
    run: RunId,
    pid: Option<u32>,
    exit: Option<Exit>,
}

impl Hands {
    pub(crate) fn new(keeper: ToKeeperSender, wakes: mpsc::Sender<Wake>, surroundings: Surroundings) -> Self {
        Self {
            askings: Askings::new(wakes.clone(), surroundings.logs_dir.clone()),
            keeper,
            wakes,
            surroundings: Arc::new(surroundings),
            pending: BTreeMap::new(),
            users: BTreeMap::new(),
            made_from: BTreeMap::new(),
            mains: BTreeMap::new(),
            hooks: Hooks::default(),
            ends: Ends::default(),
        }
    }

    /// The way to the loop.
    pub(crate) fn wakes(&self) -> mpsc::Sender<Wake> {
        self.wakes.clone()
    }

    /// What an earlier daemon knew: what the latest run was made from, and how those before ended.
    pub(crate) fn recall(&mut self, id: &ServiceId, memo: &Memo) {
        self.made_from.insert(id.clone(), memo.made_from);
        self.ends.recall(id, &memo.ends);
    }

    /// This is the main process of a run, for its hooks.
    pub(crate) fn note_main(&mut self, id: &ServiceId, run: RunId, pid: u32) {
        self.mains.insert(id.clone(), Main { run, pid: Some(pid), exit: None });
    }

    /// How a run ended, for its hooks.
    pub(crate) fn note_exit(&mut self, id: &ServiceId, run: RunId, exit: Exit) {
        let pid = self.mains.get(id).filter(|main| main.run == run).and_then(|main| main.pid);
        self.mains.insert(id.clone(), Main { run, pid, exit: Some(exit) });
    }

    /// The folder of a service's logs.
    pub(crate) fn log_dir(&self, id: &ServiceId) -> PathBuf {
        self.surroundings.logs_dir.join(id.to_string())
    }

    /// The socket on which a service can be called, when it has made one.
    pub(crate) fn calls(&self, id: &ServiceId) -> Option<PathBuf> {
        find_calls_socket(&self.surroundings.run_dir, &id.to_string())
    }

    /// Where a service's output goes, and how much of it is kept.
    pub(crate) fn log_file(&self, spec: &Spec) -> LogFile {
        LogFile {
            dir: self.log_dir(&spec.id).to_string_lossy().into_owned(),
            max_size: spec.log.max_size.0,
            keep: spec.log.keep.get(),
            total: spec.log.total.0,
            compress: spec.log.compress,
            when_full: spec.log.when_full.into(),
            all_services: spec.log.all_services.map(|bytes| bytes.0),
            split: spec.log.split,
        }
    }

    /// Whether the keeper does not keep up with what it is told.
    pub(crate) fn is_keeper_behind(&self) -> bool {
        self.keeper.is_behind()
    }

    /// Says something to the keeper that no decision stands behind.
    pub(crate) fn tell(&self, message: &ToKeeper) {
        self.keeper.send(message);
    }

    /// A user was looked up: what waited for it goes on, or this follows.
    pub(crate) fn resolved(&mut self, resolved: Resolved) -> Option<(ServiceId, Event)> {
        let Resolved { what, user } = resolved;
        match what {
            Making::Run(id, run) => {
                let failure = self.run_resolved(&id, run, user)?;
                Some((id, Event::NotSpawned { run, failure }))
            }
            Making::Hook(name, run) => {
                let (of, result) = self.hook_resolved(&name, run, user)?;
                self.hook_over(&name, run);
                let HookId { id, hook } = name;
                Some((id, Event::HookEnded { run: of, hook, result }))
            }
        }
    }

    fn run_resolved(
        &mut self,
        id: &ServiceId,
        run: RunId,
        user: Result<User, String>,
    ) -> Option<SpawnFailure> {
        let pending = self.pending.remove(id)?;
        if pending.run != run {
            self.pending.insert(id.clone(), pending);
            return None;
        }
        let failure = |kind, text: String| Some(SpawnFailure { kind, text });
        if pending.cancelled {
            return failure(SpawnFailureKind::Other, "it was stopped before its process was made".to_owned());
        }
        match allowed(user) {
            Err(text) => failure(SpawnFailureKind::NoUser, text),
            Ok(user) => {
                self.users.insert(id.clone(), user.clone());
                self.send_spawn(&pending, Some(&user));
                None
            }
        }
    }

    /// What a daemon after this one must know of a service.
    fn memo(&self, id: &ServiceId, memory: &Memory) -> String {
        let made_from = self.made_from.get(id).copied().unwrap_or(0);
        to_memo(memory, made_from, self.ends.of(id), clock::now()).to_text()
    }

    fn send_spawn(&self, pending: &Pending, user: Option<&User>) {
        let spec = &pending.spec;
        let Pending { run, attempt, previous_exit, .. } = *pending;
        let mut variables = self.surroundings.variables(spec, user, run, attempt, previous_exit);
        if let Some(limit) = spec.watchdog {
            variables.insert("WATCHDOG_USEC".to_owned(), limit.as_micros().to_string());
        }
        let identity = identity_of(user);
        match make_calls_place(
            &self.surroundings.run_dir,
            &spec.id.to_string(),
            identity.as_ref().map(|it| it.uid),
        ) {
            Ok(path) => {
                drop(variables.insert("MAINSTAY_CALLS".to_owned(), path.to_string_lossy().into_owned()))
            }
            // It runs all the same.
            Err(error) => tracing::warn!("nobody can call `{}`: {error}", spec.id),
        }
        let reports = spec.reports();
        let program = Program {
            words: spec.command.words().map(str::to_owned).collect(),
            dir: spec.working_dir.to_string_lossy().into_owned(),
            env: variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            identity,
        };
        self.keeper.send(&ToKeeper::Spawn {
            slot: spec.id.to_string(),
            run: pending.run.0,
            program: Box::new(program),
            log: self.log_file(spec),
            memo: pending.memo.clone(),
            reports: WireReports { notify: reports.notify, fd: reports.fd },
        });
    }

    fn asker(&self, run: RunId, spec: &Spec) -> Asker {
        let user = self.users.get(&spec.id).cloned();
        Asker { surroundings: Arc::clone(&self.surroundings), spec: spec.clone(), run, user }
    }

    fn send_signal(&mut self, id: &ServiceId, run: RunId, signal: Signal, scope: Scope) {
        if let Some(pending) = self.pending.get_mut(id).filter(|pending| pending.run == run) {
            pending.cancelled = true;
            return;
        }
        self.keeper.send(&ToKeeper::Signal {
            slot: id.to_string(),
            run: run.0,
            signal: signal.number(),
            scope,
        });
    }
}

impl Execution for Hands {
    fn spawn(&mut self, spawn: Spawn<'_>) {
        let made_from = made_from(spawn.spec);
        self.made_from.insert(spawn.id.clone(), made_from);
        self.askings.give_up(spawn.id);
        let pending = Pending {
            run: spawn.run,
            spec: spawn.spec.clone(),
            attempt: spawn.attempt,
            previous_exit: spawn.memory.exit,
            memo: self.memo(spawn.id, &spawn.memory),
            cancelled: false,
        };
        let Some(name) = spawn.spec.user.clone() else {
            self.users.remove(spawn.id);
            self.send_spawn(&pending, None);
            return;
        };
        self.pending.insert(spawn.id.clone(), pending);
        let (wakes, what) = (self.wakes.clone(), Making::Run(spawn.id.clone(), spawn.run));
        tokio::spawn(async move {
            let user = look_up(name).await;
            // A closed channel is a daemon that ends.
            let _ = wakes.send(Wake::Resolved(Resolved { what, user })).await;
        });
    }

    fn signal(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        self.send_signal(id, run, signal, Scope::Group);
    }

    fn kill(&mut self, id: &ServiceId, run: RunId) {
        self.send_signal(id, run, Signal::KILL, Scope::Everything);
    }

    fn signal_main(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        self.send_signal(id, run, signal, Scope::Main);
    }

    fn pause(&mut self, id: &ServiceId, run: RunId) {
        self.askings.give_up(id);
        self.send_signal(id, run, Signal::STOP, Scope::Everything);
    }

    fn resume(&mut self, id: &ServiceId, run: RunId) {
        self.send_signal(id, run, Signal::CONT, Scope::Everything);
    }

    fn ask(&mut self, id: &ServiceId, run: RunId, check: Check, question: QuestionId, spec: &Spec) {
        let asker = self.asker(run, spec);
        self.askings.ask(Question { id: id.clone(), run, question }, spec, check, asker);
    }

    fn run_hook(&mut self, id: &ServiceId, run: RunId, hook: HookName, spec: &Spec) {
        self.begin_or_queue(HookId { id: id.clone(), hook }, run, spec);
    }

    fn kill_hook(&mut self, id: &ServiceId, run: RunId, hook: HookName) {
        self.end_hook(&HookId { id: id.clone(), hook }, run);
    }

    fn acknowledge(&mut self, id: &ServiceId, run: RunId, memory: Option<Memory>) {
        let exit = self.mains.get(id).filter(|main| main.run == run).and_then(|main| main.exit);
        if let (Some(memory), Some(exit)) = (&memory, exit) {
            self.ends.note(id, run, exit, memory);
        }
        let is_asked = |memory: &Memory| matches!(memory.phase, PhaseName::Starting | PhaseName::Running);
        if !memory.as_ref().is_some_and(is_asked) {
            self.askings.give_up(id);
        }
        let memo = memory.map(|memory| self.memo(id, &memory));
        let stray = memo.is_none();
        let slot = id.to_string();
        self.keeper.send(&ToKeeper::Acknowledge { slot, run: run.0, memo: memo.unwrap_or_default() });
        if stray {
            self.forget(id);
        }
    }

    fn remember(&mut self, id: &ServiceId, run: RunId, memory: Memory) {
        let memo = self.memo(id, &memory);
        self.keeper.send(&ToKeeper::Remember { slot: id.to_string(), run: run.0, memo });
    }

    fn forget(&mut self, id: &ServiceId) {
        self.users.remove(id);
        self.made_from.remove(id);
        self.mains.remove(id);
        self.ends.forget(id);
        self.pending.remove(id);
        self.askings.give_up(id);
        self.forget_hooks(id);
        self.keeper.send(&ToKeeper::Forget { slot: id.to_string() });
    }
}

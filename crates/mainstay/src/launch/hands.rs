//! Carries out what is decided: makes tasks and processes, asks and kills them, runs hooks and checks. It never answers at once:
//! all that follows arrives in the loop's queue.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use mainstay_decide::{Check, Event, Memory, QuestionId};
use mainstay_host::{User, bind_datagrams, effective_uid, lookup_user, passable_dir};
use mainstay_model::{HookName, Probe, ReadyCheck, RunId, Runner, ServiceId, Signal, SpawnFailure, Spec};
use mainstay_runner::{Execution, Spawn};

use super::{
    answer::answer,
    child::{self, Child, verdict},
    described::{Blueprint, silence_of},
    heard::{Ear, Heard, Mailbox},
    task::{self, Task},
};
use crate::{
    controller::{Order, TimeLimits},
    guard::{Guard, YIELD_LIMIT},
    hosting::{Host, RUNNER_ID_VARIABLE, Surroundings},
    listen::Listener,
    names::kept,
};

/// The hands of a launcher.
pub(crate) struct Hands {
    blueprint: Rc<Blueprint>,
    guard: Arc<Guard>,
    listeners: Arc<[Listener]>,
    ear: Ear,
    runs: BTreeMap<ServiceId, (RunId, Live)>,
    hooks: BTreeMap<(ServiceId, HookName), Child>,
    folder: Folder,
}

/// What a run is.
enum Live {
    Task(Task),
    Child(Child),
}

impl Hands {
    pub(crate) fn new(
        blueprint: Rc<Blueprint>,
        guard: Arc<Guard>,
        listeners: Arc<[Listener]>,
        ear: Ear,
    ) -> Self {
        let (runs, hooks) = (BTreeMap::new(), BTreeMap::new());
        Self { blueprint, guard, listeners, ear, runs, hooks, folder: Folder::default() }
    }

    /// Whether something runs that was made here.
    pub(crate) fn has_runs(&self) -> bool {
        !self.runs.is_empty()
    }

    fn tell(&self, id: &ServiceId, event: Event) {
        // When nobody hears any more, all is over.
        let _ = self.ear.send(Heard::Event(id.clone(), event));
    }

    fn live(&self, id: &ServiceId, run: RunId) -> Option<&Live> {
        self.runs.get(id).filter(|(known, _)| *known == run).map(|(_, live)| live)
    }

    /// What it is called here: `launcher.runner`.
    fn runner_id(&self, id: &ServiceId) -> String {
        format!("{}.{}", self.blueprint.id, id.name)
    }

    fn task(&self, id: &ServiceId, run: RunId, spec: &Spec) -> Option<Task> {
        let registration = *self.blueprint.registration(spec)?;
        let name = kept(&id.to_string());
        let host = Host {
            id: name,
            span: tracing::error_span!("service", id = name),
            guard: Arc::clone(&self.guard),
            limit: silence_of(spec).unwrap_or(YIELD_LIMIT),
        };
        Some(Task::begin(task::Making {
            id: id.clone(),
            run,
            registration,
            limits: TimeLimits::of(&registration).unwrap_or_default(),
            file: self.blueprint.file.clone(),
            variables: spec.env.clone(),
            guard: Arc::clone(&self.guard),
            surroundings: Surroundings {
                runner_id: Some(self.runner_id(id).into()),
                listeners: Arc::clone(&self.listeners),
                host: Some(host),
            },
            ear: self.ear.clone(),
        }))
    }

    fn child(&mut self, spawn: &Spawn<'_>) -> Result<Child, SpawnFailure> {
        let Spawn { id, run, attempt, spec, .. } = spawn;
        let reports = spec.reports();
        let mut more = vec![("MAINSTAY_ATTEMPT", attempt.to_string())];
        let user = user_of(spec)?;
        let socket = if reports.notify {
            let path =
                self.folder.socket(id).map_err(|error| child::unprepared("no folder for sockets", &error))?;
            let uid = user.as_ref().map(|user| user.uid).filter(|_| effective_uid() == 0);
            let socket = bind_datagrams(&path, uid).and_then(child::ear);
            more.push(("NOTIFY_SOCKET", path.to_string_lossy().into_owned()));
            Some(socket.map_err(|error| child::unprepared("no socket for what it says", &error))?)
        } else {
            None
        };
        if let Some(span) = reports.watchdog {
            more.push(("WATCHDOG_USEC", span.as_micros().to_string()));
        }
        let words = spec.command.words().map(str::to_owned).collect();
        let child = Child::make(&self.making(id, *run, spec, words, &more, user))?;
        let mailbox = Mailbox::new((*id).clone(), *run, self.ear.clone());
        let (watched, ear, id, run) = (child.clone(), self.ear.clone(), (*id).clone(), *run);
        tokio::task::spawn_local(async move {
            let exit = match socket {
                Some(socket) => watched.ended_speaking(socket, &mailbox).await,
                None => watched.ended().await,
            };
            // When nobody hears any more, all is over.
            let _ = ear.send(Heard::Event(id, Event::Exited { run, exit }));
        });
        Ok(child)
    }

    /// A process of this service, with the environment that all of its processes have.
    fn making(
        &self,
        id: &ServiceId,
        run: RunId,
        spec: &Spec,
        words: Vec<String>,
        more: &[(&str, String)],
        user: Option<User>,
    ) -> child::Making {
        let mut env = spec.inherited.clone();
        if let Some(user) = &user {
            env.insert("HOME".to_owned(), user.home.to_string_lossy().into_owned());
            env.insert("USER".to_owned(), user.name.clone());
        }
        env.extend(spec.env.clone());
        let own = [
            ("MAINSTAY_SERVICE", id.name.to_string()),
            ("MAINSTAY_INSTANCE", id.instance.map_or(1, u32::from).to_string()),
            ("MAINSTAY_RUN_ID", format!("{}.{id}.{run}", self.blueprint.id)),
            (RUNNER_ID_VARIABLE, self.runner_id(id)),
        ];
        env.extend(own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone())));
        let env = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        child::Making { words, env, dir: spec.working_dir.to_string_lossy().into_owned(), user }
    }

    /// The main process of a run; of a task it is this one.
    fn main_pid(&self, id: &ServiceId, run: RunId) -> Option<u32> {
        self.live(id, run).map(|live| match live {
            Live::Task(_) => std::process::id(),
            Live::Child(child) => child.pid(),
        })
    }
}

impl Execution for Hands {
    fn spawn(&mut self, spawn: Spawn<'_>) {
        let (id, run) = (spawn.id.clone(), spawn.run);
        let made = match spawn.spec.runner {
            Runner::Task => self
                .task(&id, run, spawn.spec)
                .map(Live::Task)
                .ok_or_else(|| child::unprepared("it cannot be a task", &"this program has no such service")),
            Runner::Process => self.child(&spawn).map(Live::Child),
        };
        match made {
            Ok(live) => {
                self.runs.insert(id.clone(), (run, live));
                let pid = self.main_pid(&id, run).unwrap_or_default();
                self.tell(&id, Event::Spawned { run, pid });
            }
            Err(failure) => self.tell(&id, Event::NotSpawned { run, failure }),
        }
    }

    fn signal(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        match self.live(id, run) {
            // Whatever the signal is called by which it is to end.
            Some(Live::Task(task)) => task.order(Order::Stop),
            Some(Live::Child(child)) => child.signal_group(signal),
            None => {}
        }
    }

    fn signal_main(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        match self.live(id, run) {
            Some(Live::Task(task)) => task.order(Order::Reload),
            Some(Live::Child(child)) => child.signal(signal),
            None => {}
        }
    }

    fn kill(&mut self, id: &ServiceId, run: RunId) {
        match self.live(id, run) {
            Some(Live::Task(task)) => task.kill(),
            Some(Live::Child(child)) => child.signal_group(Signal::KILL),
            None => {}
        }
    }

    fn pause(&mut self, id: &ServiceId, run: RunId) {
        // Nobody can ask a launcher for it; a task could not stand still by itself.
        if let Some(Live::Child(child)) = self.live(id, run) {
            child.signal_group(Signal::STOP);
        }
    }

    fn resume(&mut self, id: &ServiceId, run: RunId) {
        if let Some(Live::Child(child)) = self.live(id, run) {
            child.signal_group(Signal::CONT);
        }
    }

    fn ask(&mut self, id: &ServiceId, run: RunId, check: Check, question: QuestionId, spec: &Spec) {
        let asked = match (check, &spec.ready, &spec.health) {
            (Check::Ready, Some(ready), _) => match &ready.check {
                ReadyCheck::Probe(probe) => Some((probe.clone(), ready.probe_timeout)),
                ReadyCheck::Log(_) | ReadyCheck::Notify | ReadyCheck::Fd(_) | ReadyCheck::After(_) => None,
            },
            (Check::Health, _, Some(health)) => Some((health.probe.clone(), health.timeout)),
            (Check::Ready, None, _) | (Check::Health, _, None) => None,
        };
        let Some((probe, limit)) = asked else { return };
        let words = match &probe {
            Probe::Exec(command) => command.words().map(str::to_owned).collect(),
            Probe::Tcp(_) | Probe::Http(_) => Vec::new(),
        };
        let user = user_of(spec).map_err(|failure| failure.text);
        let making = user.map(|user| self.making(id, run, spec, words, &[], user));
        let (ear, id) = (self.ear.clone(), id.clone());
        tokio::task::spawn_local(async move {
            let answer = answer(probe, limit, making).await;
            // When nobody hears any more, all is over.
            let _ = ear.send(Heard::Event(id, Event::Answered { run, question, answer }));
        });
    }

    fn run_hook(&mut self, id: &ServiceId, run: RunId, hook: HookName, spec: &Spec) {
        let ended = |result| Event::HookEnded { run, hook, result };
        let Some(command) = spec.hook(hook).map(|hook| &hook.command) else {
            return self.tell(id, ended(Ok(())));
        };
        let mut more = vec![("MAINSTAY_HOOK", hook.to_string())];
        more.extend(self.main_pid(id, run).map(|pid| ("MAINSTAY_MAIN_PID", pid.to_string())));
        let words = command.words().map(str::to_owned).collect();
        let made =
            user_of(spec).and_then(|user| Child::make(&self.making(id, run, spec, words, &more, user)));
        let child = match made {
            Ok(child) => child,
            Err(failure) => return self.tell(id, ended(Err(failure.text))),
        };
        self.hooks.insert((id.clone(), hook), child.clone());
        let (ear, id) = (self.ear.clone(), id.clone());
        tokio::task::spawn_local(async move {
            let result = verdict(child.ended().await);
            // When nobody hears any more, all is over.
            let _ = ear.send(Heard::Event(id, Event::HookEnded { run, hook, result }));
        });
    }

    fn kill_hook(&mut self, id: &ServiceId, _run: RunId, hook: HookName) {
        if let Some(child) = self.hooks.get(&(id.clone(), hook)) {
            child.signal_group(Signal::KILL);
        }
    }

    fn acknowledge(&mut self, id: &ServiceId, run: RunId, _memory: Option<Memory>) {
        if self.live(id, run).is_some() {
            self.runs.remove(id);
        }
    }

    // Nothing is remembered beyond this process.
    fn remember(&mut self, _id: &ServiceId, _run: RunId, _memory: Memory) {}

    fn forget(&mut self, id: &ServiceId) {
        self.runs.remove(id);
        self.hooks.retain(|(known, _), _| known != id);
    }
}

/// The user whom a process of it is made as.
fn user_of(spec: &Spec) -> Result<Option<User>, SpawnFailure> {
    let Some(name) = &spec.user else { return Ok(None) };
    let user = lookup_user(name).map_err(|error| child::unprepared("its user", &error))?;
    match effective_uid() {
        0 => Ok(Some(user)),
        own if own == user.uid => Ok(Some(user)),
        _ => Err(child::unprepared("its user", &format!("only root may run a service as `{name}`"))),
    }
}

/// Where the sockets of processes are; made when the first one is needed, and taken away at the end.
#[derive(Debug, Default)]
struct Folder(Option<PathBuf>);

impl Folder {
    fn socket(&mut self, id: &ServiceId) -> Result<PathBuf, mainstay_host::HostError> {
        if self.0.is_none() {
            let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
            let above = runtime.unwrap_or_else(std::env::temp_dir);
            let folder = above.join(format!("mainstay-launch-{}", std::process::id()));
            passable_dir(&folder)?;
            self.0 = Some(folder);
        }
        Ok(self.0.as_deref().unwrap_or(Path::new("")).join(id.to_string()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // What is left of it hinders nobody.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

//! Carries decisions out through the keeper, and asks checks through probes. It turns descriptions into what a keeper needs
//! (numbers of users, a whole environment, folders), and decides nothing.

use std::{collections::BTreeMap, path::PathBuf};

use mainstay_decide::QuestionId;
use mainstay_host::{User, effective_uid, lookup_user};
use mainstay_model::{Exit, ReadyCheck, RunId, ServiceId, Signal, SpawnFailure, SpawnFailureKind, Spec};
use mainstay_probe::Exec;
use mainstay_runner::{Execution, Spawn};
use mainstay_wire::{Identity, LogFile, Program, Scope, ToKeeper};
use tokio::{sync::mpsc, task::AbortHandle};

use crate::{
    clock,
    environment::{Invocation, PersonalData, environment},
    keeper_link::ToKeeperSender,
    memo::{made_from, to_memo},
    wake::Wake,
};

/// The user of a start was looked up.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) id: ServiceId,
    pub(crate) run: RunId,
    pub(crate) user: Result<User, String>,
}

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
    pub(crate) project_key: String,
    pub(crate) boot_id: String,
}

/// The keeper's end of a decision.
#[derive(Debug)]
pub(crate) struct Hands {
    keeper: ToKeeperSender,
    wakes: mpsc::Sender<Wake>,
    surroundings: Surroundings,
    pending: BTreeMap<ServiceId, Pending>,
    /// Users of live services, for checks that run as they do.
    users: BTreeMap<ServiceId, User>,
    /// The latest asking of each service; another one takes its place.
    asking: BTreeMap<ServiceId, AbortHandle>,
    /// What the latest run of each service was made from.
    made_from: BTreeMap<ServiceId, u64>,
}

impl Hands {
    pub(crate) fn new(keeper: ToKeeperSender, wakes: mpsc::Sender<Wake>, surroundings: Surroundings) -> Self {
        Self {
            keeper,
            wakes,
            surroundings,
            pending: BTreeMap::new(),
            users: BTreeMap::new(),
            asking: BTreeMap::new(),
            made_from: BTreeMap::new(),
        }
    }

    /// What an earlier daemon made the latest run from.
    pub(crate) fn recall(&mut self, id: &ServiceId, made_from: u64) {
        self.made_from.insert(id.clone(), made_from);
    }

    /// The folder of a service's logs.
    pub(crate) fn log_dir(&self, id: &ServiceId) -> PathBuf {
        self.surroundings.logs_dir.join(id.to_string())
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
        }
    }

    /// Says something to the keeper that no decision stands behind.
    pub(crate) fn tell(&self, message: &ToKeeper) {
        self.keeper.send(message);
    }

    /// A user was looked up: the start goes on, or has failed with this.
    pub(crate) fn resolved(&mut self, resolved: Resolved) -> Option<SpawnFailure> {
        let pending = self.pending.get(&resolved.id).filter(|pending| pending.run == resolved.run)?;
        let failure = |kind, text: String| Some(SpawnFailure { kind, text });
        if pending.cancelled {
            self.pending.remove(&resolved.id);
            return failure(SpawnFailureKind::Other, "it was stopped before its process was made".to_owned());
        }
        let pending = self.pending.remove(&resolved.id)?;
        let user = resolved.user.and_then(|user| may_become(&user, effective_uid()).map(|()| user));
        match user {
            Err(text) => failure(SpawnFailureKind::NoUser, text),
            Ok(user) => {
                self.users.insert(resolved.id, user.clone());
                self.send_spawn(&pending, Some(&user));
                None
            }
        }
    }

    fn send_spawn(&self, pending: &Pending, user: Option<&User>) {
        let spec = &pending.spec;
        let variables = self.variables(spec, user, pending.run, pending.attempt, pending.previous_exit);
        let program = Program {
            words: spec.command.words().map(str::to_owned).collect(),
            dir: spec.working_dir.to_string_lossy().into_owned(),
            env: variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            identity: user.and_then(|user| identity(user, effective_uid())),
        };
        self.keeper.send(&ToKeeper::Spawn {
            slot: spec.id.to_string(),
            run: pending.run.0,
            program: Box::new(program),
            log: self.log_file(spec),
            memo: pending.memo.clone(),
        });
    }

    fn asker(&self, id: &ServiceId, run: RunId, spec: &Spec) -> Asker {
        let user = self.users.get(id).cloned();
        Asker {
            dir: spec.working_dir.to_string_lossy().into_owned(),
            env: self.variables(spec, user.as_ref(), run, 0, None),
            user: spec.user.clone().map(|name| (name, user)),
        }
    }

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
            project_key: &self.surroundings.project_key,
            boot_id: &self.surroundings.boot_id,
            socket: &self.surroundings.socket,
        };
        environment(spec, personal.as_ref(), invocation)
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

/// Whether a process of `own` may become this user.
fn may_become(user: &User, own: u32) -> Result<(), String> {
    if own == 0 || user.uid == own {
        return Ok(());
    }
    Err(format!(
        "only root may run a service as another user, and this project does not run as root (`{}`)",
        user.name
    ))
}

/// What a process has to take on to be this user; nothing when an ordinary user names itself, who may not even set the groups
/// that it has.
fn identity(user: &User, own: u32) -> Option<Identity> {
    let takes_on = own == 0;
    takes_on.then(|| Identity { uid: user.uid, gid: user.gid, groups: user.groups.clone() })
}

/// Asks a service how it is by a command, as that service's user and in its environment.
struct Asker {
    dir: String,
    env: BTreeMap<String, String>,
    /// The user's name, and the user when a start has looked it up already.
    user: Option<(String, Option<User>)>,
}

impl Asker {
    async fn ask(self, command: &mainstay_model::Command, limit: std::time::Duration) -> Result<(), String> {
        let identity = match self.user {
            None => None,
            Some((_, Some(user))) => Some((user.uid, user.gid)),
            // A daemon that found the service running has started nothing itself.
            Some((name, None)) => {
                let user = look_up(name).await?;
                Some((user.uid, user.gid))
            }
        };
        let words = command.words().map(str::to_owned).collect();
        let env = self.env.into_iter().collect();
        mainstay_probe::exec(Exec { words, dir: self.dir, env, identity }, limit).await
    }
}

/// May take its time (`nss(5)`), so it is not done in the loop.
async fn look_up(name: String) -> Result<User, String> {
    match tokio::task::spawn_blocking(move || lookup_user(&name)).await {
        Ok(user) => user.map_err(|error| error.to_string()),
        Err(error) => Err(format!("the user could not be looked up ({error})")),
    }
}

impl Execution for Hands {
    fn spawn(&mut self, spawn: Spawn<'_>) {
        let made_from = made_from(spawn.spec);
        self.made_from.insert(spawn.id.clone(), made_from);
        let pending = Pending {
            run: spawn.run,
            spec: spawn.spec.clone(),
            attempt: spawn.attempt,
            previous_exit: spawn.memory.exit,
            memo: to_memo(&spawn.memory, made_from, clock::now()).to_text(),
            cancelled: false,
        };
        let Some(name) = spawn.spec.user.clone() else {
            self.users.remove(spawn.id);
            self.send_spawn(&pending, None);
            return;
        };
        self.pending.insert(spawn.id.clone(), pending);
        let (wakes, id, run) = (self.wakes.clone(), spawn.id.clone(), spawn.run);
        tokio::spawn(async move {
            let user = look_up(name).await;
            // A closed channel is a daemon that ends.
            let _ = wakes.send(Wake::Resolved(Resolved { id, run, user })).await;
        });
    }

    fn signal(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        self.send_signal(id, run, signal, Scope::Group);
    }

    fn kill(&mut self, id: &ServiceId, run: RunId) {
        self.send_signal(id, run, Signal::KILL, Scope::Everything);
    }

    fn ask(&mut self, id: &ServiceId, run: RunId, question: QuestionId, spec: &Spec) {
        let Some(policy) = spec.ready.clone() else { return };
        let asker = self.asker(id, run, spec);
        let (wakes, of) = (self.wakes.clone(), id.clone());
        let asking = tokio::spawn(async move {
            let limit = policy.probe_timeout;
            let answer = match policy.check {
                ReadyCheck::Tcp(address) => mainstay_probe::tcp(&address, limit).await,
                ReadyCheck::Exec(command) => asker.ask(&command, limit).await,
                ReadyCheck::After(_) => return,
            };
            // A closed channel is a daemon that ends.
            let _ = wakes.send(Wake::Answered { id: of, run, question, answer }).await;
        });
        if let Some(earlier) = self.asking.insert(id.clone(), asking.abort_handle()) {
            earlier.abort();
        }
    }

    fn acknowledge(&mut self, id: &ServiceId, run: RunId, memory: Option<mainstay_decide::Memory>) {
        let made_from = self.made_from.get(id).copied().unwrap_or(0);
        let memo = memory.map(|memory| to_memo(&memory, made_from, clock::now()).to_text());
        let stray = memo.is_none();
        let slot = id.to_string();
        self.keeper.send(&ToKeeper::Acknowledge { slot, run: run.0, memo: memo.unwrap_or_default() });
        if stray {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: &ServiceId) {
        self.users.remove(id);
        self.made_from.remove(id);
        self.pending.remove(id);
        if let Some(asking) = self.asking.remove(id) {
            asking.abort();
        }
        self.keeper.send(&ToKeeper::Forget { slot: id.to_string() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_may_become_anybody_and_others_only_themselves() {
        let user = User {
            name: "shop".to_owned(),
            uid: 1000,
            gid: 100,
            groups: vec![100, 27],
            home: "/".into(),
            shell: "/bin/sh".into(),
        };
        let taken_on = Some(Identity { uid: 1000, gid: 100, groups: vec![100, 27] });
        assert_eq!((may_become(&user, 0), identity(&user, 0)), (Ok(()), taken_on));
        assert_eq!((may_become(&user, 1000), identity(&user, 1000)), (Ok(()), None));
        assert!(may_become(&user, 1001).is_err_and(|text| text.contains("`shop`")));
    }
}

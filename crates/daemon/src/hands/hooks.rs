//! Hooks: each runs in a slot of the keeper beside its service's, so that it survives us as everything else does. What
//! their ends mean is decided elsewhere.

use std::{collections::BTreeMap, time::Duration};

use mainstay_host::User;
use mainstay_model::{Exit, HookName, Moment, RunId, ServiceId, Signal, Spec, span_text};
use mainstay_wire::{LogFile, Program, Scope, SlotPhase, ToKeeper, WireReports};

use super::{
    Hands,
    user::{Making, Resolved, allowed, identity_of, look_up},
};
use crate::{
    clock,
    slot::{HookId, HookSlot, hook_memo},
    wake::Wake,
};

/// How a hook came out: for which run of its service, and `Err` in words.
pub(crate) type Outcome = (RunId, Result<(), String>);

/// The slots of all hooks.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    /// The latest run of any of them: each one has a higher number than all before.
    latest: u64,
    slots: BTreeMap<HookId, State>,
}

/// What is so of one slot.
#[derive(Debug, Default)]
struct State {
    live: Option<Live>,
    /// Begins when the one that lives is over.
    next: Option<Order>,
    /// The service is no more.
    is_forgotten: bool,
}

#[derive(Debug)]
struct Live {
    run: u64,
    of: RunId,
    began: Moment,
    /// How long it may take; of one that an earlier daemon began nobody knows.
    limit: Option<Duration>,
    stage: Stage,
    was_killed: bool,
}

#[derive(Debug)]
enum Stage {
    /// Its user is looked up.
    LookingUp(Box<Order>),
    /// It was asked for.
    Made,
    /// Its end is being taken in.
    Over,
}

/// A hook that is to run.
#[derive(Clone, Debug)]
struct Order {
    of: RunId,
    spec: Spec,
}

impl Hands {
    /// What an earlier daemon left.
    pub(crate) fn recall_hooks(&mut self, slots: &[HookSlot]) {
        for slot in slots {
            let live = slot.is_open().then(|| Live {
                run: slot.run,
                of: slot.of,
                began: clock::now(),
                limit: None,
                stage: Stage::Made,
                was_killed: false,
            });
            self.hooks.latest = self.hooks.latest.max(slot.run);
            self.hooks.slots.insert(slot.name.clone(), State { live, ..State::default() });
        }
    }

    /// Kills hooks that an earlier daemon began and that nobody waits for.
    pub(crate) fn leave_hooks(&mut self, is_awaited: impl Fn(&HookId, RunId) -> bool) {
        let open = self.hooks.slots.iter().filter_map(|(name, state)| Some((name, state.live.as_ref()?)));
        let left: Vec<(HookId, RunId)> = open
            .filter(|(name, live)| !is_awaited(name, live.of))
            .map(|(name, live)| (name.clone(), live.of))
            .collect();
        for (name, of) in left {
            self.end_hook(&name, of);
        }
    }

    pub(super) fn begin_or_queue(&mut self, name: HookId, of: RunId, spec: &Spec) {
        let order = Order { of, spec: spec.clone() };
        let state = self.hooks.slots.entry(name.clone()).or_default();
        state.is_forgotten = false;
        match &state.live {
            None => self.begin_hook(name, order),
            // An earlier daemon began it for this run.
            Some(live) if live.of == of && !live.was_killed && !matches!(live.stage, Stage::Over) => {}
            Some(live) => {
                let (earlier, is_over) = (live.of, matches!(live.stage, Stage::Over));
                state.next = Some(order);
                if !is_over {
                    self.kill_live(&name, earlier);
                }
            }
        }
    }

    fn begin_hook(&mut self, name: HookId, order: Order) {
        self.hooks.latest += 1;
        let run = self.hooks.latest;
        let user = order.spec.user.clone();
        let of = order.of;
        let limit = order.spec.hook(name.hook).map(|hook| hook.timeout);
        let stage = match &user {
            None => {
                self.send_hook(&name, run, &order, None);
                Stage::Made
            }
            Some(_) => Stage::LookingUp(Box::new(order)),
        };
        let live = Live { run, of, began: clock::now(), limit, stage, was_killed: false };
        self.hooks.slots.entry(name.clone()).or_default().live = Some(live);
        if let Some(user) = user {
            let (wakes, what) = (self.wakes.clone(), Making::Hook(name, run));
            tokio::spawn(async move {
                let user = look_up(user).await;
                // A closed channel is a daemon that ends.
                let _ = wakes.send(Wake::Resolved(Resolved { what, user })).await;
            });
        }
    }

    fn send_hook(&self, name: &HookId, run: u64, order: &Order, user: Option<&User>) {
        let Order { of, spec } = order;
        let Some(hook) = spec.hook(name.hook) else { return };
        let mut env = self.surroundings.variables(spec, user, *of, 0, None);
        // Of a start, and not known here.
        env.remove("MAINSTAY_ATTEMPT");
        env.remove("MAINSTAY_PREVIOUS_EXIT");
        // Its own: what it leaves behind must not be taken for the service's, nor the other way round.
        env.insert("MAINSTAY_RUN_ID".to_owned(), format!("{}.{name}.{run}", self.surroundings.project_key));
        env.insert("MAINSTAY_HOOK".to_owned(), name.hook.to_string());
        let main = self.mains.get(&name.id).filter(|main| main.run == *of);
        if let Some(pid) = main.and_then(|main| main.pid) {
            env.insert("MAINSTAY_MAIN_PID".to_owned(), pid.to_string());
        }
        if name.hook == HookName::AfterStop {
            match main.and_then(|main| main.exit) {
                Some(Exit::Code(code)) => _ = env.insert("MAINSTAY_EXIT_CODE".to_owned(), code.to_string()),
                Some(Exit::Signal(signal)) => {
                    env.insert("MAINSTAY_EXIT_SIGNAL".to_owned(), signal.to_string());
                }
                Some(Exit::Unknown) | None => {}
            }
        }
        let dir = self.surroundings.logs_dir.join(name.to_string()).to_string_lossy().into_owned();
        let program = Program {
            words: hook.command.words().map(str::to_owned).collect(),
            dir: spec.working_dir.to_string_lossy().into_owned(),
            env: env.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            identity: identity_of(user),
        };
        self.keeper.send(&ToKeeper::Spawn {
            slot: name.to_string(),
            run,
            program: Box::new(program),
            log: LogFile { dir, split: false, ..self.log_file(spec) },
            memo: hook_memo(*of),
            reports: WireReports::default(),
        });
    }

    /// Its user was looked up: it begins, or has ended so.
    pub(super) fn hook_resolved(
        &mut self,
        name: &HookId,
        run: u64,
        user: Result<User, String>,
    ) -> Option<Outcome> {
        let live = self.hooks.slots.get_mut(name)?.live.as_mut().filter(|live| live.run == run)?;
        let Stage::LookingUp(order) = std::mem::replace(&mut live.stage, Stage::Over) else { return None };
        if live.was_killed {
            return Some((live.of, Err("was killed before it began".to_owned())));
        }
        match allowed(user) {
            Err(text) => Some((live.of, Err(format!("could not be started: {text}")))),
            Ok(user) => {
                live.stage = Stage::Made;
                self.send_hook(name, run, &order, Some(&user));
                None
            }
        }
    }

    /// The keeper told its end. [`Hands::hook_over`] follows, once what that means is decided.
    pub(crate) fn hook_ended(&mut self, name: &HookId, run: u64, phase: SlotPhase) -> Option<Outcome> {
        let live = self.hooks.slots.get_mut(name)?.live.as_mut().filter(|live| live.run == run)?;
        let result = match phase {
            SlotPhase::NotStarted { failure } => Err(format!("could not be started: {}", failure.text)),
            SlotPhase::Exited { exit } => live.result(exit.into()),
            SlotPhase::Spawning | SlotPhase::Running { .. } | SlotPhase::Over => return None,
        };
        live.stage = Stage::Over;
        Some((live.of, result))
    }

    /// Its end was taken in: the next one may begin.
    pub(crate) fn hook_over(&mut self, name: &HookId, run: u64) {
        let state = self.hooks.slots.get_mut(name);
        let ended = state.and_then(|state| {
            let live = state.live.take_if(|live| live.run == run)?;
            Some((live.of, state.next.take(), state.is_forgotten))
        });
        let of = ended.as_ref().map_or(RunId::default(), |(of, ..)| *of);
        self.keeper.send(&ToKeeper::Acknowledge { slot: name.to_string(), run, memo: hook_memo(of) });
        match ended {
            Some((_, Some(next), _)) => self.begin_hook(name.clone(), next),
            Some((_, None, true)) => self.forget_hook(name),
            Some((_, None, false)) | None => {}
        }
    }

    /// Nobody waits for it, or for one that waits to begin, any more.
    pub(super) fn end_hook(&mut self, name: &HookId, of: RunId) {
        let Some(state) = self.hooks.slots.get_mut(name) else { return };
        if state.next.take_if(|next| next.of == of).is_some() {
            let (wakes, name) = (self.wakes.clone(), name.clone());
            tokio::spawn(async move {
                let text = "was killed before it began".to_owned();
                // A closed channel is a daemon that ends.
                let _ = wakes.send(Wake::HookNotMade { name, of, text }).await;
            });
            return;
        }
        self.kill_live(name, of);
    }

    fn kill_live(&mut self, name: &HookId, of: RunId) {
        let live = self.hooks.slots.get_mut(name).and_then(|state| state.live.as_mut());
        let Some(live) = live.filter(|live| live.of == of) else { return };
        let is_first = !std::mem::replace(&mut live.was_killed, true);
        if is_first && matches!(live.stage, Stage::Made) {
            self.keeper.send(&ToKeeper::Signal {
                slot: name.to_string(),
                run: live.run,
                signal: Signal::KILL.number(),
                scope: Scope::Everything,
            });
        }
    }

    /// The service is no more.
    pub(crate) fn forget_hooks(&mut self, id: &ServiceId) {
        let names: Vec<HookId> = self.hooks.slots.keys().filter(|name| name.id == *id).cloned().collect();
        for name in names {
            let Some(state) = self.hooks.slots.get_mut(&name) else { continue };
            state.next = None;
            match &state.live {
                None => self.forget_hook(&name),
                Some(live) => {
                    let of = live.of;
                    state.is_forgotten = true;
                    self.kill_live(&name, of);
                }
            }
        }
    }

    fn forget_hook(&mut self, name: &HookId) {
        self.hooks.slots.remove(name);
        self.keeper.send(&ToKeeper::Forget { slot: name.to_string() });
    }
}

impl Live {
    fn result(&self, exit: Exit) -> Result<(), String> {
        match exit {
            Exit::Code(0) => Ok(()),
            Exit::Code(code) => Err(format!("exited with {code}")),
            Exit::Signal(signal) => {
                let late =
                    self.limit.filter(|limit| self.was_killed && clock::now().since(self.began) >= *limit);
                let after = late.map(|limit| format!(" after {}", span_text(limit))).unwrap_or_default();
                Err(format!("was ended by signal {signal}{after}"))
            }
            Exit::Unknown => Err("is gone, and nobody saw how it ended".to_owned()),
        }
    }
}

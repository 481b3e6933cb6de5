//! What is asked, and who may: the methods that every service has, and the way to its own. It knows no line and no socket.

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Instant};

use mainstay_config::nearest;
use mainstay_wire::{
    CALLS_VERSION, CallError, CallErrorCode, CallHealth, CallRequest, CallStats, CallStatus, MethodsView,
    SettingView,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot, watch};

use super::{
    CALLS_LIMIT, CallSet, built_in,
    method::{Arguments, Callee, Method},
    rights::{Caller, Owners, Rights},
    seats::Seats,
    tap::{Tap, Told},
};
use crate::{
    Error, Explained,
    called::Called,
    controller::Order,
    monitor::Status,
    panics::guarded,
    visit::{Visit, Within},
};

/// How long the last answers have to be written.
const CLOSING: std::time::Duration = std::time::Duration::from_millis(500);

/// Where calls are answered.
pub(super) struct Desk {
    called: Called,
    methods: Vec<&'static Method>,
    pub(super) tap: Arc<Tap>,
    pub(super) owners: Owners,
    pub(super) seats: Rc<Seats>,
    /// For methods of the service's own.
    under_way: Arc<Semaphore>,
    begun: Instant,
    is_closing: watch::Sender<bool>,
}

/// The outcome of a call, and what is to be done once its caller has been told.
pub(super) struct Done {
    pub(super) outcome: Result<Value, CallError>,
    pub(super) then: Option<Order>,
}

type Outcome = Result<Value, CallError>;

impl Desk {
    pub(super) fn new(called: Called, tap: Arc<Tap>, owners: Owners) -> Self {
        Self {
            methods: CallSet::of(called.maker.service),
            called,
            tap,
            owners,
            seats: Rc::default(),
            under_way: Arc::new(Semaphore::new(CALLS_LIMIT)),
            begun: Instant::now(),
            is_closing: watch::Sender::new(false),
        }
    }

    /// Answers a request of this caller.
    pub(super) async fn answer(&self, request: CallRequest, caller: Caller) -> Done {
        self.tap.counts.calls.add();
        let changes = self.changes(&request.method);
        let done = match caller.rights {
            Rights::Read if changes => Done::of(Err(self.not_permitted(&request.method, caller))),
            Rights::All | Rights::Read => {
                if changes {
                    let pid = caller.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
                    tracing::info!("called by uid {} pid {pid}: {}", caller.uid, request.method);
                }
                self.permitted(request).await
            }
        };
        if done.outcome.is_err() {
            self.tap.counts.failed_calls.add();
        }
        done
    }

    /// Whether a method may change something; of one that there is not nobody needs a right to learn that.
    fn changes(&self, name: &str) -> bool {
        let own = self.own(name).map(|method| method.changes);
        own.or_else(|| built_in::find(name).map(|one| one.changes)).unwrap_or_default()
    }

    fn own(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.name == name).copied()
    }

    fn not_permitted(&self, method: &str, caller: Caller) -> CallError {
        let group = match self.owners.group() {
            Some(_) => ", and members of its group,",
            None => "",
        };
        let text = format!(
            "only the service's own user, root{group} may call `{method}`, and this is user {}",
            caller.uid
        );
        CallError::new(CallErrorCode::NotPermitted, text)
    }

    async fn permitted(&self, request: CallRequest) -> Done {
        let CallRequest { method, args, .. } = request;
        if let Some(method) = self.own(&method) {
            return Done::of(self.call(method, args).await);
        }
        let none = |args: BTreeMap<String, Value>| Arguments::new(args).finish();
        let order = |order: Order| Done { outcome: Ok(Value::Null), then: Some(order) };
        let outcome = match &*method {
            "config.get" => self.config_get(args),
            "config.set" => match self.reads_settings().and_then(|()| self.config_set(args)) {
                Ok(outcome) => return Done { outcome: Ok(outcome), then: Some(Order::Reload) },
                Err(error) => Err(error),
            },
            _ => match (none(args), &*method) {
                (Err(error), name) if built_in::find(name).is_some() => Err(error),
                (_, "methods") => json(&self.all_methods()),
                (_, "status") => json(&self.status()),
                (_, "health") => json(&self.health()),
                (_, "stats") => json(&self.stats()),
                (_, "reload") => match self.reads_settings() {
                    Ok(()) => return order(Order::Reload),
                    Err(error) => Err(error),
                },
                (_, "restart") => return order(Order::Restart),
                (_, "stop") => return order(Order::Stop),
                (_, "trigger") => self.trigger().await,
                (_, name) => Err(self.unknown(name)),
            },
        };
        Done::of(outcome)
    }

    fn unknown(&self, name: &str) -> CallError {
        let own = self.methods.iter().map(|method| method.name);
        let all = own.chain(built_in::ALL.iter().map(|one| one.name));
        let text = match nearest(name, all) {
            Some(near) => format!("there is no method `{name}`; did you mean `{near}`?"),
            None => format!("there is no method `{name}`; `methods` lists them"),
        };
        CallError::new(CallErrorCode::UnknownMethod, text)
    }

    /// Calls a method of the service's own.
    async fn call(&self, method: &'static Method, args: BTreeMap<String, Value>) -> Outcome {
        let Ok(permit) = Arc::clone(&self.under_way).acquire_owned().await else {
            return Err(not_running());
        };
        let (tell, told) = oneshot::channel::<Outcome>();
        let arguments = Arguments::new(args);
        let visit = match method.callee {
            Callee::WithService(act) => Visit::Within(Within::new(move |service, ctx| {
                Box::pin(async move {
                    // Who has gone meanwhile needs no answer.
                    let _ = tell.send(caught(act(service, ctx, arguments)).await);
                    drop(permit);
                })
            })),
            Callee::Beside(act) => Visit::Beside(Box::new(move |ctx| {
                let ctx = ctx.clone();
                tokio::task::spawn_local(async move {
                    if let Some(outcome) = ctx.until_stopped(caught(act(&ctx, arguments))).await {
                        let _ = tell.send(outcome);
                    }
                    drop(permit);
                });
            })),
        };
        self.order(Order::Visit(Box::new(visit))).await;
        told.await.unwrap_or_else(|_| Err(not_running()))
    }

    async fn trigger(&self) -> Outcome {
        if self.called.maker.kind != "periodic" {
            let text = format!("`{}` is no periodic service: it has no ticks", self.called.name);
            return Err(CallError::new(CallErrorCode::Failed, text));
        }
        let (tell, told) = oneshot::channel();
        let visit = Visit::Beside(Box::new(move |ctx| {
            ctx.trigger();
            let _ = tell.send(Value::Null);
        }));
        self.order(Order::Visit(Box::new(visit))).await;
        told.await.map_err(|_| not_running())
    }

    fn all_methods(&self) -> MethodsView {
        let built_in = built_in::ALL.iter().map(|one| one.view());
        let methods = self.methods.iter().map(|method| method.view()).chain(built_in).collect();
        MethodsView { version: CALLS_VERSION, methods }
    }

    fn status(&self) -> CallStatus {
        let told = self.tap.told();
        CallStatus {
            version: CALLS_VERSION,
            name: self.called.name.to_owned(),
            instance: self.called.instance.clone(),
            kind: self.called.maker.kind.to_owned(),
            pid: std::process::id(),
            status: self.word(&told).to_owned(),
            text: told.text,
            ready: told.is_ready,
            monitor: self.called.monitor.view(),
            uptime_ms: self.uptime(),
        }
    }

    fn health(&self) -> CallHealth {
        let told = self.tap.told();
        let status = self.word(&told);
        CallHealth {
            status: status.to_owned(),
            text: told.text,
            well: matches!(status, "ok" | "idle" | "busy"),
        }
    }

    /// The sum of its parts; of one that has not begun yet, what was told.
    fn word(&self, told: &Told) -> &'static str {
        match self.called.monitor.status() {
            Status::Unknown => told.status,
            status => status.as_str(),
        }
    }

    fn stats(&self) -> CallStats {
        let counts = &self.tap.counts;
        CallStats {
            uptime_ms: self.uptime(),
            restarts: counts.restarts.get(),
            ticks: counts.ticks.get(),
            failed_ticks: counts.failed_ticks.get(),
            calls: counts.calls.get(),
            failed_calls: counts.failed_calls.get(),
            connections: u64::try_from(self.seats.count()).unwrap_or(u64::MAX),
            memory_bytes: mainstay_host::process_usage(std::process::id()).map(|usage| usage.resident_bytes),
        }
    }

    fn uptime(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn config_get(&self, args: BTreeMap<String, Value>) -> Outcome {
        let mut arguments = Arguments::new(args);
        let name = arguments.take::<Option<String>>("name");
        arguments.finish()?;
        let told = self.tap.told();
        let Some(name) = name.flatten() else { return json(&views(&told.settings)) };
        match told.settings.iter().find(|one| one.name == name) {
            Some(one) => json(&view(one)),
            None => {
                let text = format!("`{}` has no setting `{name}`", self.called.name);
                Err(CallError::new(CallErrorCode::BadArguments, text))
            }
        }
    }

    /// Whether it hears of another configuration.
    fn reads_settings(&self) -> Result<(), CallError> {
        if self.called.maker.is_single_shot {
            let text = format!("`{}` is done once: it has read its configuration", self.called.name);
            return Err(CallError::new(CallErrorCode::Failed, text));
        }
        if self.tap.told().is_ready { Ok(()) } else { Err(not_running()) }
    }

    fn config_set(&self, args: BTreeMap<String, Value>) -> Outcome {
        let bad = |text: String| CallError::new(CallErrorCode::BadArguments, text);
        if args.is_empty() {
            return Err(bad("say which setting, and its value: {\"interval\": \"1h\"}".to_owned()));
        }
        let names: Vec<String> = args.keys().cloned().collect();
        let mut changes = BTreeMap::new();
        for (name, value) in args {
            let value = match value {
                Value::Null => None,
                value => Some(
                    toml::Value::try_from(&value)
                        .map_err(|error| bad(format!("`{name}` cannot have such a value: {error}")))?,
                ),
            };
            changes.insert(name, value);
        }
        let explained = self.called.inputs.change(changes, self.called.maker.read).map_err(|problems| {
            bad(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        json(&views(explained.iter().filter(|one| names.iter().any(|name| name == one.name))))
    }

    /// Gives the service an order.
    pub(super) async fn order(&self, order: Order) {
        // A closed queue: it has ended.
        let _ = self.called.orders.send(order).await;
    }

    /// Returns when nothing more is to be read.
    pub(super) async fn closing(&self) {
        // The sender lives as long as we do.
        let _ = self.is_closing.subscribe().wait_for(|is| *is).await;
    }

    /// Nothing more is read, and the last answers are written.
    pub(super) async fn close(&self) {
        self.is_closing.send_replace(true);
        // Who does not read them now does not get them.
        let _ = tokio::time::timeout(CLOSING, self.seats.empty()).await;
    }
}

impl Done {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, then: None }
    }
}

/// A panic in it is an error of the call, and nothing more.
async fn caught(call: super::Answering<'_>) -> Outcome {
    let outcome = guarded(async { Ok::<_, Error>(call.await) }).await;
    outcome.unwrap_or_else(|error| Err(CallError::new(CallErrorCode::Failed, error.to_string())))
}

fn not_running() -> CallError {
    CallError::new(CallErrorCode::NotRunning, "the service is starting or ending")
}

fn views<'a>(settings: impl IntoIterator<Item = &'a Explained>) -> Vec<SettingView> {
    settings.into_iter().map(view).collect()
}

fn view(one: &Explained) -> SettingView {
    SettingView {
        name: one.name.to_owned(),
        value: one.value.clone(),
        origin: one.origin.to_string(),
        overridden: one.overridden.iter().map(ToString::to_string).collect(),
    }
}

fn json(value: &impl Serialize) -> Outcome {
    serde_json::to_value(value).map_err(|error| CallError::new(CallErrorCode::Failed, error.to_string()))
}

//! What a running service knows of the world around it, and how it speaks to it. It may be cloned and sent to other threads.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use crate::{
    Error, Explained, Result,
    body::AnyConfig,
    controller::{Note, Order, Outlet, id_of},
    hosting::{Hosted, Surroundings},
    listen::Listener,
    monitor::{Monitor, Status},
    panics::guarded,
};

/// Most tasks that a service has at once.
const TASKS_LIMIT: usize = 100_000;

/// A running service's view of the world.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    name: &'static str,
    instance: String,
    /// Whether it is to go on.
    running: AtomicBool,
    /// It is not any more.
    stopped: Notify,
    trigger: Notify,
    orders: mpsc::Sender<Order>,
    outlet: Arc<dyn Outlet>,
    monitor: Monitor,
    surroundings: Arc<Surroundings>,
    explained: Vec<Explained>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    config: Mutex<Offer>,
    offered: Notify,
    shared: Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// Where a changed configuration waits for a body that asks.
#[derive(Default)]
enum Offer {
    /// It has never asked.
    #[default]
    Unwanted,
    /// It asks, or has asked.
    Wanted(Option<AnyConfig>),
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context of {}", self.id())
    }
}

impl Context {
    pub(crate) fn new(
        name: &'static str,
        instance: String,
        explained: Vec<Explained>,
        orders: mpsc::Sender<Order>,
        outlet: Arc<dyn Outlet>,
        monitor: Monitor,
        surroundings: Arc<Surroundings>,
    ) -> Self {
        Self(Arc::new(Inner {
            name,
            instance,
            running: AtomicBool::new(true),
            stopped: Notify::new(),
            trigger: Notify::new(),
            orders,
            outlet,
            monitor,
            surroundings,
            explained,
            tasks: Mutex::default(),
            config: Mutex::default(),
            offered: Notify::new(),
            shared: Mutex::default(),
        }))
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        self.0.name
    }

    /// Which instance of it this is; `1` when there is one.
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// Name and instance, as they are shown: `worker@2`, and the name alone for instance 1.
    pub fn id(&self) -> String {
        id_of(self.0.name, &self.0.instance)
    }

    /// How the service is: the root of its monitors.
    ///
    /// ```
    /// # use mainstay::prelude::*;
    /// fn look(ctx: &Context, free: u64) {
    ///     match free {
    ///         0..1_000 => ctx.monitor().child("disk").set(Status::Warning, format!("{free} blocks are left")),
    ///         _ => ctx.monitor().child("disk").set(Status::Ok, ""),
    ///     }
    /// }
    /// ```
    pub fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    /// What it is called by who launched it, `launcher.runner`; `None` when nobody gave it such a name.
    ///
    /// ```
    /// # use mainstay::Context;
    /// fn greeting(ctx: &Context) -> String {
    ///     format!("this is {}", ctx.runner_id().unwrap_or(ctx.name()))
    /// }
    /// ```
    pub fn runner_id(&self) -> Option<&str> {
        self.0.surroundings.runner_id.as_deref()
    }

    /// The sockets that somebody opened for this process before it began (`LISTEN_FDS`), in their order. The services of one
    /// process share them.
    pub fn listeners(&self) -> &[Listener] {
        &self.0.surroundings.listeners
    }

    /// Each setting's value and where it came from.
    pub fn settings(&self) -> &[Explained] {
        &self.0.explained
    }

    /// Whether it is to go on; false from the moment at which it is asked to stop.
    pub fn is_running(&self) -> bool {
        self.0.running.load(Ordering::SeqCst)
    }

    /// Waits until it is asked to stop.
    pub async fn stopped(&self) {
        let mut stopped = std::pin::pin!(self.0.stopped.notified());
        // It counts from here on: a stop between the look and the wait is not missed.
        stopped.as_mut().enable();
        if self.is_running() {
            stopped.await;
        }
    }

    /// Waits for this time, or until it is asked to stop; whether the time has passed.
    pub async fn sleep(&self, span: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => false,
            () = tokio::time::sleep(span) => true,
        }
    }

    /// Does this unless it is asked to stop meanwhile: then `None`, and what was not done is dropped.
    pub async fn until_stopped<T>(&self, act: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stopped() => None,
            done = act => Some(done),
        }
    }

    /// Does this beside the service. When it fails or panics, the service ends with that error. When the service ends, it has
    /// the rest of the stop's time to end as well, and is dropped then.
    ///
    /// To be called on the service's own thread; it fails on others.
    pub fn spawn(&self, what: &str, task: impl Future<Output = Result> + 'static) {
        let (ctx, what) = (self.clone(), what.to_owned());
        let mut tasks = locked(&self.0.tasks);
        tasks.retain(|task| !task.is_finished());
        if tasks.len() >= TASKS_LIMIT {
            let error = Error::new(format!(
                "{TASKS_LIMIT} tasks are running, and no more can be: `{what}` is not begun"
            ));
            return self.order(Order::Fail(error));
        }
        let host = self.0.surroundings.host.clone();
        tasks.push(tokio::task::spawn_local(Hosted::new(host, async move {
            if let Err(error) = guarded(task).await {
                ctx.order(Order::Fail(error.while_doing(what)));
            }
        })));
    }

    /// Does on another thread what would hold up this one.
    ///
    /// # Errors
    /// What `work` fails with; a panic in it is an error too.
    pub async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let span = self.0.surroundings.host.as_ref().map(|host| host.span.clone());
        let work = move || match span {
            Some(span) => span.in_scope(work),
            None => work(),
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(error.into()),
        }
    }

    /// Tells people what it does at the moment, in a few words.
    pub fn say(&self, words: &str) {
        self.0.outlet.status(words);
    }

    /// Keeps something for whoever has this context: for [calls](crate::calls) without `self`, say. There is one of each type,
    /// until the service is made anew.
    ///
    /// ```
    /// # use mainstay::prelude::*;
    /// # use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// # fn example(ctx: &Context) -> Result {
    /// ctx.share(Arc::new(AtomicU64::new(0)));
    /// ctx.shared::<AtomicU64>()?.fetch_add(1, Ordering::Relaxed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn share<T: Send + Sync + 'static>(&self, what: Arc<T>) {
        locked(&self.0.shared).insert(TypeId::of::<T>(), what);
    }

    /// What was [shared](Context::share).
    ///
    /// # Errors
    /// Nothing of this type was.
    pub fn shared<T: Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        let found = locked(&self.0.shared).get(&TypeId::of::<T>()).cloned();
        let right = found.and_then(|found| found.downcast().ok());
        right.ok_or_else(|| {
            let name = std::any::type_name::<T>();
            Error::new(format!("no `{name}` is shared: `ctx.share(Arc::new(…))` does that"))
        })
    }

    /// Tells whoever has subscribed to this service's events (`mainstay call NAME --events`) that something happened. When
    /// nobody has, this costs nothing. What cannot be written as JSON, or is longer than 64 KiB, is logged instead.
    ///
    /// ```
    /// # use mainstay::prelude::*;
    /// # fn example(ctx: &Context) {
    /// ctx.emit("greeted", &"Ada");
    /// # }
    /// ```
    #[cfg(feature = "calls")]
    pub fn emit<T: serde::Serialize + ?Sized>(&self, event: &str, data: &T) {
        self.0.outlet.event(event, &|| serde_json::to_value(data));
    }

    /// Asks for the next tick of a [`Periodic`](crate::Periodic) service now. Asked several times before it begins, it comes
    /// once.
    pub fn trigger(&self) {
        self.0.trigger.notify_one();
    }

    /// Asks this very service to stop.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Asks for this service to be stopped, made anew and started, in the same process.
    pub fn restart(&self) {
        self.order(Order::Restart);
    }

    /// Waits for a changed configuration. Who has asked once is not restarted for one any more: it is to ask again.
    ///
    /// # Errors
    /// `C` is not the configuration of this service.
    pub async fn next_config<C: crate::ServiceConfig>(&self) -> Result<C> {
        loop {
            let offered = self.0.offered.notified();
            if let Some(config) = self.take_config() {
                let config: Box<dyn Any> = config;
                let right = config.downcast::<C>();
                self.reloaded();
                return right
                    .map(|config| *config)
                    .map_err(|_| Error::new("this is not the configuration of this service"));
            }
            offered.await;
        }
    }

    fn take_config(&self) -> Option<AnyConfig> {
        let mut offer = locked(&self.0.config);
        match &mut *offer {
            Offer::Wanted(config) => config.take(),
            Offer::Unwanted => {
                *offer = Offer::Wanted(None);
                None
            }
        }
    }

    /// Lets the body have a new configuration if it ever asked; gives it back otherwise.
    pub(crate) fn offer_config(&self, config: AnyConfig) -> std::result::Result<(), AnyConfig> {
        match &mut *locked(&self.0.config) {
            Offer::Wanted(place) => *place = Some(config),
            Offer::Unwanted => return Err(config),
        }
        self.0.offered.notify_waiters();
        Ok(())
    }

    pub(crate) fn reloaded(&self) {
        self.0.outlet.ready("running");
    }

    pub(crate) fn went_well(&self) {
        self.0.monitor.set_stage(Status::Ok, "");
        self.0.outlet.note(Note::Ticked { well: true });
        self.0.outlet.status("running");
    }

    pub(crate) fn went_wrong(&self, error: &Error) {
        tracing::error!("{error}");
        self.0.monitor.set_stage(Status::Error, &error.to_string());
        self.0.outlet.note(Note::Ticked { well: false });
        self.0.outlet.status(&error.to_string());
    }

    /// From now on it is to stop.
    pub(crate) fn end(&self) {
        self.0.running.store(false, Ordering::SeqCst);
        self.0.stopped.notify_waiters();
    }

    pub(crate) async fn triggered(&self) {
        self.0.trigger.notified().await;
    }

    pub(crate) fn order(&self, order: Order) {
        // A full queue means that as much is to come already; a closed one that all is over.
        let _ = self.0.orders.try_send(order);
    }

    /// Waits for the tasks.
    pub(crate) async fn tasks_ended(&self) {
        let tasks = std::mem::take(&mut *locked(&self.0.tasks));
        for task in tasks {
            // It tells by itself how it ended.
            let _ = task.await;
        }
    }

    /// Drops what has not ended.
    pub(crate) fn abort_tasks(&self) {
        for task in locked(&self.0.tasks).drain(..) {
            task.abort();
        }
    }
}

/// A lock that a panic cannot close for ever: what it guards is whole at each moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

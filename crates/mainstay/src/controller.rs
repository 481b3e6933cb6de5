//! One service's life in its process: its configuration is read, it is made, started, watched and stopped, and whatever becomes
//! of it is told. It knows no signal, no terminal and no other service.

use std::{future::Future, sync::Arc, task::Poll, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use crate::{
    Context, Ending, Error, Registration,
    body::{AnyConfig, Body, Job, Lived},
    guard::Guard,
    hosting::Surroundings,
    monitor::{Messenger, Monitor, Reporter, Status},
    panics::{guarded, guarded_call},
    settings::{ConfigProblem, Explained},
    visit::Visit,
};

/// Orders that may wait; more mean nothing new.
pub(crate) const ORDERS_LIMIT: usize = 64;

/// What a service is asked from outside, or by itself.
#[derive(Debug)]
pub(crate) enum Order {
    /// End.
    Stop,
    /// End, be made anew, start.
    Restart,
    /// Read the configuration again.
    Reload,
    /// A task of its own has failed.
    Fail(Error),
    /// Let this be done with it.
    Visit(Box<Visit>),
}

/// What happened to a service, beside what a supervisor is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note<'a> {
    /// This is its configuration from now on.
    Configured(&'a [Explained]),
    /// A tick has ended.
    Ticked {
        /// Whether it went well.
        well: bool,
    },
    /// It is made anew, in the same process.
    Anew,
}

/// Where what becomes of a service is told.
pub(crate) trait Outlet: Send + Sync {
    /// It is ready, for the first time or after a reload.
    fn ready(&self, words: &str);
    /// It reads its configuration anew.
    fn reloading(&self);
    /// It is going to end.
    fn stopping(&self, words: &str);
    /// What it does, in words.
    fn status(&self, words: &str);
    /// Something happened to it.
    fn note(&self, _note: Note<'_>) {}
    /// It tells whoever listens of something; what belongs to that is only made when somebody does.
    fn event(&self, _name: &str, _data: &dyn Fn() -> serde_json::Result<serde_json::Value>) {}
}

/// Reads the layers of a configuration anew.
pub(crate) type ReadConfig = Box<dyn Fn() -> Result<(AnyConfig, Vec<Explained>), Vec<ConfigProblem>>>;

/// Everything that a service's life needs.
pub(crate) struct Life {
    pub(crate) registration: Registration,
    /// As it is known outside.
    pub(crate) name: &'static str,
    pub(crate) instance: String,
    pub(crate) read: ReadConfig,
    pub(crate) limits: TimeLimits,
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) guard: Arc<Guard>,
    /// How it is,
    pub(crate) monitor: Monitor,
    /// and who is told.
    pub(crate) messengers: Vec<Box<dyn Messenger>>,
    pub(crate) surroundings: Arc<Surroundings>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    pub(crate) start: Duration,
    pub(crate) stop: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { start: Duration::from_secs(60), stop: Duration::from_secs(9) }
    }
}

impl TimeLimits {
    /// What its attribute says.
    pub(crate) fn of(registration: &Registration) -> Result<Self, String> {
        let usual = Self::default();
        let read = |text: Option<&str>, usual: Duration| match text {
            Some(text) => mainstay_config::duration(text)
                .map_err(|fault| format!("{}: {}; {}", registration.name(), fault.message, fault.help)),
            None => Ok(usual),
        };
        let start = read(registration.start_timeout, usual.start)?;
        Ok(Self { start, stop: read(registration.stop_timeout, usual.stop)? })
    }
}

/// How one making of it ended.
enum Round {
    Over,
    Again,
}

/// Name and instance, as they are shown.
pub(crate) fn id_of(name: &str, instance: &str) -> String {
    match instance {
        "1" => name.to_owned(),
        instance => format!("{name}@{instance}"),
    }
}

/// A place for orders, and where they arrive.
pub(crate) fn orders() -> (mpsc::Sender<Order>, mpsc::Receiver<Order>) {
    mpsc::channel(ORDERS_LIMIT)
}

impl Life {
    /// Lives it, to its end, and tells how it is. Both are on the heap: one within the other, each would have its room twice.
    pub(crate) fn run(
        mut self,
        send: mpsc::Sender<Order>,
        orders: mpsc::Receiver<Order>,
    ) -> impl Future<Output = Ending> {
        let messengers = std::mem::take(&mut self.messengers);
        let mut reporting = Box::pin(Reporter::new(self.monitor.clone(), messengers).run());
        let mut life = Box::pin(self.live_to_end(send, orders));
        std::future::poll_fn(move |task| {
            if let Poll::Ready(ending) = life.as_mut().poll(task) {
                return Poll::Ready(ending);
            }
            reporting.as_mut().poll(task).map(|never| match never {})
        })
    }

    async fn live_to_end(self, send: mpsc::Sender<Order>, mut orders: mpsc::Receiver<Order>) -> Ending {
        loop {
            let read = (self.read)();
            let (config, explained) = match read {
                Ok(read) => read,
                Err(problems) => return self.misconfigured(&problems),
            };
            self.outlet.note(Note::Configured(&explained));
            let ctx = Context::new(
                self.name,
                self.instance.clone(),
                explained,
                send.clone(),
                Arc::clone(&self.outlet),
                self.monitor.clone(),
                Arc::clone(&self.surroundings),
            );
            let _tasks = Dropped(&ctx);
            match self.round(config, &ctx, &mut orders).await {
                Ok(Round::Over) => return Ending::Done,
                Ok(Round::Again) => {
                    tracing::info!("it is made anew");
                    self.outlet.note(Note::Anew);
                }
                Err(Failure { ending, error }) => {
                    tracing::error!("{error}");
                    self.monitor.set_stage(Status::Failed, &error.to_string());
                    self.outlet.stopping(&error.to_string());
                    return ending;
                }
            }
        }
    }

    fn misconfigured(&self, problems: &[ConfigProblem]) -> Ending {
        for problem in problems {
            tracing::error!("{problem}");
        }
        self.monitor.set_stage(Status::Failed, "the configuration is wrong");
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        self.outlet.stopping(&format!("the configuration is wrong: {first}"));
        Ending::InvalidConfig
    }

    /// From made to stopped.
    async fn round(
        &self,
        config: AnyConfig,
        ctx: &Context,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Result<Round, Failure> {
        let maker = (self.registration.maker)();
        self.monitor.set_stage(Status::Startup, "");
        let guarding = self.guard.arm(self.limits.start, "its start has not ended, and it does not yield");
        let made = guarded_call(|| (maker.make)(config, ctx));
        let mut body = made.map_err(|error| Failure::from(error.while_doing("it cannot be made")))?;
        let started = self.in_time(self.limits.start, "start", body.start(ctx), orders, ctx).await;
        drop(guarding);
        match started {
            Ok(Begun::Yes) => {}
            Ok(Begun::Stopped) => {
                return self.stop(body.as_mut(), ctx).await.map(|()| Round::Over);
            }
            Err(failure) => {
                // What was begun is ended; how that goes is not what matters now.
                let _ = self.stop(body.as_mut(), ctx).await;
                return Err(failure);
            }
        }
        if !maker.is_single_shot {
            self.monitor.set_stage(Status::Ok, "");
            self.outlet.ready("running");
        }
        let lived = self.live(body.as_mut(), ctx, orders).await;
        ctx.end();
        let stopped = self.stop(body.as_mut(), ctx).await;
        let round = lived.and_then(|round| stopped.map(|()| round))?;
        if maker.is_single_shot {
            self.monitor.set_stage(Status::Ok, "");
            self.outlet.ready("done");
        }
        Ok(round)
    }

    /// Waits for a start, unless it takes too long or is not wanted any more.
    async fn in_time(
        &self,
        limit: Duration,
        what: &str,
        act: crate::body::Act<'_>,
        orders: &mut mpsc::Receiver<Order>,
        ctx: &Context,
    ) -> Result<Begun, Failure> {
        let mut act = std::pin::pin!(timeout(limit, guarded(act)));
        let mut begun = Begun::Yes;
        loop {
            tokio::select! {
                done = &mut act => return match done {
                    Ok(Ok(())) => Ok(begun),
                    Ok(Err(_)) if matches!(begun, Begun::Stopped) => Ok(begun),
                    Ok(Err(error)) => Err(error.into()),
                    Err(_) => Err(too_late(what, limit)),
                },
                Some(order) = orders.recv() => match order {
                    // It goes on until it looks, or its time is over.
                    Order::Stop => { begun = Begun::Stopped; ctx.end(); }
                    Order::Fail(error) => return Err(error.into()),
                    // Who waits for a visit learns that it was dropped.
                    Order::Restart | Order::Reload | Order::Visit(_) => {}
                },
            }
        }
    }

    /// Its life, with what it is asked meanwhile.
    async fn live(
        &self,
        body: &mut dyn Body,
        ctx: &Context,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Result<Round, Failure> {
        let (jobs, mut queue) = mpsc::channel(ORDERS_LIMIT);
        let mut life = std::pin::pin!(guarded(body.live(ctx, &mut queue)));
        let mut round = Round::Over;
        let mut failed = None;
        let mut patience: Option<tokio::time::Instant> = None;
        let mut guarding = None;
        loop {
            let late = async {
                match patience {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = &mut life => {
                    return match (failed, ended) {
                        (Some(error), _) | (None, Err(error)) => Err(Failure::from(error)),
                        (None, Ok(Lived::Again)) => Ok(Round::Again),
                        (None, Ok(Lived::Over)) => Ok(round),
                    };
                }
                () = late => return Err(too_late("stop", self.limits.stop)),
                Some(order) = orders.recv() => {
                    match order {
                        Order::Stop => { round = Round::Over; self.outlet.stopping("stopping"); }
                        Order::Restart => round = Round::Again,
                        Order::Fail(error) => failed = failed.or(Some(error)),
                        Order::Reload => { self.reload(&jobs); continue; }
                        Order::Visit(visit) => { receive(*visit, ctx, &jobs); continue; }
                    }
                    ctx.end();
                    patience = patience.or_else(|| Some(tokio::time::Instant::now() + self.limits.stop));
                    guarding = guarding.or_else(|| Some(self.guard.arm(self.limits.stop, "it was to stop, and does not yield")));
                }
            }
        }
    }

    /// Reads the configuration again, and hands it to the body; a wrong one changes nothing.
    fn reload(&self, jobs: &mpsc::Sender<Box<Job>>) {
        self.outlet.reloading();
        match (self.read)() {
            Ok((config, explained)) => {
                self.outlet.note(Note::Configured(&explained));
                // When as many wait already, the latest is among them or will be asked for.
                if jobs.try_send(Box::new(Job::Configure(config))).is_err() {
                    self.outlet.ready("running");
                }
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("the configuration is kept as it was: {problem}");
                }
                self.outlet.ready("running, with the configuration of before: the new one is wrong");
            }
        }
    }

    /// Ends what it began, in time.
    async fn stop(&self, body: &mut dyn Body, ctx: &Context) -> Result<(), Failure> {
        ctx.end();
        self.monitor.set_stage(Status::Shutdown, "");
        let limit = self.limits.stop;
        let _guarding = self.guard.arm(limit, "its stop has not ended, and it does not yield");
        let whole = async {
            let stopped = guarded(body.stop(ctx)).await;
            ctx.tasks_ended().await;
            stopped
        };
        let ended = timeout(limit, whole).await;
        ctx.abort_tasks();
        match ended {
            Ok(stopped) => stopped.map_err(|error| Failure::from(error.while_doing("its stop failed"))),
            Err(_) => Err(too_late("stop", limit)),
        }
    }
}

/// When the whole life is dropped, its tasks are as well.
struct Dropped<'a>(&'a Context);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.0.abort_tasks();
    }
}

/// Lets something be done with a service that lives.
fn receive(visit: Visit, ctx: &Context, jobs: &mpsc::Sender<Box<Job>>) {
    match visit {
        Visit::Beside(act) => act(ctx),
        Visit::Within(visit) => {
            // Those that wait are fewer than there is room for; one that is to end has no moment for another.
            let _ = if ctx.is_running() { jobs.try_send(Box::new(Job::Visit(visit))) } else { Ok(()) };
        }
    }
}

/// Whether a start went to its end because it was wanted.
enum Begun {
    Yes,
    Stopped,
}

/// Why it ends, and how.
struct Failure {
    ending: Ending,
    error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { ending: Ending::Failed, error }
    }
}

fn too_late(what: &str, limit: Duration) -> Failure {
    let error =
        Error::new(format!("its {what} has not ended within {}", mainstay_config::duration_text(limit)));
    Failure { ending: Ending::TimedOut, error }
}

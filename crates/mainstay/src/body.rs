//! What the controller holds of a service, whatever kind it is: begin, live, end. A file per kind would say little more than
//! the four impls here.

use std::{
    any::{Any, TypeId},
    future::Future,
    pin::Pin,
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use crate::{
    Blocking, Context, Error, Periodic, Permanent, Reload, Result, Service, ServiceConfig, SettingValues,
    SingleShot, visit::Within,
};

/// One act of a body.
pub(crate) type Act<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// A configuration without its type.
pub(crate) type AnyConfig = Box<dyn Any + Send>;

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lived {
    /// It was asked to end, or has done what it was for.
    Over,
    /// It is to be made anew, in the same process.
    Again,
}

/// What a body is asked to do while it lives.
#[derive(Debug)]
pub(crate) enum Job {
    /// Go on with this configuration.
    Configure(AnyConfig),
    /// Let this be done with the service.
    Visit(Within),
}

/// A service that has been made.
pub(crate) trait Body {
    /// It is ready once this is done.
    fn start<'a>(&'a mut self, ctx: &'a Context) -> Act<'a>;
    /// Until it is asked to stop, or ends by itself.
    fn live<'a>(&'a mut self, ctx: &'a Context, jobs: &'a mut mpsc::Receiver<Box<Job>>) -> Act<'a, Lived>;
    /// However `live` ended.
    fn stop<'a>(&'a mut self, ctx: &'a Context) -> Act<'a>;
}

/// How a service of some type is made.
#[derive(Clone, Copy)]
pub struct Maker {
    /// Reads its configuration; `None` when there are problems.
    pub(crate) read: fn(&mut SettingValues) -> Option<AnyConfig>,
    /// Makes it.
    pub(crate) make: fn(AnyConfig, &Context) -> Result<Box<dyn Body>>,
    /// Whether its life ends by itself.
    pub(crate) is_single_shot: bool,
    /// Its kind, in words.
    pub(crate) kind: &'static str,
    /// Its type.
    pub(crate) service: TypeId,
}

/// How a service of this type, with a body of this kind, is made.
pub(crate) fn maker<T: Service, B: Body + From<T> + Kind + 'static>() -> Maker {
    Maker {
        read: |values| T::Config::read(values).map(|config| Box::new(config) as AnyConfig),
        make: |config, ctx| {
            let made = T::make(taken::<T::Config>(config)?, ctx)?;
            Ok(Box::new(B::from(made)))
        },
        is_single_shot: B::IS_SINGLE_SHOT,
        kind: B::WORD,
        service: TypeId::of::<T>(),
    }
}

/// Puts another configuration into a service that lives; `changed` is what it says to that. One that keeps none is made anew.
async fn configure<T: Service>(
    service: &mut T,
    config: AnyConfig,
    changed: impl AsyncFnOnce(&mut T, T::Config) -> Result<Reload>,
) -> Result<Reload> {
    match service.replace_config(taken(config)?) {
        Some(old) => changed(service, old).await,
        None => Ok(Reload::Restart),
    }
}

/// What is known of a kind without a body.
pub(crate) trait Kind {
    /// Whether it ends by itself.
    const IS_SINGLE_SHOT: bool = false;
    /// In words.
    const WORD: &'static str;
}

fn taken<C: 'static>(config: AnyConfig) -> Result<C> {
    let right = config.downcast::<C>();
    right.map(|config| *config).map_err(|_| Error::new("the configuration is one of another service"))
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident: $kind:ident, $word:literal, single shot: $is:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name<T>(T);

        impl<T> From<T> for $name<T> {
            fn from(service: T) -> Self {
                Self(service)
            }
        }

        impl<T: $kind> Kind for $name<T> {
            const IS_SINGLE_SHOT: bool = $is;
            const WORD: &'static str = $word;
        }
    )*};
}

bodies! {
    /// Of [`Permanent`].
    PermanentBody: Permanent, "permanent", single shot: false;
    /// Of [`Blocking`].
    BlockingBody: Blocking, "blocking", single shot: false;
    /// Of [`SingleShot`].
    SingleShotBody: SingleShot, "single shot", single shot: true;
    /// Of [`Periodic`].
    PeriodicBody: Periodic, "periodic", single shot: false;
}

impl<T: Permanent> Body for PermanentBody<T> {
    fn start<'a>(&'a mut self, ctx: &'a Context) -> Act<'a> {
        Box::pin(self.0.start(ctx))
    }

    fn live<'a>(&'a mut self, ctx: &'a Context, jobs: &'a mut mpsc::Receiver<Box<Job>>) -> Act<'a, Lived> {
        Box::pin(async move {
            loop {
                tokio::select! {
                    biased;
                    () = ctx.stopped() => return Ok(Lived::Over),
                    Some(job) = jobs.recv() => match *job {
                        Job::Visit(visit) => visit.be_done(&mut self.0, ctx).await,
                        Job::Configure(config) => {
                            let changed = async |it: &mut T, old| it.on_config_changed(old, ctx).await;
                            if configure(&mut self.0, config, changed).await? == Reload::Restart {
                                return Ok(Lived::Again);
                            }
                            ctx.reloaded();
                        }
                    },
                }
            }
        })
    }

    fn stop<'a>(&'a mut self, ctx: &'a Context) -> Act<'a> {
        Box::pin(self.0.stop(ctx))
    }
}

impl<T: Blocking> Body for BlockingBody<T> {
    fn start<'a>(&'a mut self, ctx: &'a Context) -> Act<'a> {
        Box::pin(self.0.on_start(ctx))
    }

    fn live<'a>(&'a mut self, ctx: &'a Context, jobs: &'a mut mpsc::Receiver<Box<Job>>) -> Act<'a, Lived> {
        Box::pin(async move {
            let mut again = Lived::Over;
            let mut run = std::pin::pin!(self.0.run(ctx));
            loop {
                tokio::select! {
                    ended = &mut run => return ended.map(|()| again),
                    Some(job) = jobs.recv() => match *job {
                        // `run` holds the service: nobody else gets to it, and no call asks for that.
                        Job::Visit(visit) => drop(visit),
                        Job::Configure(config) => {
                            if let Err(config) = ctx.offer_config(config) {
                                drop(config);
                                again = Lived::Again;
                                ctx.end();
                            }
                        }
                    },
                }
            }
        })
    }

    fn stop<'a>(&'a mut self, ctx: &'a Context) -> Act<'a> {
        Box::pin(self.0.on_stop(ctx))
    }
}

impl<T: SingleShot> Body for SingleShotBody<T> {
    fn start<'a>(&'a mut self, _ctx: &'a Context) -> Act<'a> {
        Box::pin(async { Ok(()) })
    }

    fn live<'a>(&'a mut self, ctx: &'a Context, _jobs: &'a mut mpsc::Receiver<Box<Job>>) -> Act<'a, Lived> {
        Box::pin(async move { self.0.execute(ctx).await.map(|()| Lived::Over) })
    }

    fn stop<'a>(&'a mut self, _ctx: &'a Context) -> Act<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// Longer than this, no timer is set: only a trigger brings the next tick.
const LONGEST_INTERVAL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl<T: Periodic> PeriodicBody<T> {
    /// A tick that fails is told; the next one comes at its time.
    async fn tick(&mut self, ctx: &Context) {
        match self.0.tick(ctx).await {
            Ok(()) => ctx.went_well(),
            Err(error) => ctx.went_wrong(&error),
        }
    }

    /// The moment of the tick after one that began, or was due, at `last`.
    fn next_after(&self, last: Instant) -> Option<Instant> {
        let interval = self.0.interval();
        (interval <= LONGEST_INTERVAL).then(|| (last + interval).max(Instant::now()))
    }
}

impl<T: Periodic> Body for PeriodicBody<T> {
    fn start<'a>(&'a mut self, ctx: &'a Context) -> Act<'a> {
        Box::pin(self.0.on_start(ctx))
    }

    fn live<'a>(&'a mut self, ctx: &'a Context, jobs: &'a mut mpsc::Receiver<Box<Job>>) -> Act<'a, Lived> {
        Box::pin(async move {
            let begun = Instant::now();
            let mut next = if self.0.ticks_at_start() { Some(begun) } else { self.next_after(begun) };
            while ctx.is_running() {
                let due = async {
                    match next {
                        Some(at) => timeout_at(at, ctx.triggered()).await.unwrap_or(()),
                        None => ctx.triggered().await,
                    }
                };
                tokio::select! {
                    () = ctx.stopped() => break,
                    () = due => {
                        let begun = Instant::now();
                        self.tick(ctx).await;
                        next = self.next_after(begun);
                    }
                    Some(job) = jobs.recv() => match *job {
                        Job::Visit(visit) => visit.be_done(&mut self.0, ctx).await,
                        Job::Configure(config) => {
                            let changed = async |it: &mut T, old| it.on_config_changed(old, ctx).await;
                            if configure(&mut self.0, config, changed).await? == Reload::Restart {
                                return Ok(Lived::Again);
                            }
                            next = self.next_after(Instant::now());
                            ctx.reloaded();
                        }
                    },
                }
            }
            Ok(Lived::Over)
        })
    }

    fn stop<'a>(&'a mut self, ctx: &'a Context) -> Act<'a> {
        Box::pin(self.0.on_stop(ctx))
    }
}

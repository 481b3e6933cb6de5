//! The four kinds of services, a trait each. An `async fn` fits each of their functions.
//!
//! Their futures run on one thread, so they need not be `Send`; work that would hold up the thread belongs on another one
//! ([`Context::off_thread`](crate::Context::off_thread)).

use std::{future::Future, time::Duration};

use crate::{Context, Result, Service};

/// What follows when the configuration has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It goes on with the new one.
    Live,
    /// It is to be stopped, made anew and started, in the same process.
    Restart,
}

/// A service that is started and stopped, and lives in between by what it has begun: tasks, threads, listeners.
///
/// It is ready when `start` is done.
///
/// ```
/// use mainstay::prelude::*;
///
/// #[service]
/// struct Beacon;
///
/// impl Permanent for Beacon {
///     async fn start(&mut self, ctx: &Context) -> Result {
///         let it = ctx.clone();
///         ctx.spawn("blink", async move {
///             while it.sleep(Duration::from_secs(1)).await {
///                 info!("blink");
///             }
///             Ok(())
///         });
///         Ok(())
///     }
/// }
/// # fn main() {}
/// ```
pub trait Permanent: Service {
    /// Begins; it is ready once this is done.
    fn start(&mut self, ctx: &Context) -> impl Future<Output = Result>;

    /// Ends what `start` began. Tasks of [`Context::spawn`] end by themselves.
    fn stop(&mut self, _ctx: &Context) -> impl Future<Output = Result> {
        async { Ok(()) }
    }

    /// The configuration is another one from now on; `old` is the one before. Unless this says otherwise, the service is
    /// stopped and started again with it.
    fn on_config_changed(
        &mut self,
        _old: Self::Config,
        _ctx: &Context,
    ) -> impl Future<Output = Result<Reload>> {
        async { Ok(Reload::Restart) }
    }
}

/// A service whose life is one function: while `run` runs, it does. The smallest one is shown at the [top](crate).
pub trait Blocking: Service {
    /// What comes before `run`; it is ready once this is done.
    fn on_start(&mut self, _ctx: &Context) -> impl Future<Output = Result> {
        async { Ok(()) }
    }

    /// Its life. It is to return soon after [`Context::is_running`] has become false; whoever waits by [`Context::sleep`] or
    /// [`Context::stopped`] is woken then. When it returns sooner, the service has ended by itself.
    ///
    /// As it holds the service, a changed configuration restarts it, unless it has asked for changes by
    /// [`Context::next_config`].
    fn run(&mut self, ctx: &Context) -> impl Future<Output = Result>;

    /// What comes after `run`, however that ended.
    fn on_stop(&mut self, _ctx: &Context) -> impl Future<Output = Result> {
        async { Ok(()) }
    }
}

/// Something that is done once: a migration, an import.
///
/// ```
/// use mainstay::prelude::*;
///
/// #[service]
/// struct Migrate;
///
/// impl SingleShot for Migrate {
///     async fn execute(&mut self, _ctx: &Context) -> Result {
///         info!("nothing to migrate");
///         Ok(())
///     }
/// }
/// # fn main() {}
/// ```
pub trait SingleShot: Service {
    /// Does it.
    fn execute(&mut self, ctx: &Context) -> impl Future<Output = Result>;
}

/// Something that is done again and again: on an interval, or when [triggered](Context::trigger).
///
/// A `tick` that fails is told, and the next one comes at its time.
///
/// ```
/// use mainstay::prelude::*;
///
/// #[service]
/// struct Sync;
///
/// impl Periodic for Sync {
///     fn interval(&self) -> Duration {
///         Duration::from_secs(60)
///     }
///     async fn tick(&mut self, _ctx: &Context) -> Result {
///         info!("everything is up to date");
///         Ok(())
///     }
/// }
/// # fn main() {}
/// ```
pub trait Periodic: Service {
    /// The time from the beginning of one tick to that of the next. It is asked for anew before each. `Duration::MAX`: only
    /// when triggered.
    fn interval(&self) -> Duration;

    /// Whether the first tick comes at once, or after the first interval.
    fn ticks_at_start(&self) -> bool {
        true
    }

    /// What comes before the first tick; it is ready once this is done.
    fn on_start(&mut self, _ctx: &Context) -> impl Future<Output = Result> {
        async { Ok(()) }
    }

    /// Does it once. Two never overlap; one that takes longer than the interval is followed by the next at once, and what was
    /// missed is not made up for.
    fn tick(&mut self, ctx: &Context) -> impl Future<Output = Result>;

    /// What comes after the last tick.
    fn on_stop(&mut self, _ctx: &Context) -> impl Future<Output = Result> {
        async { Ok(()) }
    }

    /// As [`Permanent::on_config_changed`]; it comes between two ticks.
    fn on_config_changed(
        &mut self,
        _old: Self::Config,
        _ctx: &Context,
    ) -> impl Future<Output = Result<Reload>> {
        async { Ok(Reload::Restart) }
    }
}

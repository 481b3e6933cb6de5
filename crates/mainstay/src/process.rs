//! What a process has once: its signals, its log, its supervisor's ear, the guard, and the one thread on which services run.

use std::{future::Future, io, sync::Arc, thread};

use signal_hook::{
    consts::signal::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use tokio::{sync::mpsc, task::LocalSet};

use crate::{
    Ending,
    controller::{Order, Outlet},
    guard::{Armed, Guard},
    hosting::{RUNNER_ID_VARIABLE, Surroundings},
    listen::{self, Listener},
    log,
    notify::Notifier,
    panics,
};

/// What the services of this process share.
pub(crate) struct Process {
    pub(crate) guard: Arc<Guard>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) listeners: Arc<[Listener]>,
}

impl Process {
    /// To be called once, before anything else is opened.
    pub(crate) fn begin() -> io::Result<Self> {
        let notifier = Arc::new(Notifier::from_environment());
        let listeners = listen::from_environment();
        log::begin();
        panics::install_hook();
        Ok(Self { guard: Guard::begin()?, notifier, listeners })
    }

    /// What surrounds the one service of a process.
    pub(crate) fn surroundings(&self) -> Surroundings {
        let runner_id = std::env::var(RUNNER_ID_VARIABLE).ok().filter(|id| !id.is_empty());
        Surroundings {
            runner_id: runner_id.map(Arc::from),
            listeners: Arc::clone(&self.listeners),
            host: None,
        }
    }

    /// Runs this on the one thread, with what has to be done beside it.
    pub(crate) fn run(&self, life: impl Future<Output = Ending>) -> io::Result<Ending> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().enable_io().build()?;
        let local = LocalSet::new();
        let notifier = Arc::clone(&self.notifier);
        let ending = local.block_on(&runtime, async move {
            if let Some(interval) = notifier.alive_interval() {
                tokio::task::spawn_local(async move {
                    loop {
                        notifier.alive();
                        tokio::time::sleep(interval).await;
                    }
                });
            }
            life.await
        });
        // What still holds up another thread does not hold up the end.
        runtime.shutdown_background();
        Ok(ending)
    }

    /// Hands the signals over: INT and TERM stop, HUP reloads. A body that does not yield has its time as well.
    pub(crate) fn forward_signals(
        &self,
        orders: mpsc::Sender<Order>,
        patience: std::time::Duration,
    ) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let guard = Arc::clone(&self.guard);
        let watch = move || {
            let mut armed = None;
            for signal in signals.forever() {
                let order = if signal == SIGHUP { Order::Reload } else { Order::Stop };
                if matches!(order, Order::Stop) {
                    armed.get_or_insert_with(|| {
                        guard.arm(patience * 2, "it was asked to end, and does not yield")
                    });
                }
                // A full queue means that it is asked already.
                let _ = orders.try_send(order);
            }
        };
        thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024).spawn(watch)?;
        Ok(())
    }
}

/// What a launcher is asked by a signal.
#[derive(Debug)]
pub(crate) enum Asked {
    /// INT or TERM; whoever hears of it lets go of the deadline.
    End(Armed),
    /// HUP.
    Reload,
}

/// Signals that may wait; more mean nothing new.
const ASKED_LIMIT: usize = 16;

/// How long a loop may take to hear of a signal: longer means that one of its tasks does not yield.
const HEARING: std::time::Duration = std::time::Duration::from_secs(2);

impl Process {
    /// The signals, for a launcher.
    pub(crate) fn asked(&self) -> io::Result<mpsc::Receiver<Asked>> {
        let (send, asked) = mpsc::channel(ASKED_LIMIT);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let guard = Arc::clone(&self.guard);
        let watch = move || {
            for signal in signals.forever() {
                let asked = match signal {
                    SIGHUP => Asked::Reload,
                    _ => Asked::End(guard.arm(HEARING, "all was asked to end")),
                };
                // A full queue keeps its first deadline.
                let _ = send.try_send(asked);
            }
        };
        thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024).spawn(watch)?;
        Ok(asked)
    }
}

impl Outlet for Notifier {
    fn ready(&self, words: &str) {
        Self::ready(self, words);
    }

    fn reloading(&self) {
        Self::reloading(self);
    }

    fn stopping(&self, words: &str) {
        Self::stopping(self, words);
    }

    fn status(&self, words: &str) {
        Self::status(self, words);
    }
}

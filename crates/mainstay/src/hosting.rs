//! What surrounds a service in its process: who hosts it beside others, and what was handed on to it. It knows no service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Waker, Poll},
    time::Duration,
};

use tracing::Span;

use crate::{guard::Guard, listen::Listener};

/// The variable by which a launcher tells a process that it made what it is called there.
pub(crate) const RUNNER_ID_VARIABLE: &str = "MAINSTAY_RUNNER_ID";

/// What surrounds a service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// What it is called by who launched it: `launcher.runner`.
    pub(crate) runner_id: Option<Arc<str>>,
    /// Sockets that were opened for this process.
    pub(crate) listeners: Arc<[Listener]>,
    /// That it shares its thread with others.
    pub(crate) host: Option<Host>,
}

/// Who hosts it.
#[derive(Clone)]
pub(crate) struct Host {
    /// Its id, as it is shown.
    pub(crate) id: &'static str,
    /// In its log lines.
    pub(crate) span: Span,
    pub(crate) guard: Arc<Guard>,
    /// How long it may keep the thread.
    pub(crate) limit: Duration,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host of {}", self.id)
    }
}

/// A part of a hosted service: its log lines carry the id, and the guard knows whose turn it is.
pub(crate) struct Hosted<T> {
    host: Option<Host>,
    act: Pin<Box<dyn Future<Output = T>>>,
}

impl<T> Hosted<T> {
    pub(crate) fn new(host: Option<Host>, act: impl Future<Output = T> + 'static) -> Self {
        Self { host, act: Box::pin(act) }
    }
}

impl<T> Future for Hosted<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<T> {
        let this = &mut *self;
        let Some(host) = &this.host else { return this.act.as_mut().poll(waker) };
        let _inside = host.span.enter();
        let _turn = Turn::begin(host);
        this.act.as_mut().poll(waker)
    }
}

/// Given back also by a panic.
struct Turn<'a>(&'a Guard);

impl<'a> Turn<'a> {
    fn begin(host: &'a Host) -> Self {
        host.guard.begin_turn(host.id, host.limit);
        Self(&host.guard)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.end_turn();
    }
}

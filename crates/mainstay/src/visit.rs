//! What is done with a service from outside while it lives: with its context alone, or with the service itself when its body
//! has a moment for it. One that never comes about is dropped, by which whoever waits for it learns that.

use std::{any::Any, fmt, future::Future, pin::Pin};

use crate::Context;

/// Something done with a service.
pub(crate) type Doing<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What is to be done.
pub(crate) enum Visit {
    /// With its context, at once.
    Beside(Box<dyn FnOnce(&Context) + Send>),
    /// With itself.
    Within(Within),
}

/// What is to be done with the service itself.
pub(crate) struct Within(Box<Act>);

type Act = dyn for<'a> FnOnce(&'a mut dyn Any, &'a Context) -> Doing<'a> + Send;

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beside(_) => f.write_str("Beside"),
            Self::Within(_) => f.write_str("Within"),
        }
    }
}

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Within")
    }
}

impl Within {
    pub(crate) fn new(
        act: impl for<'a> FnOnce(&'a mut dyn Any, &'a Context) -> Doing<'a> + Send + 'static,
    ) -> Self {
        Self(Box::new(act))
    }

    /// Does it, unless the service is asked to stop meanwhile.
    pub(crate) async fn be_done(self, service: &mut dyn Any, ctx: &Context) {
        tokio::select! {
            biased;
            () = (self.0)(service, ctx) => {}
            () = ctx.stopped() => {}
        }
    }
}

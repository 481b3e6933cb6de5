//! Calls in a program that is built without them: there are none.

use std::{future::Future, rc::Rc, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    Registration,
    body::Maker,
    controller::{Order, Outlet},
    monitor::Monitor,
    settings::Inputs,
};

/// A service that cannot be called.
pub(crate) struct Called {
    pub(crate) registration: Registration,
    pub(crate) maker: Maker,
    pub(crate) name: &'static str,
    pub(crate) instance: String,
    pub(crate) inputs: Rc<Inputs>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) monitor: Monitor,
    pub(crate) outlet: Arc<dyn Outlet>,
}

/// No calls.
pub(crate) struct Calls(Arc<dyn Outlet>);

impl Calls {
    #[expect(clippy::unnecessary_wraps, reason = "with calls there is something to fail")]
    pub(crate) fn begin(called: Called) -> Result<Self, String> {
        Ok(Self(called.outlet))
    }

    pub(crate) fn outlet(&self) -> Arc<dyn Outlet> {
        Arc::clone(&self.0)
    }

    pub(crate) async fn beside<T>(self, life: impl Future<Output = T>) -> T {
        life.await
    }
}

//! What is known of a service that may be called: handed to its calls, or to the stub of a program that is built without them.

use std::{rc::Rc, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    Registration,
    body::Maker,
    controller::{Order, Outlet},
    monitor::Monitor,
    settings::Inputs,
};

/// A service that can be called.
pub(crate) struct Called {
    pub(crate) registration: Registration,
    pub(crate) maker: Maker,
    /// As it is known outside.
    pub(crate) name: &'static str,
    pub(crate) instance: String,
    pub(crate) inputs: Rc<Inputs>,
    pub(crate) orders: mpsc::Sender<Order>,
    /// How it is.
    pub(crate) monitor: Monitor,
    /// Whom its outlet tells.
    pub(crate) outlet: Arc<dyn Outlet>,
}

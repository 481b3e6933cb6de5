//! A running service can be called: its own methods and those that all services have, over a socket that its owner alone
//! reaches. It knows neither what a method does nor who supervises the process.
//!
//! The way of a call: `door` takes connections, `connection` reads lines and writes them, `desk` knows what is asked and who
//! may ask it, `method` is what `#[calls]` has written down. A method with `self` is a [`Visit`](crate::visit::Visit) that the
//! body of the service receives between its other work; one without is done beside it. What becomes of the service is
//! overheard by `tap`, on its way to the supervisor.

mod built_in;
mod connection;
mod desk;
mod door;
mod method;
mod place;
mod rights;
mod seats;
mod tap;

use std::{rc::Rc, sync::Arc};

pub use method::{Answering, Argument, Arguments, CallSet, Callee, Method, answer, read, service_of};

use self::{desk::Desk, door::Door, rights::Owners, tap::Tap};
use crate::{called::Called, controller::Outlet};

/// Connections at one time.
const CONNECTIONS_LIMIT: usize = 128;

/// Requests of one connection that may be under way; the next is read when one of them is answered.
const REQUESTS_LIMIT: usize = 16;

/// Methods of the service's own that may be under way; others wait. Far fewer than the orders that may wait: signals come
/// through.
const CALLS_LIMIT: usize = 32;

/// Events that may wait for a subscriber; who is further behind has lost the subscription.
const EVENTS_LIMIT: usize = 256;

/// The longest event, in bytes.
const EVENT_LIMIT: usize = 64 * 1024;

const _: () = assert!(CALLS_LIMIT * 2 <= crate::controller::ORDERS_LIMIT, "signals find room among calls");

/// The calls of one service.
pub(crate) struct Calls {
    door: Option<Door>,
    desk: Rc<Desk>,
    tap: Arc<Tap>,
}

impl Calls {
    /// Makes its socket. Where none can be made there are no calls, and that is said.
    ///
    /// # Errors
    /// It runs by hand, and runs already: why it must not, in a sentence.
    pub(crate) fn begin(called: Called) -> Result<Self, String> {
        let group = called.registration.calls_group;
        let owners = Owners::of(group);
        let door = match place::of(called.name, &called.instance) {
            Some(place) => Door::open(&place, called.name, &called.instance, owners.group())?,
            None => None,
        };
        let tap = Arc::new(Tap::new(Arc::clone(&called.outlet)));
        let desk = Rc::new(Desk::new(called, Arc::clone(&tap), owners));
        Ok(Self { door, desk, tap })
    }

    /// Where what becomes of the service is to be told.
    pub(crate) fn outlet(&self) -> Arc<dyn Outlet> {
        Arc::<Tap>::clone(&self.tap)
    }

    /// Answers beside that; to the end of it, and what is answered then is still written.
    pub(crate) async fn beside<T>(self, life: impl Future<Output = T>) -> T {
        let Self { door, desk, tap: _ } = self;
        let Some(door) = door else { return life.await };
        let serving = tokio::task::spawn_local(door.serve(Rc::clone(&desk)));
        let lived = life.await;
        desk.close().await;
        serving.abort();
        lived
    }
}

//! A service as a task beside others: its life, what it is asked, and that its end is told however it ends.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use mainstay_decide::Event;
use mainstay_model::{Exit, RunId, ServiceId, Signal};
use tokio::{sync::mpsc, task::AbortHandle};

use super::heard::{Ear, Heard, Mailbox, Voice};
use crate::{
    Registration,
    controller::{Life, Order, Outlet, TimeLimits, id_of, orders},
    guard::Guard,
    hosting::{Hosted, Surroundings},
    monitor::{Monitor, log_alone},
    settings::Inputs,
};

/// What a task is made from.
pub(crate) struct Making {
    pub(crate) id: ServiceId,
    pub(crate) run: RunId,
    pub(crate) registration: Registration,
    pub(crate) limits: TimeLimits,
    /// The file with its settings.
    pub(crate) file: PathBuf,
    /// Variables that set some of them.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) surroundings: Surroundings,
    pub(crate) ear: Ear,
}

/// One that runs.
#[derive(Debug)]
pub(crate) struct Task {
    orders: mpsc::Sender<Order>,
    abort: AbortHandle,
}

impl Task {
    pub(crate) fn begin(making: Making) -> Self {
        let Making { id, run, registration, limits, file, variables, guard, surroundings, ear } = making;
        let name = crate::names::kept(id.name.as_str());
        let instance = id.instance.map_or_else(|| "1".to_owned(), |number| number.to_string());
        let mut inputs = Inputs::new(&registration, name, Some(file));
        inputs.instance.clone_from(&instance);
        inputs.variables = variables;
        let maker = (registration.maker)();
        let host = surroundings.host.clone();
        let voice = Voice(Mailbox::new(id.clone(), run, ear.clone()));
        let mut messengers = log_alone();
        messengers.push(Box::new(Voice(Arc::clone(&voice.0))));
        let outlet: Arc<dyn Outlet> = Arc::new(voice);
        let life = Life {
            registration,
            name,
            monitor: Monitor::detached(&id_of(name, &instance)),
            instance,
            read: Box::new(move || inputs.read(maker.read)),
            limits,
            outlet,
            guard,
            messengers,
            surroundings: Arc::new(surroundings),
        };
        let (send, receive) = orders();
        let mut ended = Ended { id, run, exit: None, ear };
        let orders = send.clone();
        let act = async move {
            let ending = life.run(send, receive).await;
            ended.with(Exit::Code(i32::from(ending.code())));
        };
        Self { orders, abort: tokio::task::spawn_local(Hosted::new(host, act)).abort_handle() }
    }

    /// Asks it. A full queue means that as much is to come already.
    pub(crate) fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }

    /// Drops it where it stands.
    pub(crate) fn kill(&self) {
        self.abort.abort();
    }
}

/// Tells its end when it is dropped, be it by a panic or because it was killed.
struct Ended {
    id: ServiceId,
    run: RunId,
    exit: Option<Exit>,
    ear: Ear,
}

impl Ended {
    fn with(&mut self, exit: Exit) {
        self.exit = Some(exit);
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let panicked = std::thread::panicking().then_some(Exit::Code(1));
        let exit = self.exit.or(panicked).unwrap_or(Exit::Signal(Signal::KILL));
        // When nobody hears any more, all is over.
        let _ = self.ear.send(Heard::Event(self.id.clone(), Event::Exited { run: self.run, exit }));
    }
}

//! The beginning of an `up`: finds or starts the daemon, subscribes to its changes and applies. In a thread of its own, so
//! that signals are heard meanwhile; what becomes of them is none of its business.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use mainstay_client::{Client, ClientError};
use mainstay_logs::{Follow, From};
use mainstay_wire::{ErrorCode, Settled};

use super::session::Wake;
use crate::{changes, door, failure::Failure, launch, output::Output, places::Places, project::Project};

/// How often it is begun again, when the project is just being stopped or the daemon dies over it.
const TRIES: usize = 5;

/// What the thread that begins and those that stop agree on.
#[derive(Debug)]
pub(super) struct Course {
    /// Locked while a daemon is being started: whoever is to stop it comes after that, and finds it.
    places: Mutex<Places>,
    called_off: AtomicBool,
}

impl Course {
    /// A project at these places.
    pub(super) fn new(places: Places) -> Self {
        Self { places: Mutex::new(places), called_off: AtomicBool::new(false) }
    }

    /// From now on nothing more is begun.
    pub(super) fn call_off(&self) {
        self.called_off.store(true, Ordering::SeqCst);
    }

    fn is_called_off(&self) -> bool {
        self.called_off.load(Ordering::SeqCst)
    }

    /// Where the project is; waits while it is being started.
    pub(super) fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an `up` does once everything has begun.
#[derive(Debug)]
pub(super) enum Manner {
    /// It follows the logs of these.
    Follow(Vec<String>),
    /// It waits until everything wanted is ready or has failed.
    Detach,
}

/// What is to be begun.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) project: Project,
    /// What of it; everything when empty.
    pub(super) start: Vec<String>,
    pub(super) manner: Manner,
    /// The longest that all of it may take.
    pub(super) timeout: Option<Duration>,
}

/// What has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// How each service stands.
    pub(super) services: Vec<Settled>,
    /// The logs, from before anything was applied.
    pub(super) logs: Option<Follow>,
}

/// Begins; [`Wake::Begun`] is how it went.
pub(super) fn begin(order: Order, course: Arc<Course>, output: Arc<Output>, wakes: SyncSender<Wake>) {
    thread::spawn(move || {
        let deadline = order.timeout.map(|timeout| Instant::now() + timeout);
        let beginning = Beginning { order, deadline, course, output, wakes };
        let begun = beginning.persist();
        // The loop may be over.
        let _ = beginning.wakes.send(Wake::Begun(begun));
    });
}

struct Beginning {
    order: Order,
    deadline: Option<Instant>,
    course: Arc<Course>,
    output: Arc<Output>,
    wakes: SyncSender<Wake>,
}

impl Beginning {
    /// Begins, and once more when the project was just going down, or the daemon died over it. Applying twice comes to the
    /// same as applying once. Nothing when it was called off.
    fn persist(&self) -> Result<Option<Begun>, Failure> {
        let mut tries = 1;
        loop {
            let Some((mut client, places)) = self.connect()? else { return Ok(None) };
            let logs = self.logs(&places)?;
            let error = match self.attempt(&mut client, &places) {
                Ok(services) => return Ok(Some(Begun { services: door::settled(services)?, logs })),
                Err(error) => error,
            };
            match error {
                _ if self.course.is_called_off() => return Ok(None),
                error if tries == TRIES => return Err(error.into()),
                ClientError::Refused(error) if error.code == ErrorCode::GoingDown => {
                    self.output.note("note: the project is being stopped; it is started again after that");
                    drop(client);
                    launch::Remaining::of(&places.run_dir)
                        .wait_until_gone(&places.socket(), self.order.timeout)?;
                }
                ClientError::Closed => {}
                error => return Err(error.into()),
            }
            tries += 1;
        }
    }

    fn connect(&self) -> Result<Option<(Client, Places)>, Failure> {
        let mut places = self.course.places();
        if self.course.is_called_off() {
            return Ok(None);
        }
        let client = launch::connect_or_start(&mut places, self.order.timeout, &self.output)?;
        Ok(Some((client, places.clone())))
    }

    /// What is written is followed from before the first of it can be.
    fn logs(&self, places: &Places) -> Result<Option<Follow>, Failure> {
        match &self.order.manner {
            Manner::Follow(names) => Ok(Some(Follow::new(&places.logs_dir, names, From::End)?)),
            Manner::Detach => Ok(None),
        }
    }

    fn attempt(&self, client: &mut Client, places: &Places) -> Result<mainstay_wire::Answer, ClientError> {
        let socket = places.socket();
        let events = Client::connect_within(&socket, self.order.timeout)?.follow()?;
        // Whoever tries again subscribes again: then this subscription has nothing more to say.
        let is_over = Arc::new(AtomicBool::new(false));
        let (wakes, over) = (self.wakes.clone(), Arc::clone(&is_over));
        // The loop may be over.
        let _ = self.wakes.send(Wake::Followed);
        changes::follow(events, socket, move |change| {
            if over.load(Ordering::SeqCst) || wakes.send(Wake::Change(change)).is_err() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let answer = self.apply(client);
        if answer.is_err() {
            is_over.store(true, Ordering::SeqCst);
            let _ = self.wakes.send(Wake::Unfollowed);
        }
        answer
    }

    fn apply(&self, client: &mut Client) -> Result<mainstay_wire::Answer, ClientError> {
        if self.course.is_called_off() {
            return Err(ClientError::Closed);
        }
        let Order { project, start, manner, timeout } = &self.order;
        match manner {
            Manner::Follow(_) => client.request(&project.apply(start, false, None)),
            Manner::Detach => {
                let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                let request = project.apply(start, true, door::milliseconds(left));
                door::order(client, left, &request).map_err(|error| match (error, timeout) {
                    (ClientError::TimedOut { .. }, Some(after)) => ClientError::TimedOut { after: *after },
                    (error, _) => error,
                })
            }
        }
    }
}

//! Clients that see every change. A slow one misses some, and is told how many; it never slows the loop.

use mainstay_wire::{Answer, EventView, Reply};
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// How many changes wait for one follower.
pub(crate) const FOLLOWER_LIMIT: usize = 1024;

#[derive(Debug)]
struct Follower {
    sender: Sender<Reply>,
    missed: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Followers(Vec<Follower>);

impl Followers {
    /// One more.
    pub(crate) fn add(&mut self, sender: Sender<Reply>) {
        self.0.push(Follower { sender, missed: 0 });
    }

    /// Whether anybody would see a change.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows them a change; those that are gone are dropped.
    pub(crate) fn show(&mut self, event: &EventView) {
        self.0.retain_mut(|follower| follower.show(event));
    }
}

impl Follower {
    fn show(&mut self, event: &EventView) -> bool {
        if self.missed > 0 {
            match self.sender.try_send(Ok(Answer::Missed { events: self.missed }).into()) {
                Ok(()) => self.missed = 0,
                Err(TrySendError::Full(_)) => {
                    self.missed += 1;
                    return true;
                }
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        match self.sender.try_send(Ok(Answer::Event(Box::new(event.clone()))).into()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed += 1;
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

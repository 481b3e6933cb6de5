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
        self.tell(&Answer::Event(Box::new(event.clone())));
    }

    /// Tells them something else; those that are gone are dropped.
    pub(crate) fn tell(&mut self, answer: &Answer) {
        self.0.retain_mut(|follower| follower.tell(answer));
    }

    /// There is nothing more to show: lets go of all, who are told what they missed at the end.
    pub(crate) fn finish(&mut self) {
        for mut follower in self.0.drain(..) {
            // One that is still full has missed even that.
            let _ = follower.catch_up();
        }
    }
}

/// What became of something that was offered to a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    Taken,
    Full,
    Gone,
}

impl Follower {
    /// Whether it is still there.
    fn tell(&mut self, answer: &Answer) -> bool {
        let offer = match self.catch_up() {
            Offer::Taken => self.offer(answer.clone()),
            other => other,
        };
        if offer == Offer::Full {
            self.missed += 1;
        }
        offer != Offer::Gone
    }

    /// Tells it how many it has missed, if any.
    fn catch_up(&mut self) -> Offer {
        if self.missed == 0 {
            return Offer::Taken;
        }
        let offer = self.offer(Answer::Missed { events: self.missed });
        if offer == Offer::Taken {
            self.missed = 0;
        }
        offer
    }

    fn offer(&self, answer: Answer) -> Offer {
        match self.sender.try_send(Ok(answer).into()) {
            Ok(()) => Offer::Taken,
            Err(TrySendError::Full(_)) => Offer::Full,
            Err(TrySendError::Closed(_)) => Offer::Gone,
        }
    }
}

//! Clients that wait for the outcome of something that has a number, each until its own moment. What an outcome is, those
//! know that keep them.

use std::time::Duration;

use mainstay_model::Moment;
use mainstay_wire::Reply;
use tokio::sync::oneshot;

use crate::clock;

/// Those that wait. There are never more than connections.
#[derive(Debug, Default)]
pub(crate) struct OutcomeWaiters(Vec<OutcomeWaiter>);

/// One of them.
#[derive(Debug)]
pub(crate) struct OutcomeWaiter {
    /// What it waits for.
    pub(crate) number: u64,
    /// Where the answer goes.
    pub(crate) reply: oneshot::Sender<Reply>,
    until: Option<Moment>,
}

impl OutcomeWaiters {
    /// One more.
    pub(crate) fn add(&mut self, number: u64, within: Option<Duration>, reply: oneshot::Sender<Reply>) {
        let until = within.map(|within| clock::now() + within);
        self.0.push(OutcomeWaiter { number, reply, until });
    }

    /// When the time of one is over.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        self.0.iter().filter_map(|waiter| waiter.until).min()
    }

    /// Takes out those whose wait is over: by an outcome, by the time, or because they left.
    pub(crate) fn take_over(&mut self, now: Moment, is_known: impl Fn(u64) -> bool) -> Vec<OutcomeWaiter> {
        let is_over = |waiter: &mut OutcomeWaiter| {
            let late = waiter.until.is_some_and(|until| until <= now);
            late || waiter.reply.is_closed() || is_known(waiter.number)
        };
        self.0.extract_if(.., is_over).collect()
    }
}

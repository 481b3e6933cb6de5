//! Clients that wait until what they asked for is so, or cannot become so.

use std::collections::BTreeSet;

use mainstay_decide::{Project, Standing};
use mainstay_model::ServiceId;
use mainstay_wire::{Answer, ReasonView, Reply, Settled, SettledState};
use tokio::sync::oneshot;

use crate::clock;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    /// Ready or completed.
    Up,
    /// Stopped.
    Down,
}

/// Services that a request is about.
#[derive(Debug)]
pub(crate) struct About {
    /// Those that it named.
    pub(crate) named: BTreeSet<ServiceId>,
    /// These, and those that come with them.
    pub(crate) all: Vec<ServiceId>,
    /// What is wanted of them.
    pub(crate) toward: Toward,
}

impl About {
    /// How they stand.
    pub(crate) fn settled(&self, project: &Project) -> Vec<Settled> {
        self.all.iter().filter_map(|id| self.one(project, id)).collect()
    }

    fn standing(&self, project: &Project, id: &ServiceId) -> Standing {
        match self.toward {
            Toward::Up => project.standing_up(id),
            Toward::Down => project.standing_down(id),
        }
    }

    fn one(&self, project: &Project, id: &ServiceId) -> Option<Settled> {
        let status = project.status(id)?;
        let state = match self.standing(project, id) {
            Standing::Done => SettledState::Done,
            Standing::Failed => SettledState::Failed,
            Standing::Pending => SettledState::Pending,
        };
        Some(Settled {
            id: id.to_string(),
            named: self.named.contains(id),
            state,
            phase: status.phase.as_str().to_owned(),
            reason: ReasonView {
                code: status.reason.code().to_owned(),
                text: status.reason.sentence(clock::now()),
            },
        })
    }

    fn is_open(&self, project: &Project) -> bool {
        self.all.iter().any(|id| self.standing(project, id) == Standing::Pending)
    }
}

#[derive(Debug)]
struct Waiter {
    about: About,
    reply: oneshot::Sender<Reply>,
}

/// All of them. There are never more than connections.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<Waiter>);

impl Waiters {
    /// One more; it is answered by the next [`Waiters::answer`] at which nothing is open.
    pub(crate) fn add(&mut self, about: About, reply: oneshot::Sender<Reply>) {
        self.0.push(Waiter { about, reply });
    }

    /// Answers those whose wait is over, and drops those that are gone.
    pub(crate) fn answer(&mut self, project: &Project) {
        let mut at = 0;
        while let Some(waiter) = self.0.get(at) {
            if waiter.reply.is_closed() {
                self.0.swap_remove(at);
            } else if waiter.about.is_open(project) {
                at += 1;
            } else {
                let waiter = self.0.swap_remove(at);
                let services = waiter.about.settled(project);
                // A client that left in this moment needs no answer.
                let _ = waiter.reply.send(Ok(Answer::Done { services }).into());
            }
        }
    }
}

//! Clients that wait until what they asked for is so, or cannot become so.

use std::{collections::BTreeSet, time::Duration};

use mainstay_decide::{Awaited, Project, Service, Standing};
use mainstay_model::{Kind, Moment, PhaseName, Reason, ServiceId};
use mainstay_wire::{Answer, ReasonView, Reply, Settled, SettledState};
use tokio::sync::oneshot;

use crate::clock;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    /// Ready or completed; what is ready because it runs has also run for a while.
    Up,
    /// Stopped, and not wanted.
    Down,
    /// This.
    So(Awaited),
    /// Nothing: that it was told is all. `Failed` when it has no process that could be.
    Told,
    /// Nothing at all.
    Nothing,
}

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// At once.
    Now,
    /// When nothing that it is about is pending any more.
    Settled,
    /// Then, and at this moment at the latest.
    SettledBy(Moment),
}

impl When {
    /// What a request says of it.
    pub(crate) fn from_request(wait: bool, within_ms: Option<u64>) -> Self {
        match (wait, within_ms) {
            (false, _) => Self::Now,
            (true, None) => Self::Settled,
            (true, Some(span)) => Self::SettledBy(clock::now() + Duration::from_millis(span)),
        }
    }
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
    /// Those that are no longer described: they are to end, and then they are no more.
    pub(crate) removed: Vec<ServiceId>,
}

impl About {
    /// How they stand; those that are removed first, as that is what happens first.
    pub(crate) fn settled(&self, project: &Project) -> Vec<Settled> {
        let removed =
            self.removed.iter().map(|id| self.one(project, id, Toward::Down).unwrap_or_else(|| gone(id)));
        let all = self.all.iter().filter_map(|id| self.one(project, id, self.toward));
        removed.chain(all).collect()
    }

    fn one(&self, project: &Project, id: &ServiceId, toward: Toward) -> Option<Settled> {
        let status = project.status(id)?;
        let service = project.service(id)?;
        let never = match toward {
            Toward::So(Awaited::Reloaded) => unreloaded(service),
            Toward::So(Awaited::Completed) => never_completes(service),
            Toward::Up | Toward::Down | Toward::So(_) | Toward::Told | Toward::Nothing => None,
        };
        let state = match standing(project, id, toward) {
            Standing::Done if never.is_none() => SettledState::Done,
            Standing::Done | Standing::Failed => SettledState::Failed,
            Standing::Pending => SettledState::Pending,
        };
        Some(Settled {
            id: id.to_string(),
            named: self.named.contains(id),
            state,
            phase: status.phase.as_str().to_owned(),
            pid: status.pid,
            run: status.run.0,
            reason: never.unwrap_or_else(|| reason(&status.reason)),
        })
    }

    /// Until when there is something to wait for: `Moment::NEVER` when time alone does not end it.
    fn open_until(&self, project: &Project, now: Moment) -> Option<Moment> {
        let one = |id, toward| open_until(project, id, toward).filter(|until| *until > now);
        let all = self.all.iter().filter_map(|id| one(id, self.toward));
        let removed = self.removed.iter().filter_map(|id| one(id, Toward::Down));
        all.chain(removed).max()
    }
}

fn open_until(project: &Project, id: &ServiceId, toward: Toward) -> Option<Moment> {
    match (standing(project, id, toward), toward) {
        (Standing::Pending, _) => Some(Moment::NEVER),
        (Standing::Done, Toward::Up | Toward::So(Awaited::Healthy)) => project.settles_at(id),
        (Standing::Done | Standing::Failed, _) => None,
    }
}

fn standing(project: &Project, id: &ServiceId, toward: Toward) -> Standing {
    match toward {
        Toward::Up => project.standing(id, Awaited::Ready),
        Toward::Down => project.standing_down(id),
        Toward::So(awaited) => project.standing(id, awaited),
        Toward::Told => match project.service(id).and_then(|service| service.phase().pid()) {
            Some(_) => Standing::Done,
            None => Standing::Failed,
        },
        Toward::Nothing => Standing::Done,
    }
}

/// Why one that runs has not read its configuration again, when that is so.
fn unreloaded(service: &Service) -> Option<ReasonView> {
    let view = |code: &str, text: String| Some(ReasonView { code: code.to_owned(), text });
    match (&service.spec().reload, service.reload()) {
        (None, _) => view("no-reload", "it has no `reload`".to_owned()),
        (Some(_), (false, Some(Err(text)))) => view("reload-failed", format!("its reload hook {text}")),
        (Some(_), _) => None,
    }
}

/// That only a oneshot completes, of one that is none.
fn never_completes(service: &Service) -> Option<ReasonView> {
    let text = "it is permanent, and only a oneshot completes".to_owned();
    let code = "never-completes".to_owned();
    (service.spec().kind == Kind::Permanent).then_some(ReasonView { code, text })
}

fn reason(reason: &Reason) -> ReasonView {
    ReasonView { code: reason.code().to_owned(), text: reason.sentence(clock::now()) }
}

/// One that was removed and is no more.
fn gone(id: &ServiceId) -> Settled {
    Settled {
        id: id.to_string(),
        named: false,
        state: SettledState::Done,
        phase: PhaseName::Stopped.as_str().to_owned(),
        pid: None,
        run: 0,
        reason: reason(&Reason::Removed),
    }
}

#[derive(Debug)]
struct Waiter {
    about: About,
    reply: oneshot::Sender<Reply>,
    until: Option<Moment>,
    /// When to look again, if nothing happens sooner.
    next: Option<Moment>,
    generation: Option<u64>,
}

/// All of them. There are never more than connections.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<Waiter>);

impl Waiters {
    /// One more; it is answered by the next [`Waiters::answer`] at which nothing is open, or its time is over.
    pub(crate) fn add(&mut self, about: About, when: When, reply: oneshot::Sender<Reply>) {
        self.push(None, about, when, reply);
    }

    /// The same for a description that became what runs, as this generation.
    pub(crate) fn add_of(
        &mut self,
        generation: u64,
        about: About,
        when: When,
        reply: oneshot::Sender<Reply>,
    ) {
        self.push(Some(generation), about, when, reply);
    }

    fn push(&mut self, generation: Option<u64>, about: About, when: When, reply: oneshot::Sender<Reply>) {
        let until = match when {
            When::Now => Some(Moment::ZERO),
            When::Settled => None,
            When::SettledBy(moment) => Some(moment),
        };
        self.0.push(Waiter { about, reply, until, next: None, generation });
    }

    /// When the time of one is over, or it is to be looked at again.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        self.0.iter().flat_map(|waiter| [waiter.until, waiter.next]).flatten().min()
    }

    /// Answers those whose wait is over, and drops those that are gone.
    pub(crate) fn answer(&mut self, now: Moment, project: &Project) {
        let mut at = 0;
        while let Some(waiter) = self.0.get_mut(at) {
            let open = waiter.about.open_until(project, now);
            if waiter.reply.is_closed() {
                self.0.swap_remove(at);
            } else if waiter.until.is_none_or(|until| until > now) && open.is_some() {
                waiter.next = open.filter(|open| *open != Moment::NEVER);
                at += 1;
            } else {
                let waiter = self.0.swap_remove(at);
                let services = waiter.about.settled(project);
                let done = Answer::Done { services, generation: waiter.generation };
                // A client that left in this moment needs no answer.
                let _ = waiter.reply.send(Ok(done).into());
            }
        }
    }
}

//! What a request means for the books: who is wanted, and what the next spawn of each must be like.

use mainstay_model::{Moment, ServiceId};

use crate::{
    book::{Book, Record},
    policy::Next,
};

impl Record {
    /// Somebody named it in a start.
    pub(crate) fn start(&mut self, now: Moment) {
        let was = std::mem::replace(&mut self.wanted, true);
        if let Some(live) = &mut self.live {
            live.again |= !was && (live.ending.is_some() || live.outdated);
            return;
        }
        self.completed = false;
        self.next = match self.next {
            Next::Restart { at, attempt, .. } if was && at <= now => {
                Next::Restart { at, attempt, or_fresh: true }
            }
            Next::Any => Next::Any,
            Next::Fresh | Next::Restart { .. } | Next::Barred => Next::Fresh,
        };
    }

    /// It is wanted up.
    pub(crate) fn want(&mut self) {
        let was = std::mem::replace(&mut self.wanted, true);
        match &mut self.live {
            Some(live) => live.again |= !was && (live.ending.is_some() || live.outdated),
            None if self.next == Next::Barred && !self.completed => self.next = Next::Fresh,
            None => {}
        }
    }

    /// It is wanted down.
    pub(crate) fn stop(&mut self) {
        self.wanted = false;
        match &mut self.live {
            Some(live) => live.again = false,
            None if !self.completed => self.next = Next::Fresh,
            None => {}
        }
    }

    /// It is wanted down, and killed.
    pub(crate) fn kill(&mut self) {
        self.stop();
        if let Some(live) = &mut self.live {
            live.kill_requested = true;
        }
    }

    /// It is to end and start again.
    pub(crate) fn restart(&mut self) {
        self.wanted = true;
        match &mut self.live {
            Some(live) => live.again = true,
            None => {
                self.completed = false;
                self.next = Next::Fresh;
            }
        }
    }
}

/// Something that a person can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    Want,
    Start,
    Stop,
    Restart,
    Kill,
}

impl Request {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Want => "want",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Kill => "kill",
        }
    }
}

impl Book {
    /// Takes in a request for these.
    pub(crate) fn request(&mut self, now: Moment, request: Request, ids: &[ServiceId]) {
        let described = |id: &&ServiceId| self.records.get(*id).is_some_and(|record| record.described);
        let staying: Vec<ServiceId> = ids.iter().filter(described).cloned().collect();
        let touched = match request {
            Request::Want | Request::Start => self.with_needs(&staying),
            Request::Stop => self.with_dependents(ids),
            Request::Restart => staying.iter().cloned().collect(),
            Request::Kill => ids.iter().cloned().collect(),
        };
        for id in touched {
            let Some(record) = self.records.get_mut(&id) else { continue };
            match request {
                Request::Start if staying.contains(&id) => record.start(now),
                Request::Want | Request::Start => record.want(),
                Request::Stop => record.stop(),
                Request::Restart => record.restart(),
                Request::Kill => record.kill(),
            }
        }
    }
}

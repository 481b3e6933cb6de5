//! What a request means for the books: who is wanted, and what the next spawn of each must be like.

use std::collections::BTreeSet;

use mainstay_model::{HookName, Moment, Reload, ServiceId};

use crate::{
    book::{Book, Record},
    policy::{self, Next},
    run::{Doing, Run},
};

impl Record {
    /// Somebody named it in a start.
    pub(crate) fn start(&mut self, now: Moment) {
        let was = std::mem::replace(&mut self.wanted, true);
        if let Some(live) = &mut self.live {
            if !was && (live.ending.is_some() || live.outdated || live.over.is_some()) {
                live.start_again();
            }
            return;
        }
        self.completed = false;
        self.next = match self.next {
            Next::Restart { at, attempt, .. } if was && at <= now => {
                Next::Restart { at, attempt, or_fresh: true }
            }
            Next::Any => Next::Any,
            Next::Fresh | Next::Restart { .. } | Next::Barred | Next::Ended => Next::Fresh,
        };
    }

    /// It is wanted up.
    pub(crate) fn want(&mut self) {
        let was = std::mem::replace(&mut self.wanted, true);
        let barred = matches!(self.next, Next::Barred | Next::Ended);
        match &mut self.live {
            Some(live) => {
                let done = |exit| policy::after_end(&self.spec, 0, Moment::ZERO, Some(exit)).1;
                let over = live.over.is_some_and(|exit| !done(exit));
                if !was && (live.ending.is_some() || live.outdated || over) {
                    live.start_again();
                }
            }
            None if barred && !self.completed => self.next = Next::Fresh,
            None => {}
        }
    }

    /// It is wanted down.
    pub(crate) fn stop(&mut self) {
        self.wanted = false;
        match &mut self.live {
            Some(live) => {
                live.again = false;
                // From now on it is ended for this.
                live.abort &= live.ending.is_none();
            }
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
            Some(live) => live.start_again(),
            None => {
                self.completed = false;
                self.next = Next::Fresh;
            }
        }
    }
}

/// What care a person can ask for.
impl Record {
    /// It is to be frozen.
    fn pause(&mut self) {
        if let Some(live) = self.live.as_mut().filter(|live| live.runs()) {
            live.due.pause = true;
        }
    }

    /// It is to go on.
    fn resume(&mut self) {
        if let Some(live) = self.live.as_mut().filter(|live| live.is_up() && live.paused) {
            live.due.resume = true;
        }
    }

    /// It is to read its configuration again.
    fn reload(&mut self) {
        let can = |live: &&mut Run| live.runs() && live.vitals.doing != Doing::Ending;
        let Some(live) = self.live.as_mut().filter(can) else { return };
        match &self.spec.reload {
            Some(Reload::Signal(signal)) => live.due.reload = Some(*signal),
            Some(Reload::Command(_)) if live.beside.is_none() && !live.unloading => {
                live.due.hook = Some(HookName::Reload);
            }
            Some(Reload::Command(_)) | None => {}
        }
    }

    /// Its failure is taken back. `failed`: what it is seen to be, where the books cannot tell.
    fn reset(&mut self, failed: bool) {
        if let Some(live) = &mut self.live {
            live.attempt = 0;
            return;
        }
        match self.next {
            Next::Barred | Next::Any if !self.completed && failed => {
                self.wanted = false;
                self.next = Next::Fresh;
            }
            Next::Restart { at, .. } => self.next = Next::Restart { at, attempt: 1, or_fresh: true },
            Next::Barred | Next::Any | Next::Ended | Next::Fresh => {}
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
    Roll,
    Pause,
    Resume,
    Reload,
    Reset,
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
            Self::Roll => "roll",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Reload => "reload",
            Self::Reset => "reset",
        }
    }
}

impl Book {
    /// Takes in a request for these; `failed` are those that have given up.
    pub(crate) fn request(
        &mut self,
        now: Moment,
        request: Request,
        ids: &[ServiceId],
        failed: &BTreeSet<ServiceId>,
    ) {
        let described = |id: &&ServiceId| self.records.get(*id).is_some_and(|record| record.described);
        let staying: Vec<ServiceId> = ids.iter().filter(described).cloned().collect();
        let touched = match request {
            Request::Want | Request::Start => self.with_needs(&staying),
            Request::Stop => self.with_dependents(ids),
            Request::Restart => staying.iter().cloned().collect(),
            Request::Roll => return self.roll(&staying),
            Request::Kill | Request::Pause | Request::Resume | Request::Reload | Request::Reset => {
                ids.iter().cloned().collect()
            }
        };
        for id in touched.iter().filter(|_| request == Request::Restart) {
            self.leave_roll(id);
        }
        for id in touched {
            let Some(record) = self.records.get_mut(&id) else { continue };
            match request {
                Request::Start if staying.contains(&id) => record.start(now),
                Request::Want | Request::Start => record.want(),
                Request::Stop => record.stop(),
                Request::Restart => record.restart(),
                Request::Kill => record.kill(),
                Request::Pause => record.pause(),
                Request::Resume => record.resume(),
                Request::Reload => record.reload(),
                Request::Reset => record.reset(failed.contains(&id)),
                Request::Roll => {}
            }
        }
    }
}

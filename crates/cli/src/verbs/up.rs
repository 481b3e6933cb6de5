//! `mainstay up`.
//!
//! Threads each wait for one thing (signals, the start, the daemon's changes, lines of logs, the end of a stop) and put what
//! they got into one bounded channel. The [`Session`] takes one after the other and decides when it is over; what is seen of
//! it is the business of a [`Screen`], of which there is one for each form of `up`.

mod begin;
mod detach;
mod follow;
mod session;

use std::sync::{Arc, mpsc::sync_channel};

use clap::Args;

use self::{
    begin::{Course, Manner, Order},
    detach::Progress,
    follow::Follow,
    session::{Screen, Session, WAKES, Wake},
};
use crate::{
    exit::Exit,
    failure::Failure,
    signals::{self, Wish},
    verbs::Context,
};

/// Starts the project and follows it; Ctrl-C stops it
#[derive(Debug, Args)]
#[command(after_help = UP_HELP)]
pub(crate) struct Up {
    /// Only these, with what they depend on: names, globs (`wor*`), instances (`api@2`)
    #[arg(value_name = "NAME")]
    services: Vec<String>,

    /// Return as soon as everything wanted is ready or has failed
    #[arg(short, long)]
    detach: bool,
}

const UP_HELP: &str = "\
On a project that runs already, the files as they are now are applied: what is new is started, what changed is \
restarted, what is gone is stopped. With `-d`, what has no readiness check is there once it has run for 300 ms: it may be one that ends at once. What \
depends on it does not wait so long. Ctrl-C stops the project in order and ends with 130, with `-d` too as long as it waits; \
a second Ctrl-C kills it (two within 50 ms are one). When the terminal is closed, the project goes on.";

impl Up {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let (wakes, woken) = sync_channel(WAKES);
        // Before anything else: from here on Ctrl-C means to stop what is about to be started.
        let wishes = wakes.clone();
        signals::listen(move |wish| _ = wishes.send(Wake::Wish(wish)))?;
        let places = context.places()?;
        let project = context.project(&places)?;
        // A wrong name is found before anything is started.
        let names = project.started_with(&self.services)?.iter().map(ToString::to_string).collect();
        let course = Arc::new(Course::new(places));
        let manner = if self.detach { Manner::Detach } else { Manner::Follow(names) };
        let mut screen: Box<dyn Screen> = match &manner {
            Manner::Detach => Box::new(Progress::new(&project.name, context)),
            Manner::Follow(names) => {
                let reader = wakes.clone();
                context.output.when_reader_goes(move || _ = reader.send(Wake::Wish(Wish::HangUp)));
                Box::new(Follow::new(names, context))
            }
        };
        let mut session = Session::new(Arc::clone(&course), wakes.clone(), &mut *screen);
        session.heed(&woken)?;
        let order = Order { project, start: self.services.clone(), manner, timeout: context.timeout() };
        begin::begin(order, course, Arc::clone(context.output), wakes);
        session.work(&woken, context.output)
    }
}

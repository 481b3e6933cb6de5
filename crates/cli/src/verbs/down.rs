//! `mainstay down`.

use std::{ops::ControlFlow, path::Path, sync::mpsc, thread, time::Duration};

use clap::Args;
use mainstay_client::{Client, ClientError};
use mainstay_model::span_text;
use mainstay_wire::{Answer, Request, SCHEMA_VERSION, ServiceView};

use crate::{
    changes::{self, Change},
    door::{self, Stopped},
    exit::Exit,
    failure::Failure,
    holders::Holders,
    launch,
    output::{Form, Loudness},
    places::Places,
    verbs::Context,
    view::event,
};

/// How long the daemon may take until it tells of changes, and of the last of them when all is stopped; without them it is
/// only less to read.
const FOLLOWING: Duration = Duration::from_secs(5);

/// How long it may take to say what is still there, when the time is over.
const ASKING: Duration = Duration::from_millis(500);

/// Stops everything in reverse order, and Mainstay with it
#[derive(Debug, Args)]
pub(crate) struct Down {}

/// What happens while everything is stopped.
enum Wake {
    /// The changes of services, to the last.
    Change(Change),
    Stopped(Result<Stopped, ClientError>),
}

impl Down {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        match door::connect(&places, context.timeout()) {
            Ok(_) => {}
            Err(error) if error.is_no_daemon() || error.is_in_trouble() => {
                return by_signal(error, &places, context);
            }
            Err(error) => return Err(error.into()),
        }
        let remaining = launch::Remaining::of(&places.run_dir);
        let stopped = stop(&places, context).and_then(|()| {
            // Whoever closed the connection did so because everything is gone, or it is said here that it is not.
            remaining.wait_until_gone(&places.socket(), context.timeout())
        });
        match stopped {
            Ok(()) => is_down(context),
            Err(failure) if failure.exit == Exit::TimedOut => Err(late(failure, &places, context)),
            Err(failure) => Err(failure),
        }
    }
}

/// Asks for it, and shows what happens until nothing more does.
fn stop(places: &Places, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    let (socket, timeout) = (places.socket(), context.timeout());
    let (wakes, woken) = mpsc::sync_channel(64);
    let is_shown = output.form() == Form::Text && output.loudness() > Loudness::Quiet;
    let mut following = is_shown && follow_changes(&socket, timeout, wakes.clone());
    let mut stopped = false;
    thread::spawn(move || wakes.send(Wake::Stopped(door::stop_all(&socket, timeout, false))));
    while following || !stopped {
        // The last changes come on another connection than the answer, which must not overtake them.
        let wake = if stopped { woken.recv_timeout(FOLLOWING).ok() } else { woken.recv().ok() };
        match wake {
            Some(Wake::Change(Change::Told(Answer::Event(event)))) => {
                event::line(&event).into_iter().for_each(|line| output.line(&line));
            }
            Some(Wake::Change(Change::Told(Answer::Missed { events }))) => {
                output.line(&event::missed(events));
            }
            Some(Wake::Change(Change::Told(_) | Change::Another)) => {}
            Some(Wake::Change(Change::Gone)) => following = false,
            Some(Wake::Stopped(result)) => {
                result?;
                stopped = true;
            }
            None => break,
        }
        output.flush();
    }
    Ok(())
}

/// Whether changes come. Without them, everything is stopped as well.
fn follow_changes(socket: &Path, timeout: Option<Duration>, wakes: mpsc::SyncSender<Wake>) -> bool {
    let timeout = Some(timeout.unwrap_or(FOLLOWING));
    let Ok(events) = Client::connect_within(socket, timeout).and_then(Client::follow) else { return false };
    changes::follow(events, socket.to_owned(), move |change| match wakes.send(Wake::Change(change)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    true
}

/// The time is over: says what is still there, when somebody can be asked.
fn late(failure: Failure, places: &Places, context: &Context<'_>) -> Failure {
    let Some(after) = context.timeout() else { return failure };
    let Ok(overview) = door::read(places, Some(ASKING), &Request::List) else { return failure };
    let of = overview.services.len();
    let live = |service: &&ServiceView| matches!(&*service.phase, "running" | "starting" | "stopping");
    let live: Vec<ServiceView> = overview.services.iter().filter(live).cloned().collect();
    if live.is_empty() {
        return failure;
    }
    let are = if live.len() == 1 { "is" } else { "are" };
    let text = format!("timed out: after {}, {} of {of} {are} not stopped", span_text(after), live.len());
    let help = "it goes on: `mainstay list` shows more; `--timeout` allows more time";
    Failure::new(Exit::TimedOut, text).with_lines(event::standings(&live)).with_help(help)
}

fn is_down(context: &Context<'_>) -> Result<Exit, Failure> {
    if context.output.form() == Form::Json {
        context.output.json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "down": true }));
    }
    Ok(Exit::Done)
}

/// Nobody answers. When processes hold the project nevertheless, they are asked by a signal.
fn by_signal(error: ClientError, places: &Places, context: &Context<'_>) -> Result<Exit, Failure> {
    let Some(holders) = Holders::of(&places.state_dir) else { return Err(door::explain(error, places)) };
    let trouble = error.is_in_trouble().then(|| error.to_string());
    holders.end(places, trouble.as_deref(), context.timeout(), |text| {
        context.output.note(&format!("note: {text}"));
    })?;
    is_down(context)
}

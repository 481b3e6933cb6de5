//! `mainstay down`.

use std::{path::Path, sync::mpsc, thread, time::Duration};

use clap::Args;
use mainstay_client::Client;
use mainstay_wire::{Answer, Request, SCHEMA_VERSION};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch,
    output::{Form, Loudness},
    verbs::Context,
    view::event,
};

/// How long the daemon may take until it tells of changes; without them it is only less to read.
const FOLLOWING: Duration = Duration::from_secs(5);

/// Stops everything in reverse order, and Mainstay with it
#[derive(Debug, Args)]
pub(crate) struct Down {}

/// What happens while everything is stopped.
enum Wake {
    Event(String),
    Stopped(Result<Answer, mainstay_client::ClientError>),
}

impl Down {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let output = context.output;
        let mut client = door::connect(&places, context.timeout())?;
        let remaining = launch::Remaining::of(&places.run_dir);
        let (wakes, woken) = mpsc::sync_channel(64);
        if output.form() == Form::Text && output.loudness() > Loudness::Quiet {
            show_events(&places.socket(), context.timeout(), wakes.clone());
        }
        thread::spawn(move || wakes.send(Wake::Stopped(client.request(&Request::Down { kill: false }))));
        for wake in woken {
            match wake {
                Wake::Event(line) => {
                    output.line(&line);
                    output.flush();
                }
                Wake::Stopped(result) => {
                    result?;
                    break;
                }
            }
        }
        remaining.wait_until_gone(&places.socket(), context.timeout())?;
        if output.form() == Form::Json {
            output.json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "down": true }));
        }
        Ok(Exit::Done)
    }
}

/// Each service that has ended is a line. Without them, everything is stopped as well.
fn show_events(socket: &Path, timeout: Option<Duration>, wakes: mpsc::SyncSender<Wake>) {
    let timeout = Some(timeout.unwrap_or(FOLLOWING));
    let Ok(events) = Client::connect_within(socket, timeout).and_then(Client::follow) else { return };
    thread::spawn(move || {
        for answer in events.map_while(Result::ok) {
            let Answer::Event(event) = answer else { continue };
            let Some(line) = event::line(&event) else { continue };
            if wakes.send(Wake::Event(line)).is_err() {
                return;
            }
        }
    });
}

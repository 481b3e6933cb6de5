//! The hands of the live view: it gives `mainstay_top` what happens, and does what that wants. Decides nothing itself.
//!
//! One thread owns the model and the screen; the others only wait: for keys, for signals, for the daemon's events, for
//! a second to pass, for lines of logs, for an act to end. Each tells the first through one channel.

mod acts;
mod daemon;
mod events;
mod logs;
mod screen;
mod view;
mod wake;

use std::{path::PathBuf, sync::mpsc::sync_channel};

use mainstay_client::Events;
use mainstay_top::Paint;

use crate::{exit::Exit, failure::Failure};

/// How much may wait for the thread that draws; whoever tells more waits.
const WAKES: usize = 4096;

/// Shows the view until somebody quits.
pub(crate) fn show(socket: PathBuf, events: Events, paint: Paint) -> Result<Exit, Failure> {
    let (sender, wakes) = sync_channel(WAKES);
    let bell = wake::Bell::new(sender);
    events::listen_to_signals(&bell)?;
    let screen = screen::Screen::enter().map_err(|error| screen::failed(&error))?;
    events::listen_to_keys(&bell);
    daemon::follow(socket.clone(), events, &bell);
    daemon::sample(socket.clone(), &bell);
    view::View::new(screen, socket, paint, bell).run(&wakes)
}

//! Acts, each on a connection and a thread of its own: some take as long as a service takes to stop.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mainstay_client::{Client, ClientError};
use mainstay_top::Input;
use mainstay_wire::{Act, Answer, Request, Settled};

use super::wake::Bell;

/// How many may be under way at once.
const AT_ONCE: usize = 32;

/// Whoever carries out acts.
pub(super) struct Acts {
    socket: PathBuf,
    under_way: Arc<AtomicUsize>,
}

impl Acts {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket, under_way: Arc::default() }
    }

    /// Begins an act; the model is told how it ends.
    pub(super) fn begin(&self, number: u64, act: Act, services: Vec<String>, bell: &Bell) {
        if self.under_way.fetch_add(1, Ordering::SeqCst) >= AT_ONCE {
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let outcome = Err(format!("{AT_ONCE} acts have not ended yet"));
            // From a thread, as it may have to wait for the one that is asking.
            bell.spawn(move |bell| _ = bell.tell(Input::Acted { number, outcome }));
            return;
        }
        let (socket, under_way) = (self.socket.clone(), Arc::clone(&self.under_way));
        bell.spawn(move |bell| {
            let request = Request::Act { act, services, wait: true, within_ms: None };
            let asked = Client::connect(&socket).and_then(|mut client| client.request(&request));
            under_way.fetch_sub(1, Ordering::SeqCst);
            // Nobody is left to be told when the view has ended; the act goes on.
            let _ = bell.tell(Input::Acted { number, outcome: outcome(asked) });
        });
    }
}

fn outcome(asked: Result<Answer, ClientError>) -> Result<Vec<Settled>, String> {
    match asked {
        Ok(Answer::Done { services, .. }) => Ok(services),
        Ok(_) => Err("the daemon answers another question than was asked".to_owned()),
        Err(ClientError::Refused(error)) => Err(match error.help {
            Some(help) => format!("{}; {help}", error.text),
            None => error.text,
        }),
        Err(error) => Err(error.to_string()),
    }
}

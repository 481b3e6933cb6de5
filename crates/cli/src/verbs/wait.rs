//! `mainstay wait`.

use clap::{Args, ValueEnum};
use mainstay_wire::{Request, WaitFor};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    verbs::{Context, act},
};

/// Waits until services are ready, healthy, completed or stopped; changes nothing
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Wait {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`
    #[arg(required = true, value_name = "NAME")]
    services: Vec<String>,

    /// What is waited for
    #[arg(long = "for", value_name = "STATE", value_enum, default_value_t = State::Ready)]
    state: State,
}

const HELP: &str = "\
Ends with 0 when it is so of all, with 1 and the reason as soon as it cannot become so of one of them by itself, and with 124 \
when `--timeout` is over; without that it waits as long as it takes. What has no readiness check is `ready` once it has run for 300 ms. `stopped` is what does not run: one that runs and that \
nobody is stopping will not become so.";

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Its check succeeded; a oneshot without one: it completed
    Ready,
    /// Ready, and its latest health check succeeded
    Healthy,
    /// A oneshot that ended well
    Completed,
    /// It does not run
    Stopped,
}

impl From<State> for WaitFor {
    fn from(state: State) -> Self {
        match state {
            State::Ready => Self::Ready,
            State::Healthy => Self::Healthy,
            State::Completed => Self::Completed,
            State::Stopped => Self::Stopped,
        }
    }
}

impl Wait {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let within = context.timeout();
        let request = Request::Wait {
            services: self.services.clone(),
            until: self.state.into(),
            within_ms: door::milliseconds(within),
        };
        let answer = door::wait(&places, within, &request);
        let services = door::settled(answer.map_err(|error| door::explain(error, &places))?)?;
        act::report(None, &services, within, context)
    }
}

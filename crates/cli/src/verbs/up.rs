//! `mainstay up`.

mod follow;

use clap::Args;
use mainstay_client::{Client, ClientError};
use mainstay_wire::{Answer, ErrorCode};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch,
    places::Places,
    project::Project,
    verbs::{Context, act},
};

/// How often it is begun again, when the project is just being stopped or the daemon dies over it.
const TRIES: usize = 5;

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
restarted, what is gone is stopped. Ctrl-C stops the project in order and ends with 130, a second Ctrl-C kills it; when \
the terminal is closed, the project goes on.";

impl Up {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let mut places = context.places()?;
        let project = context.project(&places)?;
        // A wrong name is found before anything is started.
        let started = project.started_with(&self.services)?;
        if self.detach {
            let answer = self.apply(&project, &mut places, context)?;
            return act::report(&door::settled(answer)?, None, context);
        }
        let names: Vec<String> = started.iter().map(ToString::to_string).collect();
        let request = project.apply(&self.services, false);
        follow::run(&names, &mut places, context, |client| client.request(&request))
    }

    /// Makes it run, and waits for how it comes out.
    fn apply(
        &self,
        project: &Project,
        places: &mut Places,
        context: &Context<'_>,
    ) -> Result<Answer, Failure> {
        let request = project.apply(&self.services, true);
        persist(places, context, |client, _| client.request(&request))
    }
}

/// Does this with a connection, and once more with another when the project was just going down, or the daemon died.
/// Applying twice comes to the same as applying once.
fn persist<T>(
    places: &mut Places,
    context: &Context<'_>,
    mut attempt: impl FnMut(&mut Client, &Places) -> Result<T, ClientError>,
) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        let mut client = launch::connect_or_start(places, context.timeout(), context.output)?;
        match attempt(&mut client, places) {
            Ok(value) => return Ok(value),
            Err(error) if tries == TRIES => return Err(error.into()),
            Err(ClientError::Refused(error)) if error.code == ErrorCode::GoingDown => {
                context.output.note("note: the project is being stopped; it is started again after that");
                drop(client);
                launch::Remaining::of(&places.run_dir)
                    .wait_until_gone(&places.socket(), context.timeout())?;
            }
            Err(ClientError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        tries += 1;
    }
}

//! `mainstay is-active`, `is-ready`, `is-failed`: a word and an exit code for scripts.

use clap::Args;
use mainstay_client::ClientError;
use mainstay_wire::{Request, SCHEMA_VERSION, ServiceView};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    output::{Form, Loudness},
    places::Places,
    project,
    verbs::Context,
    view::event,
};

/// Which services are asked about.
#[derive(Debug, Args)]
pub(crate) struct Services {
    /// Names, globs (`wor*`), instances (`api@2`) or `all`
    #[arg(required = true, value_name = "NAME")]
    services: Vec<String>,
}

/// Whether all of these services run: prints the phase of each, and ends with 0 or 1
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct IsActive {
    #[command(flatten)]
    services: Services,
}

/// Whether all of these services are ready: prints `ready` or the phase of each, and ends with 0 or 1
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct IsReady {
    #[command(flatten)]
    services: Services,
}

/// Whether one of these services has failed: prints the phase of each, and ends with 0 or 1
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct IsFailed {
    #[command(flatten)]
    services: Services,
}

const HELP: &str = "\
With `-q` nothing is printed. Where no daemon runs nothing is active, ready or failed: the answer is no (1). A name that means \
no service is 5.";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Active,
    Ready,
    Failed,
}

impl IsActive {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        Question::Active.answer(&self.services.services, context)
    }
}

impl IsReady {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        Question::Ready.answer(&self.services.services, context)
    }
}

impl IsFailed {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        Question::Failed.answer(&self.services.services, context)
    }
}

/// How one service stands.
struct Stand {
    id: String,
    word: String,
    is_so: bool,
}

impl Question {
    fn answer(self, patterns: &[String], context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let stands = match door::read(&places, context.timeout(), &Request::List) {
            Ok(overview) => self.of(patterns, &overview.services)?,
            Err(error) if door::is_down(&error, &places) => {
                without_daemon(patterns, &places, context, error)?
            }
            Err(error) => return Err(door::explain(error, &places)),
        };
        let mut each = stands.iter().map(|stand| stand.is_so);
        let answer = match self {
            Self::Active | Self::Ready => each.all(|is| is),
            Self::Failed => each.any(|is| is),
        };
        let output = context.output;
        match output.form() {
            Form::Json => {
                let services = stands.iter().map(
                    |stand| serde_json::json!({ "id": stand.id, "state": stand.word, "answer": stand.is_so }),
                );
                output.json(&serde_json::json!({
                    "schema_version": SCHEMA_VERSION,
                    "answer": answer,
                    "services": services.collect::<Vec<_>>(),
                }));
            }
            Form::Text if output.loudness() > Loudness::Quiet => {
                stands.iter().for_each(|stand| output.line(&stand.word));
            }
            Form::Text => {}
        }
        Ok(if answer { Exit::Done } else { Exit::Failed })
    }

    fn of(self, patterns: &[String], services: &[ServiceView]) -> Result<Vec<Stand>, Failure> {
        let ids: Vec<_> = services.iter().filter_map(|service| event::id(service).parse().ok()).collect();
        let chosen = project::choose(patterns, &ids)?;
        let chosen: Vec<String> = chosen.iter().map(ToString::to_string).collect();
        let meant = services.iter().filter(|service| chosen.contains(&event::id(service)));
        Ok(meant.map(|service| self.stand(service)).collect())
    }

    fn stand(self, service: &ServiceView) -> Stand {
        let (is_so, word) = match self {
            Self::Active => (service.phase == "running", service.phase.as_str()),
            Self::Ready if service.ready => (true, "ready"),
            Self::Ready => (false, service.phase.as_str()),
            Self::Failed => (service.phase == "failed", service.phase.as_str()),
        };
        Stand { id: event::id(service), word: word.to_owned(), is_so }
    }
}

/// Nothing runs; whether there is such a service, the files know.
fn without_daemon(
    patterns: &[String],
    places: &Places,
    context: &Context<'_>,
    error: ClientError,
) -> Result<Vec<Stand>, Failure> {
    if places.file.is_none() {
        return Err(error.into());
    }
    let ids = context.project(places)?.chosen(patterns)?;
    let stand = |id: &mainstay_model::ServiceId| Stand {
        id: id.to_string(),
        word: "stopped".to_owned(),
        is_so: false,
    };
    Ok(ids.iter().map(stand).collect())
}

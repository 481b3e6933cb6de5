//! `mainstay config versions`.

use clap::Args;
use jiff::tz::TimeZone;
use mainstay_daemon::read_generations;
use mainstay_wire::{Answer, Request, SCHEMA_VERSION};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    output::Form,
    places::Places,
    verbs::{Context, history::other_question, plan::Proposal},
    view,
};

/// What was applied and when, or what going back to one of them would change; works without a daemon too
#[derive(Debug, Args)]
pub(crate) struct Versions {
    /// Show what is different in this generation
    #[arg(value_name = "N")]
    generation: Option<u64>,
}

impl Versions {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let answer = self.ask(&places, context)?;
        match answer {
            Answer::Generations { generations, probation, .. } => {
                let output = context.output;
                if output.form() == Form::Json {
                    output.json(&serde_json::json!({
                        "schema_version": SCHEMA_VERSION,
                        "generations": generations,
                        "probation": probation,
                    }));
                } else if !generations.is_empty() {
                    let zone = TimeZone::system();
                    let (columns, paint) = (output.width, output.paint);
                    output.print(&view::versions::render(
                        &generations,
                        probation.as_ref(),
                        &user,
                        &zone,
                        columns,
                        paint,
                    ));
                }
                if generations.is_empty() {
                    output.note("note: nothing was ever applied");
                }
                Ok(Exit::Done)
            }
            answer @ Answer::Plan { .. } => {
                let proposal = Proposal::of(answer)?.discreet(&places, &context.surroundings);
                proposal.show(context.output);
                Ok(Exit::Done)
            }
            _ => Err(other_question()),
        }
    }

    fn ask(&self, places: &Places, context: &Context<'_>) -> Result<Answer, Failure> {
        let request = match self.generation {
            None => Request::Generations,
            to @ Some(_) => Request::PlanRollback { to },
        };
        match door::ask(places, context.timeout(), &request) {
            Err(error) if door::is_down(&error, places) => {
                Ok(read_generations(&places.state_dir, self.generation)?)
            }
            result => result.map_err(|error| door::explain(error, places)),
        }
    }
}

fn user(uid: u32) -> String {
    match mainstay_host::lookup_user(&uid.to_string()) {
        Ok(user) => user.name,
        Err(_) => format!("uid {uid}"),
    }
}

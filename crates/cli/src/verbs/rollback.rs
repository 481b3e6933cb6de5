//! `mainstay rollback`.

use std::time::Duration;

use clap::Args;
use mainstay_wire::{Answer, Request, SCHEMA_VERSION, Settled};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch,
    output::{Form, Loudness},
    verbs::{Context, history::other_question, plan::Proposal},
    view::settled,
};

/// Goes back to what was applied before; that is a generation of its own
#[derive(Debug, Args)]
#[command(after_help = ROLLBACK_HELP)]
pub(crate) struct Rollback {
    /// The generation, as `config versions` counts them [default: the latest before the present one that is another one]
    #[arg(value_name = "N")]
    generation: Option<u64>,
}

const ROLLBACK_HELP: &str = "\
What runs becomes what it was then: what changed is restarted, what was removed comes back, what is new is removed. What is \
stopped stays stopped. The files stay as they are: `mainstay apply` or `up` applies them again.";

impl Rollback {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        launch::refuse_elsewhere(&places)?;
        let output = context.output;
        let question = Request::PlanRollback { to: self.generation };
        let answer = door::ask(&places, context.timeout(), &question)
            .map_err(|error| door::explain(error, &places))?;
        let proposal = Proposal::of(answer)?.discreet(&places, &context.surroundings);
        let to = proposal.to.ok_or_else(other_question)?;
        let speaks = output.form() == Form::Text && output.loudness() > Loudness::Quiet;
        if speaks {
            output.line(&format!("back to generation {to}:"));
            proposal.show(output);
            output.flush();
        }
        let within = context.timeout();
        let request = Request::Rollback { to: Some(to), wait: true, within_ms: door::milliseconds(within) };
        let mut client = door::connect(&places, within).map_err(|error| door::explain(error, &places))?;
        let Answer::Done { services, generation } = door::order(&mut client, within, &request)? else {
            return Err(other_question());
        };
        let failure = failure(&services, within);
        if output.form() == Form::Json {
            output.json(&serde_json::json!({
                "schema_version": SCHEMA_VERSION,
                "to": to,
                "steps": proposal.steps,
                "kept": proposal.kept,
                "generation": generation,
                "services": services,
            }));
            return Ok(failure.map_or(Exit::Done, |failure| failure.exit));
        }
        if speaks && !services.is_empty() {
            output.print(&settled::table(&services, output.width, output.paint));
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        if speaks {
            let number = generation.unwrap_or_default();
            output.line(&match number == proposal.base {
                true => format!("generation {number} runs, as before: it is what {to} was"),
                false => format!("generation {number} runs: it is what {to} was"),
            });
        }
        Ok(Exit::Done)
    }
}

fn failure(services: &[Settled], within: Option<Duration>) -> Option<Failure> {
    let late = within.and_then(|within| settled::late(services, within));
    late.or_else(|| settled::failure(services))
}

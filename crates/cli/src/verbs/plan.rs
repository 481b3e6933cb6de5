//! `mainstay plan`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use mainstay_config::explain;
use mainstay_decide::{PlannedAct, Project as Decided};
use mainstay_wire::{Answer, PlanStep, Request, SCHEMA_VERSION, WireSpec};
use serde::Serialize;

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch,
    output::{Form, Output},
    places::{Places, ProjectFile, Surroundings},
    project::{Project, Texts},
    verbs::{Context, history::other_question},
    view,
};

/// What is shown of a variable that is nobody's business.
const HIDDEN: &str = "(hidden)";

/// What `apply` would start, stop, restart or only change, and why; changes nothing
#[derive(Debug, Args)]
#[command(after_help = PLAN_HELP)]
pub(crate) struct Plan {
    /// What would be started, as with `up`: names, globs (`wor*`), instances (`api@2`) [default: everything]
    #[arg(value_name = "NAME")]
    services: Vec<String>,
}

const PLAN_HELP: &str = "\
Signs: `+` is new, `>` is down and would be started, `↻` would be restarted, `~` would only change, `-` would be removed. \
Below each is what its description says differently; `(restarts it)` marks what a process has to be made anew for. \
It ends with 0 whether there is something to do or not.";

impl Plan {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let project = context.project(&places)?;
        // A wrong name is a wrong name also where nobody is asked.
        project.started_with(&self.services)?;
        launch::refuse_elsewhere(&places)?;
        let (proposal, runs) = self.ask(&project, &places, context)?;
        proposal.show(context.output);
        if !runs {
            context.output.note("note: nothing runs; `mainstay apply` would start it");
        }
        Ok(Exit::Done)
    }

    /// What would be done, and whether anything runs now.
    fn ask(
        &self,
        project: &Project,
        places: &Places,
        context: &Context<'_>,
    ) -> Result<(Proposal, bool), Failure> {
        match door::ask(places, context.timeout(), &request(project, &self.services)) {
            Ok(answer) => {
                let proposal = Proposal::of(answer)?.discreet(places, &context.surroundings);
                Ok((proposal.beside_scale(project, places, context), true))
            }
            Err(error) if door::is_down(&error, places) => {
                Ok((Proposal::from_nothing(project, &self.services)?, false))
            }
            Err(error) => Err(door::explain(error, places)),
        }
    }
}

/// The question what an apply of this would do.
pub(super) fn request(project: &Project, start: &[String]) -> Request {
    let specs = project.specs.iter().map(WireSpec::from).collect();
    Request::Plan { specs, start: start.to_vec() }
}

/// What would be done.
#[derive(Debug, Serialize)]
pub(super) struct Proposal {
    schema_version: u32,
    /// The generation on which it is planned.
    pub(super) base: u64,
    /// The generation to which it would go back.
    pub(super) to: Option<u64>,
    pub(super) steps: Vec<PlanStep>,
    /// How many services nothing changes of.
    pub(super) kept: usize,
}

impl Proposal {
    pub(super) fn of(answer: Answer) -> Result<Self, Failure> {
        match answer {
            Answer::Plan { schema_version, base, to, steps, kept } => {
                Ok(Self { schema_version, base, to, steps, kept })
            }
            _ => Err(other_question()),
        }
    }

    /// Where nothing runs, all is new.
    fn from_nothing(project: &Project, start: &[String]) -> Result<Self, Failure> {
        let start = project.chosen(start)?.into_iter().collect();
        let planned = Decided::default().plan(&project.specs, &start);
        let planned = planned.map_err(|error| Failure::new(Exit::InvalidConfiguration, error.to_string()))?;
        let step = |id: String, act: PlannedAct| PlanStep {
            id,
            act: act.as_str().to_owned(),
            differences: Vec::new(),
            because: None,
            needed_by: Vec::new(),
            scaled: false,
        };
        let steps = planned.iter().map(|one| step(one.id.to_string(), one.act)).collect();
        Ok(Self { schema_version: SCHEMA_VERSION, base: 0, to: None, steps, kept: 0 })
    }

    /// Without the values of variables, but for those that the files say openly: what an `env_file` holds is often a secret, and
    /// what is said no more may have been one.
    pub(super) fn discreet(mut self, places: &Places, surroundings: &Surroundings) -> Self {
        let open = places.file.as_ref().map(|file| open_variables(file, surroundings)).unwrap_or_default();
        for step in &mut self.steps {
            let name = step.id.split('@').next().unwrap_or_default();
            let open = open.get(name);
            for one in &mut step.differences {
                let Some(variable) = one.setting.strip_prefix("env.") else { continue };
                if !open.is_some_and(|open| open.contains(variable)) {
                    one.from = one.from.take().map(|_| HIDDEN.to_owned());
                    one.to = one.to.take().map(|_| HIDDEN.to_owned());
                }
            }
        }
        self
    }

    /// Where the files are those that run, only `scale` can have made instances more or fewer.
    pub(super) fn beside_scale(mut self, project: &Project, places: &Places, context: &Context<'_>) -> Self {
        let mut counted: Vec<_> = self
            .steps
            .iter_mut()
            .filter(|step| matches!(step.act.as_str(), "add" | "describe" | "remove"))
            .collect();
        if counted.is_empty() {
            return self;
        }
        let overview = door::read(places, context.timeout(), &Request::List);
        if overview.is_ok_and(|overview| overview.config.fingerprint == project.fingerprint) {
            counted.iter_mut().for_each(|step| step.scaled = true);
        }
        self
    }

    pub(super) fn show(&self, output: &Output) {
        match output.form() {
            Form::Json => output.json(self),
            Form::Text => {
                output.print(&view::plan::render(&self.steps, self.kept, output.width, output.paint));
            }
        }
    }
}

/// By service, the variables that the files say for every eye to see.
fn open_variables(file: &ProjectFile, surroundings: &Surroundings) -> BTreeMap<String, BTreeSet<String>> {
    let mut open: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let texts = Texts::read(file, surroundings).ok();
    let values = texts.and_then(|texts| explain(&texts.inputs()).ok()).unwrap_or_default();
    for one in values.iter().filter(|one| !one.secret) {
        if let [_, service, env, variable] = one.key.parts()
            && env == "env"
        {
            open.entry(service.clone()).or_default().insert(variable.clone());
        }
    }
    open
}

//! `mainstay scale`.

use std::collections::BTreeMap;

use clap::Args;
use mainstay_config::INSTANCES_LIMIT;
use mainstay_model::ServiceName;
use mainstay_wire::{Request, ServiceView, Settled};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch, project,
    project::Project,
    verbs::{Context, act},
    view::settled,
};

/// Sets how many instances of a service run; `up` sets it back to what the files say
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Scale {
    /// The service
    #[arg(value_name = "NAME")]
    service: String,

    /// How many, from 1 to 1000
    #[arg(value_name = "N", value_parser = instances)]
    instances: u32,

    /// Return at once, and not when they are ready or have failed
    #[arg(long)]
    no_wait: bool,
}

/// A number on the command line. One that is too large, the files could say as well: whoever reads them refuses it.
fn instances(text: &str) -> Result<u32, String> {
    let number: Option<u32> = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("expected a number from 1 to {INSTANCES_LIMIT}"))
}

const HELP: &str = "\
New instances are started, and those with the highest numbers are stopped. A single instance has no number: from `api` to \
`api@1` and `api@2`, or back, its process is made anew. Only what the files say now can be scaled: when they are newer than \
what runs, `mainstay up` comes first.";

impl Scale {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        launch::refuse_elsewhere(&places)?;
        let overview = door::read(&places, context.timeout(), &Request::List)
            .map_err(|error| door::explain(error, &places))?;
        let project = context.project(&places)?;
        if project.fingerprint != overview.config.fingerprint {
            return Err(Failure::new(Exit::Failed, "the files differ from what runs")
                .with_help("`mainstay up` applies them; then scale"));
        }
        let described = counts(project.specs.iter().map(|spec| &spec.id.name));
        let name = self.service.parse::<ServiceName>().ok().filter(|name| described.contains_key(name));
        let name = name.ok_or_else(|| project::no_such_service(&self.service, &project.ids()))?;
        let wanted = self.wanted(&name, &described, &overview.services);
        let scaled = context.project_scaled(&places, &wanted)?;
        let services = self.apply(&scaled, &places, context)?;
        if self.instances != described.get(&name).copied().unwrap_or(0) {
            let said = described.get(&name).copied().unwrap_or(1);
            context.output.note(&format!("note: `mainstay up` sets it back to {said}, as the files say"));
        }
        let within = context.timeout().filter(|_| !self.no_wait);
        act::report(None, &services, within, context)
    }

    /// What other services were scaled to stays.
    fn wanted(
        &self,
        name: &ServiceName,
        described: &BTreeMap<ServiceName, u32>,
        running: &[ServiceView],
    ) -> BTreeMap<ServiceName, u32> {
        let names: Vec<ServiceName> =
            running.iter().filter_map(|service| service.name.parse().ok()).collect();
        let mut wanted = counts(names.iter());
        wanted.retain(|name, count| described.get(name).is_some_and(|said| said != count));
        wanted.insert(name.clone(), self.instances);
        wanted
    }

    fn apply(
        &self,
        project: &Project,
        places: &crate::places::Places,
        context: &Context<'_>,
    ) -> Result<Vec<Settled>, Failure> {
        let within = context.timeout().filter(|_| !self.no_wait);
        let request =
            project.apply(std::slice::from_ref(&self.service), !self.no_wait, door::milliseconds(within));
        let mut client =
            door::connect(places, context.timeout()).map_err(|error| door::explain(error, places))?;
        let mut services = door::settled(door::order(&mut client, within, &request)?)?;
        for service in services.iter_mut().filter(|service| settled::is_removed(service)) {
            service.reason.text = format!("scaled to {}", self.instances);
        }
        Ok(services)
    }
}

fn counts<'a>(names: impl Iterator<Item = &'a ServiceName>) -> BTreeMap<ServiceName, u32> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name.clone()).or_insert(0) += 1;
    }
    counts
}

//! The verbs, one file each: its arguments, what it asks of the daemon, what it prints, and how the program ends.

pub(crate) mod act;
pub(crate) mod apply;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod down;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod is;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod reload;
pub(crate) mod report;
pub(crate) mod reset_failed;
pub(crate) mod restart;
pub(crate) mod resume;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod scale;
pub(crate) mod schema;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod up;
pub(crate) mod wait;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainstay_model::ServiceName;

use crate::{
    arguments::{Arguments, Global, Verb},
    exit::Exit,
    failure::Failure,
    output::Output,
    places::{Places, Surroundings},
    project::{self, Project},
};

/// What every verb can use.
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    pub(crate) surroundings: Surroundings,
    /// Shared with the threads that a verb may start.
    pub(crate) output: &'a Arc<Output>,
}

impl Context<'_> {
    /// Where everything of the project is.
    pub(crate) fn places(&self) -> Result<Places, Failure> {
        Places::find(self.global, &self.surroundings)
    }

    /// The project as its files describe it; what is wrong with them is shown.
    pub(crate) fn project(&self, places: &Places) -> Result<Project, Failure> {
        let file = places.require_file(&self.surroundings)?;
        project::load(file, &self.surroundings).map_err(|error| error.tell(self.output))
    }

    /// The same with other numbers of instances than its files say.
    pub(crate) fn project_scaled(
        &self,
        places: &Places,
        instances: &BTreeMap<ServiceName, u32>,
    ) -> Result<Project, Failure> {
        let file = places.require_file(&self.surroundings)?;
        project::load_scaled(file, &self.surroundings, instances).map_err(|error| error.tell(self.output))
    }

    /// `--timeout`.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.global.timeout
    }
}

/// Does what the command line says.
pub(crate) fn run(arguments: Arguments, output: &Arc<Output>) -> Result<Exit, Failure> {
    let Arguments { global, verb } = arguments;
    let context = || {
        let surroundings = Surroundings::read()?;
        Ok::<_, Failure>(Context { global: &global, surroundings, output })
    };
    match verb {
        Verb::Up(up) => up.run(&context()?),
        Verb::Down(down) => down.run(&context()?),
        Verb::Start(start) => start.run(&context()?),
        Verb::Stop(stop) => stop.run(&context()?),
        Verb::Restart(restart) => restart.run(&context()?),
        Verb::Kill(kill) => kill.run(&context()?),
        Verb::Reload(reload) => reload.run(&context()?),
        Verb::Pause(pause) => pause.run(&context()?),
        Verb::Resume(resume) => resume.run(&context()?),
        Verb::Signal(signal) => signal.run(&context()?),
        Verb::Scale(scale) => scale.run(&context()?),
        Verb::ResetFailed(reset) => reset.run(&context()?),
        Verb::Wait(wait) => wait.run(&context()?),
        Verb::IsActive(is) => is.run(&context()?),
        Verb::IsReady(is) => is.run(&context()?),
        Verb::IsFailed(is) => is.run(&context()?),
        Verb::Run(run) => run.run(&context()?),
        Verb::List(list) => list.run(&context()?),
        Verb::Status(status) => status.run(&context()?),
        Verb::Explain(explain) => explain.run(&context()?),
        Verb::Logs(logs) => logs.run(&context()?),
        Verb::History(history) => history.run(&context()?),
        Verb::Report(report) => report.run(&context()?),
        Verb::Top(top) => top.run(&context()?),
        Verb::Call(call) => call.run(&context()?),
        Verb::Check(check) => check.run(&context()?),
        Verb::Plan(plan) => plan.run(&context()?),
        Verb::Apply(apply) => apply.run(&context()?),
        Verb::Rollback(rollback) => rollback.run(&context()?),
        Verb::Config(config) => config.run(&context()?),
        Verb::Schema(schema) => Ok(schema.run(output)),
        Verb::Completions(completions) => Ok(completions.run(output)),
        Verb::Man(man) => man.run(output),
        Verb::Daemon(daemon) => daemon.run(output, context),
    }
}

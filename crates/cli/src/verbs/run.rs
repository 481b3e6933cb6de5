//! `mainstay run`: one service or any command in the foreground, by hand, without supervision.

use std::{collections::BTreeMap, io, path::Path, process::Command};

use clap::Args;
use mainstay_client::ClientError;
use mainstay_daemon::{Invocation, PersonalData, environment};
use mainstay_host::User;
use mainstay_model::{RunId, Spec};
use mainstay_wire::{ErrorCode, Request};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::{door, exit::Exit, failure::Failure, foreground, places::Places, verbs::Context};

/// Runs one service, or any command, in the foreground; exits as it does
#[derive(Debug, Args)]
#[command(override_usage = "mainstay run [OPTIONS] <NAME>\n       mainstay run [OPTIONS] -- <COMMAND>...")]
#[command(after_help = RUN_HELP)]
pub(crate) struct Run {
    /// The service, or one instance of it (`api@2`)
    #[arg(value_name = "NAME", required_unless_present = "command", conflicts_with = "command")]
    service: Option<String>,

    /// The command, with its arguments
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
}

const RUN_HELP: &str = "\
A service gets the directory, the environment and the user that its description says; a command gets what this \
terminal has. It is not restarted, its output goes to the terminal, and Ctrl-C reaches it.";

impl Run {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        match &self.service {
            Some(service) => service_by_hand(service, context),
            None => {
                let mut words = self.command.iter();
                let Some(program) = words.next() else {
                    return Err(Failure::new(Exit::Usage, "there is no command after `--`"));
                };
                let mut command = Command::new(program);
                command.args(words);
                start(&mut command, program)
            }
        }
    }
}

fn service_by_hand(service: &str, context: &Context<'_>) -> Result<Exit, Failure> {
    let places = context.places()?;
    let project = context.project(&places)?;
    let chosen = project.chosen(&[service.to_owned()])?;
    let [id] = chosen.as_slice() else {
        let text = format!("`{service}` means {} instances, and one at a time can run by hand", chosen.len());
        return Err(
            Failure::new(Exit::Usage, text).with_help(format!("for example `mainstay run {}`", chosen[0]))
        );
    };
    let Some(spec) = project.specs.iter().find(|spec| spec.id == *id) else {
        return Err(Failure::new(Exit::Bug, format!("{id} has no description")));
    };
    refuse_second(&places, spec, context)?;
    let user = spec.user.as_deref().map(mainstay_host::lookup_user).transpose()?;
    let mut command = command(spec, user.as_ref(), &places)?;
    if let Some(user) = &user {
        become_user(user)?;
    }
    context.output.detail(&format!("running {} in {}", spec.command.program(), spec.working_dir.display()));
    start(&mut command, spec.command.program())
}

/// Two of the same could do harm to each other.
fn refuse_second(places: &Places, spec: &Spec, context: &Context<'_>) -> Result<(), Failure> {
    let request = Request::Status { service: spec.id.to_string() };
    let overview = match door::read(places, context.timeout(), &request) {
        Ok(overview) => overview,
        Err(error) if error.is_no_daemon() => return Ok(()),
        // In the files, and not applied yet.
        Err(ClientError::Refused(error)) if error.code == ErrorCode::NoSuchService => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match overview.services.iter().find_map(|service| service.pid) {
        None => Ok(()),
        Some(pid) => Err(Failure::new(Exit::Failed, format!("{} runs already (pid {pid})", spec.id))
            .with_help(format!("`mainstay stop {}` stops it", spec.id))),
    }
}

fn command(spec: &Spec, user: Option<&User>, places: &Places) -> Result<Command, Failure> {
    if !spec.working_dir.is_dir() {
        let text = format!("cannot run {}: there is no directory {}", spec.id, spec.working_dir.display());
        return Err(Failure::new(Exit::Failed, text));
    }
    let program = spec.command.program();
    // With a slash it counts from the working directory, whatever the system makes of that.
    let path =
        if program.contains('/') { spec.working_dir.join(program) } else { Path::new(program).to_owned() };
    let mut command = Command::new(path);
    command.args(spec.command.words().skip(1)).current_dir(&spec.working_dir);
    command.env_clear().envs(variables(spec, user, places));
    Ok(command)
}

/// As the daemon makes them, of a run that has no number.
fn variables(spec: &Spec, user: Option<&User>, places: &Places) -> BTreeMap<String, String> {
    let person = user
        .map(|user| PersonalData { name: user.name.clone(), home: user.home.to_string_lossy().into_owned() });
    let key = places.run_dir.file_name().unwrap_or_default().to_string_lossy();
    let socket = places.socket();
    let invocation = Invocation {
        run: RunId(0),
        attempt: 0,
        previous_exit: None,
        project_key: &key,
        boot_id: &mainstay_host::boot_id(),
        socket: &socket.to_string_lossy(),
    };
    environment(spec, person.as_ref(), invocation)
}

/// Takes on the user's rights in this thread, which starts the program. What this process still does is to wait.
fn become_user(user: &User) -> Result<(), Failure> {
    let same = user.uid == mainstay_host::effective_uid();
    let gid = rustix::fs::Gid::from_raw(user.gid);
    let uid = rustix::fs::Uid::from_raw(user.uid);
    let groups: Vec<_> = user.groups.iter().map(|group| rustix::fs::Gid::from_raw(*group)).collect();
    if same {
        return Ok(());
    }
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(|errno| {
            let text = format!("cannot become the user {}: {}", user.name, io::Error::from(errno));
            Failure::new(Exit::NotPermitted, text).with_help("only root may run a service as another user")
        })
}

fn start(command: &mut Command, program: &str) -> Result<Exit, Failure> {
    foreground::run(command).map(Exit::Program).map_err(|error| {
        let exit = Exit::Program(foreground::code_of(&error));
        Failure::new(exit, format!("cannot start `{program}`: {error}"))
    })
}

//! `mainstay run`: one service or any command in the foreground, by hand, without supervision.

use std::{collections::BTreeMap, fs, io, os::unix::fs::MetadataExt, path::Path, process::Command};

use clap::Args;
use mainstay_client::ClientError;
use mainstay_daemon::{Invocation, PersonalData, environment};
use mainstay_host::{Asked, Holder, Lock, User};
use mainstay_model::{RunId, Spec};
use mainstay_wire::{ErrorCode, Request, ServiceView};
use rustix::{
    fs::{Access, access},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    foreground,
    holders::Holders,
    launch,
    places::{Places, project_of},
    verbs::Context,
};

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
    // Held until the program has ended. First, so that of this and a start by the daemon one sees the other.
    let lock = lock(&places, spec, context)?;
    refuse_second(&places, spec, context)?;
    let user = spec.user.as_deref().map(mainstay_host::lookup_user).transpose()?;
    let mut command = command(spec, user.as_ref(), &places)?;
    if let Some(user) = &user {
        become_user(user)?;
    }
    context.output.detail(&format!("running {} in {}", spec.command.program(), spec.working_dir.display()));
    let exit = start(&mut command, spec.command.program());
    if let Some(lock) = lock {
        lock.remove();
    }
    exit
}

/// Two of the same could do harm to each other: this is what keeps the next one out. Without one where the state folder is not
/// ours to write to: whoever may run the project may look at its files and run a service by hand.
fn lock(places: &Places, spec: &Spec, context: &Context<'_>) -> Result<Option<Lock>, Failure> {
    launch::refuse_elsewhere(places)?;
    let path = mainstay_keeper::by_hand_lock(&places.state_dir, &spec.id.to_string());
    let refused = |holder: Holder| {
        let text = format!("{} runs by hand already{}", spec.id, holder.in_brackets());
        let kill = holder.process.map(|process| format!(", `kill {}` from elsewhere", process.pid));
        let help = format!("Ctrl-C ends it where it was started{}", kill.unwrap_or_default());
        Err(Failure::new(Exit::Failed, text).with_help(help))
    };
    // One that we may only look at counts as well.
    if let Ok(Some(holder)) = Lock::holder(&path) {
        return refused(holder);
    }
    if !is_ours(&places.state_dir) {
        let state = places.state_dir.display();
        context.output.note(&format!(
            "note: nothing keeps a second one from being started: {state} is not ours to write to"
        ));
        return Ok(None);
    }
    launch::make_state_folder(places)?;
    mainstay_host::private_dir(path.parent().unwrap_or(&places.state_dir))?;
    match Lock::ask(&path) {
        Ok(Asked::Held(lock)) => Ok(Some(lock)),
        Ok(Asked::Busy(holder)) => refused(holder),
        Err(error) => {
            let text = format!("cannot lock {}: {error}", path.display());
            Err(Failure::new(Exit::Failed, text)
                .with_help("`--state-dir DIR` keeps state and logs elsewhere"))
        }
    }
}

/// Whether we may keep something in this folder. One of ours in somebody else's project would keep its owner from starting it.
fn is_ours(state_dir: &Path) -> bool {
    let mut owners = [state_dir, project_of(state_dir)].into_iter().filter_map(|dir| fs::metadata(dir).ok());
    let is_own = owners.next().is_none_or(|data| data.uid() == mainstay_host::effective_uid());
    let there = state_dir.ancestors().find(|dir| dir.exists());
    is_own && there.is_some_and(|dir| access(dir, Access::WRITE_OK).is_ok())
}

/// Whether the daemon runs it, or is about to.
fn refuse_second(places: &Places, spec: &Spec, context: &Context<'_>) -> Result<(), Failure> {
    let request = Request::Status { service: spec.id.to_string() };
    let overview = match door::read(places, context.timeout(), &request) {
        Ok(overview) => overview,
        Err(error) if error.is_no_daemon() => {
            // One that cannot be asked may run it.
            let holders = Holders::of(&places.state_dir);
            return holders.map_or(Ok(()), |holders| Err(holders.unreachable(places, Exit::Failed)));
        }
        // In the files, and not applied yet.
        Err(ClientError::Refused(error)) if error.code == ErrorCode::NoSuchService => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let Some((what, pid)) = overview.services.iter().find_map(life) else { return Ok(()) };
    let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    Err(Failure::new(Exit::Failed, format!("{} {what}{pid}", spec.id))
        .with_help(format!("`mainstay stop {}` stops it", spec.id)))
}

/// What it does, when there is a process of it, or soon will be.
fn life(service: &ServiceView) -> Option<(&'static str, Option<u32>)> {
    let what = match service.phase.as_str() {
        "starting" => "is being started already",
        "stopping" => "is still being stopped",
        "running" => "runs already",
        _ if service.pid.is_some() => "runs already",
        _ => return None,
    };
    Some((what, service.pid))
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

//! Services that are made with the library, called while a project or a person runs them. This executable is the program of
//! these services as well: with `PROGRAM_UNDER_TEST` in its environment it does what `mainstay::main!()` does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Trial};
use mainstay::prelude::*;
use story::{Project, Said, wait_until};

/// In its environment, the executable is the program.
const PROGRAM: &str = "PROGRAM_UNDER_TEST";

#[derive(ServiceConfig)]
struct GreeterConfig {
    /// What is said first.
    #[default("Hello")]
    greeting: String,
}

#[service(name = "greeter")]
struct Greeter {
    config: GreeterConfig,
}

impl Permanent for Greeter {
    async fn start(&mut self, _ctx: &Context) -> Result {
        info!("open with {}", self.config.greeting);
        Ok(())
    }
}

#[mainstay::calls]
impl Greeter {
    /// Greets somebody.
    #[call]
    fn greet(&self, ctx: &Context, name: String) -> Result<String> {
        if name.is_empty() {
            fail!("nobody is there");
        }
        ctx.emit("greeted", &name);
        Ok(format!("{} {name}", self.config.greeting))
    }

    #[call]
    async fn hang(&self) -> Result {
        std::future::pending().await
    }
}

#[service(name = "updater")]
#[derive(Default)]
struct Updater {
    count: u32,
}

impl Periodic for Updater {
    fn interval(&self) -> Duration {
        Duration::MAX
    }

    async fn tick(&mut self, _ctx: &Context) -> Result {
        self.count += 1;
        info!("update {}", self.count);
        Ok(())
    }
}

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_some() {
        let program = mainstay::Program { name: "tested", version: "1.2.3" };
        return mainstay::run_program(program, mainstay::Registry::discover(), std::env::args_os());
    }
    let tests: [(&str, fn()); 8] = [
        ("a_service_of_a_project_is_called", called),
        ("what_cannot_be_called_has_an_exit_code", refused),
        ("events_are_followed_until_the_service_ends", followed),
        ("instances_are_called_by_their_number", instances),
        ("a_service_that_runs_by_hand_is_called", by_hand),
        ("a_service_of_another_user_is_called", another_user),
        ("a_new_daemon_knows_where_services_are_called", new_daemon),
        ("an_embedded_command_speaks_to_the_project_and_to_what_runs_by_hand", embedded),
    ];
    let trial = |(name, test): (&'static str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), tests.map(trial).into()).exit_code()
}

/// A project with a service of this program under another name, and more.
fn project(more: &str) -> Project {
    let executable = std::env::current_exe().unwrap();
    project_of(&executable, "greeter", more)
}

fn project_of(executable: &Path, service: &str, more: &str) -> Project {
    Project::new(&format!(
        "[service.api]\ncommand = [{:?}, \"-\", \"{service}\"]\nenv = {{ {PROGRAM} = \"1\" }}\nready = {{ notify = true }}\n{more}",
        executable.display().to_string()
    ))
}

/// Its lines are free of what another terminal would have set.
fn by_itself(project: &Project, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words).current_dir(&project.dir).env_clear().env(PROGRAM, "1");
    command.env("XDG_RUNTIME_DIR", &project.runtime).stdin(Stdio::null());
    command
}

fn called() {
    let project = project("");
    project.up().expect(0);
    let greet = ["call", "api", "greet", r#"{"name":"Ada"}"#];
    assert_eq!(project.run(&greet).expect(0).out, "Hello Ada\n");
    let said = project.run(&[&greet[..], &["--json"]].concat()).expect(0).json();
    let fields = |name: &str| said[name].clone();
    assert_eq!(
        (fields("schema_version"), fields("method"), fields("result")),
        (1.into(), "greet".into(), "Hello Ada".into())
    );

    let listed = project.run(&["call", "api"]).expect(0);
    assert!(
        listed.out.contains("greet(name: string)") && listed.out.contains("Greets somebody."),
        "{}",
        listed.out
    );
    assert!(listed.out.contains("config.set()"), "{}", listed.out);
    let methods = project.run(&["call", "api", "--json"]).expect(0).json();
    assert_eq!(methods["methods"][0]["name"], "greet");

    project.run(&["call", "api", "config.set", r#"{"greeting":"Hi"}"#]).expect(0).says("a call");
    wait_until("it greets otherwise", || project.run(&greet).out == "Hi Ada\n");
    let calls = project.run(&["status", "api", "--json"]).expect(0).json()["details"]["calls"].clone();
    assert_eq!(fs::metadata(calls.as_str().unwrap()).unwrap().mode() & 0o777, 0o600);
    project.run(&["down"]).expect(0);
    assert!(!Path::new(calls.as_str().unwrap()).exists());
}

fn refused() {
    let project = project("[service.plain]\ncommand = \"sleep 1000\"\n");
    project.run(&["call", "api", "status"]).expect(7).says("no daemon");
    project.up().expect(0);
    project.run(&["call", "api", "greet", "{"]).expect(2).says("expected a JSON object");
    project.run(&["call", "api", "greet", "[1]"]).expect(2);
    project.run(&["call", "api", "greet"]).expect(1).says("`name` is missing").says("lists its methods");
    project.run(&["call", "api", "greets"]).expect(1).says("did you mean `greet`?");
    project.run(&["call", "api", "greet", r#"{"name":""}"#]).expect(1).says("nobody is there");
    project.run(&["call", "api", "hang", "--timeout", "100ms"]).expect(124).says("no answer within 100 ms");
    project.run(&["call", "apo"]).expect(5).says("there is no service `apo`");
    project.run(&["call", "plain"]).expect(1).says("cannot be called");
    project.run(&["call", "all", "status"]).expect(2).says("name one of");
    project.run(&["stop", "api"]).expect(0);
    project.run(&["call", "api", "status"]).expect(7).says("does not run");
    let nowhere = tempfile::tempdir().unwrap();
    let said: Said = project.command(&["call", "api"]).current_dir(nowhere.path()).output().unwrap().into();
    said.expect(5);
}

fn followed() {
    let project = project("");
    project.up().expect(0);
    let mut running = project.spawn(&["call", "api", "--events", "--json"]);
    wait_until("an event is told", || {
        project.run(&["call", "api", "greet", r#"{"name":"Ada"}"#]).expect(0);
        running.output().contains(r#"{"event":"greeted","data":"Ada"}"#)
    });
    project.run(&["call", "api", "stop"]).expect(0);
    let code = running.wait();
    assert_eq!(code, 0);
}

fn instances() {
    let project = project("instances = 2\n");
    project.up().expect(0);
    project.run(&["call", "api", "status"]).expect(2).says("name one of api@1, api@2");
    let of = |id: &str| project.run(&["call", id, "status"]).expect(0).out;
    assert_ne!(of("api@1"), of("api@2"));
}

fn by_hand() {
    let project = project("");
    let mut child = by_itself(&project, &["-", "greeter"]).stderr(Stdio::null()).spawn().unwrap();
    let nowhere = tempfile::tempdir().unwrap();
    let call = |words: &[&str]| -> Said {
        project.command(words).current_dir(nowhere.path()).output().unwrap().into()
    };
    wait_until("it can be called", || call(&["call", "greeter", "health"]).code == 0);
    assert_eq!(call(&["call", "greeter", "greet", r#"{"name":"Ada"}"#]).expect(0).out, "Hello Ada\n");
    // From within a project that has no such service, and runs.
    project.up().expect(0);
    assert_eq!(
        project.run(&["call", "greeter@1", "greet", r#"{"name":"Ada"}"#]).expect(0).out,
        "Hello Ada\n"
    );
    call(&["call", "greeter", "stop"]).expect(0);
    assert!(child.wait().unwrap().success());
    call(&["call", "greeter", "health"]).expect(5);
}

fn another_user() {
    if !rustix::process::geteuid().is_root() {
        return story::skipped("only root can run a service as another user");
    }
    let place = tempfile::tempdir().unwrap();
    let executable = place.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &executable).unwrap();
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let project = project_of(&executable, "greeter", "user = \"nobody\"\nworking_dir = \"/\"\n");
    [place.path(), &executable].into_iter().for_each(open);
    project.up().expect(0);
    let calls = project.run(&["status", "api", "--json"]).expect(0).json()["details"]["calls"].clone();
    let socket = Path::new(calls.as_str().unwrap());
    let folder = fs::metadata(socket.parent().unwrap()).unwrap();
    assert_eq!((folder.mode() & 0o777, folder.uid()), (0o700, fs::metadata(socket).unwrap().uid()));
    assert_ne!(folder.uid(), 0);
    assert_eq!(project.run(&["call", "api", "greet", r#"{"name":"Ada"}"#]).expect(0).out, "Hello Ada\n");
    // It cannot have us speak to somebody else in our name.
    let real = socket.with_file_name("real");
    fs::rename(socket, &real).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(socket).unwrap();
    project.run(&["call", "api", "status"]).expect(4).says("nothing was said");
    project.run(&["down"]).expect(0);
    assert!(!socket.parent().unwrap().parent().unwrap().exists());
}

fn new_daemon() {
    let project = project("");
    project.up().expect(0);
    let before = project.three().daemon.unwrap();
    story::kill(before, "KILL");
    wait_until("another daemon", || project.three().daemon.is_some_and(|pid| pid != before));
    assert_eq!(project.run(&["call", "api", "greet", r#"{"name":"Ada"}"#]).expect(0).out, "Hello Ada\n");
    let pid = project.pid("api");
    project.run(&["restart", "api"]).expect(0);
    assert_ne!(project.pid("api"), pid);
    project.run(&["call", "api", "health"]).expect(0);
}

fn embedded() {
    let executable = std::env::current_exe().unwrap();
    let project = project_of(&executable, "updater", "");
    let service = |words: &[&str]| -> Said {
        by_itself(&project, &[&["service"], words].concat()).output().unwrap().into()
    };
    service(&["status"]).expect(2).says("which service? there are: greeter, updater");
    service(&["status", "api"]).expect(3).says("api does not run");
    service(&["start", "api"]).expect(69).says("mainstay up -d");
    service(&["install", "api"]).expect(3).says("not implemented yet").says("mainstay up -d");
    project.up().expect(0);
    service(&["status", "api"]).expect(0).says("api is running (pid ");
    service(&["status", "apo"]).expect(5);
    service(&["update-now", "api"]).expect(0);
    project.wait_for_text(".mainstay/logs/api/current", "update 2");
    service(&["logs", "api", "-n", "1"]).expect(0).says("update 2");
    service(&["stop", "api"]).expect(0).says("api is ");
    service(&["status", "api"]).expect(3).says("stopped");
    service(&["update-now", "api"]).expect(7);
    service(&["start", "api"]).expect(0).says("api is running");
    service(&["restart", "api"]).expect(0);
    project.run(&["down"]).expect(0);

    let mut child = by_itself(&project, &["-", "greeter"]).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it runs by hand", || service(&["status", "greeter"]).code == 0);
    service(&["status", "greeter"]).says("runs by hand (pid ");
    service(&["config", "greeter", "--greeting", "Good day"])
        .expect(0)
        .says("greeting = \"Good day\"  # a call");
    wait_until("it is changed", || service(&["config", "greeter"]).out.contains("Good day"));
    service(&["logs", "greeter"]).expect(1);
    service(&["stop", "greeter"]).expect(0);
    assert!(child.wait().unwrap().success());
}

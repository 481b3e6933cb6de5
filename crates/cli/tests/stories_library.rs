//! A program that is made with the library, and one file that describes its services: run by `mainstay up`, and launched by the
//! program itself. This executable is the program as well: with `PROGRAM_UNDER_TEST` in its environment it does what
//! `mainstay::main!()` does, without it it tells the stories.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};
use mainstay::prelude::*;
use story::{Project, wait_until};

/// In its environment, the executable is the program.
const PROGRAM: &str = "PROGRAM_UNDER_TEST";

#[derive(ServiceConfig)]
struct LampConfig {
    /// How it shines.
    #[default("white")]
    colour: String,
}

#[service(name = "lamp")]
struct Lamp {
    config: LampConfig,
}

impl Permanent for Lamp {
    async fn start(&mut self, ctx: &Context) -> Result {
        let runner = ctx.runner_id().unwrap_or("nobody");
        info!("{} shines {}, for {runner}", ctx.id(), self.config.colour);
        Ok(())
    }

    async fn on_config_changed(&mut self, old: LampConfig, _ctx: &Context) -> Result<Reload> {
        info!("{} became {}", old.colour, self.config.colour);
        Ok(Reload::Live)
    }
}

#[service(name = "bulb")]
struct Bulb;

impl SingleShot for Bulb {
    async fn execute(&mut self, _ctx: &Context) -> Result {
        fail!("it has blown")
    }
}

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_some() {
        let program = mainstay::Program { name: "lamps", version: "1.2.3" };
        return mainstay::run_program(program, mainstay::Registry::discover(), std::env::args_os());
    }
    let stories: [(&str, fn()); 2] = [
        ("one_file_runs_under_mainstay_and_by_its_program", one_file),
        ("changed_settings_restart_a_service_or_are_read_again", changed),
    ];
    let trial = |(name, story): (&str, fn())| {
        Trial::test(name, move || {
            story();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), stories.map(trial).into()).exit_code()
}

fn exe() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

fn project(file: &str) -> Project {
    let file = file.replace("PROGRAM:", &format!("{}:", exe()));
    Project::new(&format!("[defaults]\nenv = {{ {PROGRAM} = \"1\" }}\n{file}"))
}

const FILE: &str = r#"
[service.hall]
use = "PROGRAM:lamp"
config = { colour = "${HALL_COLOUR}" }
runner = "task"

[service.stairs]
use = "PROGRAM:lamp"
instances = 2
config = { colour = "grey {instance}" }
depends_on = ["hall"]
runner = "task"

[service.cellar]
use = "PROGRAM:bulb"
kind = "oneshot"
runner = "task"
"#;

fn one_file() {
    let project = project(FILE);
    let up = project.command(&["up", "-d"]).env("HALL_COLOUR", "amber").output().unwrap();
    story::Said::from(up).expect(1).says("cellar");
    let mut pids: Vec<u32> = ["hall", "stairs@1", "stairs@2"].map(|id| project.pid(id)).into();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 3, "whatever `runner` says, each is a process");
    assert_eq!(project.service("cellar")["phase"], "failed");
    assert_eq!(project.service("hall")["ready"], true);
    let said = [
        "hall shines amber, for ",
        "stairs shines grey 1, for ",
        "stairs@2 shines grey 2, for ",
        "it has blown",
    ];
    for words in said {
        project.run(&["logs", "-n", "100"]).expect(0).says(words);
    }
    project.run(&["down"]).expect(0);
    let mut command = Command::new(exe());
    command.args(["launch", "mainstay.toml"]).current_dir(&project.dir);
    command.env(PROGRAM, "1").env("HALL_COLOUR", "amber").env_remove("NOTIFY_SOCKET");
    let path = project.dir.join("launched");
    command.stderr(std::fs::File::create(&path).unwrap());
    let mut launched = command.spawn().unwrap();
    wait_until("all were launched", || {
        let text = project.read("launched");
        said.iter().all(|words| text.contains(words)) && text.contains("stairs@2 running")
    });
    assert!(project.read("launched").contains("for mainstay.hall"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&launched), rustix::process::Signal::TERM)
        .unwrap();
    assert_eq!(launched.wait().unwrap().code(), Some(1), "the cellar failed");
}

fn changed() {
    let project = project(
        r#"
[service.restarted]
use = "PROGRAM:lamp"
config = { colour = "red" }

[service.told]
use = "PROGRAM:lamp"
config = { colour = "red" }
reload = "HUP"
"#,
    );
    project.up().expect(0);
    let before = ["restarted", "told"].map(|id| project.pid(id));
    let file = project.read("mainstay.toml");
    project.write("mainstay.toml", &file.replace("red", "blue"));
    let plan = project.run(&["plan"]);
    assert!(plan.out.contains("config.colour"), "{}", plan.out);
    project.run(&["apply"]).expect(0);
    wait_until("both are blue", || {
        let logs = project.run(&["logs", "-n", "100"]).expect(0).out;
        logs.contains("restarted shines blue") && logs.contains("red became blue")
    });
    let after = ["restarted", "told"].map(|id| project.pid(id));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
    let (blue, told) = file.split_once("[service.told]").unwrap();
    let text = format!("{}[service.told]{}", blue.replace("red", "blue"), told.replace("\"red\"", "3"));
    project.write("mainstay.toml", &text);
    project.run(&["apply"]);
    let logs = || project.run(&["logs", "told", "-n", "100"]).expect(0).out;
    wait_until("a wrong setting is told and changes nothing", || {
        logs().contains("the configuration is kept as it was")
    });
    assert_eq!(project.pid("told"), after[1]);
    project.run(&["down"]).expect(0);
}

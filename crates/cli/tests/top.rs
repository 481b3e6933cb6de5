//! `mainstay top` on a real terminal with a real project.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod glass;
mod story;

use std::process::Command;

use glass::Glass;
use story::{Project, kill, wait_until};

/// `db`, `web` that needs it, and `noisy`, which writes what no terminal should see.
const SHOP: &str = "\
[service.db]\ncommand = \"sleep 1000\"\n\
[service.web]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n\
[service.noisy]\ncommand = [\"sh\", \"-c\", \"echo one line; printf '\\\\033]0;evil\\\\007\\\\033[31mand red\\\\n'; sleep 1000\"]\n";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.up().expect(0);
    project
}

/// The view, as a person opens it in the project's folder.
fn top(project: &Project, columns: u16, rows: u16) -> Glass {
    let glass = Glass::start(&command(project, &["top"]), columns, rows);
    glass.wait_until("three services", |screen| {
        ["db", "web", "noisy"].iter().all(|name| screen.contains(name))
    });
    glass
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command
}

#[test]
fn a_service_is_seen_stopped_and_started_again() {
    let project = shop();
    let mut glass = top(&project, 80, 24);
    glass.wait_for("running 3");
    glass.wait_for("up ");
    // The reading of the processor comes with the second look.
    glass.wait_until("cpu of db", |screen| {
        screen.lines().any(|line| line.contains(" db ") && line.contains("0.0"))
    });
    glass.keys("/web\r");
    glass.wait_until("the filter", |screen| !screen.contains(" db "));
    glass.keys("x");
    glass.wait_for("stopped web");
    glass.wait_for("stopped on request");
    assert_eq!(project.service("web")["phase"], "stopped");
    assert_eq!(project.service("db")["phase"], "running");
    glass.keys("u");
    glass.wait_for("started web");
    assert_eq!(project.service("web")["phase"], "running");
    // Esc: the message, then the filter.
    glass.keys("\x1b");
    glass.wait_until("no message", |screen| !screen.contains("started web"));
    glass.keys("\x1b");
    glass.wait_for(" db ");
    glass.click(" db ");
    glass.keys("x");
    glass.wait_for("stops also web");
    glass.click(" y ");
    glass.wait_for("stopped db, also web");
    glass.keys("q");
    assert_eq!(glass.end(), Some(0));
    glass.is_as_before();
    assert_eq!(project.service("noisy")["phase"], "running");
}

#[test]
fn a_service_is_paused_and_goes_on_again() {
    let project = shop();
    let mut glass = top(&project, 100, 24);
    glass.keys("/web\r");
    glass.wait_until("the filter", |screen| !screen.contains(" db "));
    glass.keys("p");
    glass.wait_for("paused web");
    assert_eq!(project.service("web")["phase"], "paused");
    glass.keys("P");
    glass.wait_for("resumed web");
    assert_eq!(project.service("web")["phase"], "running");
    glass.keys("R");
    glass.wait_for("reload: web is running");
    glass.keys("F");
    glass.wait_for("forgot failures of web");
    glass.keys("q");
    assert_eq!(glass.end(), Some(0));
}

#[test]
fn logs_are_followed_and_nothing_in_them_is_obeyed() {
    let project = Project::new("[service.api]\ncommand = \"./api\"\n");
    project.script(
        "api",
        "echo one line; printf '\\033]0;evil\\007\\033[2J\\033[31mand red\\n'; while [ ! -e go ]; do sleep 0.05; done; echo later; exec sleep 1000",
    );
    project.up().expect(0);
    let mut glass = Glass::start(&command(&project, &["top"]), 100, 30);
    glass.wait_for("api");
    glass.keys("l");
    glass.wait_for("one line");
    glass.wait_for("and red");
    glass.wait_for("following");
    project.write("go", "");
    glass.wait_for("later");
    let bytes = glass.bytes();
    assert!(!bytes.windows(4).any(|window| window == b"evil" || window == b"\x1b]0;"));
    // At another size it is drawn anew.
    glass.resize(140, 40);
    glass.wait_until("the whole width", |screen| {
        screen.lines().nth(39).is_some_and(|line| line.contains("Space mark"))
    });
    glass.resize(30, 8);
    glass.wait_for("too small");
    glass.resize(80, 24);
    glass.wait_for("later");
    // Ctrl-C ends the view, and nothing else.
    glass.keys("\x03");
    assert_eq!(glass.end(), Some(0));
    glass.is_as_before();
    assert_eq!(project.service("api")["phase"], "running");
}

#[test]
fn another_daemon_is_waited_for() {
    let project = shop();
    let mut glass = top(&project, 100, 24);
    // One that dies is replaced by the keeper.
    let daemon = project.three().daemon.unwrap();
    kill(daemon, "KILL");
    wait_until("another daemon", || project.three().daemon.is_some_and(|pid| pid != daemon));
    project.run(&["stop", "web"]).expect(0);
    glass.wait_for("stopped 1");
    project.run(&["down"]).expect(0);
    glass.wait_for("no daemon; reconnecting");
    glass.keys("u");
    glass.wait_for("cannot start: no daemon");
    project.up().expect(0);
    glass.wait_for("running 3");
    glass.wait_until("no alarm", |screen| !screen.contains("reconnecting"));
    glass.keys("q");
    assert_eq!(glass.end(), Some(0));
    glass.is_as_before();
}

#[test]
fn however_it_ends_the_terminal_is_as_it_was() {
    let project = shop();
    for signal in ["TERM", "INT", "HUP"] {
        let mut glass = top(&project, 80, 24);
        assert!(glass.look(vt100::Screen::alternate_screen) && glass.look(vt100::Screen::hide_cursor));
        kill(glass.child.id(), signal);
        assert_eq!(glass.end(), Some(130), "{signal}");
        glass.is_as_before();
    }
    assert_eq!(project.service("db")["phase"], "running");
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_is_continued() {
    let project = shop();
    // A shell with job control, as people have it.
    let script =
        "set -m; \"$0\" top; echo \"stopped with $?\"; read -r line; fg >/dev/null; echo \"ended with $?\"";
    let program = project.command(&[]).get_program().to_owned();
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).arg(program);
    let like = command(&project, &[]);
    shell.current_dir(like.get_current_dir().unwrap());
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut glass = Glass::start(&shell, 80, 24);
    glass.wait_for("running 3");
    glass.keys("\x1a");
    glass.wait_for("stopped with 148");
    glass.is_as_before();
    glass.keys("\r");
    glass.wait_for("running 3");
    glass.wait_until("the view", |_| glass.look(vt100::Screen::alternate_screen));
    glass.keys("j");
    glass.keys("q");
    glass.wait_for("ended with 0");
    glass.is_as_before();
}

#[test]
fn without_a_terminal_it_says_so() {
    let project = Project::new(SHOP);
    project.run(&["top"]).expect(2).says("`top` needs a terminal").says("`mainstay list` prints once");
    // With one, and no daemon, it ends as every verb does.
    let mut glass = Glass::start(&command(&project, &["top"]), 80, 24);
    assert_eq!(glass.end(), Some(69));
    glass.wait_for("no daemon runs");
    glass.is_as_before();
    let mut dumb = command(&project, &["top"]);
    dumb.env("TERM", "dumb");
    assert_eq!(Glass::start(&dumb, 80, 24).end(), Some(2));
}

#[test]
fn there_are_colours_only_where_they_are_wanted() {
    let project = shop();
    let coloured = |glass: &Glass| {
        glass.look(|screen| {
            let cells = (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column)));
            cells
                .filter(|cell| {
                    cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default
                })
                .count()
        })
    };
    assert!(coloured(&top(&project, 80, 24)) > 0);
    let mut plain = command(&project, &["top"]);
    plain.env("NO_COLOR", "1");
    for command in [plain, command(&project, &["top", "--no-color"])] {
        let glass = Glass::start(&command, 80, 24);
        glass.wait_for("running 3");
        assert_eq!(coloured(&glass), 0);
    }
}

//! What the program says and how it ends where no daemon is needed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, in the functions around it as well"
)]

mod fake;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use fake::{Folder, Said};
use serde_json::json;

const SHOP: &str =
    "[service.api]\ncommand = \"sleep 1\"\n[service.db]\ncommand = \"sleep 1\"\ninstances = 2\n";

#[test]
fn a_good_file_is_said_to_be_good() {
    let folder = Folder::with(SHOP);
    let said = folder.run(&["check"]).expect(0);
    assert_eq!(said.out, format!("{}: ok, 2 services\n", folder.dir.join("mainstay.toml").display()));
    assert_eq!(folder.run(&["check", "mainstay.toml"]).expect(0).out, "mainstay.toml: ok, 2 services\n");
    let said = folder.run(&["check", "--json", "mainstay.toml"]).expect(0).json();
    assert_eq!((&said["ok"], &said["services"], &said["problems"]), (&json!(true), &json!(2), &json!([])));
    assert!(folder.run(&["check", "-q"]).expect(0).out.is_empty());
}

#[test]
fn every_mistake_is_shown_at_once_with_its_place() {
    let folder =
        Folder::with("[service.api]\ncomand = \"sleep 1\"\n[service.db]\ncommand = \"sleep 1\"\nkind = 5\n");
    let said = folder.run(&["check"]).expect(6).err("comand").err("mainstay.toml:2").err("mainstay.toml:5");
    assert!(said.out.is_empty());
    assert!(said.err.contains("error: the configuration has"), "{}", said.err);
    assert!(!said.err.contains('\u{1b}'));

    let said = folder.run(&["check", "--json"]).expect(6).json();
    assert_eq!(said["ok"], false);
    let problems = said["problems"].as_array().unwrap();
    assert!(problems.len() >= 2, "{problems:?}");
    assert_eq!((&problems[0]["line"], &problems[0]["column"]), (&json!(2), &json!(1)));
    assert!(problems.iter().all(|problem| problem["code"].is_string() && problem["help"].is_string()));

    folder.run(&["up", "-d"]).expect(6).err("comand").err("nothing was changed");
    assert!(!folder.dir.join(".mainstay").exists());
}

#[test]
fn of_a_line_without_end_only_what_is_around_the_mistake_is_shown() {
    let folder = Folder::with(&format!("a = {} WRONG {}", "[1, ".repeat(50_000), "2, ".repeat(50_000)));
    let said = folder.run(&["check"]).expect(6).err("mainstay.toml:1:");
    assert!(said.err.len() < 4_000, "{} bytes", said.err.len());
    let folder = Folder::with(&format!("[service.api]\ncommand = \"true\"\n{} = 1\n", "k".repeat(100_000)));
    let said = folder.run(&["check"]).expect(6).err("mainstay.toml:3:1").err("kkk…");
    assert!(said.err.len() < 4_000, "{} bytes", said.err.len());
}

#[test]
fn without_a_project_it_says_where_it_looked() {
    let folder = Folder::empty();
    for arguments in
        [&["check"][..], &["up", "-d"], &["list"], &["status", "api"], &["logs"], &["run", "api"]]
    {
        let said =
            folder.run(arguments).expect(6).err("no `mainstay.toml` in").err("/etc/mainstay/mainstay.toml");
        assert!(said.err.contains(&*folder.dir.to_string_lossy()) && said.out.is_empty());
    }
    folder.run(&["check", "-f", "none.toml"]).expect(6).err("none.toml: there is no such file");
    folder.run(&["-f", ".", "check"]).expect(6).err("is a directory");
    let said = folder.run(&["list", "--json"]).expect(6);
    assert_eq!(said.json()["error"]["code"], "invalid-configuration");
}

#[test]
fn without_a_daemon_it_says_what_to_do() {
    let folder = Folder::with(SHOP);
    for arguments in [
        &["list"][..],
        &["ls"],
        &["ps"],
        &["status"],
        &["stop", "api"],
        &["start", "api"],
        &["restart", "all"],
        &["kill", "api"],
        &["down"],
    ] {
        let said = folder
            .run(arguments)
            .expect(69)
            .err("error: no daemon runs")
            .err("help: `mainstay up` starts it");
        assert!(said.out.is_empty());
    }
    let said = folder.run(&["list", "--json"]).expect(69);
    assert_eq!(said.json()["error"]["code"], "no-daemon");
    assert!(said.err.contains("no daemon runs"));
    assert!(!folder.dir.join(".mainstay").exists());
}

#[test]
fn status_of_a_service_without_a_daemon_is_that_of_a_stopped_one() {
    let folder = Folder::with(SHOP);
    folder.run(&["status", "api"]).expect(3).out("api stopped: no daemon runs");
    folder.run(&["status", "db"]).expect(3).out("db@1 stopped").out("db@2 stopped");
    folder
        .run(&["status", "nothing"])
        .expect(5)
        .err("there is no service `nothing`")
        .err("there are: api, db");
    let said = folder.run(&["status", "api", "--json"]).expect(3).json();
    assert_eq!((&said["name"], &said["phase"]), (&json!("api"), &json!("stopped")));
}

#[test]
fn a_command_line_that_makes_no_sense_is_explained() {
    let folder = Folder::with(SHOP);
    folder.run(&["stat"]).expect(2).err("similar subcommand").err("status");
    folder.run(&["freeze", "api"]).expect(2).err("unrecognized subcommand");
    folder.run(&["start"]).expect(2).err("<NAME>");
    folder.run(&["list", "--timeout", "soon"]).expect(2).err("30s");
    folder.run(&["run", "api", "--", "true"]).expect(2);
    folder.run(&["run"]).expect(2);
    folder.run(&[]).expect(2).err("Usage: mainstay");
    folder.run(&["--version"]).expect(0).out("mainstay ");
    let help = folder.run(&["--help"]).expect(0).out("Exit codes:").out("MAINSTAY_STATE_DIR");
    assert!(help.err.is_empty() && help.out.contains("\n  daemon"), "{}", help.out);
    // Its processes are nobody's to start.
    let help = folder.run(&["daemon", "--help"]).expect(0);
    assert!(help.out.contains("  upgrade ") && !help.out.contains("keeper "), "{}", help.out);
}

#[test]
fn the_schema_is_json_and_the_page_is_roff() {
    let folder = Folder::empty();
    assert!(folder.run(&["schema"]).expect(0).json()["$schema"].is_string());
    let page = folder.run(&["man"]).expect(0).out;
    for verb in ["up", "down", "logs", "completions"] {
        assert!(page.contains(&format!(".SS mainstay {verb}\n")), "{verb}");
    }
    assert!(!page.contains("mainstay daemon keeper"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = folder.run(&["completions", shell]).expect(0).out;
        assert!(script.contains("restart") && !script.contains("anchor"), "{shell}");
    }
}

#[test]
fn run_ends_as_its_program_does() {
    let folder = Folder::with(
        "[service.hello]\ncommand = [\"sh\", \"-c\", \"echo $GREETING from $MAINSTAY_SERVICE in $PWD; exit 5\"]\n\
         env = { GREETING = \"hello\" }\nworking_dir = \"sub\"\n\
         [service.local]\ncommand = \"./here\"\nworking_dir = \"sub\"\n\
         [service.nowhere]\ncommand = \"true\"\nworking_dir = \"none\"\n\
         [service.two]\ncommand = \"true\"\ninstances = 2\n\
         [service.env]\ncommand = \"env\"\n",
    );
    folder.write("sub/here", "#!/bin/sh\nexit 7\n");
    fs::set_permissions(folder.dir.join("sub/here"), fs::Permissions::from_mode(0o755)).unwrap();
    let directory = folder.dir.join("sub");
    let said = folder.run(&["run", "hello"]).expect(5);
    assert_eq!(said.out, format!("hello from hello in {}\n", directory.display()));
    folder.run(&["run", "local"]).expect(7);
    folder.run(&["run", "nowhere"]).expect(1).err("there is no directory");
    folder.run(&["run", "two"]).expect(2).err("2 instances").err("mainstay run two@1");
    folder.run(&["run", "two@2"]).expect(0);
    folder.run(&["run", "none"]).expect(5);
    let mut env = folder.command(&["run", "env"]);
    let said = Said::from(env.env("MY_SECRET", "x").output().unwrap()).expect(0).out("MAINSTAY_INSTANCE=1");
    assert!(!said.out.contains("MY_SECRET"));
}

#[test]
fn run_of_a_command_needs_no_project() {
    let folder = Folder::empty();
    folder.run(&["run", "--", "sh", "-c", "exit 3"]).expect(3);
    folder.run(&["run", "--", "sh", "-c", "kill -TERM $$"]).expect(143);
    folder.run(&["run", "--", "no-such-program-at-all"]).expect(127).err("no-such-program-at-all");
    folder.write("plain", "text");
    folder.run(&["run", "--", "./plain"]).expect(126).err("./plain");
    let said = folder.run(&["run", "--", "echo", "-f", "--json"]).expect(0);
    assert_eq!(said.out, "-f --json\n");
}

#[test]
fn run_passes_on_what_asks_it_to_end() {
    let folder = Folder::empty();
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child =
        folder.command(&["run", "--", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn logs_are_read_without_a_daemon() {
    let folder = Folder::with(SHOP);
    folder.write(".mainstay/logs/api/current", "three\nfour\n");
    folder.write(".mainstay/logs/api/@20260101T000000Z-1.log", "one\ntwo\n");
    folder.write(".mainstay/logs/gone/current", "from before\n");
    folder.write(".mainstay/logs/@daemon/current", "I am the daemon\n");
    assert_eq!(folder.run(&["logs", "api"]).expect(0).out, "one\ntwo\nthree\nfour\n");
    assert_eq!(folder.run(&["logs", "api", "-n", "3"]).expect(0).out, "two\nthree\nfour\n");
    assert_eq!(folder.run(&["logs", "gone"]).expect(0).out, "from before\n");
    assert_eq!(folder.run(&["logs", "@daemon"]).expect(0).out, "I am the daemon\n");
    assert_eq!(folder.run(&["logs", "db"]).expect(0).out, "");
    let all = folder.run(&["logs", "-n", "1"]).expect(0).out("api  | four\n").out("gone | from before\n").out;
    assert!(!all.contains("daemon"));
    folder.run(&["logs", "nothing"]).expect(5).err("there are: api, db, gone");
    let said = folder.run(&["logs", "api", "--json", "-n", "1"]).expect(0).json();
    let mut line = json!({ "service": "api", "instance": null, "time": null, "run": null, "stream": null });
    line["line"] = "four".into();
    assert_eq!(said, line);
    // Even when the file is broken: that is when logs are wanted.
    folder.write("mainstay.toml", "[service.api");
    assert_eq!(folder.run(&["logs", "api", "-n", "1"]).expect(0).out, "four\n");
}

#[test]
fn following_goes_on_until_nobody_reads() {
    let folder = Folder::with(SHOP);
    folder.write(".mainstay/logs/api/current", "one\n");
    let mut child = folder.command(&["logs", "-f", "api"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let mut log =
        fs::OpenOptions::new().append(true).open(folder.dir.join(".mainstay/logs/api/current")).unwrap();
    std::io::Write::write_all(&mut log, b"two\n").unwrap();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line, "one\ntwo\n");
    // Nothing more is written, and it ends all the same.
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::with(SHOP);
    folder.write(".mainstay/logs/api/current", &"a line\n".repeat(200_000));
    let mut child =
        folder.command(&["logs", "api"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let said = Said::from(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(said.err, "");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = Said::from(folder.command(&["schema"]).stdout(full).output().unwrap());
    said.expect(1).err("cannot write to standard output");
}

#[test]
fn variables_stand_for_options() {
    let folder = Folder::with(SHOP);
    folder.write("other.toml", "[service.x]\ncommand = \"true\"\n");
    let with = |name: &str, value: &str, arguments: &[&str]| {
        Said::from(folder.command(arguments).env(name, value).output().unwrap())
    };
    with("MAINSTAY_FILE", "other.toml", &["check"]).expect(0).out("other.toml: ok, 1 service\n");
    with("MAINSTAY_FILE", "none.toml", &["check", "-f", "other.toml"]).expect(0).out("other.toml");
    assert_eq!(with("MAINSTAY_JSON", "1", &["check"]).expect(0).json()["ok"], true);
    with("MAINSTAY_JSON", "0", &["check"]).expect(0).out(": ok");
    with("MAINSTAY_STATE_DIR", "elsewhere", &["list"]).expect(69);
    assert!(with("MAINSTAY_QUIET", "true", &["check"]).expect(0).out.is_empty());
}

#[test]
fn a_path_of_two_hundred_characters_is_no_problem() {
    let folder = Folder::empty();
    let deep = format!("{}/{}", "d".repeat(100), "e".repeat(100));
    folder.write(&format!("{deep}/mainstay.toml"), SHOP);
    let run = |arguments: &[&str]| {
        Said::from(folder.command(arguments).current_dir(folder.dir.join(&deep)).output().unwrap())
    };
    run(&["check"]).expect(0);
    run(&["list"]).expect(69);
    run(&["status", "api"]).expect(3);
}

/// The program as `nobody`: from a copy, as the build folder may be closed to others. `None` where we are not root.
fn as_nobody(folder: &Folder, arguments: &[&str]) -> Option<Said> {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "skipped: only root can become somebody else");
        println!("skipped: only root can become somebody else");
        return None;
    }
    let copy = folder.top().join("mainstay");
    if !copy.exists() {
        fs::copy(env!("CARGO_BIN_EXE_mainstay"), &copy).unwrap();
        for path in [folder.top(), &folder.dir] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let mut command =
        folder.command_of("setpriv".as_ref(), &["--reuid=65534", "--regid=65534", "--clear-groups"]);
    Some(command.arg(copy).args(arguments).output().unwrap().into())
}

#[test]
fn what_may_not_be_written_or_read_is_named() {
    let folder = Folder::with(SHOP);
    if let Some(said) = as_nobody(&folder, &["up", "-d"]) {
        said.expect(4).err(".mainstay").err("help: `--state-dir DIR`");
    }
    folder.write(".mainstay/logs/api/current", "secret\n");
    fs::set_permissions(folder.dir.join(".mainstay/logs/api/current"), fs::Permissions::from_mode(0o600))
        .unwrap();
    if let Some(said) = as_nobody(&folder, &["logs", "api"]) {
        said.expect(4).err("api/current");
    }
    fs::set_permissions(folder.dir.join("mainstay.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    if let Some(said) = as_nobody(&folder, &["check"]) {
        said.expect(4).err("mainstay.toml");
    }
    if let Some(said) = as_nobody(&folder, &["run", "api"]) {
        said.expect(4).err("mainstay.toml");
    }
}

#[test]
fn a_service_of_another_user_runs_as_that_user() {
    let folder = Folder::with(
        "[service.who]\ncommand = [\"sh\", \"-c\", \"id -u; id -g; echo $HOME $USER\"]\nuser = \"nobody\"\n\
         [service.none]\ncommand = \"true\"\nuser = \"no-such-user\"\n",
    );
    if as_nobody(&folder, &["--version"]).is_none() {
        return;
    }
    let said = folder.run(&["run", "who"]).expect(0);
    assert!(said.out.starts_with("65534\n65534\n") && said.out.ends_with(" nobody\n"), "{}", said.out);
    folder.run(&["run", "none"]).expect(1).err("no-such-user");
    if let Some(said) = as_nobody(&folder, &["run", "who"]) {
        said.expect(0).out("65534\n");
    }
}

//! What a person does wrong, with the message and the exit code that follow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use story::{Project, Said};

#[test]
fn a_wrong_key_and_a_wrong_unit_are_shown_with_their_places() {
    let project = Project::new(
        "[service.api]\ncomand = \"sleep 1\"\n[service.web]\ncommand = \"sleep 1\"\nstop = { timeout = 5 }\n",
    );
    for arguments in [&["check"][..], &["up", "-d"]] {
        project.run(arguments).expect(6).says("mainstay.toml").says("comand").says("command").says("5s");
    }
    assert!(!story::exists(project.dir.join(".mainstay/run")));
}

#[test]
fn a_taken_port_is_the_services_own_words_and_its_exit() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let project = Project::new(&format!(
        "[service.web]\ncommand = [\"python3\", \"-c\", \"import socket; socket.socket().bind(('127.0.0.1', {port}))\"]\n\
         restart = \"never\"\nready = {{ after = \"20s\" }}\n"
    ));
    project.up().expect(1).says("exited with 1");
    project.run(&["logs", "web"]).expect(0).says("Address already in use");
}

#[test]
fn nothing_runs() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1\"\n");
    for arguments in [&["list"][..], &["stop", "api"], &["start", "api"], &["restart", "all"], &["down"]] {
        project.run(arguments).expect(69).says("mainstay up");
    }
    project.run(&["status", "api"]).expect(3);
    project.run(&["status", "nothing"]).expect(5);
}

#[test]
fn a_dead_socket_is_nobody_and_up_takes_its_place() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    project.up().expect(0);
    let three = project.three();
    let api = project.pid("api");
    story::kill_all(three);
    story::wait_until("they are gone", || project.three().daemon.is_none());
    project.run(&["list"]).expect(69).says("mainstay up");
    project.up().expect(0);
    assert_eq!(project.pid("api"), api);
}

/// As `nobody`, who owns the project's folder but not all in it.
fn as_nobody(project: &Project, arguments: &[&str]) -> Said {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_mainstay")]);
    command.args(arguments).current_dir(&project.dir).env("XDG_RUNTIME_DIR", &project.runtime);
    command.output().unwrap().into()
}

#[test]
fn no_rights_on_the_state_folder() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1\"\n");
    let reachable = || {
        fs::set_permissions(project.dir.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "test",
                "-x",
                env!("CARGO_BIN_EXE_mainstay"),
            ])
            .status()
            .is_ok_and(|status| status.success())
    };
    if !reachable() {
        // Where the build folder is private to root, the program is copied to where everybody may run it.
        return no_rights_with_a_copy(&project);
    }
    as_nobody(&project, &["up", "-d"]).expect(4).says(".mainstay");
}

fn no_rights_with_a_copy(project: &Project) {
    let copy = project.dir.parent().unwrap().join("mainstay");
    fs::copy(env!("CARGO_BIN_EXE_mainstay"), &copy).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy).args(["up", "-d"]);
    let output = command.current_dir(&project.dir).env("XDG_RUNTIME_DIR", &project.runtime).output().unwrap();
    Said::from(output).expect(4).says(".mainstay");
}

#[test]
fn a_path_of_two_hundred_characters_is_no_problem() {
    let project = Project::new("");
    let deep = project.dir.join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("mainstay.toml"), "[service.api]\ncommand = \"sleep 1000\"\n").unwrap();
    let run =
        |arguments: &[&str]| Said::from(project.command(arguments).current_dir(&deep).output().unwrap());
    run(&["up", "-d"]).expect(0);
    run(&["list"]).expect(0).says("running");
    run(&["down"]).expect(0);
}

/// A file system that knows neither FIFOs nor sockets: exFAT, by FUSE because not every kernel has it.
struct ExFat {
    device: String,
    point: PathBuf,
}

impl ExFat {
    fn mount(project: &Project) -> Result<Self, String> {
        let (image, point) = (project.dir.join("exfat.img"), project.dir.join("exfat"));
        fs::create_dir(&point).unwrap();
        fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
        let run = |command: &mut Command| -> Result<String, String> {
            let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            output.status.success().then_some(text).ok_or_else(|| format!("{command:?}: {}", output.status))
        };
        run(Command::new("mkfs.exfat").arg(&image))?;
        let device = run(Command::new("losetup").args(["-f", "--show"]).arg(&image))?;
        let mounted = Self { device, point };
        let mut mount = Command::new("mount.exfat-fuse");
        run(mount.args(["-o", "umask=0077"]).arg(&mounted.device).arg(&mounted.point))?;
        Ok(mounted)
    }
}

impl Drop for ExFat {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.point).output();
        let _ = Command::new("losetup").arg("-d").arg(&self.device).output();
    }
}

#[test]
fn a_file_system_without_fifos_is_named() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1\"\n");
    match ExFat::mount(&project) {
        Err(text) => story::skipped(&format!("no exFAT by FUSE (Debian: exfat-fuse, exfatprogs): {text}")),
        Ok(mounted) => {
            let mut up = project.command(&["up", "-d"]);
            let said = Said::from(up.env("XDG_RUNTIME_DIR", &mounted.point).output().unwrap());
            said.expect(1).says("exfat").says("XDG_RUNTIME_DIR");
        }
    }
}

#[test]
fn started_twice_stopped_twice() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    project.up().expect(0);
    let api = project.pid("api");
    project.up().expect(0);
    project.run(&["start", "api"]).expect(0);
    assert_eq!(project.pid("api"), api);
    project.run(&["run", "api"]).expect(1).says("runs");
    project.run(&["stop", "api"]).expect(0);
    project.run(&["stop", "api"]).expect(0);
    project.run(&["down"]).expect(0);
    project.run(&["down"]).expect(69);
}

#[test]
fn garbage_in_the_state_is_named_and_nothing_is_lost() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    project.up().expect(0);
    project.run(&["down"]).expect(0);
    project.write(".mainstay/applied.json", "{ not json");
    // Nothing runs, so that nothing is guessed: what the files say is applied anew.
    project.run(&["up", "-d"]).expect(0);
    assert_eq!(project.read(".mainstay/applied.json.damaged"), "{ not json");
    project.run(&["history"]).expect(0).says("applied.json` was damaged: it is kept as");
    project.run(&["down"]).expect(0);
    // One that a later Mainstay wrote is no damage: it is left alone.
    let later = project.read(".mainstay/applied.json").replacen("\"version\":1", "\"version\":9", 1);
    project.write(".mainstay/applied.json", &later);
    project.run(&["up", "-d"]).expect(1).says("applied.json").says("later Mainstay");
    assert_eq!(project.read(".mainstay/applied.json"), later);
}

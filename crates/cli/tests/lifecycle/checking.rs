//! By which ways it is learned that a service is ready and well, and what follows when it is not.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::MetadataExt,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    happened, place, reason, told, told_with, wait_for_happened, wait_for_reason, wait_for_restarts,
};
use crate::story::{Project, Running, exists, skipped, wait_until};

fn begin(project: &Project) -> Running {
    let up = project.spawn(&["up", "-d"]);
    wait_until("the daemon has the description", || project.run(&["list", "--json"]).out.contains("\"api\""));
    up
}

/// api waits for db and says so; once `go` is there, both run.
fn waits_and_goes(project: &Project, why: &str) {
    let mut up = begin(project);
    wait_until("db has its process", || project.service("db")["pid"].is_u64());
    let api = wait_for_reason(project, "api", why);
    assert_eq!((&api["run"], &project.service("db")["phase"]), (&0.into(), &"starting".into()));
    project.write("go", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    project.wait_for_phase("api", "running");
}

/// Answers every request on a port of its own: 503 until it is good.
fn server(is_good: &Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let is_good = Arc::clone(is_good);
    let answer = move |mut stream: TcpStream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let status = if is_good.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    port
}

#[test]
fn ready_by_http() {
    let is_good = Arc::new(AtomicBool::new(false));
    let port = server(&is_good).to_string();
    let project = told_with("ready_by_http", &[("8080", &port)]);
    let mut up = begin(&project);
    let url = format!("http http://127.0.0.1:{port}/ready");
    let api =
        wait_for_reason(&project, "api", &format!("waiting for db to be ready: {url} answered 503 for "));
    assert_eq!(api["run"], 0);
    is_good.store(true, Ordering::SeqCst);
    assert_eq!(up.wait(), 0, "{}", up.output());
    assert_eq!(reason(&project.service("db")), format!("ready: {url}"));
}

#[test]
fn ready_by_log_in_two_writes() {
    let project = told("ready_by_log_in_two_writes");
    let mut up = begin(&project);
    wait_until("half of the line is written", || exists(project.dir.join("half")));
    let api = wait_for_reason(&project, "api", "a line like `ready to accept connections`");
    assert_eq!((&api["phase"], &api["run"]), (&"waiting".into(), &0.into()));
    project.write("go", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    assert_eq!(project.log("db"), "ready to accept connections\n");
    project.wait_for_phase("api", "running");
}

/// Whether there is a Python, which speaks to `NOTIFY_SOCKET` in these stories.
fn has_python() -> bool {
    Command::new("python3").arg("-V").output().is_ok_and(|output| output.status.success())
}

#[test]
fn ready_by_notify() {
    if !has_python() {
        return skipped("python3 is not here");
    }
    let project = told("ready_by_notify");
    waits_and_goes(&project, "waiting for db to be ready: its READY=1");
    assert_eq!(reason(&project.service("db")), "ready: its READY=1");
}

#[test]
fn ready_by_fd() {
    let project = told("ready_by_fd");
    waits_and_goes(&project, "waiting for db to be ready: a newline on its descriptor 3");
}

#[test]
fn ready_by_exec_as_its_user() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skipped("only root runs services as another user");
    }
    let project = told("ready_by_exec_as_its_user");
    project.up().expect(0);
    assert_eq!(reason(&project.service("db")), "ready: `sh -c test $(id -u) = 65534`");
    assert_eq!(project.service("api")["phase"], "running");
}

fn wait_for_status(project: &Project, status: &str) -> serde_json::Value {
    wait_until(&format!("api is {status}"), || project.service("api")["status"] == status);
    project.service("api")
}

#[test]
fn health_recovers_before_the_limit() {
    let project = told("health_recovers_before_the_limit");
    project.write("well", "");
    project.up().expect(0);
    let pid = wait_for_status(&project, "ok")["pid"].clone();
    fs::remove_file(project.dir.join("well")).unwrap();
    let api = wait_for_status(&project, "warning");
    assert!(reason(&api).contains("of 90 failures in a row)"), "{api}");
    project.write("well", "");
    let api = wait_for_status(&project, "ok");
    assert_eq!((&api["pid"], &api["restarts"]), (&pid, &0.into()));
}

#[test]
fn health_fails_too_often() {
    let project = told("health_fails_too_often");
    project.write("well", "");
    project.up().expect(0);
    wait_for_status(&project, "ok");
    fs::remove_file(project.dir.join("well")).unwrap();
    let why = "its health check failed 3 times in a row: `test -e well` exited with 1";
    wait_for_happened(&project, &format!("api stopping → waiting: {why}; restart 1 of 99 in 100 ms"));
    project.write("well", "");
    wait_for_restarts(&project, "api", 1);
    wait_for_status(&project, "ok");
}

#[test]
fn health_waits_out_a_slow_start() {
    let project = told("health_waits_out_a_slow_start");
    let mut up = project.spawn(&["up", "-d"]);
    wait_until("the daemon has the description", || project.run(&["list", "--json"]).out.contains("\"web\""));
    let not_yet = "`test -e well` exited with 1; it has not been well yet";
    wait_for_reason(&project, "web", &format!("waiting for api to be healthy: {not_yet}"));
    assert_eq!(wait_for_status(&project, "startup")["phase"], "running");
    project.write("well", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    project.wait_for_phase("web", "running");
    assert_eq!(wait_for_status(&project, "ok")["restarts"], 0);
}

#[test]
fn watchdog_silence() {
    if !has_python() {
        return skipped("python3 is not here");
    }
    let project = told("watchdog_silence");
    project.write("go", "");
    project.up().expect(0);
    project.write("hang", "");
    wait_for_happened(&project, "api running → stopping: its watchdog heard nothing for 1 s; sent ABRT");
    fs::remove_file(project.dir.join("hang")).unwrap();
    wait_for_restarts(&project, "api", 1);
    place(&happened(&project), "api stopping → waiting: its watchdog heard nothing for 1 s; restart 1 of 99");
}

//! Calls to running services: what they answer, what they refuse and to whom, and that nothing on the socket harms them.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    caller::{Caller, ask_as, error_of},
    run::{Running, program},
};

/// Each with its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("methods_are_called_with_arguments_by_name", called),
    ("every_method_is_listed_with_its_help_and_arguments", listed),
    ("what_cannot_be_called_is_told_with_a_code", refused),
    ("a_call_that_panics_is_an_error_and_nothing_more", panics),
    ("a_blocking_service_is_called_beside_its_run", beside),
    ("a_single_shot_is_called_while_it_works", single_shot),
    ("a_periodic_service_is_called_between_its_ticks_and_triggered", periodic),
    ("every_service_tells_how_it_is", told),
    ("settings_are_read_with_their_origins_and_changed_until_the_end", settings),
    ("a_wrong_setting_is_refused_with_its_sentence", wrong_settings),
    ("a_reload_by_call_is_one_by_signal", reload),
    ("a_service_is_restarted_and_stopped_by_call", restart_and_stop),
    ("a_call_under_way_does_not_hold_up_a_stop", hanging),
    ("many_callers_are_served_at_once", many),
    ("events_reach_every_subscriber", events),
    ("a_slow_subscriber_is_told_and_nobody_else_waits", slow),
    ("garbage_half_lines_and_silence_harm_nobody", garbage),
    ("a_line_without_end_is_refused", endless),
    ("more_than_can_be_connected_make_room_for_each_other", crowd),
    ("a_socket_of_a_dead_process_is_replaced", stale),
    ("a_second_one_of_the_same_name_is_refused", twice),
    ("a_given_place_is_used_and_an_inherited_one_is_not", given),
    ("who_has_gone_on_reading_gets_every_answer", half_closed),
    ("its_socket_is_for_its_owner_alone", private),
    ("another_user_may_read_and_not_change", another),
    ("members_of_a_named_group_may_change", group),
];

fn begin(service: &str) -> Running {
    ready(program(&["-", service]).begin(), service)
}

/// Once it can be called.
fn ready(running: Running, service: &str) -> Running {
    let path = running.socket(&format!("{service}@1"));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        if path.exists() && Caller::connect(&path).call("status", &json!({}))["ready"] == true {
            return running;
        }
        assert!(std::time::Instant::now() < deadline, "{service} is not ready");
        thread::sleep(Duration::from_millis(2));
    }
}

fn desk() -> (Running, Caller) {
    let running = begin("desk");
    let caller = Caller::connect(&running.socket("desk@1"));
    (running, caller)
}

fn end(running: Running) {
    running.signal(Signal::TERM);
    running.ended().is(0, &[]);
}

fn called() {
    let (running, mut caller) = desk();
    let greeted = caller.call("greet", &json!({ "name": "Ada", "times": 2 }));
    assert_eq!(greeted, json!({ "text": "Hello Ada! Hello Ada!", "count": 1 }));
    assert_eq!(caller.call("greet", &json!({ "name": "Bob" }))["count"], 2);
    assert_eq!(caller.call("count", &json!({})), 2);
    // Without `id` and `args`.
    caller.write(b"{\"method\":\"count\"}\n").unwrap();
    assert_eq!(caller.line().unwrap(), json!({ "id": null, "ok": 2 }));
    end(running);
}

fn listed() {
    let (running, mut caller) = desk();
    let listed = caller.call("methods", &json!({}));
    assert_eq!(listed["version"], 1);
    let greet =
        listed["methods"].as_array().unwrap().iter().find(|method| method["name"] == "greet").unwrap();
    assert_eq!(
        *greet,
        json!({
            "name": "greet",
            "help": "Greets somebody.\nSeveral times, if need be.",
            "arguments": [
                { "name": "name", "type": "string", "required": true },
                { "name": "times", "type": "integer", "required": false },
            ],
            "changes": true,
        })
    );
    for name in ["status", "health", "stats", "config.get", "config.set", "restart", "stop", "subscribe"] {
        assert!(listed["methods"].as_array().unwrap().iter().any(|method| method["name"] == name), "{name}");
    }
    end(running);
}

fn refused() {
    let (running, mut caller) = desk();
    for (method, args, code, words) in [
        ("greets", json!({}), "unknown-method", "did you mean `greet`?"),
        ("xyzzy", json!({}), "unknown-method", "`methods` lists them"),
        ("greet", json!({}), "bad-arguments", "`name` is missing"),
        ("greet", json!({ "name": 1 }), "bad-arguments", "`name`: invalid type"),
        ("greet", json!({ "name": "x", "tims": 1 }), "bad-arguments", "did you mean `times`?"),
        ("greet", json!({ "name": "x", "times": 9 }), "failed", "9 times is too often"),
        ("count", json!({ "x": 1 }), "bad-arguments", "it takes none"),
        ("stop", json!({ "x": 1 }), "bad-arguments", "it takes none"),
        ("trigger", json!({}), "failed", "no periodic service"),
        ("fill", json!({ "bytes": 2_000_000 }), "failed", "the answer has 2000"),
    ] {
        let (found, text) = caller.refused(method, &args);
        assert_eq!(found, code, "{method}: {text}");
        assert!(text.contains(words), "{method}: {text}");
    }
    end(running);
}

fn panics() {
    let (running, mut caller) = desk();
    let (code, text) = caller.refused("panic", &json!({}));
    assert_eq!(code, "failed");
    assert!(text.contains("panicked: out of forms"), "{text}");
    assert_eq!(caller.call("count", &json!({})), 0);
    end(running);
}

fn beside() {
    let mut running = begin("counter");
    running.until("counting");
    let mut caller = Caller::connect(&running.socket("counter@1"));
    assert_eq!(caller.call("next", &json!({})), 42);
    assert_eq!(caller.call("next", &json!({})), 43);
    end(running);
}

fn single_shot() {
    let mut running = program(&["-", "once_called"]).begin();
    running.until("begun");
    let mut caller = Caller::connect(&running.socket("once_called@1"));
    assert_eq!(caller.call("begun", &json!({})), true);
    let status = caller.call("status", &json!({}));
    assert_eq!((&status["kind"], &status["status"]), (&json!("single shot"), &json!("startup")));
    let (_, text) = caller.refused("config.set", &json!({ "x": 1 }));
    assert!(text.contains("it has read its configuration"), "{text}");
    end(running);
}

fn periodic() {
    let mut running = begin("clock");
    running.until("tick 1");
    let mut caller = Caller::connect(&running.socket("clock@1"));
    assert_eq!(caller.call("ticks", &json!({})), 1);
    caller.call("subscribe", &json!({}));
    caller.call("trigger", &json!({}));
    assert_eq!(caller.event("status")["status"], "error");
    running.until("the spring is broken");
    assert_eq!(caller.call("health", &json!({}))["well"], false);
    caller.call("trigger", &json!({}));
    running.until("tick 3");
    let stats = caller.call("stats", &json!({}));
    assert_eq!((&stats["ticks"], &stats["failed_ticks"]), (&json!(3), &json!(1)));
    assert_eq!(caller.call("health", &json!({}))["well"], true);
    end(running);
}

fn told() {
    let (running, mut caller) = desk();
    let status = caller.call("status", &json!({}));
    for (name, value) in [
        ("version", json!(1)),
        ("name", json!("desk")),
        ("instance", json!("1")),
        ("kind", json!("permanent")),
        ("status", json!("ok")),
        ("ready", json!(true)),
    ] {
        assert_eq!(status[name], value, "{status}");
    }
    assert_eq!(caller.call("health", &json!({})), json!({ "status": "ok", "text": "running", "well": true }));
    caller.refused("panic", &json!({}));
    let stats = caller.call("stats", &json!({}));
    assert_eq!((&stats["failed_calls"], &stats["connections"]), (&json!(1), &json!(1)), "{stats}");
    assert!(stats["calls"].as_u64().unwrap() >= 4 && stats["memory_bytes"].as_u64().unwrap() > 100_000);
    end(running);
}

fn settings() {
    let running = program(&["desk.toml", "desk", "--most", "5"])
        .file("desk.toml", "[service.desk.config]\ngreeting = \"Hi\"\ntoken = \"abc\"\n")
        .begin();
    let mut running = ready(running, "desk");
    running.until("open with Hi");
    let mut caller = Caller::connect(&running.socket("desk@1"));
    let settings = caller.call("config.get", &json!({}));
    let expected = json!([
        { "name": "greeting", "value": "\"Hi\"", "origin": "desk.toml:2", "overridden": [] },
        { "name": "most", "value": "5", "origin": "--most", "overridden": [] },
        { "name": "token", "value": "(secret)", "origin": "desk.toml:3", "overridden": [] },
    ]);
    assert_eq!(settings, expected);
    let set = caller.call("config.set", &json!({ "greeting": "Good day", "token": "def" }));
    assert_eq!(set[0]["origin"], "a call");
    assert!(!set.to_string().contains("def"), "{set}");
    // What cannot change live makes the service anew.
    running.until("it is made anew");
    running.until("open with Good day");
    let one = caller.call("config.get", &json!({ "name": "greeting" }));
    assert_eq!(one["overridden"], json!(["desk.toml:2"]));
    caller.call("config.set", &json!({ "greeting": null }));
    running.until("open with Hi");
    end(running);
}

fn wrong_settings() {
    let (running, mut caller) = desk();
    let before = caller.call("config.get", &json!({}));
    for (args, words) in [
        (json!({ "most": 0 }), "`most`: it is less than 1, the least"),
        (json!({ "most": "many" }), "is not a whole number"),
        (json!({ "greting": "x" }), "did you mean `greeting`?"),
        (json!({}), "say which setting"),
        (json!({ "greeting": "right", "most": 1000 }), "it is more than 100, the most"),
    ] {
        let (code, text) = caller.refused("config.set", &args);
        assert_eq!(code, "bad-arguments");
        assert!(text.contains(words), "{text}");
    }
    let (_, text) = caller.refused("config.set", &json!({ "token": 17 }));
    assert!(!text.contains("17"), "{text}");
    assert_eq!(caller.call("config.get", &json!({})), before);
    end(running);
}

fn reload() {
    let file = "[service.lamp.config]\nmessage = \"red\"\n";
    let mut running = ready(program(&["lamp.toml", "lamp"]).file("lamp.toml", file).begin(), "lamp");
    running.until("lit with red");
    let mut caller = Caller::connect(&running.socket("lamp@1"));
    fs::write(running.dir.path().join("lamp.toml"), file.replace("red", "green")).unwrap();
    caller.call("reload", &json!({}));
    running.until("red became green");
    caller.call("config.set", &json!({ "message": "blue" }));
    running.until("green became blue");
    // What was set stays above the file when that is read again by the signal.
    fs::write(running.dir.path().join("lamp.toml"), file.replace("red", "white")).unwrap();
    running.signal(Signal::HUP);
    running.until("blue became blue");
    end(running);
}

fn restart_and_stop() {
    let (mut running, mut caller) = desk();
    running.until("open with");
    caller.call("greet", &json!({ "name": "Ada" }));
    assert_eq!(caller.call("restart", &json!({})), Value::Null);
    running.until("open with");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let answer = caller.answer("count", &json!({}));
        match answer["ok"].as_u64() {
            Some(count) => break assert_eq!(count, 0, "it is another one"),
            None => assert_eq!(error_of(&answer).0, "not-running"),
        }
        assert!(std::time::Instant::now() < deadline);
    }
    assert_eq!(caller.call("stats", &json!({}))["restarts"], 1);
    assert_eq!(caller.call("stop", &json!({})), Value::Null);
    assert!(caller.line().is_none());
    let socket = running.socket("desk@1");
    running.ended().is(0, &["called by uid", ": stop"]);
    assert!(!socket.exists());
}

fn hanging() {
    let (running, mut caller) = desk();
    caller.ask(1, "hang", &json!({}));
    caller.ask(2, "wait", &json!({}));
    caller.ask(3, "count", &json!({}));
    // The third waits for the second, which has the service; who asks for nothing of the service's own does not wait.
    assert_eq!(caller.call("health", &json!({}))["well"], true);
    running.signal(Signal::TERM);
    for _ in 0..3 {
        assert_eq!(error_of(&caller.line().unwrap()).0, "not-running");
    }
    running.ended().is(0, &[]);
}

fn many() {
    let (running, mut caller) = desk();
    let path = running.socket("desk@1");
    let client = |number: usize| {
        let path = path.clone();
        move || {
            let mut caller = Caller::connect(&path);
            for round in 0..10 {
                let name = format!("{number}.{round}");
                let text = caller.call("greet", &json!({ "name": &name }))["text"].clone();
                assert_eq!(text, format!("Hello {name}!"));
            }
        }
    };
    let threads: Vec<_> = (0..64).map(|number| thread::spawn(client(number))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(caller.call("count", &json!({})), 640);
    end(running);
}

fn events() {
    let (running, mut caller) = desk();
    let path = running.socket("desk@1");
    let mut listeners: Vec<Caller> = (0..3).map(|_| Caller::connect(&path)).collect();
    for listener in &mut listeners {
        listener.ask(1, "subscribe", &json!({}));
        assert_eq!(listener.line().unwrap(), json!({ "id": 1, "ok": true }));
    }
    caller.call("greet", &json!({ "name": "Ada" }));
    for listener in &mut listeners {
        assert_eq!(listener.event("greeted"), "Ada");
        // It may ask as well.
        assert_eq!(listener.call("count", &json!({})), 1);
    }
    caller.call("stop", &json!({}));
    for listener in &mut listeners {
        assert_eq!(listener.event("status")["status"], "shutdown");
    }
    running.ended().is(0, &[]);
}

fn slow() {
    let (running, mut caller) = desk();
    let path = running.socket("desk@1");
    let mut slow = Caller::connect(&path);
    slow.call("subscribe", &json!({}));
    // Far more than the socket and the queue hold.
    caller.call("flood", &json!({ "events": 5000 }));
    assert_eq!(caller.call("count", &json!({})), 0);
    let refusal = loop {
        let line = slow.line().expect("to be told");
        if line["event"].is_null() {
            break line;
        }
    };
    assert_eq!(error_of(&refusal).0, "too-slow");
    assert_eq!(slow.call("count", &json!({})), 0, "it may go on asking");
    end(running);
}

fn garbage() {
    let (running, mut caller) = desk();
    let path = running.socket("desk@1");
    let _silent = Caller::connect(&path);
    let mut half = Caller::connect(&path);
    half.write(b"{\"id\":1,\"meth").unwrap();
    for bad in [
        &b"hello\n"[..],
        b"[]\n",
        b"{}\n",
        b"{\"method\":1}\n",
        b"{\"method\":\"count\",\"args\":[1]}\n",
        b"\xff\xfe\x00\n",
    ] {
        let mut caller = Caller::connect(&path);
        caller.write(bad).unwrap();
        let (code, text) = error_of(&caller.line().unwrap());
        assert_eq!(code, "bad-request", "{text}");
        assert_eq!(caller.call("count", &json!({})), 0, "the connection goes on");
    }
    // A deep one, which is no request either.
    let mut deep = Caller::connect(&path);
    deep.write(&[b"[".repeat(100_000), b"\n".to_vec()].concat()).unwrap();
    assert_eq!(error_of(&deep.line().unwrap()).0, "bad-request");
    half.write(b"od\":\"count\"}\n").unwrap();
    assert_eq!(half.line().unwrap(), json!({ "id": 1, "ok": 0 }));
    assert_eq!(caller.call("count", &json!({})), 0);
    end(running);
}

fn endless() {
    let (running, mut caller) = desk();
    let memory = |caller: &mut Caller| caller.call("stats", &json!({}))["memory_bytes"].as_u64().unwrap();
    let before = memory(&mut caller);
    let mut endless = Caller::connect(&running.socket("desk@1"));
    let piece = vec![b'x'; 1024 * 1024];
    // A gigabyte, if it were let.
    let written = (0..1024).take_while(|_| endless.write(&piece).is_ok()).count();
    assert!(written < 16, "{written} MiB were taken");
    assert_eq!(caller.call("count", &json!({})), 0);
    assert!(memory(&mut caller) < before + 8 * 1024 * 1024);
    end(running);
}

fn crowd() {
    let (running, mut caller) = desk();
    let path = running.socket("desk@1");
    let mut listener = Caller::connect(&path);
    listener.call("subscribe", &json!({}));
    // Each of them says half a word, and nothing more.
    let crowd: Vec<Caller> = (0..200)
        .map(|_| {
            let mut caller = Caller::connect(&path);
            caller.write(b"{").unwrap();
            caller
        })
        .collect();
    let mut late = Caller::connect(&path);
    assert!(late.call("stats", &json!({}))["connections"].as_u64().unwrap() <= 128);
    late.call("greet", &json!({ "name": "Ada" }));
    assert_eq!(listener.event("greeted"), "Ada", "who listens is not idle");
    drop(crowd);
    assert!(caller.line().is_none(), "it was idle for longest");
    end(running);
}

fn stale() {
    let (running, _caller) = desk();
    running.signal(Signal::KILL);
    let socket = running.socket("desk@1");
    let dir = running.leave();
    assert!(socket.exists());
    let again = program(&["-", "desk"]).env("XDG_RUNTIME_DIR", dir.path().to_str().unwrap());
    let mut again = again.begin();
    again.until("open with");
    assert_eq!(Caller::connect(&socket).call("count", &json!({})), 0);
    end(again);
}

fn twice() {
    let (running, mut caller) = desk();
    let runtime = running.dir.path().to_str().unwrap();
    let second = program(&["-", "desk"]).env("XDG_RUNTIME_DIR", runtime).ended();
    second.is(1, &["`desk@1` runs already (pid ", "as another instance, `PROGRAM CONFIG desk 2`"]);
    let mut other = program(&["-", "desk", "2"]).env("XDG_RUNTIME_DIR", runtime).begin();
    other.until("open with");
    end(other);
    assert_eq!(caller.call("count", &json!({})), 0);
    end(running);
}

fn given() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("given");
    let given = path.to_str().unwrap();
    let mut first = program(&["-", "desk"]).env("MAINSTAY_CALLS", given).begin();
    first.until("open with");
    assert_eq!(Caller::connect(&path).call("status", &json!({}))["name"], "desk");
    // Started by the first one, as far as its environment tells.
    let second = ready(program(&["-", "counter"]).env("MAINSTAY_CALLS", given).begin(), "counter");
    assert_eq!(Caller::connect(&path).call("status", &json!({}))["name"], "desk");
    end(second);
    end(first);
    let mut none = program(&["-", "desk"]).env("MAINSTAY_CALLS", "").begin();
    none.until("open with");
    assert!(!none.socket("desk@1").exists());
    end(none);
    let mut nowhere = program(&["-", "desk"]).env("MAINSTAY_CALLS", "/nowhere/at/all").begin();
    nowhere.until("nobody can call this service");
    nowhere.until("open with");
    end(nowhere);
}

fn half_closed() {
    let (running, mut caller) = desk();
    for number in 0..40 {
        caller.ask(number, "greet", &json!({ "name": "x" }));
    }
    caller.write(b"{\"id\":40,\"method\":\"count\"}").unwrap();
    caller.ends();
    let answers: Vec<Value> = std::iter::from_fn(|| caller.line()).collect();
    assert_eq!(answers.len(), 41);
    end(running);
}

fn private() {
    let (running, _caller) = desk();
    let socket = running.socket("desk@1");
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    for dir in [socket.parent().unwrap(), socket.parent().unwrap().parent().unwrap()] {
        assert_eq!(fs::metadata(dir).unwrap().mode() & 0o777, 0o700, "{}", dir.display());
    }
    end(running);
}

/// `nobody`, as almost everywhere.
const NOBODY: u32 = 65534;

/// A copy of this executable that others can run, beside a socket that others reach.
fn open_to_all(dir: &Path) -> std::path::PathBuf {
    let executable = dir.join("caller");
    fs::copy(std::env::current_exe().unwrap(), &executable).unwrap();
    for path in [dir, &executable] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    executable
}

fn lines() -> [Value; 4] {
    ["status", "count", "greet", "stop"].map(|method| {
        let args = if method == "greet" { json!({ "name": "Eve" }) } else { json!({}) };
        json!({ "method": method, "args": args })
    })
}

#[allow(clippy::print_stderr, reason = "a test that is not made says so")]
fn is_root() -> bool {
    let is = rustix::process::geteuid().is_root();
    if !is {
        let reason = "only root can be somebody else";
        assert!(std::env::var_os("CI").is_none(), "skipped in CI: {reason}");
        eprintln!("skipped: {reason}");
    }
    is
}

fn another() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let executable = open_to_all(dir.path());
    let socket = dir.path().join("sock");
    let mut running = program(&["-", "desk"]).env("MAINSTAY_CALLS", socket.to_str().unwrap()).begin();
    running.until("open with");
    assert!(ask_as(NOBODY, &executable, &socket, &lines()).contains("cannot connect: Permission denied"));
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let answers = ask_as(NOBODY, &executable, &socket, &lines());
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&answers[0]["ok"]["name"], &answers[1]["ok"]), (&json!("desk"), &json!(0)));
    for answer in &answers[2..] {
        let (code, text) = error_of(answer);
        assert_eq!(code, "not-permitted");
        assert!(text.contains("this is user 65534"), "{text}");
    }
    end(running);
}

fn group() {
    if !is_root() {
        return;
    }
    let Ok(group) = fs::read_to_string("/etc/group") else { return };
    let Some(name) = group.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == NOBODY.to_string()).then(|| name.to_owned())
    }) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let executable = open_to_all(dir.path());
    let socket = dir.path().join("sock");
    let running = program(&["-", "desk"]).env("MAINSTAY_CALLS", socket.to_str().unwrap());
    let mut running = running.env("MAINSTAY_CALLS_GROUP", &name).begin();
    running.until("open with");
    let socket_mode = fs::metadata(&socket).unwrap();
    assert_eq!((socket_mode.mode() & 0o777, socket_mode.gid()), (0o660, NOBODY));
    let answers = ask_as(NOBODY, &executable, &socket, &lines());
    let last: Value = serde_json::from_str(answers.lines().last().unwrap()).unwrap();
    assert_eq!(last, json!({ "id": null, "ok": null }), "{answers}");
    running.ended().is(0, &["called by uid 65534"]);
}

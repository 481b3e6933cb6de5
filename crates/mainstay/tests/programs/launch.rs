//! Many services of one file: as tasks of one process and as processes, with the same words in the same file.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::run::{Ended, PROGRAM, Program, Running, program};

/// Each with its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("the_failure_of_one_task_does_not_touch_the_others", tasks_fail),
    ("the_failure_of_one_process_does_not_touch_the_others", processes_fail),
    ("services_are_started_and_stopped_in_order", order),
    ("what_fails_is_started_again_until_it_gives_up", restarts),
    ("a_launcher_ends_when_everything_is_done", all_done),
    ("a_task_that_does_not_yield_is_named_and_ends_the_process", hog),
    ("a_task_that_is_not_awaited_any_longer_is_dropped", dropped),
    ("a_check_by_tcp_is_asked_where_the_program_can", probed),
    ("a_second_signal_does_not_wait", second_signal),
    ("a_changed_file_changes_what_runs_and_nothing_else", changed),
    ("a_wrong_file_keeps_what_runs", wrong),
    ("what_cannot_be_hosted_is_refused_in_words", refused),
    ("hooks_and_checks_run_beside_tasks", hooks),
    ("instances_and_variables_are_handed_on", instances),
    ("a_supervisor_hears_when_all_of_them_are_ready", supervised),
    ("a_launcher_runs_what_is_named_and_what_that_needs", named),
];

fn exe() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

fn launched(file: &str) -> Program {
    // A process gets the variable by which it is the program.
    let file = file.replace("PROGRAM:", &format!("{}:", exe()));
    let defaults = format!("[defaults]\ninherit_env = [\"{PROGRAM}\"]\n");
    program(&["launch", "services.toml"]).file("services.toml", &format!("{defaults}{file}"))
}

fn rewritten(running: &Running, from: &str, to: &str) {
    let path = running.dir.path().join("services.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

const FAILURES: &str = r#"
[service.greeter]
use = "PROGRAM:greeter"
runner = "task"
[service.panics]
use = "PROGRAM:panics"
runner = "task"
restart = "never"
[service.employer]
use = "PROGRAM:employer"
runner = "task"
restart = "never"
[service.deaf]
use = "PROGRAM:deaf"
runner = "task"
[service.unmade]
use = "PROGRAM:unmade"
kind = "oneshot"
runner = "task"
[service.wrong]
use = "PROGRAM:greeter"
config = { massage = "hm" }
restart = "never"
runner = "task"
"#;

fn failures(file: &str) -> Ended {
    let mut running = launched(file).begin();
    running.until_all(&[
        "panics failed: exited with 1",
        "employer failed: exited with 1",
        "unmade failed: exited with 1",
        "wrong failed: exited with 6",
        "deaf running",
    ]);
    running.until("hello");
    running.signal(Signal::TERM);
    let ended = running.ended();
    ended.is(
        1,
        &[
            "panicked: out of cheese",
            "counting: there is nothing to count",
            "it cannot be made: cannot read the key: No such file or directory",
            "there is no such setting; did you mean `message`?",
            "its stop has not ended within 100ms",
            "ended",
            "greeter stopped",
            "deaf stopped",
        ],
    );
    ended
}

fn tasks_fail() {
    let ended = failures(FAILURES);
    ended.is(1, &["service{id=\"panics\"}: panicked", "service{id=\"greeter\"}: hello"]);
}

fn processes_fail() {
    failures(&FAILURES.replace("\"task\"", "\"process\""));
}

fn order() {
    let file = r#"
[service.second]
use = "lamp"
depends_on = ["first"]
runner = "task"
config = { message = "second" }
[service.first]
use = "lamp"
runner = "process"
config = { message = "first" }
[service.third]
use = "lamp"
depends_on = ["second"]
runner = "task"
config = { message = "third" }
"#;
    let mut running = launched(file).begin();
    for words in [
        "lit with first",
        "first running",
        "lit with second",
        "second running",
        "lit with third",
        "third running",
    ] {
        running.until(words);
    }
    running.signal(Signal::INT);
    for words in ["third stopped", "second stopped", "first stopped"] {
        running.until(words);
    }
    running.ended().is(0, &[]);
}

fn restarts() {
    let file = r#"
[service.panics]
use = "panics"
runner = "task"
restart = { delay = "10ms", attempts = 2 }
"#;
    let ended = launched(file).ended();
    ended.is(1, &["panics failed: gave up after 2 restarts: exited with 1"]);
    assert_eq!(ended.err.matches("out of cheese").count(), 3, "{}", ended.err);
}

fn all_done() {
    let file = r#"
[service.once]
use = "once"
kind = "oneshot"
runner = "task"
[service.after]
use = "once"
kind = "oneshot"
depends_on = { once = "completed" }
"#;
    let ended = launched(file).ended();
    ended.is(0, &["once completed", "after completed"]);
    let waiting = launched(&file.replace(
        "use = \"once\"\nkind = \"oneshot\"\nrunner",
        "use = \"unmade\"\nkind = \"oneshot\"\nrunner",
    ));
    waiting.ended().is(1, &["once failed: exited with 1"]);
}

fn hog() {
    // What it made ends with it: it would have kept our end of standard error open for a minute.
    let file = "[service.apart]\ncommand = [\"sleep\", \"60\"]\n[service.hog]\nuse = \"hog\"\ndepends_on = [\"apart\"]\nrunner = \"task\"\n[service.greeter]\nuse = \"greeter\"\nrunner = \"task\"\n";
    let mut running = launched(file).begin();
    running.until("begins");
    running.signal(Signal::TERM);
    running.ended().is(124, &["`hog` does not yield, and all was asked to end: the process ends"]);
    // Nobody asks, and it is seen as well.
    let file = "[service.hog]\nuse = \"hog\"\nrunner = \"task\"\nwatchdog = \"100ms\"\n";
    launched(file).ended().is(124, &["`hog` does not yield, and all beside it wait: the process ends"]);
}

fn dropped() {
    let file = "[service.deaf]\nuse = \"deaf\"\nrunner = \"task\"\nstop.timeout = \"10ms\"\n";
    let mut running = launched(file).begin();
    running.until("deaf running");
    running.signal(Signal::TERM);
    let ended = running.ended();
    ended.is(0, &["deaf stopped"]);
    assert!(!ended.err.contains("its stop has not ended"), "{}", ended.err);
}

fn probed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let file = format!("[service.lamp]\nuse = \"lamp\"\nrunner = \"task\"\nready.tcp = \"{address}\"\n");
    if !cfg!(feature = "probes") {
        return launched(&file).ended().is(6, &["`lamp`: this program cannot ask by tcp"]);
    }
    let mut running = launched(&file).begin();
    running.until("lamp running");
    running.signal(Signal::TERM);
    running.ended().is(0, &["out"]);
}

fn second_signal() {
    let file = r#"
[service.stubborn]
command = ["sh", "-c", "trap '' TERM; echo begins >&2; sleep 60 & wait; sleep 60"]
stop.timeout = "1m"
"#;
    let mut running = launched(file).begin();
    running.until("begins");
    let begun = Instant::now();
    running.signal(Signal::TERM);
    running.until("it was asked to end");
    running.signal(Signal::TERM);
    running.ended().is(0, &["what still runs is killed"]);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

fn changed() {
    let file = r#"
[service.lamp]
use = "lamp"
runner = "task"
config = { message = "before" }
[service.apart]
use = "lamp"
reload = "HUP"
config = { message = "old" }
[service.gone]
use = "greeter"
runner = "task"
config = { message = "still here" }
[service.stays]
use = "lamp"
runner = "task"
config = { message = "the same" }
"#;
    let mut running = launched(file).begin();
    running.until_all(&[
        "lit with before",
        "lit with old",
        "still here",
        "apart running",
        "lit with the same",
    ]);
    rewritten(&running, "\"before\"", "\"after\"");
    rewritten(&running, "\"old\"", "\"new\"");
    rewritten(&running, "[service.gone]", "[service.come]");
    rewritten(&running, "still here", "just come");
    running.signal(Signal::HUP);
    running.until_all(&["before became after", "old became new", "gone stopped", "just come"]);
    // From a task to a process: made anew.
    rewritten(
        &running,
        "use = \"lamp\"\nrunner = \"task\"\nconfig = { message = \"after\"",
        "use = \"lamp\"\nconfig = { message = \"after\"",
    );
    running.signal(Signal::HUP);
    running.until("lit with after");
    running.until("lamp running");
    running.signal(Signal::TERM);
    let ended = running.ended();
    ended.is(0, &[]);
    assert_eq!(ended.err.matches("lit with the same").count(), 1, "{}", ended.err);
}

fn wrong() {
    let file = "[service.lamp]\nuse = \"lamp\"\nrunner = \"task\"\n";
    let (mut running, supervisor) = launched(file).begin_supervised();
    supervisor.hears("READY=1\nSTATUS=running");
    rewritten(&running, "use = \"lamp\"", "use = \"lamp\"\ndepends_on = [\"nobody\"]");
    running.signal(Signal::HUP);
    supervisor.hears("RELOADING=1");
    supervisor.hears("READY=1\nSTATUS=running, with the file of before");
    running.until("what runs is kept as it was");
    running.signal(Signal::TERM);
    running.ended().is(0, &["out"]);
}

fn refused() {
    for (file, words) in [
        (
            "[service.a]\nuse = \"nobody\"\nrunner = \"task\"\n",
            "`a`: this program has no service `nobody`; there are: brief",
        ),
        (
            "[service.a]\ncommand = \"true\"\nrunner = \"task\"\n",
            "`a`: a command cannot be a task; say runner = \"process\", or `use`",
        ),
        (
            "[service.a]\nuse = \"lamp\"\nrunner = \"task\"\nuser = \"root\"\n",
            "has no `user` of its own; say runner = \"process\"",
        ),
        (
            "[service.a]\nuse = \"lamp\"\nrunner = \"task\"\nworking_dir = \"/\"\n",
            "has no `working_dir` of its own",
        ),
        (
            "[service.a]\nuse = \"lamp\"\nready.log = \"lit\"\n",
            "`ready.log` is looked at by `mainstay up` only",
        ),
        ("[service.a]\nuse = \"lamp\"\nready.fd = 3\n", "`ready.fd` is looked at by `mainstay up` only"),
        (
            "[service.a]\nuse = \"lamp\"\nhealth.tcp = \"127.0.0.1:1\"\n",
            if cfg!(feature = "probes") {
                ""
            } else {
                "cannot ask by tcp: build it with the feature `probes`"
            },
        ),
        ("[service.a]\nuse = \"lamp\"\ntask = 1\n", "services.toml:5: unknown setting `task` in `service.a`"),
    ] {
        if !words.is_empty() {
            launched(file).ended().is(6, &[words]);
        }
    }
    program(&["launch", "nowhere.toml"]).ended().is(6, &["cannot read ", "nowhere.toml"]);
    let file = "[service.lamp]\nuse = \"lamp\"\nrunner = \"task\"\n";
    program(&["launch", "one.toml", "lump"])
        .file("one.toml", file)
        .ended()
        .is(2, &["there is no service `lump`; there are: lamp"]);
}

fn hooks() {
    let file = r#"
[service.lamp]
use = "lamp"
runner = "task"
ready = { exec = ["test", "-e", "made"], interval = "10ms" }
hooks.before_start = ["sh", "-c", "echo prepared $MAINSTAY_HOOK >&2"]
hooks.after_stop = ["sh", "-c", "echo cleaned $MAINSTAY_HOOK >&2; exit 3"]
[service.maker]
command = ["touch", "made"]
kind = "oneshot"
"#;
    let mut running = launched(file).begin();
    running.until("prepared before_start");
    running.until("lit with");
    running.until("lamp running");
    running.signal(Signal::TERM);
    running.ended().is(0, &["out", "cleaned after_stop", "its after_stop hook exited with 3"]);
}

fn instances() {
    let file = r#"
[service.once]
use = "once"
kind = "oneshot"
runner = "task"
[service.nameplate]
use = "nameplate"
kind = "oneshot"
instances = 2
runner = "task"
[service.apart]
use = "nameplate"
kind = "oneshot"
[service.greeter]
use = "greeter"
runner = "task"
config = { message = "door {instance} of ${HOUSE}" }
[service.set]
use = "greeter"
runner = "task"
env = { SET_MESSAGE = "by its own variable" }
"#;
    let mut running = launched(file).env("HOUSE", "one").begin();
    running.until_all(&[
        "nameplate is services.nameplate",
        "nameplate@2 is services.nameplate",
        "apart is services.apart",
        "door 1 of one",
        "by its own variable",
    ]);
    running.signal(Signal::TERM);
    running.ended().is(0, &[]);
}

fn supervised() {
    let file = "[service.lamp]\nuse = \"lamp\"\nrunner = \"task\"\n[service.unmade]\nuse = \"unmade\"\nkind = \"oneshot\"\nrunner = \"task\"\n";
    let (running, supervisor) = launched(file).begin_supervised();
    supervisor.hears("READY=1\nSTATUS=running, but 1 of 2 failed");
    running.signal(Signal::TERM);
    supervisor.hears("STOPPING=1");
    running.ended().is(1, &[]);
}

fn named() {
    let file = "[service.lamp]\nuse = \"lamp\"\nrunner = \"task\"\n[service.once]\nuse = \"once\"\nkind = \"oneshot\"\nrunner = \"task\"\ndepends_on = [\"plate\"]\n[service.plate]\nuse = \"nameplate\"\nkind = \"oneshot\"\nrunner = \"task\"\n";
    let ended = program(&["launch", "one.toml", "once", "--id", "house"]).file("one.toml", file).ended();
    ended.is(0, &["plate is house.plate", "once completed"]);
    assert!(!ended.err.contains("lit"), "{}", ended.err);
}

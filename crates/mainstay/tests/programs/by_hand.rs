//! Run by hand: what each kind does, what its exit code is, and what is said when something is wrong.

use rustix::process::Signal;

use super::run::program;

/// Each with its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_blocking_service_runs_until_it_is_asked_to_stop", blocking),
    ("a_service_says_that_it_is_ready_and_that_it_ends", speaks),
    ("a_single_shot_ends_by_itself", single_shot),
    ("a_blocking_service_may_end_by_itself", brief),
    ("a_tick_that_fails_does_not_end_a_periodic_service", periodic),
    ("what_cannot_be_made_says_why", unmade),
    ("a_panic_is_an_error_with_its_place", panics),
    ("a_task_that_fails_ends_its_service", employer),
    ("what_does_not_yield_is_ended_in_the_end", hog),
    ("what_does_not_listen_is_ended_in_the_end", deaf),
    ("a_start_that_takes_too_long_is_ended", slow),
    ("arguments_come_before_the_environment_and_that_before_the_file", layers),
    ("every_problem_is_told_with_its_place", problems),
    ("secrets_are_not_shown", secrets),
    ("a_changed_configuration_makes_a_blocking_service_anew", reload_blocking),
    ("a_changed_configuration_reaches_who_asks_for_it", reload_listener),
    ("a_changed_configuration_reaches_a_permanent_service_live", reload_live),
    ("a_wrong_configuration_changes_nothing_at_a_reload", reload_wrong),
    ("which_service_has_to_be_said", which),
    ("a_file_with_the_defaults_can_be_made_and_read", init),
    ("a_file_may_call_a_service_otherwise", uses),
];

fn blocking() {
    let mut greeter = program(&["-", "greeter"]).begin();
    greeter.until("hello");
    greeter.until("hello");
    greeter.signal(Signal::TERM);
    greeter.ended().is(0, &["ended"]);
}

fn speaks() {
    let (mut greeter, supervisor) =
        program(&["-", "greeter"]).env("WATCHDOG_USEC", "60000000").begin_supervised();
    supervisor.hears("READY=1");
    supervisor.hears("WATCHDOG=1");
    greeter.until("hello");
    greeter.signal(Signal::INT);
    supervisor.hears("STOPPING=1");
    greeter.ended().is(0, &["ended"]);
}

fn single_shot() {
    program(&["-", "once"]).ended().is(0, &["done"]);
}

fn brief() {
    program(&["-", "brief"]).ended().is(0, &["true"]);
}

fn periodic() {
    let mut flaky = program(&["-", "flaky"]).begin();
    flaky.until("tick 1");
    flaky.until("ERROR tick 2 went wrong");
    flaky.until("tick 3");
    flaky.signal(Signal::TERM);
    flaky.ended().is(0, &[]);
}

fn unmade() {
    let (unmade, supervisor) = program(&["-", "unmade"]).begin_supervised();
    supervisor.hears("it cannot be made: cannot read the key: No such file or directory");
    unmade.ended().is(1, &["it cannot be made: cannot read the key: No such file or directory"]);
}

fn panics() {
    let ended = program(&["-", "panics"]).ended();
    ended.is(1, &["panicked: out of cheese (at ", "services.rs:"]);
}

fn employer() {
    program(&["-", "employer"]).ended().is(1, &["counting: there is nothing to count"]);
}

fn hog() {
    let mut hog = program(&["-", "hog"]).begin();
    hog.until("begins");
    hog.signal(Signal::TERM);
    hog.ended().is(124, &["it was asked to end, and does not yield: the process ends"]);
}

fn deaf() {
    let mut deaf = program(&["-", "deaf"]).begin();
    deaf.until("begins");
    deaf.signal(Signal::TERM);
    deaf.ended().is(124, &["its stop has not ended within 100ms"]);
}

fn slow() {
    program(&["-", "slow"]).ended().is(124, &["its start has not ended within 100ms"]);
}

const FILE: &str = "[service.greeter.config]\nmessage = \"from the file\"\n";

fn layers() {
    let greeter = || program(&["one.toml", "greeter"]).file("one.toml", FILE);
    let mut by_file = greeter().begin();
    by_file.until("from the file");
    by_file.signal(Signal::TERM);
    let mut by_environment = greeter().env("GREETER_MESSAGE", "from the environment").begin();
    by_environment.until("from the environment");
    by_environment.signal(Signal::TERM);
    let words = ["one.toml", "greeter", "--message", "from the arguments"];
    let mut by_argument =
        program(&words).file("one.toml", FILE).env("GREETER_MESSAGE", "from the environment").begin();
    by_argument.until("from the arguments");
    by_argument.signal(Signal::TERM);
    for ended in [by_file.ended(), by_environment.ended(), by_argument.ended()] {
        ended.is(0, &[]);
    }
}

fn problems() {
    let text = "[service.greeter.config]\nmassage = \"hm\"\ninterval = 5\n";
    let ended = program(&["one.toml", "greeter"]).file("one.toml", text).ended();
    ended.is(
        6,
        &[
            "one.toml:2: `massage`: there is no such setting; did you mean `message`?",
            "one.toml:3: `interval`: 5 has no unit: write it as \"5s\" for seconds",
        ],
    );
    let beyond = program(&["-", "greeter", "--interval", "2h"]).ended();
    beyond.is(6, &["--interval: `interval`: it is more than \"1h\", the most"]);
    program(&["missing.toml", "greeter"]).ended().is(6, &["missing.toml:1: `file`: it cannot be read"]);
    program(&["one.toml", "greeter"]).file("one.toml", "= 1").ended().is(6, &["one.toml:1: `TOML`"]);
}

fn secrets() {
    let mut greeter = program(&["-", "greeter"]).env("GREETER_TOKEN", "hunter2").begin();
    greeter.until("hello");
    greeter.signal(Signal::TERM);
    let ended = greeter.ended();
    ended.is(0, &["token: (secret)"]);
    assert!(!ended.err.contains("hunter2"));
    let wrong = program(&["config", "show", "greeter"]).env("GREETER_TOKEN", "hunter2").ended();
    wrong.is(0, &["token = (secret)  # $GREETER_TOKEN"]);
    assert!(!wrong.out.contains("hunter2"));
}

fn changed(name: &str) -> super::run::Running {
    let before = format!("[service.{name}.config]\nmessage = \"before\"\n");
    let mut running = program(&["one.toml", name]).file("one.toml", &before).begin();
    running.until("before");
    std::fs::write(running.dir.path().join("one.toml"), before.replace("before", "after")).unwrap();
    running.signal(Signal::HUP);
    running
}

fn reload_blocking() {
    let mut greeter = changed("greeter");
    greeter.until("ended");
    greeter.until("after");
    greeter.signal(Signal::TERM);
    greeter.ended().is(0, &[]);
}

fn reload_listener() {
    let mut listener = changed("listener");
    listener.until("after");
    listener.signal(Signal::TERM);
    listener.ended().is(0, &[]);
}

fn reload_live() {
    let mut lamp = changed("lamp");
    lamp.until("before became after");
    lamp.signal(Signal::TERM);
    let ended = lamp.ended();
    ended.is(0, &["out"]);
    assert_eq!(ended.err.matches("lit").count(), 1);
}

fn reload_wrong() {
    let file = "[service.lamp.config]\nmessage = \"before\"\n";
    let (mut lamp, supervisor) = program(&["one.toml", "lamp"]).file("one.toml", file).begin_supervised();
    supervisor.hears("READY=1");
    lamp.until("before");
    std::fs::write(lamp.dir.path().join("one.toml"), "[service.lamp.config]\nmessage = 3\n").unwrap();
    lamp.signal(Signal::HUP);
    supervisor.hears("RELOADING=1");
    supervisor.hears("READY=1\nSTATUS=running, with the configuration of before");
    lamp.until("the configuration is kept as it was: one.toml:2: `message`");
    lamp.signal(Signal::TERM);
    lamp.ended().is(0, &["out"]);
}

fn which() {
    program(&[]).ended().is(2, &["which service? there are: brief, clock, counter, deaf, "]);
    program(&["-", "nobody"]).ended().is(2, &["there is no service `nobody`; there are: brief"]);
    program(&["list"]).ended().is(0, &["greeter\n", "once\n"]);
    program(&["-", "once", "--message", "hm"]).ended().is(2, &["`once` has no setting `message`"]);
    program(&["--version"]).ended().is(0, &["tested 1.2.3"]);
}

fn init() {
    let mut making = program(&["config", "init", "one.toml"]).begin();
    making.wait();
    let text = std::fs::read_to_string(making.dir.path().join("one.toml")).unwrap();
    assert!(text.contains("# Time between two greetings.\n# It is a duration such as"), "{text}");
    let mut greeter = program(&["one.toml", "greeter"]).file("one.toml", &text).begin();
    greeter.until("hello");
    greeter.signal(Signal::TERM);
    greeter.ended().is(0, &[]);
    program(&["config", "init", "one.toml"])
        .file("one.toml", "")
        .ended()
        .is(1, &["cannot make `one.toml`: File exists"]);
}

fn uses() {
    let file =
        "[service.porter]\nuse = \"./hello:greeter\"\n[service.porter.config]\nmessage = \"who is there?\"\n";
    let mut porter = program(&["one.toml", "porter", "2"]).file("one.toml", file).begin();
    porter.until("who is there?");
    porter.signal(Signal::TERM);
    porter.ended().is(0, &[]);
}

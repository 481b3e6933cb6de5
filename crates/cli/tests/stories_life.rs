//! Life: order, conditions, restarts, stops, and the reasons for all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use story::{Project, is_alive, wait_until};

const FAST: &str = "[defaults]\nrestart = { policy = \"on-failure\", delay = \"50ms\", attempts = 3 }\n";

#[test]
fn each_starts_as_early_as_its_condition_allows_and_stops_in_reverse() {
    let project = Project::new(
        r#"
[service.db]
command = "sh -c 'echo db >> order; trap \"echo -db >> order; exit 0\" TERM; sleep 0.3; touch ready; while :; do sleep 0.05; done'"
ready = { exec = "test -e ready" }

[service.migrate]
kind = "oneshot"
command = "sh -c 'echo migrate >> order'"
depends_on = { db = "ready" }

[service.api]
command = "sh -c 'echo api >> order; trap \"echo -api >> order; exit 0\" TERM; while :; do sleep 0.05; done'"
depends_on = { migrate = "completed", db = "ready" }

[service.side]
command = "sh -c 'echo side >> order; exec sleep 1000'"
depends_on = { db = "started" }
"#,
    );
    project.up().expect(0);
    project.wait_for_text("order", "api");
    let order = project.read("order");
    let place = |word: &str| order.lines().position(|line| line == word).unwrap();
    assert!(place("db") < place("migrate") && place("migrate") < place("api"), "{order}");
    assert!(place("side") < place("migrate"), "side needs db only to be started: {order}");
    assert_eq!(project.service("migrate")["phase"], "completed");
    project.run(&["down"]).expect(0);
    let order = project.read("order");
    let place = |word: &str| order.lines().position(|line| line == word).unwrap();
    assert!(place("-api") < place("-db"), "{order}");
}

#[test]
fn a_crash_is_followed_by_a_restart_and_the_reason_says_so() {
    let project = Project::new(&format!(
        "{FAST}[service.flaky]\ncommand = \"sh -c 'if test -e once; then exec sleep 1000; fi; touch once; exit 7'\"\n"
    ));
    project.up().expect(0);
    let mut service = project.service("flaky");
    wait_until("it was restarted", || {
        service = project.service("flaky");
        service["phase"] == "running" && service["restarts"] == 1
    });
    assert_eq!(service["exit"]["code"], 7);
    project.wait_for_text(".mainstay/logs/@daemon/current", "exited with 7; restart 1 of 3 in ");
}

#[test]
fn attempts_run_out_and_what_depends_on_it_says_why_it_waits() {
    let project = Project::new(&format!(
        "{FAST}[service.bad]\ncommand = \"sh -c 'exit 3'\"\nready = {{ tcp = \"127.0.0.1:1\" }}\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"bad\"]\n\
         [service.free]\ncommand = \"sleep 1000\"\n"
    ));
    project
        .up()
        .expect(1)
        .says("gave up after 3 restarts: exited with 3")
        .says("waiting for bad to be ready");
    assert_eq!(project.service("bad")["phase"], "failed");
    let api = project.service("api");
    assert_eq!(api["phase"], "waiting");
    assert_eq!(api["reason"]["code"], "waiting-for-dependency");
    assert_eq!(api["reason"]["text"], "waiting for bad to be ready: gave up after 3 restarts: exited with 3");
    assert_eq!(project.service("free")["phase"], "running");
}

#[test]
fn a_failed_oneshot_leaves_its_dependents_waiting_and_the_rest_goes_on() {
    let project = Project::new(
        "[service.migrate]\nkind = \"oneshot\"\ncommand = \"sh -c 'exit 4'\"\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = { migrate = \"completed\" }\n\
         [service.web]\ncommand = \"sleep 1000\"\n",
    );
    project.up().expect(1).says("waiting for migrate to complete: exited with 4; it is not restarted");
    assert_eq!(project.service("web")["phase"], "running");
    // Mended, it goes on without touching the others.
    let web = project.pid("web");
    let toml = project.read("mainstay.toml").replace("exit 4", "exit 0");
    project.write("mainstay.toml", &toml);
    project.up().expect(0);
    assert_eq!(project.service("api")["phase"], "running");
    assert_eq!(project.pid("web"), web);
}

#[test]
fn a_start_that_fails_is_named_exactly_and_at_once() {
    let project = Project::new(
        "[defaults]\nrestart = \"never\"\n\
         [service.missing]\ncommand = \"./nowhere\"\n\
         [service.unfound]\ncommand = \"no-such-program-at-all\"\n\
         [service.forbidden]\ncommand = \"./plain.txt\"\n\
         [service.nobody]\ncommand = \"sleep 1\"\nuser = \"no-such-user\"\n\
         [service.nodir]\ncommand = \"sleep 1\"\nworking_dir = \"nowhere\"\n\
         [service.interpreter]\ncommand = \"./broken\"\n",
    );
    project.write("plain.txt", "hello");
    project.script("broken", "");
    project.write("broken", "#!/no/such/interpreter\n");
    let started = std::time::Instant::now();
    project.up().expect(1);
    assert!(started.elapsed().as_secs() < 10);
    let rows = [
        ("missing", "no-such-program", "./nowhere"),
        ("unfound", "no-such-program", "no-such-program-at-all"),
        ("forbidden", "not-permitted", "./plain.txt"),
        ("nobody", "no-such-user", "no-such-user"),
        ("nodir", "no-such-directory", "nowhere"),
        ("interpreter", "not-executable", "/no/such/interpreter"),
    ];
    for (name, code, object) in rows {
        let service = project.service(name);
        assert_eq!(service["phase"], "failed", "{service}");
        let text = service["reason"]["text"].as_str().unwrap();
        assert!(text.contains(object), "{name}: {text}");
        assert!(text.starts_with("cannot start: "), "{name}: {text}");
        let log = format!("{service}");
        assert!(log.contains(code) || text.contains(object), "{name} is not {code}: {log}");
    }
}

#[test]
fn a_stop_kills_what_a_service_left_behind_and_no_innocent() {
    let project = Project::new(
        "[service.messy]\ncommand = \"./messy\"\nstop = { timeout = \"300ms\" }\n\
         [service.innocent]\ncommand = \"sleep 1000\"\n",
    );
    project.script(
        "messy",
        "trap '' TERM\nsleep 1001 &\nsetsid sleep 1002 &\n(setsid sh -c 'sleep 1003 & echo $! > daemonised; wait' &)\n\
         echo $! > helper\nwhile :; do sleep 0.1; done",
    );
    project.up().expect(0);
    project.wait_for_text("daemonised", "\n");
    let left: Vec<u32> =
        ["helper", "daemonised"].map(|file| project.read(file).trim().parse().unwrap()).into();
    let main = project.pid("messy");
    let innocent = project.pid("innocent");
    project.run(&["stop", "messy"]).expect(0);
    for pid in left.iter().chain([&main]) {
        wait_until("it is dead", || !is_alive(*pid));
    }
    let of_messy = || {
        story::processes()
            .into_iter()
            .filter(|(_, line)| line.starts_with("sleep\x00100") && !line.contains("1000"))
            .count()
    };
    wait_until("nothing of it is left", || of_messy() == 0);
    assert_eq!(project.pid("innocent"), innocent);
    assert!(is_alive(innocent));
    assert_eq!(project.service("messy")["phase"], "stopped");
}

#[test]
fn stop_takes_dependents_first_start_takes_dependencies_restart_only_one() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n\
         [service.other]\ncommand = \"sleep 1000\"\n",
    );
    project.up().expect(0);
    let (db, api, other) = (project.pid("db"), project.pid("api"), project.pid("other"));
    project.run(&["restart", "db"]).expect(0);
    assert_ne!(project.pid("db"), db);
    assert_eq!(project.pid("api"), api);
    project.run(&["stop", "db"]).expect(0).says("api");
    assert_eq!(project.service("api")["phase"], "stopped");
    assert_eq!(project.service("api")["reason"]["code"], "stop-requested");
    project.run(&["start", "api"]).expect(0);
    assert_eq!(project.service("db")["phase"], "running");
    assert_eq!(project.pid("other"), other);
    project.run(&["kill", "other"]).expect(0);
    let service = project.service("other");
    assert_eq!((&service["phase"], &service["exit"]["signal"]), (&"stopped".into(), &"KILL".into()));
    project.run(&["start", "nothing"]).expect(5).says("nothing");
}

#[test]
fn a_dependent_with_restart_follows_its_dependency() {
    let project = Project::new(&format!(
        "{FAST}[service.db]\ncommand = \"sleep 1000\"\n\
         [service.follows]\ncommand = \"sleep 1000\"\ndepends_on = {{ db = {{ until = \"ready\", restart = true }} }}\n\
         [service.stays]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n"
    ));
    project.up().expect(0);
    let (db, follows, stays) = (project.pid("db"), project.pid("follows"), project.pid("stays"));
    story::kill(db, "KILL");
    wait_until("it followed", || {
        let service = project.service("follows");
        service["phase"] == "running" && service["pid"].as_u64() != Some(u64::from(follows))
    });
    assert_eq!(project.pid("stays"), stays);
}

#[test]
fn instances_have_their_numbers_and_are_acted_on_one_by_one() {
    let project = Project::new(
        "[service.worker]\ncommand = [\"sh\", \"-c\", \"echo I am {instance} of $MAINSTAY_INSTANCE; exec sleep 1000\"]\ninstances = 3\n",
    );
    project.up().expect(0);
    for number in 1..=3 {
        wait_until("it wrote", || {
            project.log(&format!("worker@{number}")) == format!("I am {number} of {number}\n")
        });
    }
    let first = project.pid("worker@1");
    project.run(&["stop", "worker@2"]).expect(0);
    assert_eq!(project.service("worker@2")["phase"], "stopped");
    assert_eq!(project.pid("worker@1"), first);
    project.run(&["start", "worker"]).expect(0);
    assert_eq!(project.service("worker@2")["phase"], "running");
    assert_eq!(project.pid("worker@1"), first);
}

#[test]
fn readiness_by_tcp_and_its_timeout_have_reasons() {
    let port = story::free_port();
    let project = Project::new(&format!(
        "[service.slow]\ncommand = \"sleep 1000\"\nrestart = \"never\"\n\
         ready = {{ tcp = \"127.0.0.1:{port}\", timeout = \"1500ms\" }}\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"slow\"]\n"
    ));
    let mut up = project.spawn(&["up", "-d"]);
    let expected = format!("waiting for slow to be ready: tcp 127.0.0.1:{port} refused for ");
    wait_until("the reason is there", || {
        let list = project.run(&["list", "--json"]);
        list.code == 0 && list.out.contains(&expected)
    });
    assert_eq!(up.wait(), 1);
    let text = project.service("slow")["reason"]["text"].as_str().unwrap().to_owned();
    assert_eq!(text, format!("not ready in time: tcp 127.0.0.1:{port} refused for 1 s; it is not restarted"));
}

#[test]
fn ready_after_a_time() {
    let project = Project::new(
        "[service.warm]\ncommand = \"sleep 1000\"\nready = { after = \"400ms\" }\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"warm\"]\n",
    );
    let began = std::time::Instant::now();
    project.up().expect(0);
    assert!(began.elapsed().as_millis() >= 400);
}

#[test]
fn up_applies_what_changed_and_nothing_else() {
    let project = Project::new(
        "[service.same]\ncommand = \"sleep 1000\"\n\
         [service.changed]\ncommand = \"sleep 1000\"\n\
         [service.gone]\ncommand = \"sleep 1000\"\n",
    );
    project.up().expect(0);
    let (same, changed, gone) = (project.pid("same"), project.pid("changed"), project.pid("gone"));
    project.write(
        "mainstay.toml",
        "[service.same]\ncommand = \"sleep 1000\"\nstop = { timeout = \"3s\" }\n\
         [service.changed]\ncommand = \"sleep 2000\"\n\
         [service.new]\ncommand = \"sleep 1000\"\n",
    );
    project.run(&["list"]).expect(0).says("`mainstay apply` or `up` applies them");
    project.up().expect(0);
    assert_eq!(project.pid("same"), same);
    wait_until("the changed one was restarted", || {
        let service = project.service("changed");
        service["phase"] == "running" && service["pid"].as_u64() != Some(u64::from(changed))
    });
    wait_until("the removed one has ended", || !is_alive(gone));
    wait_until("it is not listed", || !project.run(&["list", "--json"]).out.contains("\"gone\""));
    assert_eq!(project.service("new")["phase"], "running");
}

//! What each key, click and change does, a row or a short story each.

mod stage;

use mainstay_top::{Effect, Input, Key, LogSource, MouseAct};
use mainstay_wire::SettledState;
use stage::{Stage, connect, end_act, now, service, settled, shop, thousand};

fn small() -> Stage {
    Stage::new(100, 30, shop())
}

#[test]
fn keys_that_move_select() {
    let rows = [
        ("Down", "cache"),
        ("j j", "migrate"),
        ("Down Up", "db"),
        ("k", "db"),
        ("End", "metrics"),
        ("G Down", "metrics"),
        ("G g", "db"),
        ("PageDown", "metrics"),
        ("End Home", "db"),
    ];
    for (keys, selected) in rows {
        assert_eq!(small().keys(keys).selected(), selected, "{keys}");
    }
    let mut many = Stage::new(80, 24, thousand());
    assert_eq!(many.keys("PageDown PageDown Down").selected(), "worker@40");
    assert_eq!(many.names().len(), 19);
}

#[test]
fn filters_are_names_globs_and_phases() {
    let rows = [
        ("/ api Enter", "api@1 api@2"),
        ("/ API@2", "api@2"),
        ("/ w*r", "worker"),
        ("/ *e*r*", "worker mailer metrics"),
        ("/ :run", "db cache api@1 web"),
        ("/ :failed Space :stopped", "mailer nightly"),
        ("/ a Space :running", "cache api@1"),
        ("/ :", "db cache migrate api@1 api@2 web worker mailer nightly metrics"),
        ("/ nothing Ctrl-u db", "db"),
        ("/ api Space web Ctrl-w Enter", "api@1 api@2"),
        ("/ ap Backspace Backspace web", "web"),
        ("/ web Enter / db Esc", "web"),
        ("/ web Enter Esc", "db cache migrate api@1 api@2 web worker mailer nightly metrics"),
    ];
    for (keys, names) in rows {
        assert_eq!(small().keys(keys).names().join(" "), names, "{keys}");
    }
    small().keys("/ zzz").shows("no service passes the filter");
}

#[test]
fn while_text_is_typed_no_key_acts() {
    let mut stage = small();
    stage.keys("/ xKurq");
    assert!(stage.effects.is_empty());
    stage.shows("filter: xKurq");
    // In one piece, it is text there and nothing elsewhere.
    stage.on(Input::Pasted("api\nx".to_owned()));
    stage.shows("filter: xKurqapi x");
    stage.keys("Esc");
    stage.on(Input::Pasted("xKq".to_owned()));
    assert!(stage.effects.is_empty());
}

#[test]
fn orders_go_round_and_turn_round() {
    let rows = [
        ("s", "api@1 api@2 cache db mailer metrics migrate nightly web worker"),
        ("s S", "worker web nightly migrate metrics mailer db cache api@2 api@1"),
        ("s s", "db api@1 web worker metrics cache migrate api@2 mailer nightly"),
        ("s s s", "db cache api@1 web worker metrics migrate api@2 mailer nightly"),
        ("s s s s", "mailer api@2 db cache migrate api@1 web worker nightly metrics"),
        ("s s s s s", "mailer api@2 worker metrics db cache api@1 web migrate nightly"),
        ("s s s s s s s", "db cache migrate api@1 api@2 web worker mailer nightly metrics"),
    ];
    for (keys, names) in rows {
        assert_eq!(small().keys(keys).names().join(" "), names, "{keys}");
    }
}

#[test]
fn what_is_selected_stays_so_wherever_it_goes() {
    let mut stage = small();
    stage.keys("s s Down");
    assert_eq!(stage.selected(), "api@1");
    let mut services = shop();
    services[3].cpu_percent = Some(99.0);
    stage.services(services.clone());
    assert_eq!((stage.selected().as_str(), stage.names()[0].as_str()), ("api@1", "api@1"));
    // When it is gone, what has its place is selected.
    services.remove(3);
    stage.services(services);
    assert_eq!(stage.selected(), "db");
}

#[test]
fn the_tree_has_each_service_once() {
    let mut stage = small();
    stage.keys("t");
    assert_eq!(stage.names().join(" "), "db migrate api@1 web api@2 worker mailer cache nightly metrics");
    // What leads to a service that passes stays.
    stage.keys("/ web");
    assert_eq!(stage.names().join(" "), "db migrate api@1 web");
    let mut chain: Vec<_> = (0..1000).map(|number| service(&format!("s{number}"), "running", "")).collect();
    for number in 1..1000 {
        connect(&mut chain, &format!("s{number}"), &format!("s{}", number - 1));
    }
    let mut stage = Stage::new(100, 30, chain);
    stage.keys("t End");
    assert_eq!(stage.selected(), "s999");
}

#[test]
fn acts_are_asked_for_or_asked_about() {
    let rows = [
        // Nobody else is concerned.
        ("End x", "stop metrics"),
        ("End r", "restart metrics"),
        ("End K", "kill metrics"),
        ("u", "start db"),
        ("End p", "pause metrics"),
        ("P", "resume db"),
        ("R", "reload db"),
        ("F", "resetfailed db"),
        ("Space Space F", "resetfailed db,cache"),
        ("a u", "start db,cache,migrate,api@1,api@2,web,worker,mailer,nightly,metrics"),
        // Others are.
        ("x", ""),
        ("x n", ""),
        ("x Esc", ""),
        ("x q x", ""),
        ("x Enter Space j y", "stop db"),
        ("r y", "restart db"),
        ("K Y", "kill db"),
        ("p", ""),
        ("p y", "pause db"),
        ("Space Space x y", "stop db,cache"),
        ("Space Down Space r y", "restart db,migrate"),
        // Marked, and out of sight.
        ("End Space / web Enter x", ""),
        ("End Space / web Enter x y", "stop metrics"),
    ];
    for (keys, acts) in rows {
        assert_eq!(small().keys(keys).acts().join(";"), acts, "{keys}");
    }
}

#[test]
fn a_question_says_who_else_is_concerned() {
    let rows = [
        ("x", ["stop db?", "stops also api@1, api@2, web, worker"]),
        ("r", ["restart db?", "api@1, api@2, web, worker need it, and are left alone"]),
        ("p", ["pause db?", "api@1, api@2, web, worker need it, and are left alone"]),
        ("Down Down Down K", ["kill api@1?", "web needs it, and is left alone"]),
        ("Space Space x", ["stop 2 services?", "db, cache"]),
    ];
    for (keys, lines) in rows {
        let mut stage = small();
        stage.keys(keys);
        for line in lines {
            stage.shows(line);
        }
    }
    // Those that are down already are nobody's concern.
    let mut services = shop();
    for service in &mut services[1..] {
        service.phase = "stopped".to_owned();
    }
    assert_eq!(Stage::new(100, 30, services).keys("x").acts(), ["stop db"]);
}

#[test]
fn each_act_is_told_in_its_own_words() {
    let rows = [
        ("P", "resuming db …", "resumed db"),
        ("R", "reloading db …", "reloaded db"),
        ("F", "forgetting failures of db …", "forgot failures of db"),
        ("p y", "pausing db …", "paused db"),
    ];
    for (keys, doing, done) in rows {
        let mut stage = small();
        stage.keys(keys).shows(doing);
        end_act(&mut stage, Ok(vec![settled("db", true, SettledState::Done, "running")]));
        stage.shows(done);
    }
}

#[test]
fn what_came_of_an_act_is_told() {
    let done = |id, named| settled(id, named, SettledState::Done, "stopped");
    let failed = |id| settled(id, true, SettledState::Failed, "failed");
    let rows = [
        (Ok(vec![done("web", false), done("db", true)]), "stopped db, also web"),
        (Ok(vec![failed("db")]), "stop: db is failed: exited with 1"),
        (Ok(vec![failed("db"), failed("web"), done("x", true)]), "stop: 2 of 3 did not get there: db, web"),
        (Err("the project is going down".to_owned()), "cannot stop: the project is going down"),
    ];
    for (outcome, told) in rows {
        let mut stage = small();
        stage.keys("x y");
        stage.shows("stopping db …");
        end_act(&mut stage, outcome);
        stage.shows(told);
        stage.on(Input::Tick(now() + jiff::SignedDuration::from_secs(31)));
        stage.hides(told);
    }
}

#[test]
fn without_a_daemon_nothing_is_asked_of_it() {
    let mut stage = small();
    stage.on(Input::Lost("it closed the connection".to_owned()));
    stage.keys("u");
    assert!(stage.effects.is_empty());
    stage.shows("cannot start: no daemon");
    stage.shows("no daemon; reconnecting");
    stage.services(shop());
    stage.hides("reconnecting");
}

#[test]
fn marks_go_with_their_services() {
    let mut stage = small();
    stage.keys("Space Space");
    stage.shows("2 marked");
    assert!(stage.line(" db ").starts_with("* db") && stage.selected() == "migrate");
    stage.services(shop().split_off(1));
    stage.shows("1 marked");
    stage.keys("Esc");
    stage.hides("marked");
    stage.keys("/ api Enter a");
    stage.shows("2 marked");
    stage.keys("a");
    stage.hides("marked");
}

#[test]
fn the_logs_of_what_is_selected_are_followed() {
    let mut stage = small();
    stage.keys("Down");
    assert!(stage.followed().is_empty());
    stage.keys("l");
    let source = LogSource { id: "cache".to_owned(), dir: "/srv/shop/.mainstay/logs/cache".to_owned() };
    assert_eq!(stage.effects, [Effect::Follow { number: 1, sources: vec![source] }]);
    stage.writes("cache", ["of cache"]);
    stage.shows("of cache");
    stage.keys("Down");
    assert_eq!(stage.followed(), ["migrate"]);
    stage.hides("of cache");
    // What comes late is of no interest any more.
    let line = mainstay_top::WrittenLine { service: "cache".to_owned(), text: b"late".to_vec() };
    stage.on(Input::Written { follow: 1, lines: vec![line] });
    stage.hides("late");
    stage.keys("Home Space Space");
    assert_eq!(stage.followed(), ["db", "cache"]);
    stage.keys("l");
    assert!(stage.followed().is_empty());
    let mut many = Stage::new(100, 30, thousand());
    many.keys("a l");
    assert_eq!(many.followed().len(), 32);
    many.shows("only 32 of 1000: worker@1, worker@2");
}

#[test]
fn the_log_is_scrolled_searched_and_wrapped() {
    let mut stage = Stage::new(60, 24, shop());
    stage.keys("Enter");
    stage.writes("db", (0..100).map(|number| format!("line {number} {}", "x".repeat(70))));
    stage.shows("line 99");
    stage.shows("following");
    stage.keys("Up Up");
    stage.hides("line 98");
    stage.shows("2 below");
    stage.writes("db", ["more"]);
    stage.shows("3 below");
    stage.keys("End");
    stage.shows("more");
    stage.keys("f");
    stage.shows("stays here");
    stage.keys("/ LINE Space 42 Enter");
    stage.shows("line 42 x");
    stage.keys("n");
    stage.shows("no older line with `line 42`");
    stage.keys("Esc Esc End Right");
    stage.hides("line 9");
    stage.shows("from column 17");
    stage.keys("w");
    stage.shows("line 99");
    stage.shows("wrapped");
    stage.keys("Home");
    stage.shows("line 0");
}

#[test]
fn escape_takes_back_one_thing_at_a_time() {
    let mut stage = small();
    stage.keys("/ a Enter Space l Tab z ?");
    stage.shows("Help");
    stage.keys("Esc");
    stage.hides("Help");
    stage.hides("NAME");
    stage.keys("Esc");
    stage.shows("NAME");
    stage.shows("Logs");
    stage.keys("Esc");
    stage.hides("Logs ");
    stage.shows("1 marked");
    stage.keys("Esc");
    stage.hides("marked");
    stage.shows("/a");
    stage.keys("Esc");
    assert_eq!(stage.names().len(), 10);
    assert!(!stage.effects.contains(&Effect::Quit));
}

#[test]
fn keys_that_leave() {
    let rows = [
        ("q", Effect::Quit),
        ("Ctrl-c", Effect::Quit),
        ("? Ctrl-c", Effect::Quit),
        ("x Ctrl-c", Effect::Quit),
        ("Ctrl-z", Effect::Suspend),
        ("Ctrl-l", Effect::Repaint),
    ];
    for (keys, effect) in rows {
        assert_eq!(small().keys(keys).effects, [effect], "{keys}");
    }
}

#[test]
fn the_mouse_does_what_it_points_at() {
    let mut stage = small();
    stage.press("mailer");
    assert_eq!(stage.selected(), "mailer");
    stage.press("CPU%");
    assert_eq!(stage.names()[0], "db");
    stage.press("CPU%");
    assert_eq!(stage.names()[9], "db");
    stage.press("REASON");
    stage.press("failed 1");
    assert_eq!(stage.names(), ["mailer"]);
    stage.press("all 10");
    assert_eq!(stage.names().len(), 10);
    // A second click on a row opens its logs; a click on a tab changes the pane.
    stage.press("web");
    assert!(stage.followed().is_empty());
    stage.press("web");
    assert_eq!(stage.followed(), ["web"]);
    stage.press("Details");
    stage.shows("needs ");
    stage.press("details");
    stage.hides("needs ");
    // What is asked can be answered.
    stage.press("db ");
    stage.press("x stop");
    stage.shows("stop db?");
    stage.press("no ");
    stage.hides("stop db?");
    stage.press("x stop");
    stage.press("yes ");
    assert_eq!(stage.acts(), ["stop db"]);
    stage.mouse(99, 29, MouseAct::Press);
    stage.mouse(500, 500, MouseAct::Press);
}

#[test]
fn the_wheel_scrolls_what_it_is_over() {
    let mut stage = Stage::new(80, 24, thousand());
    stage.mouse(5, 5, MouseAct::WheelDown);
    assert_eq!((stage.names()[0].as_str(), stage.selected().as_str()), ("worker@4", "worker@4"));
    stage.mouse(5, 5, MouseAct::WheelUp);
    assert_eq!((stage.names()[0].as_str(), stage.selected().as_str()), ("worker@1", "worker@4"));
    stage.keys("l");
    stage.writes("worker@4", (0..50).map(|number| format!("line {number}")));
    stage.mouse(5, 20, MouseAct::WheelUp);
    stage.shows("3 below");
    stage.keys("?");
    stage.mouse(5, 20, MouseAct::WheelDown);
    stage.hides("Move");
}

#[test]
fn changes_keep_readings_and_are_not_undone_by_older_news() {
    let mut stage = small();
    let mut changed = service("db", "running", "its description changed");
    (changed.memory_bytes, changed.cpu_percent) = (None, None);
    stage.changed(changed);
    assert!(stage.line("  db ").contains("420M"));
    let mut stopped = service("db", "stopped", "stopped on request");
    stopped.since = Some("2026-11-21T12:00:00Z".to_owned());
    stage.changed(stopped);
    // It was asked for before, and answered after.
    stage.services(shop());
    assert!(stage.line("  db ").contains("stopped") && !stage.line("  db ").contains("420M"));
    stage.changed(service("new", "running", "its process runs"));
    assert_eq!(stage.names().last().unwrap(), "new");
    // What is not in the whole any more is gone.
    stage.services(shop());
    stage.hides("new ");
}

#[test]
fn a_prompt_takes_no_more_than_it_shows() {
    let mut stage = small();
    stage.keys("/");
    stage.on(Input::Pasted("x".repeat(10_000)));
    assert!(stage.line("filter: ").chars().count() <= 100);
    stage.on(Input::Key(Key::Ctrl('u')));
    stage.shows("names, globs, :phase");
}

//! What a person sees, as pictures in text: at the smallest common size and at a large one.

mod stage;

use mainstay_top::{Input, Paint};
use ratatui_core::style::Color;
use stage::{Stage, now, service, shop, thousand};

#[test]
fn ten_services_at_80x24() {
    insta::assert_snapshot!(Stage::new(80, 24, shop()).screen());
}

#[test]
fn ten_services_at_200x60() {
    let mut stage = Stage::new(200, 60, shop());
    stage.keys("l");
    stage.writes(
        "db",
        (0..40).map(|number| format!("2026-11-21 12:00:00 UTC [{number}] LOG: checkpoint complete")),
    );
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn a_thousand_services_at_80x24() {
    let mut stage = Stage::new(80, 24, thousand());
    stage.keys("s s End PageUp Space Space");
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn a_thousand_services_at_200x60_with_details() {
    let mut stage = Stage::new(200, 60, thousand());
    stage.keys("d s s s s s");
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn the_tree_with_marks_and_logs_of_several() {
    let mut stage = Stage::new(80, 24, shop());
    stage.keys("t Space Down Space l");
    stage.writes("db", ["ready to accept connections", "\x1b[31mdeadlock\x1b[0m detected"]);
    stage.writes(
        "api@1",
        [
            "GET /cart 200 日本語 in 3 ms",
            "a line that is much longer than the pane is wide, so that it must be cut somewhere",
        ],
    );
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn names_of_sixty_characters() {
    let long = |end: &str| {
        format!("{}{end}", "department-of-redundancy-department-worker-for-all-of-the-".get(..57).unwrap())
    };
    let mut services = shop();
    services.push(service(&long("-no"), "running", "its process runs"));
    services.push(service(&long("-so"), "failed", "gave up"));
    let mut stage = Stage::new(80, 24, services.clone());
    insta::assert_snapshot!("long_names_80", stage.screen());
    insta::assert_snapshot!("long_names_200", Stage::new(200, 24, services).screen());
}

#[test]
fn a_question_lies_over_everything() {
    let mut stage = Stage::new(80, 24, shop());
    stage.keys("x");
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn the_help_at_both_sizes() {
    insta::assert_snapshot!("help_80", Stage::new(80, 24, shop()).keys("?").screen());
    insta::assert_snapshot!("help_200", Stage::new(200, 60, shop()).keys("?").screen());
}

#[test]
fn the_details_at_80x24() {
    let mut services = shop();
    services[4].command = ["./api", "--greeting", "hello world", "it's"].map(str::to_owned).into();
    services[4].exit = Some(mainstay_wire::ExitView { code: Some(1), signal: None });
    let mut stage = Stage::new(80, 24, services);
    stage.keys("Down Down Down Down d z");
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn the_details_tell_what_became_of_output() {
    let mut services = shop();
    services[4].err_log_dir = Some("/srv/shop/.mainstay/logs/api+stderr".to_owned());
    services[4].log_counts.dropped_bytes = 5_120;
    let mut stage = Stage::new(80, 40, services);
    stage.keys("Down Down Down Down d z");
    stage.shows("/srv/shop/.mainstay/logs/api+stderr");
    stage.shows("5.0K of its output were dropped");
}

#[test]
fn without_a_daemon() {
    let mut stage = Stage::new(80, 12, shop());
    stage.on(Input::Lost("the daemon closed the connection".to_owned()));
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    for (width, height) in [(39, 24), (80, 9), (10, 2), (1, 1), (5, 0)] {
        let mut stage = Stage::new(80, 24, shop());
        stage.keys("l ?");
        stage.resize(width, height);
        let screen = stage.screen();
        assert!(height == 0 || screen.starts_with(&"too small"[..usize::from(width).min(9)]), "{screen}");
        stage.resize(80, 24);
        stage.shows("Help");
    }
}

/// Every size shows something, and no cell is written outside of it (which would panic).
#[test]
fn every_size_is_drawn() {
    for width in (40..210).step_by(31) {
        for height in (10..62).step_by(13) {
            let mut stage = Stage::new(width, height, shop());
            stage.shows("shop");
            for keys in ["l", "z", "d", "t", "?", "Esc", "Esc", "a x"] {
                stage.keys(keys);
                assert_eq!(stage.screen().lines().count(), usize::from(height), "{width}x{height} {keys}");
            }
        }
    }
}

#[test]
fn colours_change_no_text_and_there_are_none_without() {
    for keys in ["l", "t", "?", "a x", "/ api"] {
        let (mut plain, mut coloured) =
            (Stage::new(100, 30, shop()), Stage::painted(100, 30, shop(), Paint::Colour));
        plain.keys(keys);
        coloured.keys(keys);
        assert_eq!(plain.screen(), coloured.screen(), "{keys}");
        let has_colour = |stage: &mut Stage| {
            stage.buffer().content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
        };
        assert!(has_colour(&mut coloured) && !has_colour(&mut plain), "{keys}");
    }
}

/// What others wrote reaches the screen without anything that a terminal would obey.
#[test]
fn nothing_of_others_reaches_the_terminal_raw() {
    let evil = "a\u{1b}[2Jb\u{7}\u{9b}31mc\u{202e}d\ne";
    let mut bad = service("db", "running", evil);
    bad.command = vec![evil.to_owned()];
    bad.phase = format!("running{evil}");
    bad.status = evil.to_owned();
    bad.depends_on = vec![evil.to_owned()];
    bad.log_dir = format!("/logs/{evil}");
    let mut stage = Stage::new(120, 40, vec![bad]);
    stage.on(Input::Failed(evil.to_owned()));
    for keys in ["l", "d", "z", "t", "/ x"] {
        stage.keys(keys);
        stage.writes("db", [evil.as_bytes()]);
        for cell in stage.buffer().content() {
            assert!(!cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
        }
    }
}

#[test]
fn times_go_on() {
    let mut stage = Stage::new(80, 24, shop());
    assert!(stage.line("  cache").contains("5m20s"));
    stage.on(Input::Tick(now() + jiff::SignedDuration::from_secs(65)));
    assert!(stage.line("  cache").contains("6m25s"));
    stage.shows("up 2h06m");
}

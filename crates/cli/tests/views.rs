//! `list` and `logs` as they are seen: on terminals of 80 and of 200 columns, without colour, and without a terminal.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test needs and does not get has failed it, in the functions around it as well"
)]

mod fake;
mod glass;

use std::process::Command;

use fake::{Fake, Folder, service, services};
use glass::Glass;
use serde_json::Value;

const NORTH: &str = "warehouse-inventory-synchronisation-with-the-northern-region";
const SOUTH: &str = "warehouse-inventory-synchronisation-with-the-southern-region";

/// More rows than any of these answers has.
const ROWS: u16 = 1_200;

/// What a terminal of this width shows once the verb has ended, of which this comes last.
#[track_caller]
fn seen(command: &mut Command, columns: u16, last: &str) -> Glass {
    if !command.get_envs().any(|(name, _)| name == "TERM") {
        command.env("TERM", "xterm-256color");
    }
    let mut glass = Glass::start(command, columns, ROWS);
    assert_eq!(glass.end(), Some(0));
    glass.wait_for(last);
    glass
}

/// No line was longer than the terminal is wide.
#[track_caller]
fn is_whole(glass: &Glass) {
    let broken = glass.look(|screen| (0..ROWS).filter(|row| screen.row_wrapped(*row)).count());
    assert_eq!(broken, 0, "{}", glass.screen());
}

/// A project with long names and wide characters, and a daemon that tells of it.
fn names() -> (Folder, Fake) {
    let folder = Folder::with("[service.db]\ncommand = \"true\"\n");
    let fake = Fake::start(&folder, |_| {
        let mut all = vec![
            service("db", "running", "ready: tcp 127.0.0.1:5432"),
            service(NORTH, "running", "its process runs"),
            service(
                SOUTH,
                "failed",
                "cannot start: there is no directory `/srv/倉庫/南`; it is not restarted",
            ),
            service("last", "waiting", &format!("waiting for {SOUTH} to be ready")),
        ];
        // How long something runs is another test's.
        all.iter_mut().for_each(|service| service["since"] = Value::Null);
        vec![services(&all)]
    });
    (folder, fake)
}

#[test]
fn a_list_is_as_wide_as_its_terminal_and_no_wider() {
    let (folder, _fake) = names();
    let mut shown = String::new();
    for columns in [80, 200] {
        let glass = seen(&mut folder.command(&["list", "-q"]), columns, "last");
        is_whole(&glass);
        shown.push_str(&format!("{}\n\n", glass.screen()));
    }
    shown.push_str(&folder.run(&["list", "-q"]).expect(0).out);
    insta::assert_snapshot!(shown);
}

#[test]
fn without_colour_and_without_a_terminal_the_words_are_the_same() {
    let (folder, _fake) = names();
    let coloured = seen(&mut folder.command(&["list", "-q"]), 80, "last");
    assert!(coloured.bytes().contains(&0x1b));
    for command in [
        folder.command(&["list", "-q"]).env("NO_COLOR", "1"),
        &mut folder.command(&["list", "-q", "--no-color"]),
        folder.command(&["list", "-q"]).env("TERM", "dumb"),
    ] {
        let plain = seen(command, 80, "last");
        assert_eq!(plain.screen(), coloured.screen());
        assert!(!plain.bytes().contains(&0x1b));
    }
    let piped = folder.run(&["list", "-q"]).expect(0).out;
    assert!(!piped.contains('\u{1b}') && !piped.contains('…'), "{piped}");
    assert!(piped.contains(&format!("waiting for {SOUTH} to be ready\n")), "{piped}");
    // Who knows how wide the lines may be says so, as `watch` does.
    let mut watched = folder.command(&["list", "-q"]);
    let watched = String::from_utf8(watched.env("COLUMNS", "80").output().unwrap().stdout).unwrap();
    assert_eq!(watched.trim_end(), coloured.screen().trim_end());
}

#[test]
fn a_thousand_services_are_a_thousand_lines_below_a_heading() {
    let folder = Folder::with("[service.db]\ncommand = \"true\"\n");
    let _fake = Fake::start(&folder, |_| {
        let all = (1..=1000).map(|at| service(&format!("queue-{at:04}"), "running", "its process runs"));
        vec![services(&all.collect::<Vec<_>>())]
    });
    for columns in [80, 200] {
        let glass = seen(&mut folder.command(&["list", "-q"]), columns, "queue-1000");
        is_whole(&glass);
        let screen = glass.screen();
        let lines: Vec<&str> = screen.lines().collect();
        assert_eq!(lines.len(), 1001);
        assert!(lines[0].starts_with("NAME        PHASE  ") && lines[0].ends_with("REASON"));
        assert!(
            lines[1].starts_with("queue-0001  running") && lines[1000].starts_with("queue-1000  running")
        );
        assert!(lines[1..].iter().all(|line| line.ends_with("its process runs")));
    }
}

#[test]
fn lines_of_logs_begin_in_one_column_on_a_terminal() {
    let folder = Folder::with("[service.db]\ncommand = \"true\"\n");
    for (name, text) in
        [("db", "ready\n"), (NORTH, "倉庫から 14 件\n"), (SOUTH, "\u{1b}[31mred\n"), ("z", "last\n")]
    {
        folder.write(&format!(".mainstay/logs/{name}/current"), text);
    }
    let mut shown = String::new();
    for columns in [80, 200] {
        let glass = seen(&mut folder.command(&["logs"]), columns, "last");
        is_whole(&glass);
        let screen = glass.screen();
        let mut lines: Vec<&str> = screen.lines().collect();
        // When they were written is not known, and in which order neither.
        lines.sort_unstable();
        shown.push_str(&format!("{}\n\n", lines.join("\n")));
        // What a program leaves switched on ends with its line.
        let ink = glass.look(|screen| screen.fgcolor());
        assert_eq!(ink, vt100::Color::Default);
    }
    insta::assert_snapshot!(shown);
    let out = folder.run(&["logs"]).expect(0).out;
    assert!(out.contains(&format!("{NORTH} | 倉庫から 14 件\n")), "{out}");
    assert!(out.contains(&format!("{SOUTH} | \u{1b}[31mred\n")), "what was written is not changed: {out}");
    let alone = folder.run(&["logs", SOUTH]).expect(0).out;
    assert_eq!(alone, "\u{1b}[31mred\n");
}

//! What is drawn of a screen, and which samples stand for what.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{album::ALBUM, samples::SAMPLES, screen::Screen, steady::Steady, svg};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

#[test]
fn a_picture_is_xml_with_columns_where_they_were() {
    let screen = Screen::of_text("NAME    \u{1b}[1;31mfailed\u{1b}[0m  <日本> & \u{1b}[7mx\u{1b}[0m");
    let svg = svg::draw("mainstay list", &screen);
    assert_eq!(svg, svg::draw("mainstay list", &screen));
    for part in [
        "<title>mainstay list</title>",
        ">NAME</text>",
        " class=\"b\" style=\"fill:#f0716b\">failed</text>",
        ">&lt;</text>",
        "textLength=\"16.8\">日</text>",
        "textLength=\"16.8\">本</text>",
        ">&gt; &amp;</text>",
        "fill:#14181d\">x</text>",
    ] {
        assert!(svg.contains(part), "{part} in\n{svg}");
    }
    // The eighth column is where it was, whatever was before it.
    assert!(svg.contains("<text x=\"81.2\" y=\"47\" textLength=\"50.4\""), "{svg}");
    assert!(!svg.contains("script") && svg.matches("<text").count() == svg.matches("</text>").count());
}

#[test]
fn moments_are_samples_in_as_many_columns() {
    let rows = [
        ("日 since 2027-01-02 03:04:05 +00:00 (3s)", "日 since 2026-11-21 10:00:00 +00:00 (3s)"),
        ("16:46:58 | until 16:47 or 16:48", "10:00:00 | until 10:00 or 10:00"),
        ("tcp 10.0.0.10:8080 or [::1]:80", "tcp 10.0.0.10:8080 or [::1]:80"),
        ("shop  up 3s   mainstay - 3.6M", "shop  up 2h05m   mainstay 0.1% 9.4M"),
    ];
    for (seen, sample) in rows {
        let mut screen = Screen::of_text(&format!("{seen}\n{}", "x".repeat(80)));
        screen.steady();
        assert_eq!(super::screen::text(&screen.rows[0]), sample);
        assert_eq!(screen.rows[0].len(), 80);
    }
}

#[test]
fn what_differs_from_run_to_run_is_a_sample() {
    let mut steady = Steady::default();
    let line = json!({ "services": [
        { "pid": 77, "since": "2026-11-21T11:59:58.25Z", "memory_bytes": null, "cpu_percent": 3.0 },
        { "pid": null, "memory_bytes": null, "next": "2026-11-21T12:01:01Z", "text": "exited with 1; restart 2 of 10 in 98 s" },
        { "pid": 12, "text": "tcp 127.0.0.1:9 refused for 1 min 3 s (pid 77)" },
        { "text": "search has 59 min 57 s left; exec test exited with 1 (41 of 1000 failures in a row)" },
    ] });
    let seen: Value = serde_json::from_str(&steady.line(&line.to_string(), now())).unwrap();
    let services = &seen["services"];
    assert_eq!((&services[0]["pid"], &services[2]["pid"]), (&json!(4211), &json!(4212)));
    assert_eq!(services[0]["since"], "2026-11-21T09:54:30Z");
    assert_eq!(
        (&services[0]["memory_bytes"], &services[1]["memory_bytes"]),
        (&json!(48_900_000), &Value::Null)
    );
    assert_eq!(services[1]["next"], "2026-11-21T12:00:23.5Z");
    assert_eq!(services[1]["text"], "exited with 1; restart 2 of 10 in 24 s");
    assert_eq!(services[2]["text"], "tcp 127.0.0.1:9 refused for 12 s (pid 4211)");
    assert_eq!(
        services[3]["text"],
        "search has 59 min left; exec test exited with 1 (2 of 3 failures in a row)"
    );
    assert_eq!(steady.line("no JSON", now()), "no JSON");
}

#[test]
fn each_picture_is_of_a_project_and_has_its_own_name() {
    let mut names: Vec<(&str, &str)> = ALBUM.iter().map(|picture| (picture.project, picture.name)).collect();
    assert!(names.iter().all(|(project, _)| SAMPLES.iter().any(|sample| sample.name == *project)));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALBUM.len());
}

#[test]
fn each_sample_is_a_file_that_is_understood() {
    for sample in &SAMPLES {
        let variables = std::collections::BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let source = mainstay_config::Source { text: (sample.file)(), path: "mainstay.toml".into() };
        let inputs = mainstay_config::Inputs {
            base: vec![source],
            local: None,
            directory: "/tmp".into(),
            variables: &variables,
            read: &|_| Ok(String::new()),
        };
        let problems = mainstay_config::load(&inputs).err();
        assert!(problems.is_none(), "{}: {problems:?}", sample.name);
    }
}

//! The forms of what the daemon keeps, as they were first written: each is read for as long as there is a version after it, and
//! one of a later version is refused in words. Whoever changes a form gives it another number, and leaves the files here.

use std::{fs, path::Path};

use mainstay_model::{Exit, RunId};
use mainstay_wire::{Answer, LATER_HELP, Memo, Request, SlotPhase, SlotState};

use crate::{
    generations::{Generations, GenerationsError},
    history::read_history,
    main_loop::{self, Options, check_state},
    state::{StateError, StateFile},
};

const APPLIED: &str = include_str!("../fixtures/version-1/applied.json");
const LIST: &str = include_str!("../fixtures/version-1/generations/list.json");
const DESCRIPTION: &str =
    include_str!("../fixtures/version-1/generations/8ae9b5418246bf5066f706f5fa6268f0.json");
const HISTORY: &str = include_str!("../fixtures/version-1/history.sql");

/// A state folder as version 1 left it.
fn left() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let generations = dir.path().join("generations");
    fs::create_dir(&generations).unwrap();
    fs::write(dir.path().join("applied.json"), APPLIED).unwrap();
    fs::write(generations.join("list.json"), LIST).unwrap();
    fs::write(generations.join("8ae9b5418246bf5066f706f5fa6268f0.json"), DESCRIPTION).unwrap();
    rusqlite::Connection::open(dir.path().join("history.db")).unwrap().execute_batch(HISTORY).unwrap();
    dir
}

fn options(dir: &Path) -> Options {
    Options { state_dir: dir.to_owned(), run_dir: dir.join("run"), logs_dir: dir.join("logs") }
}

#[test]
fn what_was_applied_is_read_and_written_as_it_was() {
    let dir = left();
    let state = StateFile::of(dir.path());
    let recorded = state.read().unwrap();
    assert_eq!((recorded.specs.len(), recorded.wanted.len(), recorded.restarts.len()), (9, 2, 2));
    assert_eq!(recorded.probation.as_ref().unwrap().previous, 7);
    assert!(recorded.going_down);
    // Whatever is written otherwise is another form.
    state.write(&recorded).unwrap();
    assert_eq!(fs::read_to_string(state.path()).unwrap(), APPLIED);
}

#[test]
fn generations_are_read_and_written_as_they_were() {
    let dir = left();
    let mut generations = Generations::of(dir.path()).unwrap();
    let description = generations.description(1).unwrap();
    assert_eq!(description.services().unwrap(), StateFile::of(dir.path()).read().unwrap().specs);
    assert!(generations.is(1, &description), "the same description has the same name");
    let verdict = generations.get(1).unwrap().verdict.clone().unwrap();
    generations.judged(1, verdict);
    assert_eq!(fs::read_to_string(dir.path().join("generations/list.json")).unwrap(), LIST);
    assert_eq!(serde_json::to_string(&description).unwrap(), DESCRIPTION);
}

/// All that makes up the tables, without blanks and comments.
fn schema(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut rows =
        connection.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let bare = |sql: String| -> String {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        lines.flat_map(str::split_whitespace).collect()
    };
    rows.map(|row| bare(row.unwrap())).collect()
}

#[test]
fn a_history_is_read_and_has_the_tables_of_a_new_one() {
    let (dir, new) = (left(), tempfile::tempdir().unwrap());
    let request = Request::History { services: vec![], since: None, until: None, limit: None, before: None };
    let answer = read_history(dir.path(), &request, &[]).unwrap();
    let Some(Answer::History { events, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(events.len(), 4);
    let text = serde_json::to_string(&events).unwrap();
    for said in ["generation 1 applied", "its process is being made", "it exited with 9", "KILL", "25141"] {
        assert!(text.contains(said), "no {said} in {text}");
    }
    for dir in [dir.path(), new.path()] {
        let mut history = crate::history::History::begin(dir);
        history.note("act", "something".to_owned(), None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(history.finish());
    }
    assert_eq!(schema(&dir.path().join("history.db")), schema(&new.path().join("history.db")));
}

#[test]
fn all_of_it_is_accepted_and_so_is_what_hooks_remember() {
    let dir = left();
    let memos = [String::new(), "7".to_owned(), Memo::default().to_text()];
    assert_eq!(check_state(&options(dir.path()), &memos), Ok(()));
    let refused = check_state(&options(dir.path()), &["nonsense".to_owned()]).unwrap_err();
    assert!(refused.starts_with("what the daemon remembers cannot be read"), "{refused}");
}

/// Another form, of which nothing but the version is as it was.
const LATER: &str = r#"{"version":2,"everything":"else"}"#;

#[test]
fn what_a_later_version_applied_is_refused_whatever_it_looks_like() {
    let dir = left();
    let state = StateFile::of(dir.path());
    fs::write(state.path(), LATER).unwrap();
    let error = state.read().unwrap_err();
    assert!(matches!(error, StateError::Version { version: 2, .. }), "{error}");
    assert!(error.to_string().ends_with(LATER_HELP), "{error}");
    assert!(crate::salvage::read(&state, &[]).is_err());
    assert_eq!(fs::read_to_string(state.path()).unwrap(), LATER, "it is not taken for a damaged one");
    assert_eq!(check_state(&options(dir.path()), &[]).unwrap_err(), error.to_string());
}

#[test]
fn generations_of_a_later_version_are_refused_and_not_begun_anew() {
    let dir = left();
    let list = dir.path().join("generations/list.json");
    fs::write(&list, LATER).unwrap();
    let error = Generations::of(dir.path()).unwrap_err();
    assert!(matches!(error, GenerationsError::Later { version: 2, .. }), "{error}");
    assert!(error.to_string().ends_with(LATER_HELP), "{error}");
    assert_eq!(fs::read_to_string(&list).unwrap(), LATER);
    assert!(check_state(&options(dir.path()), &[]).unwrap_err().contains("a later Mainstay (version 2"));
}

#[test]
fn a_history_of_a_later_version_refuses_the_program() {
    let dir = left();
    let connection = rusqlite::Connection::open(dir.path().join("history.db")).unwrap();
    connection.execute_batch("PRAGMA user_version = 2").unwrap();
    drop(connection);
    assert!(check_state(&options(dir.path()), &[]).unwrap_err().contains("a later Mainstay (version 2"));
}

#[test]
fn memos_of_a_later_version_keep_the_daemon_from_guessing() {
    let memo = r#"{"version":2,"everything":"else"}"#.to_owned();
    let phase = SlotPhase::Exited { exit: Exit::Code(3).into() };
    let slot = |memo: &str| SlotState {
        slot: "api".to_owned(),
        run: RunId(3).0,
        phase: phase.clone(),
        memo: memo.to_owned(),
        notices: Vec::new(),
    };
    let text = main_loop::refuse_later(&[slot(""), slot("nonsense"), slot(&memo)]).unwrap_err().to_string();
    assert!(text.starts_with("what was remembered of `api` cannot be read: it is of version 2"), "{text}");
    assert!(text.ends_with(LATER_HELP), "{text}");
    assert!(main_loop::refuse_later(&[slot(""), slot("7"), slot(&Memo::default().to_text())]).is_ok());
    let refused = check_state(&options(left().path()), &[memo]).unwrap_err();
    assert!(refused.contains("version 2 of the memos"), "{refused}");
}

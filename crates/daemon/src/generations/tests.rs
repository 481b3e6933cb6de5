//! The generations on a real disk: what is kept, what goes, and what damage does.

use mainstay_model::{Command, Kind};

use super::*;

fn service(id: &str, command: &str) -> Spec {
    Spec::new(
        id.parse().unwrap(),
        Kind::Permanent,
        Command::new([command.to_owned()]).unwrap(),
        "/srv".into(),
    )
}

fn of(specs: &[Spec]) -> Description {
    Description {
        project: "shop".to_owned(),
        dir: "/srv".to_owned(),
        files: vec!["/srv/mainstay.toml".to_owned()],
        fingerprint: "f".to_owned(),
        specs: specs.iter().map(WireSpec::from).collect(),
    }
}

fn description(command: &str) -> Description {
    of(&[service("api", command)])
}

fn coming(ended: &[&str]) -> Coming {
    Coming {
        how: "applied".to_owned(),
        uid: Some(0),
        time: "2026-01-01T00:00:00Z".to_owned(),
        after: 0,
        ended: ended.iter().map(|id| id.parse().unwrap()).collect(),
    }
}

fn add(generations: &mut Generations, command: &str) -> u64 {
    generations.add(&description(command), coming(&[])).unwrap()
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir.join("generations")).unwrap().count()
}

fn numbers(generations: &Generations) -> Vec<u64> {
    generations.list.iter().map(|generation| generation.number).collect()
}

#[test]
fn the_same_again_is_no_new_generation_and_an_earlier_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut generations = Generations::of(dir.path()).unwrap();
    assert_eq!(generations.latest(), 0);
    assert!(matches!(generations.before(0), Err(GenerationsError::NoEarlier)));
    let numbers = ["a", "a", "b", "a"].map(|name| add(&mut generations, name));
    assert_eq!(numbers, [1, 1, 2, 3]);
    assert_eq!((generations.before(3).unwrap(), generations.before(2).unwrap()), (2, 1));
    assert!(matches!(generations.before(1), Err(GenerationsError::NoEarlier)));
    assert!(generations.is(3, &description("a")) && !generations.is(2, &description("a")));
    let again = Generations::of(dir.path()).unwrap();
    assert_eq!(again.list, generations.list);
    assert_eq!(again.description(2).unwrap(), description("b"));
    let unknown = again.description(9).unwrap_err();
    assert!(matches!(unknown, GenerationsError::Unknown { number: 9, oldest: 1, latest: 3 }));
    assert_eq!(files(dir.path()), 3, "two descriptions and the list");
    let views = again.views(2);
    assert_eq!(
        views.iter().map(|view| (view.number, view.current)).collect::<Vec<_>>(),
        [(3, false), (2, true), (1, false)]
    );
}

#[test]
fn what_comes_from_a_terminal_or_from_a_comment_is_no_other_description() {
    let dir = tempfile::tempdir().unwrap();
    let mut generations = Generations::of(dir.path()).unwrap();
    add(&mut generations, "a");
    let mut elsewhere = service("api", "a");
    elsewhere.inherited = BTreeMap::from([("PATH".to_owned(), "/elsewhere".to_owned())]);
    let elsewhere = Description { fingerprint: "g".to_owned(), ..of(&[elsewhere]) };
    assert_eq!(generations.add(&elsewhere, coming(&[])).unwrap(), 1);
    add(&mut generations, "b");
    assert_eq!(generations.add(&elsewhere, coming(&[])).unwrap(), 3);
    let back = generations.description(3).unwrap();
    assert_eq!(back.specs, description("a").specs, "its bytes are those of the first");
    assert_eq!(back.fingerprint, "g", "and the fingerprint is its own");
    let pair = [service("a", "x"), service("b", "y")];
    let turned = [service("b", "y"), service("a", "x")];
    let number = generations.add(&of(&pair), coming(&[])).unwrap();
    assert_eq!(generations.add(&of(&turned), coming(&[])).unwrap(), number, "their order is no matter");
}

#[test]
fn they_are_bounded_and_what_no_generation_names_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut generations = Generations::of(dir.path()).unwrap();
    for number in 0..COUNT_LIMIT + 5 {
        add(&mut generations, &format!("p{number}"));
    }
    assert_eq!((generations.list.len(), generations.latest()), (COUNT_LIMIT, 105));
    assert_eq!(files(dir.path()), COUNT_LIMIT + 1);
    assert_eq!(generations.list[0].number, 6);
}

#[test]
fn large_ones_go_earlier_but_never_the_latest_two() {
    let dir = tempfile::tempdir().unwrap();
    let mut generations = Generations::of(dir.path()).unwrap();
    let large = "x".repeat(9 * 1024 * 1024);
    for number in 0..4 {
        add(&mut generations, &format!("{number}{large}"));
    }
    assert_eq!(numbers(&generations), [3, 4]);
}

#[test]
fn damage_is_told_and_a_broken_list_is_put_aside_without_its_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let mut generations = Generations::of(dir.path()).unwrap();
    add(&mut generations, "a");
    add(&mut generations, "b");
    let object = generations.object(&generations.list[0].hash);
    fs::write(&object, "{}").unwrap();
    assert!(matches!(generations.description(1), Err(GenerationsError::Damaged(1))));
    assert_eq!(add(&mut generations, "a"), 3);
    assert_eq!(generations.description(3).unwrap(), description("a"), "it is written again");
    fs::write(dir.path().join("generations/list.json"), "nonsense").unwrap();
    assert!(Generations::read(dir.path()).is_err());
    let mut again = Generations::of(dir.path()).unwrap();
    assert_eq!(again.latest(), 0);
    assert!(dir.path().join("generations/list.json.broken").exists());
    let number = again.add(&description("b"), Coming { after: 3, ..coming(&[]) }).unwrap();
    assert_eq!(number, 4, "no number comes twice");
}

#[test]
fn nothing_is_added_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut generations = Generations::of(dir.path()).unwrap();
    add(&mut generations, "a");
    let before = generations.list.clone();
    // A folder in the place of the list: it cannot be replaced, by root neither.
    fs::remove_file(dir.path().join("generations/list.json")).unwrap();
    fs::create_dir(dir.path().join("generations/list.json")).unwrap();
    let error = generations.add(&description("b"), coming(&[])).unwrap_err();
    assert!(error.to_string().starts_with("cannot write `"), "{error}");
    assert_eq!(generations.list, before);
}

#[test]
fn what_a_generation_ended_is_remembered_and_so_is_its_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let mut generations = Generations::of(dir.path()).unwrap();
    generations.add(&of(&[service("a", "x"), service("b", "x")]), coming(&[])).unwrap();
    generations.add(&of(&[service("a", "x")]), coming(&["b"])).unwrap();
    let text = "kept: all is well".to_owned();
    generations.judged(2, Judged { verdict: ProbationVerdict::Kept, text });
    let again = Generations::of(dir.path()).unwrap();
    let id = |text: &str| text.parse::<ServiceId>().unwrap();
    assert!(again.ended_after(1, &id("b")) && !again.ended_after(1, &id("a")));
    assert!(!again.ended_after(2, &id("b")));
    assert_eq!(again.views(2)[0].verdict.as_deref(), Some("kept: all is well"));
}

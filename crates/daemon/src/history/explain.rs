//! What the past has to say to a sentence: a bounded number of rows, and the generations that changed a service. The sentence
//! itself is made elsewhere.

use std::{collections::HashMap, path::Path, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use mainstay_decide::{
    Asker, Explanation, Past, PastAct, PastApply, PastChange, Reading, Situation, explain, failing_since,
};
use mainstay_model::{Exit, Moment, PhaseName, Reason, RunId, ServiceId, Spec};
use mainstay_wire::{Answer, ExplanationView, LinkView, SCHEMA_VERSION, TryView};
use rusqlite::{Connection, OptionalExtension, params};

use super::{nanos, page::UNKNOWN_EXIT, text};
use crate::{clock, generations::Generations};

/// The latest so many changes of a service are looked at.
const CHANGES: usize = 500;

/// Of so many services that each of them would be this many, fewer of each.
const CHANGES_IN_ALL: usize = 50_000;

/// But never fewer.
const CHANGES_LEAST: usize = 20;

/// The latest so many rows of the project are looked at, for requests.
const ACTS: i64 = 1000;

/// The latest so many generations are compared with the ones before them: each is a file.
const COMPARED: usize = 8;

/// Services that are to be explained, each with those that it waits for.
#[derive(Debug)]
pub(crate) struct Matter {
    chains: Vec<Vec<Situation>>,
    now: Moment,
    wall: Duration,
    zone: TimeZone,
}

/// What is looked up once, and told to many.
#[derive(Default)]
struct Known {
    past: HashMap<ServiceId, Past>,
    users: HashMap<u32, Option<String>>,
}

impl Matter {
    /// These, as they are now.
    pub(crate) fn of(chains: Vec<Vec<Situation>>, zone: TimeZone) -> Self {
        let wall = u64::try_from(nanos(Timestamp::now())).unwrap_or(0);
        Self { chains, now: clock::now(), wall: Duration::from_nanos(wall), zone }
    }

    /// Explains with what is found there. What cannot be read is left out: how a service is counts more than how it came to be.
    pub(super) fn answer(&self, connection: Option<&Connection>, state_dir: Option<&Path>) -> Answer {
        let mut known = Known::default();
        let acts =
            connection.and_then(|connection| acts(connection, &mut known.users).ok()).unwrap_or_default();
        let most = (CHANGES_IN_ALL / self.chains.len().max(1)).clamp(CHANGES_LEAST, CHANGES);
        let generations = state_dir.and_then(|dir| Generations::read(dir).ok());
        for situation in self.chains.iter().flatten() {
            let id = &situation.status.id;
            if known.past.contains_key(id) {
                continue;
            }
            let changes =
                connection.and_then(|connection| changes(connection, id, most).ok()).unwrap_or_default();
            let applies = match (&generations, self.suspects(situation, &changes)) {
                (Some(generations), Some(until)) => applies(generations, id, until, &mut known.users),
                _ => Vec::new(),
            };
            known.past.insert(id.clone(), Past { changes, applies });
        }
        let clock = |time: Duration| clock_text(time, self.wall, &self.zone);
        let reading = Reading { now: self.now, wall: self.wall, clock: &clock, acts: &acts };
        let explain = |chain: &Vec<Situation>| {
            let past: Vec<&Past> = chain.iter().filter_map(|it| known.past.get(&it.status.id)).collect();
            Some(view(&chain.first()?.status.id, explain(chain, &past, &reading)?))
        };
        let services = self.chains.iter().filter_map(explain).collect();
        Answer::Explain { schema_version: SCHEMA_VERSION, services }
    }

    /// Until when an apply may be the cause of how it is; `None`: none is asked for.
    fn suspects(&self, situation: &Situation, changes: &[PastChange]) -> Option<Duration> {
        let changed = |reason: &Reason| matches!(reason, Reason::Changed | Reason::Removed);
        let is_changed = changed(&situation.status.reason)
            || situation.stop.as_ref().is_some_and(|(cause, _)| changed(cause));
        if is_changed { Some(self.wall) } else { failing_since(situation, changes) }
    }
}

/// A time as the reader's clock shows it: with its day, unless that is today.
fn clock_text(time: Duration, now: Duration, zone: &TimeZone) -> String {
    let zoned = |time: Duration| {
        let nanos = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
    };
    let (time, now) = (zoned(time), zoned(now));
    let form = if time.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    time.strftime(form).to_string()
}

/// The latest changes of a service, the newest last.
fn changes(connection: &Connection, id: &ServiceId, most: usize) -> rusqlite::Result<Vec<PastChange>> {
    let number = "SELECT id FROM service WHERE name = ?1 AND instance = ?2";
    let parameters = params![id.name.as_str(), id.instance.map_or(0, u32::from)];
    let number: Option<i64> = connection.query_row(number, parameters, |row| row.get(0)).optional()?;
    let Some(number) = number else { return Ok(Vec::new()) };
    let mut newest = connection.prepare(
        "SELECT time, to_phase, run, wanted, failed, exit_code, exit_signal, code, text FROM event
         WHERE service = ?1 ORDER BY time DESC, seq DESC LIMIT ?2",
    )?;
    let rows = newest.query_map(params![number, i64::try_from(most).unwrap_or(i64::MAX)], change)?;
    let mut changes = rows.filter_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()?;
    changes.reverse();
    Ok(changes)
}

/// `None` for a phase that only a later version has.
fn change(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<PastChange>> {
    let Some(to) = row.get_ref(1)?.as_str().ok().and_then(PhaseName::from_word) else { return Ok(None) };
    Ok(Some(PastChange {
        at: epoch(row.get(0)?),
        to,
        run: RunId(u64::try_from(row.get::<_, Option<i64>>(2)?.unwrap_or(0)).unwrap_or(0)),
        wanted: row.get::<_, Option<bool>>(3)?.unwrap_or(false),
        failed: row.get(4)?,
        exit: exit(row.get(5)?, row.get(6)?),
        code: row.get(7)?,
        text: row.get(8)?,
    }))
}

fn exit(code: Option<i32>, signal: Option<String>) -> Option<Exit> {
    match (code, signal) {
        (Some(code), _) => Some(Exit::Code(code)),
        (None, Some(signal)) if signal == UNKNOWN_EXIT => Some(Exit::Unknown),
        (None, Some(signal)) => signal.parse().ok().map(Exit::Signal),
        (None, None) => None,
    }
}

/// What was asked for lately, the newest last.
fn acts(connection: &Connection, users: &mut HashMap<u32, Option<String>>) -> rusqlite::Result<Vec<PastAct>> {
    let mut newest = connection.prepare(
        "SELECT time, code, text, uid, pid FROM
            (SELECT * FROM event WHERE service IS NULL ORDER BY time DESC, seq DESC LIMIT ?1)
         WHERE code IN ('act', 'down-requested') ORDER BY time, seq",
    )?;
    let rows = newest.query_map([ACTS], |row| {
        let (code, words): (String, String) = (row.get(1)?, row.get(2)?);
        let text = if code == "act" { words } else { "down".to_owned() };
        let uid: Option<u32> = row.get(3)?;
        Ok((epoch(row.get(0)?), text, uid, row.get(4)?))
    })?;
    let mut acts = Vec::new();
    for row in rows {
        let (at, text, uid, pid) = row?;
        let by = uid.map(|uid| Asker { uid, name: name_of(uid, users), pid });
        acts.push(PastAct { at, text, by });
    }
    Ok(acts)
}

/// The user's name, each looked up once.
fn name_of(uid: u32, users: &mut HashMap<u32, Option<String>>) -> Option<String> {
    let look = || mainstay_host::lookup_user(&uid.to_string()).ok().map(|user| user.name);
    users.entry(uid).or_insert_with(look).clone()
}

/// The applies until then that changed a service, the newest last.
fn applies(
    generations: &Generations,
    id: &ServiceId,
    until: Duration,
    users: &mut HashMap<u32, Option<String>>,
) -> Vec<PastApply> {
    let views = generations.views(0);
    let time = |text: &str| text.parse::<Timestamp>().ok().map(|time| epoch(nanos(time)));
    let early = views.iter().enumerate().filter_map(|(at, view)| Some((at, view, time(&view.time)?)));
    let mut found = Vec::new();
    for (at, view, time) in early.filter(|(_, _, time)| *time <= until).take(COMPARED) {
        let before = views.get(at + 1).map(|before| before.number);
        let Some(settings) = changed_settings(generations, id, before, view.number) else { continue };
        let by = view.uid.map(|uid| Asker { uid, name: name_of(uid, users), pid: None });
        found.push(PastApply { at: time, generation: view.number, before, by, settings });
    }
    found.reverse();
    found
}

/// What a generation says differently of a service than the one before it; nothing when it added the service, `None` when it
/// changed nothing of it.
fn changed_settings(
    generations: &Generations,
    id: &ServiceId,
    before: Option<u64>,
    number: u64,
) -> Option<Vec<String>> {
    let spec = |number: u64| -> Option<Spec> {
        let described = generations.description(number).ok()?.services().ok()?;
        described.into_iter().find(|spec| spec.id == *id)
    };
    let new = spec(number)?;
    let Some(old) = before.and_then(spec) else { return Some(Vec::new()) };
    let settings: Vec<String> = old.differences(&new).into_iter().map(|it| it.setting).collect();
    (!settings.is_empty()).then_some(settings)
}

fn epoch(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn view(id: &ServiceId, explanation: Explanation) -> ExplanationView {
    let Explanation { sentence, chain, next, tries } = explanation;
    let time = |at: Duration| text(i64::try_from(at.as_nanos()).unwrap_or(i64::MAX));
    let link = |link: mainstay_decide::Link| LinkView {
        service: link.service.map(|id| id.to_string()),
        phase: link.phase.map(|phase| phase.as_str().to_owned()),
        code: link.code,
        text: link.text,
        time: link.at.map(time),
    };
    let one = |it: mainstay_decide::Try| TryView { command: it.command, what: it.what };
    ExplanationView {
        service: id.to_string(),
        sentence,
        chain: chain.into_iter().map(link).collect(),
        next,
        tries: tries.into_iter().map(one).collect(),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_decide::Project;
    use mainstay_model::{Command, Kind};
    use mainstay_wire::WireSpec;

    use super::*;
    use crate::{
        generations::{Coming, Description},
        history::{
            row::{Changed, Note, Row},
            store::{Bounds, Store},
        },
        wake::Peer,
    };

    fn seconds_ago(seconds: u64) -> i64 {
        nanos(Timestamp::now()) - i64::try_from(seconds).unwrap() * 1_000_000_000
    }

    fn spec(command: &str) -> Spec {
        let command = Command::new([command.to_owned()]).unwrap();
        Spec::new("api".parse().unwrap(), Kind::Permanent, command, "/srv".into())
    }

    fn apply(generations: &mut Generations, command: &str, seconds: u64) {
        let description = Description {
            project: "shop".to_owned(),
            dir: "/srv".to_owned(),
            files: Vec::new(),
            fingerprint: String::new(),
            specs: vec![WireSpec::from(&spec(command))],
        };
        let (how, time) = ("applied".to_owned(), text(seconds_ago(seconds)));
        let coming = Coming { how, uid: Some(0), time, after: 0, ended: Default::default() };
        generations.add(&description, coming).unwrap();
    }

    fn row(seconds: u64, run: u64, to: PhaseName, text: &str) -> Row {
        Row::Changed(Changed {
            time: seconds_ago(seconds),
            id: "api".parse().unwrap(),
            kind: Some(Kind::Permanent),
            from: PhaseName::Stopped,
            to,
            run: RunId(run),
            ready: false,
            wanted: to != PhaseName::Stopped,
            failed: to == PhaseName::Failed,
            attempt: 0,
            exit: (to == PhaseName::Failed).then_some(Exit::Code(1)),
            code: "some-code".to_owned(),
            text: text.to_owned(),
            generation: None,
            recalled: false,
        })
    }

    /// The sentence about a service that nobody started, as far as `decide` can see.
    fn matter(reason: Reason) -> Matter {
        let mut project = Project::default();
        project.apply(clock::now(), vec![spec("./new")]).unwrap();
        let mut chain = project.situations(&"api".parse().unwrap());
        chain[0].status.reason = reason;
        Matter::of(vec![chain], TimeZone::UTC)
    }

    fn sentence(matter: &Matter, dir: &Path, rows: &[Row]) -> String {
        let mut store = Store::open(&dir.join("history.db")).unwrap();
        store.append(rows.iter(), &Bounds::default()).unwrap();
        match matter.answer(Some(store.connection()), Some(dir)) {
            Answer::Explain { services, .. } => services[0].sentence.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn failures_are_counted_and_the_generation_before_them_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut generations = Generations::of(dir.path()).unwrap();
        for (command, seconds) in [("./old", 50), ("./new", 40), ("./newer", 5)] {
            apply(&mut generations, command, seconds);
        }
        let rows = [
            row(60, 1, PhaseName::Starting, "its process is being made"),
            row(39, 2, PhaseName::Starting, "its process is being made"),
            row(30, 2, PhaseName::Failed, "gave up after 1 restart: exited with 1"),
            row(29, 3, PhaseName::Starting, "its process is being made"),
            row(20, 3, PhaseName::Failed, "gave up after 1 restart: exited with 1"),
        ];
        let gave_up = Reason::GaveUp { cause: Box::new(Reason::Exited(Exit::Code(1))), attempts: 1 };
        let sentence = sentence(&matter(gave_up.clone()), dir.path(), &rows);
        let (head, tail) = sentence.split_once(" after generation").unwrap();
        assert!(head.starts_with("api failed twice with exit 1 "), "{head}");
        assert_eq!(tail, " 2 changed api.command and was given up after one restart");
        let without = matter(gave_up).answer(None, None);
        let Answer::Explain { services, .. } = without else { panic!("{without:?}") };
        assert_eq!(services[0].sentence, "api failed with exit 1 and was given up after one restart");
    }

    #[test]
    fn whoever_asked_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let peer = Some(Peer { uid: 4_000_000_001, pid: Some(42) });
        let note = |text: &str| Note {
            time: seconds_ago(9),
            code: "act",
            text: text.to_owned(),
            generation: None,
            peer,
        };
        let rows = [Row::Note(note("stop a*")), Row::Note(note("stop other"))];
        let sentence = sentence(&matter(Reason::StopRequested), dir.path(), &rows);
        assert!(sentence.starts_with("api was stopped by user 4000000001 (pid 42) at "), "{sentence}");
    }

    #[test]
    fn a_clock_tells_the_day_only_of_another_day() {
        let time = |text: &str| epoch(nanos(text.parse().unwrap()));
        let now = time("2026-11-21T00:30:00Z");
        let clock =
            |text: &str, hours: i8| clock_text(time(text), now, &TimeZone::fixed(jiff::tz::offset(hours)));
        assert_eq!(clock("2026-11-21T00:02:59Z", 0), "00:02");
        assert_eq!(clock("2026-11-20T23:02:00Z", 0), "2026-11-20 23:02");
        assert_eq!(clock("2026-11-20T23:02:00Z", 1), "00:02");
    }
}

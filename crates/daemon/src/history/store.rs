//! The database as it is written: opened, appended to, kept within its bounds. Who waits for what is not known here.

use std::{
    collections::HashMap,
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use mainstay_model::{Exit, Kind, ServiceId};
use mainstay_wire::Answer;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::{
    error::HistoryError,
    page,
    question::Question,
    report,
    row::{Changed, Note, Row, kept},
    schema,
};

/// How long somebody else may hold the database, before that is a failure.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// How many more rows than were added are looked at for being too old: the thread makes no long pause for it.
const PRUNE_STEP: usize = 64;

/// How many changes of a service are looked at for the end of a run that a memo still tells of: far more than so few runs have.
const LATEST: i64 = 512;

/// How the connection works: what is written survives the death of this process, and reading takes little memory.
const SETTINGS: &str = "
    PRAGMA synchronous = NORMAL;
    PRAGMA journal_size_limit = 4194304;
    PRAGMA cache_size = -1024;
    PRAGMA temp_store = MEMORY;
";

/// Rows that are kept.
const ROWS_LIMIT: i64 = 1_000_000;

/// Bytes of the database.
const BYTES_LIMIT: i64 = 512 << 20;

/// How long a row is kept.
const AGE_LIMIT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// So many of the latest rows are kept however old they are: a clock that jumps forward by years makes all of them old.
const AGELESS_ROWS: i64 = 10_000;

/// Services whose numbers are known without asking; beyond that all are forgotten, with those of which no row is left.
pub(super) const NUMBERS_LIMIT: usize = 10_000;

/// Services of which nothing is kept any more.
const FORGET_UNUSED: &str =
    "DELETE FROM service WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.service = service.id)";

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At most so many rows.
    pub(super) rows: i64,
    /// At most so many bytes of the file.
    pub(super) bytes: i64,
    /// At most that long,
    pub(super) age: Duration,
    /// but for so many of the latest.
    pub(super) ageless: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { rows: ROWS_LIMIT, bytes: BYTES_LIMIT, age: AGE_LIMIT, ageless: AGELESS_ROWS }
    }
}

/// An open database.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
    /// The numbers of services that were written already.
    numbers: HashMap<ServiceId, i64>,
}

impl Store {
    /// Opens the database of this path for writing, or begins one.
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        let file = |source| HistoryError::File { act: "create", path: path.to_owned(), source };
        // Its log and that one's index get the same mode from SQLite.
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(file)?;
        opened.set_permissions(Permissions::from_mode(0o600)).map_err(file)?;
        drop(opened);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::connect(path, flags)?;
        let prepare = |connection: &Connection, version| {
            connection.execute_batch(SETTINGS)?;
            connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            schema::migrate(connection, version)?;
            connection.execute(FORGET_UNUSED, []).map(drop)
        };
        let version = store.version()?;
        prepare(&store.connection, version).map_err(|source| store.failed("open", source))?;
        Ok(store)
    }

    /// Opens the database of this path for reading; nothing is changed. `None`: whoever is making it has not come to its tables.
    pub(super) fn open_reading(path: &Path) -> Result<Option<Self>, HistoryError> {
        let open = |access| {
            let store = Self::connect(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            store.version().map(|version| (store, version))
        };
        let (store, version) = match open(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            // A daemon that was killed left something that has to be taken in first, which takes the right to write.
            Err(HistoryError::Database { source, .. })
                if source.sqlite_error_code() == Some(ErrorCode::ReadOnly) =>
            {
                open(OpenFlags::SQLITE_OPEN_READ_WRITE)?
            }
            opened => opened?,
        };
        Ok((version > 0).then_some(store))
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Database { act: "open", path: path.to_owned(), source };
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(LOCK_PATIENCE).map_err(failed)?;
        Ok(Self { connection, path: path.to_owned(), numbers: HashMap::new() })
    }

    fn version(&self) -> Result<i64, HistoryError> {
        let version = schema::version(&self.connection).map_err(|source| self.failed("open", source))?;
        if version > schema::VERSION {
            return Err(HistoryError::Later { path: self.path.clone(), version });
        }
        Ok(version)
    }

    fn failed(&self, act: &'static str, source: rusqlite::Error) -> HistoryError {
        HistoryError::Database { act, path: self.path.clone(), source }
    }

    /// Writes these, all or none, and forgets as much of what is too old or too much.
    pub(super) fn append<'a>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'a Row>,
        bounds: &Bounds,
    ) -> Result<(), HistoryError> {
        let result = append(&self.connection, &mut self.numbers, rows, bounds);
        result.map_err(|source| {
            // Some of them may have been taken back.
            self.numbers.clear();
            self.failed("write to", source)
        })
    }

    /// Answers a question about everything before `now`.
    pub(super) fn answer(
        &self,
        question: &Question,
        known: &[ServiceId],
        now: i64,
    ) -> Result<Answer, HistoryError> {
        let answered = match question {
            Question::Events { services, since, until, limit, before } => {
                let range = page::Range { since: *since, until: *until, before: *before };
                page::page(&self.connection, services, known, range, *limit)
            }
            Question::Report { services, since } => {
                report::report(&self.connection, services, known, *since, now)
            }
        };
        answered.map_err(|error| match error {
            Unanswered::Database(source) => self.failed("read", source),
            Unanswered::Refused(error) => HistoryError::Refused(error),
        })
    }

    /// The time of the latest event.
    pub(super) fn latest(&self) -> Result<Option<i64>, HistoryError> {
        let latest = self.connection.query_row("SELECT max(time) FROM event", [], |row| row.get(0));
        latest.map_err(|source| self.failed("read", source))
    }

    /// Gives memory back that a question took.
    pub(super) fn rest(&self) {
        // What is not given back is bounded by the size of the cache.
        let _ = self.connection.execute_batch("PRAGMA shrink_memory");
    }

    /// The connection, for questions that are answered elsewhere.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The database refused.
    Database(rusqlite::Error),
    /// It makes no sense.
    Refused(mainstay_wire::WireError),
}

impl From<rusqlite::Error> for Unanswered {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

fn append<'a>(
    connection: &Connection,
    numbers: &mut HashMap<ServiceId, i64>,
    rows: impl ExactSizeIterator<Item = &'a Row>,
    bounds: &Bounds,
) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let most = rows.len() + PRUNE_STEP;
    let mut latest = 0;
    {
        let mut writing = Writing::new(&transaction, numbers)?;
        for row in rows {
            latest = match row {
                Row::Changed(changed) => writing.changed(changed)?,
                Row::Note(note) => writing.note(note)?,
            };
        }
    }
    prune(&transaction, bounds, latest, most)?;
    if numbers.len() > NUMBERS_LIMIT {
        numbers.clear();
        transaction.execute(FORGET_UNUSED, [])?;
    }
    transaction.commit()
}

/// The statements of one transaction.
struct Writing<'a> {
    numbers: &'a mut HashMap<ServiceId, i64>,
    connection: &'a Connection,
    insert: rusqlite::Statement<'a>,
}

impl<'a> Writing<'a> {
    fn new(connection: &'a Connection, numbers: &'a mut HashMap<ServiceId, i64>) -> rusqlite::Result<Self> {
        let insert = connection.prepare(
            "INSERT INTO event (time, service, run, from_phase, to_phase, ready, wanted, failed, attempt, code, text,
                exit_code, exit_signal, uid, pid, generation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?;
        Ok(Self { numbers, connection, insert })
    }

    /// Returns the row's time, as the one below.
    fn changed(&mut self, row: &Changed) -> rusqlite::Result<i64> {
        let service = self.number(&row.id, row.kind)?;
        let is_known = match (row.recalled, row.exit) {
            (false, _) => false,
            (true, Some(_)) => self.has_end(service, row)?,
            (true, None) => self.is_no_news(service, row)?,
        };
        if is_known {
            return Ok(row.time);
        }
        let (exit_code, exit_signal) = match row.exit {
            None => (None, None),
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(signal)) => (None, Some(signal.to_string())),
            Some(Exit::Unknown) => (None, Some(page::UNKNOWN_EXIT.to_owned())),
        };
        self.insert.execute(params![
            row.time,
            service,
            signed(row.run.0),
            row.from.as_str(),
            row.to.as_str(),
            row.ready,
            row.wanted,
            row.failed,
            row.attempt,
            row.code,
            kept(&row.text),
            exit_code,
            exit_signal,
            None::<u32>,
            None::<i32>,
            row.generation.map(signed),
        ])?;
        Ok(row.time)
    }

    fn note(&mut self, row: &Note) -> rusqlite::Result<i64> {
        let nothing = None::<i64>;
        let uid = row.peer.map(|peer| peer.uid);
        let pid = row.peer.and_then(|peer| peer.pid);
        self.insert.execute(params![
            row.time,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            false,
            nothing,
            row.code,
            kept(&row.text),
            nothing,
            nothing,
            uid,
            pid,
            row.generation.map(signed),
        ])?;
        Ok(row.time)
    }

    fn number(&mut self, id: &ServiceId, kind: Option<Kind>) -> rusqlite::Result<i64> {
        if let Some(number) = self.numbers.get(id) {
            return Ok(*number);
        }
        let (name, instance) = (id.name.as_str(), id.instance.map_or(0, u32::from));
        let word = kind.unwrap_or(Kind::Permanent).as_str();
        let add = match kind {
            Some(_) => {
                "INSERT INTO service (name, instance, kind) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name, instance) DO UPDATE SET kind = excluded.kind"
            }
            None => "INSERT OR IGNORE INTO service (name, instance, kind) VALUES (?1, ?2, ?3)",
        };
        self.connection.execute(add, params![name, instance, word])?;
        let find = "SELECT id FROM service WHERE name = ?1 AND instance = ?2";
        let number = self.connection.query_row(find, params![name, instance], |row| row.get(0))?;
        self.numbers.insert(id.clone(), number);
        Ok(number)
    }

    /// Whether the end of this run is there, among the latest changes.
    fn has_end(&self, service: i64, row: &Changed) -> rusqlite::Result<bool> {
        let has = "SELECT EXISTS (SELECT 1 FROM
                (SELECT run, to_phase, exit_code, exit_signal FROM event WHERE service = ?1 ORDER BY time DESC LIMIT ?2)
            WHERE run = ?3 AND (to_phase = ?4) = ?5 AND (exit_code IS NOT NULL OR exit_signal IS NOT NULL))";
        let starting = mainstay_model::PhaseName::Starting;
        // One that begins the next run is known by that one's number.
        let parameters = params![service, LATEST, signed(row.run.0), starting.as_str(), row.to == starting];
        self.connection.query_row(has, parameters, |row| row.get(0))
    }

    /// Whether the latest change of the service says the same. One that is asked again whether it is ready has not changed
    /// either: nobody has seen that it is not.
    fn is_no_news(&self, service: i64, row: &Changed) -> rusqlite::Result<bool> {
        let latest =
            "SELECT run, to_phase, ready FROM event WHERE service = ?1 ORDER BY time DESC, seq DESC LIMIT 1";
        let latest = self.connection.query_row(latest, [service], |row| {
            Ok((
                row.get::<_, Option<i64>>(0)?,
                row.get::<_, Option<String>>(1)?,
                row.get::<_, Option<bool>>(2)?,
            ))
        });
        let Some((run, phase, ready)) = latest.optional()? else { return Ok(false) };
        let same_run = run == Some(signed(row.run.0));
        let asked_again =
            row.to == mainstay_model::PhaseName::Starting && phase.as_deref() == Some("running");
        let same = phase.as_deref() == Some(row.to.as_str()) && ready == Some(row.ready);
        Ok(same_run && (same || asked_again))
    }
}

/// SQLite's integers have a sign; no run ever gets there.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Forgets at most `most` of the oldest rows, as far as there are too many, they take too much, or are too old.
///
/// The latest change of a service that is wanted is not forgotten, however old: it says how the service is. Such a row
/// moves to the end, where it is not in the way; its time stays.
fn prune(connection: &Connection, bounds: &Bounds, now: i64, most: usize) -> rusqlite::Result<()> {
    let too_old = now.saturating_sub(i64::try_from(bounds.age.as_nanos()).unwrap_or(i64::MAX));
    let (mut excess, rows) = excess(connection, bounds)?;
    let mut aged = rows - bounds.ageless;
    let mut oldest =
        connection.prepare("SELECT seq, time, service, wanted FROM event ORDER BY seq LIMIT 1")?;
    for _ in 0..most {
        let row = oldest.query_row([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<bool>>(3)?.unwrap_or(false)))
        });
        let Some((seq, time, service, wanted)): Option<(i64, i64, Option<i64>, bool)> = row.optional()?
        else {
            return Ok(());
        };
        if excess <= 0 && (time >= too_old || aged <= 0) {
            return Ok(());
        }
        let moved = wanted && is_latest(connection, service, time, seq)?;
        let act = if moved {
            "UPDATE event SET seq = (SELECT max(seq) + 1 FROM event) WHERE seq = ?1"
        } else {
            "DELETE FROM event WHERE seq = ?1"
        };
        connection.execute(act, [seq])?;
        excess -= 1;
        aged -= 1;
    }
    Ok(())
}

/// How many rows there are too many, and how many there are. Rows are numbered without gaps, but for those that moved.
fn excess(connection: &Connection, bounds: &Bounds) -> rusqlite::Result<(i64, i64)> {
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let rows = number("SELECT coalesce((SELECT max(seq) FROM event) - (SELECT min(seq) FROM event) + 1, 0)")?;
    let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
    let too_large = pages * number("PRAGMA page_size")? > bounds.bytes;
    Ok((if too_large { i64::MAX } else { rows - bounds.rows }, rows))
}

fn is_latest(connection: &Connection, service: Option<i64>, time: i64, seq: i64) -> rusqlite::Result<bool> {
    let later = "SELECT EXISTS (SELECT 1 FROM event WHERE service = ?1 AND (time, seq) > (?2, ?3))";
    let has_later: bool = connection.query_row(later, params![service, time, seq], |row| row.get(0))?;
    Ok(service.is_some() && !has_later)
}

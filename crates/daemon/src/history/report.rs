//! How well services did: rows go to the accounts of `decide`, and the sums come back. It counts nothing itself.

use std::{collections::HashMap, time::Duration};

use mainstay_decide::{Account, Entry, Report, Unseen};
use mainstay_model::{Kind, PhaseName, RunId, ServiceId};
use mainstay_wire::{Answer, FailureView, OutageView, ReasonView, ReportView, SCHEMA_VERSION};
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::{page, store::Unanswered, text};
use crate::request::names;

/// Of a daemon that found nothing running.
pub(crate) const STARTED: &str = "daemon-started";

/// Up to so many services are read one by one; for more of them, everything is read once.
const FEW: usize = 8;

const COLUMNS: &str = "service, seq, time, to_phase, ready, wanted, run, attempt, failed";

/// A service that is reported on.
struct Subject {
    number: i64,
    id: ServiceId,
    kind: Kind,
}

/// How well these services did until `now`.
pub(super) fn report(
    connection: &Connection,
    patterns: &[String],
    known: &[ServiceId],
    since: Option<i64>,
    now: i64,
) -> Result<Answer, Unanswered> {
    let first: Option<i64> = connection.query_row("SELECT min(time) FROM event", [], |row| row.get(0))?;
    let since = since.or(first);
    let from = since.unwrap_or(now);
    let subjects = subjects(connection, patterns, known)?;
    let unseen = unseen(connection, now)?;
    let mut accounts: HashMap<i64, Account<'_>> = subjects
        .iter()
        .map(|subject| (subject.number, Account::new(subject.kind, duration(from), &unseen)))
        .collect();
    fill(connection, &mut accounts, from, now)?;
    let mut services = Vec::with_capacity(subjects.len());
    for subject in &subjects {
        if let Some(account) = accounts.remove(&subject.number) {
            services.push(view(connection, subject, &account.close(duration(now)))?);
        }
    }
    Ok(Answer::Report { schema_version: SCHEMA_VERSION, since: since.map(text), until: text(now), services })
}

fn subjects(
    connection: &Connection,
    patterns: &[String],
    known: &[ServiceId],
) -> Result<Vec<Subject>, Unanswered> {
    let services = page::services(connection)?;
    let mut ids: Vec<ServiceId> = if patterns.is_empty() {
        services.keys().cloned().collect()
    } else {
        let chosen = names::chosen(patterns, known.iter().chain(services.keys()));
        chosen.map_err(Unanswered::Refused)?.into_iter().collect()
    };
    ids.sort();
    let mut kind = connection.prepare("SELECT kind FROM service WHERE id = ?1")?;
    let mut subjects = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(number) = services.get(&id).copied() else { continue };
        let word: String = kind.query_row([number], |row| row.get(0))?;
        let kind = if word == Kind::Permanent.as_str() { Kind::Permanent } else { Kind::Oneshot };
        subjects.push(Subject { number, id, kind });
    }
    Ok(subjects)
}

/// Before a daemon that found nothing running, nobody knows what was after the last event.
fn unseen(connection: &Connection, now: i64) -> rusqlite::Result<Vec<Unseen>> {
    let mut started = connection.prepare(
        "SELECT time, (SELECT max(time) FROM event AS earlier WHERE earlier.time < event.time) FROM event
         WHERE service IS NULL AND code = ?1 AND time <= ?2 ORDER BY time, seq",
    )?;
    let rows = started.query_map(params![STARTED, now], |row| {
        let (until, from): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(Unseen { from: duration(from.unwrap_or(until)), until: duration(until) })
    })?;
    rows.collect()
}

/// Puts what happened into the accounts: how each service was at the beginning, and what came then.
fn fill(
    connection: &Connection,
    accounts: &mut HashMap<i64, Account<'_>>,
    from: i64,
    now: i64,
) -> rusqlite::Result<()> {
    let mut before = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM event WHERE service = ?1 AND time < ?2 ORDER BY time DESC, seq DESC LIMIT 1"
    ))?;
    for (number, account) in accounts.iter_mut() {
        if let Some(Some(entry)) = before.query_row(params![number, from], entry).optional()? {
            account.take(&entry);
        }
    }
    if accounts.len() > FEW {
        let all = format!("SELECT {COLUMNS} FROM event WHERE time >= ?1 AND time <= ?2 ORDER BY time, seq");
        return take_all(connection.prepare(&all)?.query(params![from, now])?, accounts);
    }
    let one = format!(
        "SELECT {COLUMNS} FROM event WHERE service = ?3 AND time >= ?1 AND time <= ?2 ORDER BY time, seq"
    );
    let mut one = connection.prepare(&one)?;
    let numbers: Vec<i64> = accounts.keys().copied().collect();
    for number in numbers {
        take_all(one.query(params![from, now, number])?, accounts)?;
    }
    Ok(())
}

fn take_all(mut rows: Rows<'_>, accounts: &mut HashMap<i64, Account<'_>>) -> rusqlite::Result<()> {
    while let Some(row) = rows.next()? {
        let Some(number) = row.get::<_, Option<i64>>(0)? else { continue };
        if let (Some(account), Some(entry)) = (accounts.get_mut(&number), entry(row)?) {
            account.take(&entry);
        }
    }
    Ok(())
}

/// `None` for a phase that only a later version has.
fn entry(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let Some(phase) = row.get_ref(3)?.as_str().ok().and_then(PhaseName::from_word) else { return Ok(None) };
    Ok(Some(Entry {
        key: row.get(1)?,
        at: duration(row.get(2)?),
        phase,
        ready: row.get(4)?,
        wanted: row.get(5)?,
        run: RunId(u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0)),
        attempt: row.get(7)?,
        failed: row.get(8)?,
    }))
}

fn view(connection: &Connection, subject: &Subject, report: &Report) -> rusqlite::Result<ReportView> {
    let percent = report.uptime_percent().map(|percent| (percent * 1000.0).floor() / 1000.0);
    let last_failure = match report.last_failure {
        None => None,
        Some(key) => {
            let failure = "SELECT time, code, text FROM event WHERE seq = ?1";
            let failure = connection.query_row(failure, [key], |row| {
                let reason = ReasonView { code: row.get(1)?, text: row.get(2)? };
                Ok(FailureView { time: text(row.get(0)?), reason })
            });
            failure.optional()?
        }
    };
    Ok(ReportView {
        service: subject.id.to_string(),
        kind: subject.kind.as_str().to_owned(),
        uptime_percent: percent,
        due_ms: milliseconds(report.due),
        ready_ms: milliseconds(report.ready),
        starts: report.starts,
        restarts: report.restarts,
        failures: report.failures,
        longest_outage: report.longest_outage.map(|outage| OutageView {
            from: text(epoch_nanos(outage.from)),
            until: (!outage.open).then(|| text(epoch_nanos(outage.until))),
            span_ms: milliseconds(outage.span()),
        }),
        last_failure,
        mean_time_to_ready_ms: report.mean_time_to_ready.map(milliseconds),
    })
}

/// A time since the Unix epoch; what was before it is its beginning.
fn duration(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn epoch_nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

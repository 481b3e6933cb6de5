//! One page of what happened: the newest of those that a question means. The order is that of the wall clock.

use std::collections::{BinaryHeap, HashMap};

use mainstay_model::ServiceId;
use mainstay_wire::{Answer, ExitView, HistoryView, ReasonView, SCHEMA_VERSION};
use rusqlite::{Connection, OptionalExtension, params};

use super::{store::Unanswered, text};
use crate::request::names;

/// In the place of a signal's name: nobody saw how the run ended.
pub(super) const UNKNOWN_EXIT: &str = "unknown";

/// Which part of the history. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// From then on.
    pub(super) since: Option<i64>,
    /// Before then.
    pub(super) until: Option<i64>,
    /// Before this event.
    pub(super) before: Option<i64>,
}

/// The newest `limit` events of the range.
pub(super) fn page(
    connection: &Connection,
    patterns: &[String],
    known: &[ServiceId],
    range: Range,
    limit: usize,
) -> Result<Answer, Unanswered> {
    let services = chosen(connection, patterns, known)?;
    // One more tells whether there is more.
    let mut found = match Span::of(connection, range)? {
        None => Vec::new(),
        Some(span) => match services {
            None => span.newest(connection, limit + 1)?,
            Some(services) => span.newest_of(connection, &services, limit + 1)?,
        },
    };
    let more = found.len() > limit;
    found.truncate(limit);
    found.reverse();
    let mut read = connection.prepare(
        "SELECT event.*, service.name, service.instance FROM event LEFT JOIN service ON service.id = event.service
         WHERE seq = ?1",
    )?;
    let events = found.into_iter().map(|seq| read.query_row([seq], view)).collect::<rusqlite::Result<_>>()?;
    Ok(Answer::History { schema_version: SCHEMA_VERSION, events, more })
}

/// Every service that has a history, with its number.
pub(super) fn services(connection: &Connection) -> rusqlite::Result<HashMap<ServiceId, i64>> {
    let mut all = connection.prepare("SELECT id, name, instance FROM service")?;
    let rows = all.query_map([], |row| {
        let id = id(&row.get::<_, String>(1)?, row.get(2)?);
        Ok((row.get(0)?, id))
    })?;
    let mut services = HashMap::new();
    for row in rows {
        let (number, id): (i64, String) = row?;
        // A name that is none any more can only be of another version.
        services.extend(id.parse().ok().map(|id: ServiceId| (id, number)));
    }
    Ok(services)
}

/// The numbers of the services that these patterns mean; `None` is everything, also what is about none.
fn chosen(
    connection: &Connection,
    patterns: &[String],
    known: &[ServiceId],
) -> Result<Option<Vec<i64>>, Unanswered> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let services = services(connection)?;
    let chosen = names::chosen(patterns, known.iter().chain(services.keys())).map_err(Unanswered::Refused)?;
    Ok(Some(chosen.iter().filter_map(|id| services.get(id).copied()).collect()))
}

/// From a time on, and before an event (or a time, with an event before every other).
struct Span {
    since: i64,
    before: (i64, i64),
}

impl Span {
    /// `None`: the event of which it should be what was before is no more, and so is what was before it.
    fn of(connection: &Connection, range: Range) -> rusqlite::Result<Option<Self>> {
        let mut before = (range.until.unwrap_or(i64::MAX), i64::MIN);
        if let Some(seq) = range.before {
            let time = "SELECT time FROM event WHERE seq = ?1";
            let Some(time) = connection.query_row(time, [seq], |row| row.get(0)).optional()? else {
                return Ok(None);
            };
            before = before.min((time, seq));
        }
        Ok(Some(Self { since: range.since.unwrap_or(i64::MIN), before }))
    }

    fn newest(&self, connection: &Connection, limit: usize) -> rusqlite::Result<Vec<i64>> {
        let mut newest = connection.prepare(
            "SELECT seq FROM event WHERE time >= ?1 AND (time, seq) < (?2, ?3)
             ORDER BY time DESC, seq DESC LIMIT ?4",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        newest
            .query_map(params![self.since, self.before.0, self.before.1, limit], |row| row.get(0))?
            .collect()
    }

    /// Those of several services are merged, so that no more of each is read than is shown.
    fn newest_of(
        &self,
        connection: &Connection,
        services: &[i64],
        limit: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        let mut latest = connection.prepare(
            "SELECT time, seq FROM event WHERE service = ?1 AND time >= ?2 AND (time, seq) < (?3, ?4)
             ORDER BY time DESC, seq DESC LIMIT 1",
        )?;
        let mut latest_before = |service: i64, (time, seq): (i64, i64)| {
            let parameters = params![service, self.since, time, seq];
            let key = latest.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            Ok::<_, rusqlite::Error>(key.map(|key: (i64, i64)| (key, service)))
        };
        let mut next = BinaryHeap::new();
        for service in services {
            next.extend(latest_before(*service, self.before)?);
        }
        let mut found = Vec::new();
        while found.len() < limit
            && let Some((key, service)) = next.pop()
        {
            found.push(key.1);
            next.extend(latest_before(service, key)?);
        }
        Ok(found)
    }
}

fn view(row: &rusqlite::Row<'_>) -> rusqlite::Result<HistoryView> {
    let name: Option<String> = row.get("name")?;
    let instance: Option<i64> = row.get("instance")?;
    Ok(HistoryView {
        seq: u64::try_from(row.get::<_, i64>("seq")?).unwrap_or(0),
        time: text(row.get("time")?),
        service: name.map(|name| id(&name, instance.unwrap_or(0))),
        run: row.get::<_, Option<i64>>("run")?.and_then(|run| u64::try_from(run).ok()),
        from: row.get("from_phase")?,
        to: row.get("to_phase")?,
        ready: row.get("ready")?,
        wanted: row.get("wanted")?,
        failed: row.get("failed")?,
        attempt: row.get("attempt")?,
        exit: exit(row.get("exit_code")?, row.get("exit_signal")?),
        reason: ReasonView { code: row.get("code")?, text: row.get("text")? },
        generation: row.get::<_, Option<i64>>("generation")?.and_then(|number| u64::try_from(number).ok()),
        uid: row.get("uid")?,
        pid: row.get("pid")?,
    })
}

fn exit(code: Option<i32>, signal: Option<String>) -> Option<ExitView> {
    match (code, signal) {
        (None, None) => None,
        (None, Some(signal)) if signal == UNKNOWN_EXIT => Some(ExitView { code: None, signal: None }),
        (code, signal) => Some(ExitView { code, signal }),
    }
}

/// `api@2`; instance 0 is the only one.
pub(super) fn id(name: &str, instance: i64) -> String {
    match instance {
        0 => name.to_owned(),
        number => format!("{name}@{number}"),
    }
}

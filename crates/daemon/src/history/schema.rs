//! The tables, and how an earlier form becomes the present one. `PRAGMA user_version` says which form a file has.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// What leads from each form to the next; a released one is never changed.
const STEPS: [&str; 1] = ["
    CREATE TABLE service (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        instance INTEGER NOT NULL, -- 0: the only one
        kind TEXT NOT NULL,
        UNIQUE (name, instance)
    );
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        time INTEGER NOT NULL, -- nanoseconds since the Unix epoch
        service INTEGER, -- NULL: of the project
        run INTEGER,
        from_phase TEXT,
        to_phase TEXT,
        ready INTEGER,
        wanted INTEGER,
        failed INTEGER NOT NULL DEFAULT 0,
        attempt INTEGER,
        code TEXT NOT NULL,
        text TEXT NOT NULL,
        exit_code INTEGER,
        exit_signal TEXT, -- 'unknown': nobody saw it
        generation INTEGER,
        uid INTEGER,
        pid INTEGER
    );
    CREATE INDEX event_time ON event (time);
    CREATE INDEX event_service ON event (service, time);
"];

/// The form that this program writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// The form of this file; 0 is a new one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the file to the present form.
pub(super) fn migrate(connection: &Connection, from: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(from).unwrap_or(0);
    if done >= STEPS.len() {
        return Ok(());
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?;
    transaction.commit()
}

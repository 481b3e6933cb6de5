//! The policies of a service: restart, stop, log. All instances share them.

use std::num::NonZeroU32;

use mainstay_model::{
    Attempts, Bytes, Kind, LogLimits, RestartPolicy, RestartWhen, ServiceName, Signal, StopPolicy, WhenFull,
};

use super::Reader;
use crate::{
    Code,
    tree::{Data, Table},
};

impl Reader<'_, '_> {
    /// `restart`.
    pub(super) fn restart(&mut self, service: &Table, name: &ServiceName, kind: Kind) -> RestartPolicy {
        let word = service.table("restart").and_then(|table| table.text("policy"));
        let when = [RestartWhen::Never, RestartWhen::OnFailure, RestartWhen::Always]
            .into_iter()
            .find(|when| Some(when.as_str()) == word)
            .unwrap_or(match kind {
                Kind::Permanent => RestartWhen::OnFailure,
                Kind::Oneshot => RestartWhen::Never,
            });
        let usual = RestartPolicy::with(when);
        let Some(table) = service.table("restart") else { return usual };
        if let (Kind::Oneshot, RestartWhen::Always, Some(value)) = (kind, when, table.get("policy")) {
            let message = format!("`{name}` is a oneshot: once it has ended well, `always` restarts nothing");
            let help = "say restart = \"on-failure\" or \"never\" for it; what is to run always is kind = \"permanent\"";
            self.report.add(Code::ConflictingKeys, &value.place, message, help);
        }
        let delay = table.duration("delay").unwrap_or(usual.delay);
        RestartPolicy {
            when,
            delay,
            factor_milli: table.factor("factor").unwrap_or(usual.factor_milli),
            max_delay: self.max_delay(table, delay).unwrap_or(usual.max_delay.max(delay)),
            attempts: attempts(table).unwrap_or(usual.attempts),
            reset_after: table.duration("reset_after").unwrap_or(usual.reset_after),
            success_exit_codes: codes(table).unwrap_or(usual.success_exit_codes),
        }
    }

    fn max_delay(&mut self, table: &Table, delay: std::time::Duration) -> Option<std::time::Duration> {
        let most = table.duration("max_delay")?;
        if let (true, Some(value)) = (most < delay, table.get("max_delay")) {
            let message = "`max_delay` is shorter than `delay`";
            self.report.add(Code::OutOfRange, &value.place, message, "raise `max_delay`, or lower `delay`");
        }
        Some(most)
    }

    /// `log`. Without a `total`, there is room for `current` and for what is rotated.
    pub(super) fn log(&mut self, service: &Table) -> LogLimits {
        let empty = Table::default();
        let table = service.table("log").unwrap_or(&empty);
        let max_size = table.size("max_size").unwrap_or(MAX_SIZE);
        let total = table.size("total");
        if let (Some(total), Some(value)) = (total, table.get("total"))
            && total < max_size
        {
            let message = "`total` is smaller than `max_size`";
            let help = format!("raise `total`, or lower `max_size` ({} bytes)", max_size.0);
            self.report.add(Code::OutOfRange, &value.place, message, help);
        }
        let keep = table.integer("keep").and_then(|keep| u32::try_from(keep).ok()).and_then(NonZeroU32::new);
        LogLimits {
            max_size,
            keep: keep.unwrap_or(KEEP),
            total: total.unwrap_or(TOTAL.max(Bytes(max_size.0.saturating_mul(2)))),
            compress: table.boolean("compress").unwrap_or(true),
            when_full: when_full(table),
            // That is said of the project.
            all_services: None,
            split: table.boolean("split").unwrap_or(false),
        }
    }
}

const MAX_SIZE: Bytes = Bytes(10_000_000);
const TOTAL: Bytes = Bytes(100_000_000);
const KEEP: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const STOP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// `stop`.
pub(super) fn stop(service: &Table) -> StopPolicy {
    let table = service.table("stop");
    StopPolicy {
        signal: table.and_then(|table| table.signal("signal")).unwrap_or(Signal::TERM),
        timeout: table.and_then(|table| table.duration("timeout")).unwrap_or(STOP_TIMEOUT),
    }
}

fn when_full(log: &Table) -> WhenFull {
    let word = log.text("when_full");
    [WhenFull::Wait, WhenFull::Drop].into_iter().find(|when| Some(when.as_str()) == word).unwrap_or_default()
}

fn attempts(table: &Table) -> Option<Attempts> {
    match &table.get("attempts")?.data {
        Data::Integer(most) => u32::try_from(*most).ok().map(Attempts::UpTo),
        _ => Some(Attempts::Unlimited),
    }
}

fn codes(table: &Table) -> Option<std::collections::BTreeSet<i32>> {
    let code = |data: &Data| match data {
        Data::Integer(code) => i32::try_from(*code).ok(),
        _ => None,
    };
    Some(table.list("success_exit_codes")?.iter().filter_map(|value| code(&value.data)).collect())
}

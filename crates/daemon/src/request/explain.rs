//! `explain`: how services are is gathered here; what happened before is looked up by the thread that keeps the history, which
//! then answers.

use jiff::tz::{Offset, TimeZone};
use mainstay_model::ServiceId;
use mainstay_wire::{ErrorCode, Reply, WireError};
use tokio::sync::oneshot;

use super::{answer, names::chosen};
use crate::{brain::Brain, history::Matter};

pub(super) fn explain(brain: &mut Brain, service: &str, zone: Option<&str>, reply: oneshot::Sender<Reply>) {
    match matter(brain, service, zone) {
        Err(error) => answer(reply, Err(error)),
        Ok(matter) => brain.history.explain(matter, reply),
    }
}

fn matter(brain: &Brain, service: &str, zone: Option<&str>) -> Result<Matter, WireError> {
    let zone = zone.map_or(Ok(TimeZone::UTC), zone_of)?;
    let project = brain.runner.project();
    let ids: Vec<ServiceId> = project.ids().cloned().collect();
    let found = chosen(&[service.to_owned()], ids.iter())?;
    let mut chains: Vec<_> =
        ids.iter().filter(|id| found.contains(id)).map(|id| project.situations(id)).collect();
    for situation in chains.iter_mut().flatten() {
        situation.dropped_bytes = brain.logs.view(&situation.status.id).dropped_bytes;
        situation.log = project
            .service(&situation.status.id)
            .and_then(|service| brain.logs.trouble(&situation.status.id, service.spec().log.when_full));
    }
    Ok(Matter::of(chains, zone))
}

/// The time zone of this name or offset.
fn zone_of(text: &str) -> Result<TimeZone, WireError> {
    let unknown = || {
        let error =
            WireError::new(ErrorCode::BadRequest, format!("`{text}` is no time zone that is known here"));
        error.with_help("a time zone is a name such as `Europe/Zurich`, or an offset such as `+01:00`")
    };
    if let Ok(zone) = TimeZone::get(text) {
        return Ok(zone);
    }
    let offset: Offset = jiff::fmt::temporal::DateTimeParser::new()
        .parse_time_zone(text)
        .ok()
        .and_then(|zone| zone.to_fixed_offset().ok())
        .ok_or_else(unknown)?;
    Ok(TimeZone::fixed(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_or_offsets() {
        assert_eq!(zone_of("UTC").unwrap(), TimeZone::UTC);
        let hour = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(zone_of("+01:00").unwrap(), hour);
        assert!(zone_of("Middle-earth/Shire").unwrap_err().help.is_some());
    }
}

//! Between what `decide` remembers and the memo that travels with the keeper.

use mainstay_decide::Memory;
use mainstay_model::{Moment, PhaseName, Reason, Spec};
use mainstay_wire::Memo;

/// What the keeper is to hold for a daemon that comes after this one; `made_from` is of the latest run.
pub(crate) fn to_memo(memory: &Memory, made_from: u64, now: Moment) -> Memo {
    Memo {
        phase: memory.phase.as_str().to_owned(),
        code: memory.reason.code().to_owned(),
        text: memory.reason.sentence(now),
        attempts: memory.attempts,
        restarts: memory.restarts,
        exit: memory.exit.map(Into::into),
        until_nanos: memory.until.map(Moment::as_nanos),
        since_nanos: memory.since.as_nanos(),
        made_from,
    }
}

/// A hash (FNV-1a) of what makes one process different from another: a daemon that comes later, with another description,
/// learns from it that the process is still of the old one ([`Spec::needs_restart_for`]). Never 0.
pub(crate) fn made_from(spec: &Spec) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut take = |text: &str| {
        // The end of each text counts, so that `ab`, `c` is not `a`, `bc`.
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    take(spec.kind.as_str());
    spec.command.words().for_each(&mut take);
    take("");
    take(&spec.working_dir.to_string_lossy());
    take(spec.user.as_deref().unwrap_or_default());
    for (name, value) in &spec.env {
        take(name);
        take(value);
    }
    hash.max(1)
}

/// What an earlier daemon remembered; `None` when that makes no sense.
pub(crate) fn from_memo(text: &str) -> Option<Memory> {
    let memo = Memo::from_text(text);
    Some(Memory {
        phase: PhaseName::from_word(&memo.phase)?,
        reason: Reason::Recalled { code: memo.code, text: memo.text },
        since: Moment::from_nanos(memo.since_nanos),
        attempts: memo.attempts,
        restarts: memo.restarts,
        exit: memo.exit.map(Into::into),
        until: memo.until_nanos.map(Moment::from_nanos),
    })
}

#[cfg(test)]
mod tests {
    use mainstay_model::Exit;

    use super::*;

    #[test]
    fn a_memo_brings_back_what_counts() {
        let memory = Memory {
            phase: PhaseName::Waiting,
            reason: Reason::Exited(Exit::Code(3)),
            since: Moment::from_nanos(5),
            attempts: 2,
            restarts: 7,
            exit: Some(Exit::Code(3)),
            until: Some(Moment::from_nanos(9)),
        };
        let back = from_memo(&to_memo(&memory, 7, Moment::ZERO).to_text()).unwrap();
        let reason = Reason::Recalled { code: "exited".to_owned(), text: "exited with 3".to_owned() };
        assert_eq!(back, Memory { reason, ..memory });
        assert_eq!(from_memo("garbage"), None);
    }
}

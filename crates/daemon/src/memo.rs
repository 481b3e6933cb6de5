//! Between what `decide` remembers and the memo that travels with the keeper.

use mainstay_decide::Memory;
use mainstay_model::{Moment, PhaseName, Reason};
use mainstay_wire::Memo;

/// What the keeper is to hold for a daemon that comes after this one.
pub(crate) fn to_memo(memory: &Memory, now: Moment) -> Memo {
    Memo {
        phase: memory.phase.as_str().to_owned(),
        code: memory.reason.code().to_owned(),
        text: memory.reason.sentence(now),
        attempts: memory.attempts,
        restarts: memory.restarts,
        exit: memory.exit.map(Into::into),
        until_nanos: memory.until.map(Moment::as_nanos),
        since_nanos: memory.since.as_nanos(),
    }
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
        let back = from_memo(&to_memo(&memory, Moment::ZERO).to_text()).unwrap();
        let reason = Reason::Recalled { code: "exited".to_owned(), text: "exited with 3".to_owned() };
        assert_eq!(back, Memory { reason, ..memory });
        assert_eq!(from_memo("garbage"), None);
    }
}

//! Reading several logs at once, the lines in the order in which they were written as far as indexes tell: a line is as old as
//! the mark before it, and what has no index is as old as its file. Whose logs these are is not known here.

use std::ops::ControlFlow;

use crate::{
    LogError, Tell,
    marks::Stamp,
    source::{Source, Step},
};

/// One log, and by what its lines are told from others.
pub(crate) struct Reading<'a, K> {
    key: K,
    source: &'a mut Source,
    /// When what comes next was written.
    time: Option<u64>,
}

impl<'a, K> Reading<'a, K> {
    pub(crate) fn new(key: K, source: &'a mut Source) -> Result<Self, LogError> {
        let time = source.next_time()?;
        Ok(Self { key, source, time })
    }
}

/// Takes a line of one of the logs.
pub(crate) type GiveOf<'a, K> = dyn FnMut(&K, Stamp, &[u8]) -> ControlFlow<()> + 'a;

/// Gives out all that there is, when `is_last` with lines that have not ended; breaks when whoever takes them wants no more.
/// Of each file that is not whole it tells, after its last line.
pub(crate) fn merge<K: Ord>(
    mut left: Vec<Reading<'_, K>>,
    buffer: &mut [u8],
    is_last: bool,
    give: &mut GiveOf<'_, K>,
    tell: &mut Tell<'_>,
) -> Result<ControlFlow<()>, LogError> {
    while let Some(at) = oldest(&left) {
        let others = left.iter().enumerate().filter(|(other, _)| *other != at);
        // Lines without a time come first: they hold nobody up.
        let until = others.map(|(_, reading)| reading.time.unwrap_or(0)).min().unwrap_or(u64::MAX);
        let Reading { key, source, time } = &mut left[at];
        let mut give = |stamp: Stamp, text: &[u8]| give(key, stamp, text);
        let step = source.read_file(until, buffer, &mut give)?;
        if let Some(damage) = source.take_damage() {
            tell(&damage);
        }
        match step {
            Step::Later | Step::NextFile => *time = source.next_time()?,
            Step::Enough => return Ok(ControlFlow::Break(())),
            Step::End => {
                if is_last && source.finish(&mut give).is_break() && !source.is_over() {
                    return Ok(ControlFlow::Break(()));
                }
                left.swap_remove(at);
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The one whose next line is the oldest; of those that are alike, the first by key.
fn oldest<K: Ord>(left: &[Reading<'_, K>]) -> Option<usize> {
    left.iter().enumerate().min_by_key(|(_, reading)| (reading.time, &reading.key)).map(|(at, _)| at)
}

//! What services say of themselves, from the keeper's words into those of decisions.

use std::{io, time::Duration};

use mainstay_decide::Notice;
use mainstay_wire::WireNotice;

/// What was said in one message, in its order. A status and an error number that came together are one word.
pub(crate) fn notices(said: &[WireNotice]) -> Vec<Notice> {
    let mut status: Option<&str> = None;
    let mut notices = Vec::new();
    for notice in said {
        notices.push(match notice {
            WireNotice::Ready => Notice::Ready,
            WireNotice::Reloading => Notice::Reloading,
            WireNotice::Stopping => Notice::Stopping,
            WireNotice::Status(text) => {
                status = Some(text).filter(|text| !text.is_empty()).map(String::as_str);
                Notice::Said(text.clone())
            }
            WireNotice::Errno(0) => continue,
            WireNotice::Errno(number) => Notice::Said(match status {
                Some(status) => format!("{status} ({})", error_text(*number)),
                None => error_text(*number),
            }),
            WireNotice::ExtendMs(span) => Notice::Extend(Duration::from_millis(*span)),
            WireNotice::MainPid(pid) => Notice::MainPid(*pid),
            WireNotice::Alive => Notice::Alive,
            WireNotice::Trigger => Notice::Trigger,
            WireNotice::WatchdogMs(span) => Notice::Watchdog(Duration::from_millis(*span)),
        });
    }
    notices
}

/// `errno(3)` in words.
fn error_text(number: i32) -> String {
    let text = io::Error::from_raw_os_error(number).to_string();
    match text.rsplit_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_number_becomes_words_and_joins_the_status() {
        let said =
            [WireNotice::Errno(2), WireNotice::Status("cannot go on".to_owned()), WireNotice::Errno(13)];
        let words = |notice: Notice| match notice {
            Notice::Said(text) => text,
            other => panic!("{other:?}"),
        };
        let texts: Vec<String> = notices(&said).into_iter().map(words).collect();
        assert_eq!(texts, ["No such file or directory", "cannot go on", "cannot go on (Permission denied)"]);
        assert_eq!(
            notices(&[WireNotice::WatchdogMs(20), WireNotice::Ready]),
            [Notice::Watchdog(Duration::from_millis(20)), Notice::Ready]
        );
    }
}

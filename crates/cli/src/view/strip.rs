//! How well a service was, as a strip: a block for each change, the newest last, with a word for each kind of block.

use anstyle::{AnsiColor, Style};
use jiff::{Timestamp, tz::TimeZone};
use mainstay_wire::HistoryView;

use crate::{output::Paint, view::span};

/// How many changes a strip shows.
const BLOCKS: usize = 30;

/// Which characters a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyphs {
    /// Blocks and dots.
    Unicode,
    /// Those of every keyboard.
    Ascii,
}

impl Glyphs {
    /// What `LC_ALL`, `LC_CTYPE` and `LANG` allow (`locale(7)`): the first one that says something counts.
    pub(crate) fn of_locale(values: [Option<String>; 3]) -> Self {
        let said = values.into_iter().flatten().find(|value| !value.is_empty()).unwrap_or_default();
        let said = said.to_ascii_lowercase();
        if said.contains("utf-8") || said.contains("utf8") { Self::Unicode } else { Self::Ascii }
    }

    /// The dot before a service's name.
    pub(crate) fn dot(self) -> &'static str {
        match self {
            Self::Unicode => "●",
            Self::Ascii => "*",
        }
    }
}

/// How well it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Ready, or completed.
    Well,
    /// Ready, and its health check fails.
    Failing,
    /// Wanted, and not ready any more or after a failure.
    Down,
    /// Not wanted, or not ready for the first time.
    Stopped,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Well, Self::Failing, Self::Down, Self::Stopped];

    fn of(event: &HistoryView) -> Option<Self> {
        let first = event.attempt.unwrap_or(0) == 0 && event.reason.code != "backoff";
        Some(match event.to.as_deref()? {
            "completed" => Self::Well,
            "stopped" | "paused" => Self::Stopped,
            "running" if event.reason.code == "failing-health-check" => Self::Failing,
            _ if event.ready == Some(true) => Self::Well,
            _ if event.wanted == Some(false) => Self::Stopped,
            "starting" | "waiting" if first => Self::Stopped,
            _ => Self::Down,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Well => "ready",
            Self::Failing => "failing",
            Self::Down => "down",
            Self::Stopped => "not up",
        }
    }

    fn glyph(self, glyphs: Glyphs) -> &'static str {
        match (self, glyphs) {
            (Self::Well, Glyphs::Unicode) => "█",
            (Self::Failing, Glyphs::Unicode) => "▅",
            (Self::Down, Glyphs::Unicode) => "▂",
            (Self::Stopped, Glyphs::Unicode) => "·",
            (Self::Well, Glyphs::Ascii) => ".",
            (Self::Failing, Glyphs::Ascii) => "!",
            (Self::Down, Glyphs::Ascii) => "x",
            (Self::Stopped, Glyphs::Ascii) => "-",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Well => AnsiColor::Green.on_default(),
            Self::Failing => AnsiColor::Yellow.on_default(),
            Self::Down => AnsiColor::Red.on_default(),
            Self::Stopped => Style::new().dimmed(),
        }
    }
}

/// The latest changes of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strip {
    kinds: Vec<Kind>,
    /// When the first of them was.
    since: String,
}

impl Strip {
    /// What these events of one service make, the newest last; `None` when they make nothing.
    pub(crate) fn of(events: &[HistoryView]) -> Option<Self> {
        let mut changes: Vec<(Kind, &str)> = Vec::new();
        for event in events {
            let Some(kind) = Kind::of(event) else { continue };
            if changes.last().is_none_or(|(last, _)| *last != kind) {
                changes.push((kind, &event.time));
            }
        }
        let shown = &changes[changes.len().saturating_sub(BLOCKS)..];
        let (_, since) = shown.first()?;
        Some(Self { kinds: shown.iter().map(|(kind, _)| *kind).collect(), since: (*since).to_owned() })
    }

    /// The blocks.
    pub(crate) fn blocks(&self, glyphs: Glyphs, paint: Paint) -> String {
        self.kinds.iter().map(|kind| paint.apply(kind.style(), kind.glyph(glyphs))).collect()
    }

    /// `since 10:02 (2h 5m): █ ready, ▂ down`.
    pub(crate) fn words(&self, glyphs: Glyphs, now: Timestamp, zone: &TimeZone) -> String {
        let kinds = Kind::ALL.into_iter().filter(|kind| self.kinds.contains(kind));
        let kinds: Vec<String> =
            kinds.map(|kind| format!("{} {}", kind.glyph(glyphs), kind.word())).collect();
        let span = span::since(Some(&self.since), now).unwrap_or_default();
        format!("since {} ({span}): {}", span::clock(&self.since, now, zone), kinds.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_wire::ReasonView;

    use super::*;

    pub(super) fn event(minute: u32, to: &str, ready: bool, code: &str) -> HistoryView {
        HistoryView {
            seq: u64::from(minute),
            time: format!("2026-11-21T11:{minute:02}:00Z"),
            service: Some("api".to_owned()),
            run: Some(1),
            from: Some("stopped".to_owned()),
            to: Some(to.to_owned()),
            ready: Some(ready),
            wanted: Some(true),
            failed: false,
            attempt: Some(0),
            exit: None,
            reason: ReasonView { code: code.to_owned(), text: String::new() },
            generation: None,
            uid: None,
            pid: None,
        }
    }

    #[test]
    fn a_block_for_each_change() {
        let events = [
            event(0, "starting", false, "spawning"),
            event(1, "starting", false, "not-ready"),
            event(2, "running", true, "ready"),
            event(3, "running", true, "failing-health-check"),
            event(4, "running", true, "ready"),
            event(5, "stopping", false, "stopping"),
            event(6, "waiting", false, "backoff"),
            event(7, "running", true, "ready"),
            event(8, "stopped", false, "stop-requested"),
        ];
        let strip = Strip::of(&events).unwrap();
        assert_eq!(strip.blocks(Glyphs::Ascii, Paint::Plain), "-.!.x.-");
        assert_eq!(strip.blocks(Glyphs::Unicode, Paint::Plain), "·█▅█▂█·");
        let (now, zone) = ("2026-11-21T12:00:00Z".parse().unwrap(), TimeZone::fixed(jiff::tz::offset(1)));
        let words = "since 12:00 (1h): . ready, ! failing, x down, - not up";
        assert_eq!(strip.words(Glyphs::Ascii, now, &zone), words);
        assert_eq!(Strip::of(&[]), None);
    }

    #[test]
    fn only_the_latest_are_shown() {
        let events: Vec<HistoryView> =
            (0..59).map(|minute| event(minute, "running", minute % 2 == 0, "ready")).collect();
        let strip = Strip::of(&events).unwrap();
        assert_eq!(strip.blocks(Glyphs::Ascii, Paint::Plain), "x.".repeat(15));
        assert_eq!(strip.since, "2026-11-21T11:29:00Z");
    }

    #[test]
    fn the_locale_says_what_can_be_shown() {
        let of = |values: [&str; 3]| {
            Glyphs::of_locale(values.map(|value| Some(value.to_owned()).filter(|value| value != "?")))
        };
        assert_eq!(of(["?", "?", "de_CH.UTF-8"]), Glyphs::Unicode);
        assert_eq!(of(["", "C.utf8", "C"]), Glyphs::Unicode);
        assert_eq!(of(["POSIX", "?", "de_CH.UTF-8"]), Glyphs::Ascii);
        assert_eq!(of(["?", "?", "?"]), Glyphs::Ascii);
    }
}

//! What can happen to the view, and what it wants done. Knows no terminal library: whoever has one translates.

use jiff::Timestamp;
use mainstay_wire::{Act, ConfigView, EventView, ServiceView, Settled};

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// Text came in one piece. It is text, whatever its letters would do as keys.
    Pasted(String),
    /// The mouse was used.
    Mouse(Mouse),
    /// The terminal has this many columns and rows now.
    Resized(u16, u16),
    /// It is this late.
    Tick(Timestamp),
    /// Every service, and what runs.
    Overview(Vec<ServiceView>, ConfigView),
    /// One service changed.
    Changed(Box<EventView>),
    /// The daemon is gone, for this reason.
    Lost(String),
    /// What Mainstay itself uses.
    Own(Own),
    /// Services wrote lines.
    Written {
        /// The number of the [`Effect::Follow`] that they belong to.
        follow: u64,
        /// The lines, oldest first.
        lines: Vec<WrittenLine>,
    },
    /// Logs cannot be read.
    Unreadable {
        /// The number of the [`Effect::Follow`] that failed.
        follow: u64,
        /// Why.
        text: String,
    },
    /// An act came to its end: how services stand, or why it was refused.
    Acted {
        /// The number of its [`Effect::Act`].
        number: u64,
        /// What came of it.
        outcome: Result<Vec<Settled>, String>,
    },
    /// Something beside services failed.
    Failed(String),
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// One that makes a character; with Shift it is another character.
    Char(char),
    /// A letter with Ctrl, as a small letter.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Tab, in either direction.
    Tab,
    /// Backspace.
    Backspace,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// F1 to F12.
    Function(u8),
}

/// The mouse at a cell, both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// From the left.
    pub column: u16,
    /// From the top.
    pub row: u16,
    /// What it did.
    pub act: MouseAct,
}

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseAct {
    /// The main button was pressed.
    Press,
    /// The wheel was turned away from the hand.
    WheelUp,
    /// The wheel was turned towards the hand.
    WheelDown,
}

/// What Mainstay itself uses: its daemon and its keeper together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// Share of one core since the last reading; nothing until there are two.
    pub cpu_percent: Option<f64>,
    /// Resident memory.
    pub memory_bytes: u64,
    /// When the project was brought up.
    pub up_since: Option<Timestamp>,
}

/// A line that a service wrote, as it wrote it, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenLine {
    /// `api@2`.
    pub service: String,
    /// The bytes.
    pub text: Vec<u8>,
}

/// Something is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the daemon to do this to services, and answer with [`Input::Acted`].
    Act {
        /// Which one; larger than those before.
        number: u64,
        /// What.
        act: Act,
        /// `api@2`, …; never empty.
        services: Vec<String>,
    },
    /// Show the last lines of these logs and go on with them as [`Input::Written`], in place of those before; none is none.
    Follow {
        /// Which one; larger than those before.
        number: u64,
        /// Whose.
        sources: Vec<LogSource>,
    },
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// Draw every cell again: somebody else wrote on the screen.
    Repaint,
    /// End.
    Quit,
}

/// A service's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// `api@2`.
    pub id: String,
    /// Its folder.
    pub dir: String,
}

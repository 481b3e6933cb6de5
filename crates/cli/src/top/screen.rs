//! The terminal while the view has it, and how it was before, which it is again however the view ends.

use std::{
    io::{self, Write},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use mainstay_top::{Model, draw};
use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        Command, QueueableCommand,
        cursor::{Hide, Show},
        event::{DisableBracketedPaste, EnableBracketedPaste},
        terminal::{
            BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
            LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
        },
    },
};

use crate::{exit::Exit, failure::Failure};

/// Whether the terminal is ours at the moment. One process has one.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// Presses and the wheel, with places beyond column 223 (xterm's modes 1000 and 1006). Not every movement: nothing is
/// done about it.
struct Mouse {
    is_wanted: bool,
}

impl Command for Mouse {
    fn write_ansi(&self, f: &mut impl std::fmt::Write) -> std::fmt::Result {
        f.write_str(if self.is_wanted { "\x1b[?1000h\x1b[?1006h" } else { "\x1b[?1006l\x1b[?1000l" })
    }
}

/// The terminal, until it is dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Cells>>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn enter() -> io::Result<Self> {
        restore_after_panics();
        let terminal = Terminal::new(CrosstermBackend::new(Cells::default()))?;
        let mut screen = Self { terminal };
        screen.take()?;
        Ok(screen)
    }

    /// Takes the terminal again, whoever had it meanwhile; every cell of the next frame is drawn.
    pub(super) fn take(&mut self) -> io::Result<()> {
        // Whoever stopped us may have left the terminal in another mode, and one that is thought to be set is not set again.
        let _ = disable_raw_mode();
        enable_raw_mode()?;
        IS_OURS.store(true, Ordering::SeqCst);
        let mut out = io::stdout();
        out.queue(EnterAlternateScreen)?.queue(EnableBracketedPaste)?.queue(Mouse { is_wanted: true })?;
        out.queue(Hide)?;
        self.repaint()
    }

    /// Draws every cell of the next frame.
    pub(super) fn repaint(&mut self) -> io::Result<()> {
        io::stdout().queue(Clear(ClearType::All))?.flush()?;
        // A new one knows of no cell. (Its own way to clear asks the terminal where the cursor is, and the answer would
        // be read as keys.)
        self.terminal = Terminal::new(CrosstermBackend::new(Cells::default()))?;
        Ok(())
    }

    /// Gives the terminal back for a while.
    pub(super) fn give_back(&mut self) {
        restore();
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Puts the model on it.
    pub(super) fn draw(&mut self, model: &mut Model) -> io::Result<()> {
        self.terminal.draw(|frame| draw(model, frame)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// What is drawn, until a frame is whole: then it is written at once.
#[derive(Debug, Default)]
struct Cells(Vec<u8>);

impl Write for Cells {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let cells = std::mem::take(&mut self.0);
        if cells.is_empty() || !IS_OURS.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut frame = Vec::with_capacity(cells.len() + 32);
        frame.queue(BeginSynchronizedUpdate)?;
        frame.extend_from_slice(&cells);
        frame.queue(EndSynchronizedUpdate)?;
        let mut out = io::stdout();
        out.write_all(&frame)?;
        out.flush()
    }
}

/// Makes the terminal what it was. Where that fails, it is gone.
fn restore() {
    if !IS_OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut after = Vec::new();
    let queued = after
        .queue(EndSynchronizedUpdate)
        .and_then(|after| after.queue(Mouse { is_wanted: false }))
        .and_then(|after| after.queue(DisableBracketedPaste))
        .and_then(|after| after.queue(Show))
        .and_then(|after| after.queue(LeaveAlternateScreen))
        .map(drop);
    let mut out = io::stdout();
    let _ = queued.and_then(|()| out.write_all(&after)).and_then(|()| out.flush());
    let _ = disable_raw_mode();
}

/// What a panic says must be seen, and the terminal must be usable after it.
fn restore_after_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}

/// The terminal cannot be drawn on.
pub(super) fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot use the terminal: {error}"))
}

//! All that is printed goes through here: what goes where, in colour or not, and what becomes of a closed pipe.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use anstyle::Style;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use serde::Serialize;

use crate::{arguments::Global, exit::Exit, failure::Failure};

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For scripts: JSON alone on standard output.
    Json,
}

/// How much is said beyond answers and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loudness {
    /// Nothing.
    Quiet,
    /// Progress and notes.
    Normal,
    /// Details too.
    Verbose,
}

/// Whether a stream takes colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// It does.
    Colour,
    /// It does not.
    Plain,
}

impl Paint {
    /// The text in this style.
    pub(crate) fn apply(self, style: Style, text: &str) -> String {
        match self {
            Self::Colour => format!("{style}{text}{style:#}"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// Standard output and standard error.
pub(crate) struct Output {
    form: Form,
    loudness: Loudness,
    /// Whether standard output takes colours.
    pub(crate) paint: Paint,
    /// Whether standard error takes colours.
    pub(crate) paint_errors: Paint,
    /// The columns of the terminal; `None` when there is none, and lines may be of any length.
    pub(crate) width: Option<usize>,
    stdout: Mutex<Sink>,
}

struct Sink {
    stream: BufWriter<Stdout>,
    state: SinkState,
}

enum SinkState {
    Open,
    /// Whoever read it has gone.
    Closed,
    /// It cannot be written to, and that was not the reader's wish.
    Failed(io::Error),
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let paint = |is_terminal: bool| {
            if is_terminal && global.may_colour() { Paint::Colour } else { Paint::Plain }
        };
        Self {
            form: if global.json { Form::Json } else { Form::Text },
            loudness: global.loudness(),
            paint: paint(io::stdout().is_terminal()),
            paint_errors: paint(io::stderr().is_terminal()),
            width: width(),
            stdout: Mutex::new(Sink {
                stream: BufWriter::with_capacity(64 * 1024, io::stdout()),
                state: SinkState::Open,
            }),
        }
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    pub(crate) fn loudness(&self) -> Loudness {
        self.loudness
    }

    /// Writes bytes to standard output; they are seen after [`Output::flush`].
    pub(crate) fn write(&self, parts: &[&[u8]]) {
        let mut sink = self.sink();
        for part in parts {
            sink.attempt(|stream| stream.write_all(part));
        }
    }

    /// Writes text to standard output.
    pub(crate) fn print(&self, text: &str) {
        self.write(&[text.as_bytes()]);
    }

    /// Writes a line to standard output.
    pub(crate) fn line(&self, text: &str) {
        self.write(&[text.as_bytes(), b"\n"]);
    }

    /// Writes a value as one line of JSON to standard output.
    pub(crate) fn json(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(&text),
            Err(error) => self.error_line(&format!("error: cannot be said in JSON: {error}")),
        }
    }

    /// Writes what is said beyond the answer to standard error, unless it is to be quiet.
    pub(crate) fn note(&self, text: &str) {
        if self.loudness > Loudness::Quiet {
            self.error_line(text);
        }
    }

    /// Writes a detail to standard error, when asked to.
    pub(crate) fn detail(&self, text: &str) {
        if self.loudness > Loudness::Normal {
            self.error_line(text);
        }
    }

    /// Writes several lines to standard error, whatever was asked for.
    pub(crate) fn error_text(&self, text: &str) {
        self.flush();
        // Where standard error is closed too, nobody is left to be told.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    fn error_line(&self, text: &str) {
        self.error_text(&format!("{text}\n"));
    }

    /// Says why a verb failed: on standard error, and as an object when JSON was asked for.
    pub(crate) fn fail(&self, failure: &Failure) {
        if failure.text.is_empty() {
            return;
        }
        if self.form == Form::Json {
            self.json(&serde_json::json!({
                "schema_version": mainstay_wire::SCHEMA_VERSION,
                "error": { "code": failure.exit.word(), "text": failure.text, "help": failure.help },
            }));
        }
        let word = |style: Style, word: &str| self.paint_errors.apply(style, word);
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let mut text = format!("{} {}\n", word(red, "error:"), failure.text);
        text.extend(failure.lines.iter().map(|line| format!("  {line}\n")));
        if let Some(help) = &failure.help {
            text.push_str(&format!("{} {help}\n", word(anstyle::AnsiColor::Cyan.on_default(), "help:")));
        }
        self.error_text(&text);
    }

    /// Makes everything written so far seen.
    pub(crate) fn flush(&self) {
        self.sink().attempt(Write::flush);
    }

    /// Tells when whoever reads standard output has gone, although nothing is written. Never, where it is a file.
    pub(crate) fn when_reader_goes(&self, gone: impl FnOnce() + Send + 'static) {
        thread::spawn(move || {
            let stdout = io::stdout();
            // Nothing is asked for; errors and the other side's end are always told (poll(2)).
            let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
            while let Err(Errno::INTR) = poll(&mut polled, None) {}
            gone();
        });
    }

    /// Whether whoever read standard output has gone.
    pub(crate) fn is_closed(&self) -> bool {
        !matches!(self.sink().state, SinkState::Open)
    }

    /// Makes everything seen; an answer that could not be written is a failure.
    pub(crate) fn finish(&self, exit: Exit) -> Exit {
        self.flush();
        let sink = self.sink();
        match &sink.state {
            SinkState::Open | SinkState::Closed => exit,
            SinkState::Failed(error) => {
                let _ = writeln!(io::stderr(), "error: cannot write to standard output: {error}");
                Exit::Failed
            }
        }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    fn attempt(&mut self, write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) {
        if !matches!(self.state, SinkState::Open) {
            return;
        }
        if let Err(error) = write(&mut self.stream) {
            // EIO is what a terminal that was closed says.
            let gone = error.kind() == io::ErrorKind::BrokenPipe
                || error.raw_os_error() == Some(Errno::IO.raw_os_error());
            self.state = if gone { SinkState::Closed } else { SinkState::Failed(error) };
        }
    }
}

fn width() -> Option<usize> {
    if let Some((terminal_size::Width(columns), _)) = terminal_size::terminal_size_of(io::stdout()) {
        return Some(usize::from(columns)).filter(|columns| *columns > 0);
    }
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0)
}

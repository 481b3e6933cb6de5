//! Which colour means what. A colour never says anything alone: there is a word for it beside it.

use ratatui_core::style::{Color, Modifier, Style};

/// Whether colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// They are.
    Colour,
    /// They are not: bold, underlined and reversed text must do.
    Plain,
}

/// The sixteen colours of the terminal, whose theme is its owner's choice.
impl Paint {
    fn colour(self, colour: Color) -> Style {
        match self {
            Self::Colour => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    /// A phase, by its word; those of later versions have no colour.
    pub(crate) fn phase(self, word: &str) -> Style {
        match word {
            "running" | "completed" => self.colour(Color::Green),
            "starting" | "waiting" | "stopping" => self.colour(Color::Yellow),
            "paused" => self.colour(Color::Blue),
            "failed" | "isolated" => self.colour(Color::Red).add_modifier(Modifier::BOLD),
            "stopped" => self.aside(),
            _ => Style::new(),
        }
    }

    /// A health, by its word.
    pub(crate) fn status(self, word: &str) -> Style {
        match word {
            "ok" | "idle" | "busy" => Style::new(),
            "failed" | "error" => self.colour(Color::Red),
            "degraded" | "warning" => self.colour(Color::Yellow),
            _ => self.aside(),
        }
    }

    /// A heading or a label.
    pub(crate) fn label(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What is said beside the matter.
    pub(crate) fn aside(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The name of the project, a key, a chosen tab.
    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row on which keys act.
    pub(crate) fn selected(self) -> Style {
        match self {
            Self::Colour => Style::new().fg(Color::Black).bg(Color::Cyan),
            Self::Plain => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// The same row while keys go elsewhere.
    pub(crate) fn selected_aside(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// A marked service.
    pub(crate) fn marked(self) -> Style {
        self.colour(Color::Magenta).add_modifier(Modifier::BOLD)
    }

    /// A chosen tab.
    pub(crate) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// Something went wrong.
    pub(crate) fn error(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Something that a person must not overlook.
    pub(crate) fn alarm(self) -> Style {
        match self {
            Self::Colour => Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
            Self::Plain => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }

    /// What was searched for.
    pub(crate) fn found(self) -> Style {
        match self {
            Self::Colour => Style::new().fg(Color::Black).bg(Color::Yellow),
            Self::Plain => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// A service's name before its lines, by the place of the service among those shown.
    pub(crate) fn source(self, place: usize) -> Style {
        const COLOURS: [Color; 6] =
            [Color::Cyan, Color::Yellow, Color::Green, Color::Magenta, Color::Blue, Color::Red];
        self.colour(COLOURS[place % COLOURS.len()])
    }
}

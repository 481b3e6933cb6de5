//! The model on a screen. Changes nothing of it but what follows from the size of the screen.

mod details;
mod frame;
mod log;
mod overlay;
mod pen;
mod table;

use ratatui_core::{layout::Size, style::Style, terminal::Frame};

use crate::{
    Model,
    layout::LEAST,
    model::{Overlay, Pane},
};

pub(crate) use frame::{hint_strip, pane_strip, phase_strip};
pub(crate) use overlay::question_answers;
use pen::Pen;

/// Puts the model on the screen.
pub fn draw(model: &mut Model, frame: &mut Frame<'_>) {
    let size = frame.area().as_size();
    if model.size != size {
        model.resize(size);
    }
    model.arrange();
    let mut pen = Pen::new(frame.buffer_mut(), model.paint);
    if size.width < LEAST.width || size.height < LEAST.height {
        too_small(&mut pen, size);
        return;
    }
    frame::header(model, &mut pen);
    frame::phases(model, &mut pen);
    table::headings(model, &mut pen);
    table::rows(model, &mut pen);
    if let Some(pane) = model.pane {
        frame::pane_title(model, &mut pen);
        match pane {
            Pane::Logs => log::lines(model, &mut pen),
            Pane::Details => details::lines(model, &mut pen),
        }
    }
    frame::status(model, &mut pen);
    frame::hints(model, &mut pen);
    match &mut model.overlay {
        Some(Overlay::Help(top)) => overlay::help(size, top, &mut pen),
        Some(Overlay::Question(question)) => overlay::question(size, question, &mut pen),
        None => {}
    }
}

fn too_small(pen: &mut Pen<'_>, size: Size) {
    let lines = [
        "too small".to_owned(),
        format!("{}x{} of {}x{}", size.width, size.height, LEAST.width, LEAST.height),
        "q quits".to_owned(),
    ];
    for (y, line) in (0..size.height).zip(&lines) {
        pen.put(0, y, size.width, line, Style::new());
    }
}

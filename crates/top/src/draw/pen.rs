//! Putting text into the cells of a screen, within bounds. Knows nothing of what it means.

use ratatui_core::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};
use ratatui_widgets::{block::Block, clear::Clear};

use crate::{
    cut::{self, Cut},
    theme::Paint,
};

/// A screen that is being drawn.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    pub(super) paint: Paint,
}

impl<'a> Pen<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, paint: Paint) -> Self {
        Self { buffer, paint }
    }

    /// Writes a text from this cell on, in at most `width` columns; gives the column after it.
    pub(super) fn put(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() {
            return x;
        }
        self.buffer.set_stringn(x, y, text, usize::from(width), style).0
    }

    /// The same, with an ellipsis where something is left out.
    pub(super) fn put_cut(
        &mut self,
        x: u16,
        y: u16,
        width: u16,
        (text, cut): (&str, Cut),
        style: Style,
    ) -> u16 {
        self.put(x, y, width, &cut::fit(text, usize::from(width), cut), style)
    }

    /// Writes a text so that it ends before `end`; gives its first column.
    pub(super) fn put_before(&mut self, end: u16, y: u16, text: &str, style: Style) -> u16 {
        let start = end.saturating_sub(columns(text));
        self.put(start, y, end - start, text, style);
        start
    }

    /// Gives cells a style, and leaves their text.
    pub(super) fn style(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// An empty box with a border; gives what is within.
    pub(super) fn window(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(self.buffer.area);
        Clear.render(area, self.buffer);
        let block = Block::bordered().title(format!(" {title} ")).border_style(self.paint.label());
        let inner = block.inner(area);
        block.render(area, self.buffer);
        inner
    }
}

/// The columns of a text, as a terminal counts them.
pub(super) fn columns(text: &str) -> u16 {
    u16::try_from(cut::width(text)).unwrap_or(u16::MAX)
}

//! A screen as a picture: text with colours on a dark ground, in SVG 1.1 without scripts or anything from elsewhere.
//!
//! Whoever looks at it has another font than we: each run of text says how long it is (`textLength`), so that columns stand
//! below each other with any font, and wide characters stand alone.

use super::screen::{Cell, Look, Screen, is_blank};

/// Tenths of a pixel from one column to the next.
const COLUMN: usize = 84;

/// Pixels from one row to the next.
const ROW: usize = 19;

/// Pixels around the text.
const MARGIN: usize = 14;

/// From the top of a row to where its letters stand.
const BASE: usize = 14;

/// Letters that nobody coloured.
const INK: &str = "#d8dee4";

/// What they stand on.
const GROUND: &str = "#14181d";

/// The sixteen colours with names: eight, and the bright ones.
const NAMED: [&str; 16] = [
    "#3b4048", "#f0716b", "#57b36a", "#d9a93f", "#5ea1f2", "#c583e0", "#45b5bd", "#c8ced6", "#6f7782",
    "#ff8f89", "#7bd38c", "#f0c766", "#86bcff", "#dba5f2", "#6fd6dd", "#ffffff",
];

/// The screen below the command that made it.
pub(super) fn draw(command: &str, screen: &Screen) -> String {
    let columns = screen.columns.max(command.chars().count() + 2);
    let width = tenths(columns * COLUMN + 2 * MARGIN * 10);
    let height = (screen.rows.len() + 1) * ROW + 2 * MARGIN;
    let title = escape(command);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<style>\n\
         text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", \"Noto Sans Mono CJK SC\", monospace; fill: {INK}; white-space: pre }}\n\
         .b {{ font-weight: bold }} .d {{ opacity: 0.62 }} .i {{ font-style: italic }} .u {{ text-decoration: underline }}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n"
    );
    out.push_str(&text("$ ", 0, 0, 2, Look { dim: true, ..Look::default() }));
    out.push_str(&text(command, 0, 2, command.chars().count(), Look { bold: true, ..Look::default() }));
    for (at, row) in screen.rows.iter().enumerate() {
        grounds(row, at + 1, &mut out);
        runs(row, at + 1, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// What is behind the letters, where it is not the picture's own ground.
fn grounds(row: &[Cell], at: usize, out: &mut String) {
    let mut column = 0;
    for same in row.chunk_by(|one, other| ground(one.look) == ground(other.look)) {
        if let Some(colour) = same.first().and_then(|cell| ground(cell.look)) {
            out.push_str(&format!(
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{ROW}\" fill=\"{colour}\"/>\n",
                x(column),
                MARGIN + at * ROW,
                tenths(same.len() * COLUMN)
            ));
        }
        column += same.len();
    }
}

/// The letters, as long as they look the same and no gap is between them.
fn runs(row: &[Cell], at: usize, out: &mut String) {
    let mut column = 0;
    while let Some(cell) = row.get(column) {
        let rest = row.get(column..).unwrap_or_default();
        let length = if is_blank(cell) || cell.text == " " { 1 } else { length(rest) };
        let run: String = rest.iter().take(length).map(|cell| cell.text.as_str()).collect();
        let run = run.trim_end_matches(' ');
        let blanks = rest.iter().take(length).rev().take_while(|cell| cell.text == " ").count();
        if !run.is_empty() {
            out.push_str(&text(run, at, column, length - blanks, cell.look));
        }
        column += length;
    }
}

/// How many cells belong together.
fn length(cells: &[Cell]) -> usize {
    let Some(first) = cells.first() else { return 0 };
    if first.is_wide {
        return 2;
    }
    let belongs = |(at, cell): (usize, &Cell)| {
        let ends = cell.text == " " && cells.get(at + 1).is_none_or(|next| next.text == " " || next.is_wide);
        cell.look == first.look && !cell.is_wide && !ends
    };
    cells.iter().enumerate().take_while(|(at, cell)| belongs((*at, *cell))).count().max(1)
}

fn text(text: &str, row: usize, column: usize, columns: usize, look: Look) -> String {
    let classes: String =
        [(look.bold, 'b'), (look.dim && !look.inverse, 'd'), (look.italic, 'i'), (look.underline, 'u')]
            .into_iter()
            .filter(|(is, _)| *is)
            .flat_map(|(_, class)| [' ', class])
            .skip(1)
            .collect();
    let class = if classes.is_empty() { String::new() } else { format!(" class=\"{classes}\"") };
    // An attribute gives way to the style sheet, and a style does not.
    let fill = ink(look).map(|colour| format!(" style=\"fill:{colour}\"")).unwrap_or_default();
    format!(
        "<text x=\"{}\" y=\"{}\" textLength=\"{}\"{class}{fill}>{}</text>\n",
        x(column),
        MARGIN + row * ROW + BASE,
        tenths(columns * COLUMN),
        escape(text)
    )
}

fn ink(look: Look) -> Option<String> {
    if look.inverse {
        Some(colour(look.ground).unwrap_or_else(|| GROUND.to_owned()))
    } else {
        colour(look.ink)
    }
}

fn ground(look: Look) -> Option<String> {
    if look.inverse { Some(colour(look.ink).unwrap_or_else(|| INK.to_owned())) } else { colour(look.ground) }
}

fn colour(colour: vt100::Color) -> Option<String> {
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        vt100::Color::Idx(index) => Some(indexed(index)),
    }
}

/// The 256 colours: those with names, a cube of six by six by six, and greys.
fn indexed(index: u8) -> String {
    let part = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
    match index {
        0..=15 => NAMED.get(usize::from(index)).copied().unwrap_or(INK).to_owned(),
        16..=231 => {
            let at = index - 16;
            format!("#{:02x}{:02x}{:02x}", part(at / 36), part(at / 6 % 6), part(at % 6))
        }
        232.. => format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (index - 232)),
    }
}

fn x(column: usize) -> String {
    tenths(column * COLUMN + MARGIN * 10)
}

fn tenths(count: usize) -> String {
    format!("{}.{}", count / 10, count % 10)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

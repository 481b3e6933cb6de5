//! Making what others wrote harmless: whatever comes out moves no cursor, sets no colour and turns no text around.
//!
//! Lines of programs are shown as a terminal would leave them: an escape sequence (ECMA-48) is left out as a whole, a
//! carriage return begins the line anew, as progress bars want it, and tabs are blanks.

use mainstay_wire::ServiceView;

/// The longest line that is kept, in characters; no screen is wider.
const LENGTH_LIMIT: usize = 4096;

/// Columns between two tab stops.
const TAB: usize = 8;

/// Where in an escape sequence a character is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In none.
    Text,
    /// After ESC.
    Escape,
    /// After ESC and a character that says that more come.
    Intermediate,
    /// In parameters, until a letter.
    Control,
    /// In a string (a title, a link), until its end.
    String,
    /// After an ESC in a string, which ends it when a backslash follows.
    StringEscape,
}

/// A line of a program's output.
pub(crate) fn line(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut columns = 0;
    let mut place = Place::Text;
    let mut again = false;
    for c in String::from_utf8_lossy(bytes).chars() {
        if columns >= LENGTH_LIMIT {
            out.push('…');
            break;
        }
        place = match place {
            Place::Text => match c {
                '\u{1b}' => Place::Escape,
                '\u{9b}' => Place::Control,
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => Place::String,
                c => {
                    if std::mem::take(&mut again) && c != '\r' {
                        out.clear();
                        columns = 0;
                    }
                    again = c == '\r';
                    character(c, &mut out, &mut columns);
                    Place::Text
                }
            },
            place => within(place, c),
        };
    }
    out
}

/// Where the next character is.
fn within(place: Place, c: char) -> Place {
    match (place, c) {
        (Place::Escape, '[') => Place::Control,
        (Place::Escape, ']' | 'P' | 'X' | '^' | '_') => Place::String,
        (Place::Escape | Place::Intermediate, ' '..='/') => Place::Intermediate,
        (Place::Control, '@'..='~') | (Place::String, '\u{7}' | '\u{9c}') => Place::Text,
        (Place::Control, _) => Place::Control,
        (Place::String, '\u{1b}') => Place::StringEscape,
        (Place::StringEscape, '\\') => Place::Text,
        (Place::String | Place::StringEscape, _) => Place::String,
        (Place::Text | Place::Escape | Place::Intermediate, _) => Place::Text,
    }
}

fn character(c: char, out: &mut String, columns: &mut usize) {
    match c {
        '\t' => {
            let blanks = TAB - *columns % TAB;
            out.extend(std::iter::repeat_n(' ', blanks));
            *columns += blanks;
        }
        '\u{8}' => {
            out.pop();
            *columns = columns.saturating_sub(1);
        }
        c if is_harmless(c) => {
            out.push(c);
            *columns += 1;
        }
        _ => {}
    }
}

/// Text of one line that should hold nothing but text.
pub(crate) fn text(text: &str) -> String {
    text.chars().map(|c| if is_harmless(c) { c } else { ' ' }).collect()
}

/// Neither a control character nor one that changes the direction of others.
fn is_harmless(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// All that is shown of a service. Its log's folder stays as it is: that is opened.
pub(crate) fn service(mut view: ServiceView) -> ServiceView {
    let words = [
        &mut view.name,
        &mut view.kind,
        &mut view.phase,
        &mut view.status,
        &mut view.reason.code,
        &mut view.reason.text,
    ];
    let lists = [&mut view.command, &mut view.depends_on, &mut view.needed_by];
    let optional = [&mut view.instance, &mut view.next, &mut view.log_counts.trouble].into_iter().flatten();
    for word in words.into_iter().chain(lists.into_iter().flatten()).chain(optional) {
        if !word.chars().all(is_harmless) {
            *word = text(word);
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_would_obey() {
        let rows: [(&[u8], &str); 16] = [
            (b"plain", "plain"),
            (b"\x1b[31;1mred\x1b[0m", "red"),
            (b"\x1b[2J\x1b[Hgone", "gone"),
            (b"\x1b]0;title\x07text", "text"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1bP1$r0m\x1b\\after", "after"),
            (b"\x1bcreset \x1b(Bset", "reset set"),
            (b"a\tb", "a       b"),
            (b"10%\r50%\r100%", "100%"),
            (b"done\r", "done"),
            (b"windows\r\r", "windows"),
            (b"ab\x08c\x07\x00", "ac"),
            (b"bad \xff\xfe", "bad \u{fffd}\u{fffd}"),
            ("\u{9b}31mc1 \u{9d}x\u{9c}y".as_bytes(), "c1 y"),
            ("a\u{202e}b\u{2066}c".as_bytes(), "abc"),
            ("日本語 ✓".as_bytes(), "日本語 ✓"),
        ];
        for (written, shown) in rows {
            assert_eq!(line(written), shown);
        }
        assert_eq!(text("a\nb\x1b[31m\u{202e}c"), "a b [31m c");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let shown = line(&vec![b'x'; 1 << 20]);
        assert_eq!(shown.chars().count(), LENGTH_LIMIT + 1);
        assert!(shown.ends_with('…'));
    }
}

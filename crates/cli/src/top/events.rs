//! Keys, the mouse and signals as inputs of the model.

use mainstay_top::{Input, Key, Mouse, MouseAct};
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind, read,
};
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::wake::{Bell, Wake};
use crate::{exit::Exit, failure::Failure};

/// From now on signals to end give the terminal back first.
pub(super) fn listen_to_signals(bell: &Bell) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCONT])
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot wait for signals: {error}")))?;
    bell.spawn(move |bell| {
        for signal in signals.forever() {
            let wake = if signal == SIGCONT { Wake::Continued } else { Wake::End };
            if bell.ring(wake).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// From now on keys and the mouse are told.
pub(super) fn listen_to_keys(bell: &Bell) {
    bell.spawn(|bell| {
        loop {
            let told = match read() {
                Ok(event) => input(&event).map_or(Ok(()), |input| bell.tell(input)),
                Err(error) => {
                    // Whether somebody still draws makes no difference here.
                    let _ = bell.ring(Wake::Unreadable(error));
                    return;
                }
            };
            if told.is_err() {
                return;
            }
        }
    });
}

/// What an event is to the model; nothing, when it is none of its business.
fn input(event: &Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => self::key(*key).map(Input::Key),
        Event::Mouse(mouse) => self::mouse(*mouse).map(Input::Mouse),
        Event::Paste(text) => Some(Input::Pasted(text.clone())),
        Event::Resize(width, height) => Some(Input::Resized(*width, *height)),
        Event::Key(_) | Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let with_control = event.modifiers.contains(KeyModifiers::CONTROL);
    // With Alt it is another key, and none of those that are known here.
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(match event.code {
        KeyCode::Char(c) if with_control => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab | KeyCode::BackTab => Key::Tab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::F(number) => Key::Function(number),
        _ => return None,
    })
}

fn mouse(event: MouseEvent) -> Option<Mouse> {
    let act = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => MouseAct::Press,
        MouseEventKind::ScrollUp => MouseAct::WheelUp,
        MouseEventKind::ScrollDown => MouseAct::WheelDown,
        _ => return None,
    };
    Some(Mouse { column: event.column, row: event.row, act })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_they_are_called() {
        let with = |code, modifiers| key(KeyEvent::new(code, modifiers));
        let rows = [
            (KeyCode::Char('K'), KeyModifiers::SHIFT, Some(Key::Char('K'))),
            (KeyCode::Char('C'), KeyModifiers::CONTROL, Some(Key::Ctrl('c'))),
            (KeyCode::Char('x'), KeyModifiers::ALT, None),
            (KeyCode::BackTab, KeyModifiers::SHIFT, Some(Key::Tab)),
            (KeyCode::Insert, KeyModifiers::NONE, None),
        ];
        for (code, modifiers, expected) in rows {
            assert_eq!(with(code, modifiers), expected);
        }
    }
}

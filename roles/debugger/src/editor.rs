//! The line that a user types at a terminal: keys become edits, and edits what the terminal has to
//! show. Pure.

use std::collections::VecDeque;
use std::mem::take;

/// How many characters a line has at most.
pub(crate) const MAX_LINE: usize = 4096;

/// How many lines are remembered.
const MAX_HISTORY: usize = 100;

/// How many bytes of an escape sequence are looked at.
const MAX_SEQUENCE: usize = 16;

/// What has come of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A whole line.
    Line(String),
    /// The line was thrown away (Ctrl-C).
    Interrupt,
    /// There is nothing more to come (Ctrl-D on an empty line).
    End,
}

/// A line being typed.
#[derive(Debug)]
pub(crate) struct Editor {
    prompt: String,
    line: Vec<char>,
    cursor: usize,
    columns: usize,
    history: VecDeque<String>,
    /// Which line of the history is shown, counted from the newest; None for the one being typed.
    recalled: Option<usize>,
    /// What was being typed when the history was entered.
    draft: Vec<char>,
    keys: Keys,
}

/// Where a sequence of bytes is that makes one key.
#[derive(Debug, Default)]
struct Keys {
    state: KeyState,
    /// The bytes of a character, or of an escape sequence, so far.
    bytes: Vec<u8>,
    /// The last byte was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    #[default]
    Plain,
    /// Within a character of several bytes: so many are still to come.
    Character(usize),
    Escape,
    /// Behind `ESC [` or `ESC O`.
    Sequence,
}

#[derive(Debug, PartialEq, Eq)]
enum Key {
    Character(char),
    Enter,
    Interrupt,
    EndOrDelete,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    KillAfter,
    KillBefore,
    KillWord,
    Redraw,
}

impl Editor {
    pub(crate) fn new(prompt: &str, columns: usize) -> Self {
        Self {
            prompt: prompt.to_owned(),
            line: Vec::new(),
            cursor: 0,
            columns,
            history: VecDeque::new(),
            recalled: None,
            draft: Vec::new(),
            keys: Keys::default(),
        }
    }

    /// The terminal has another width; 0 where it is not known.
    pub(crate) fn resize(&mut self, columns: usize) {
        self.columns = columns;
    }

    /// A byte was typed. What the terminal has to show is added to `echo`.
    pub(crate) fn typed(&mut self, byte: u8, echo: &mut String) -> Option<Typed> {
        let key = self.keys.push(byte)?;
        match key {
            Key::Enter => {
                echo.push_str("\r\n");
                let line: String = take(&mut self.line).into_iter().collect();
                self.cursor = 0;
                self.remember(&line);
                return Some(Typed::Line(line));
            }
            Key::Interrupt => {
                echo.push_str("^C\r\n");
                self.line.clear();
                self.cursor = 0;
                self.recalled = None;
                return Some(Typed::Interrupt);
            }
            Key::EndOrDelete if self.line.is_empty() => {
                echo.push_str("\r\n");
                return Some(Typed::End);
            }
            Key::Redraw => echo.push_str("\x1b[2J\x1b[H"),
            key => self.edit(key),
        }
        self.show(echo);
        None
    }

    fn edit(&mut self, key: Key) {
        match key {
            Key::Character(character) => {
                if self.line.len() < MAX_LINE {
                    self.line.insert(self.cursor, character);
                    self.cursor += 1;
                }
            }
            Key::Backspace => {
                if self.cursor > 0 {
                    self.cursor -= 1;
                    self.line.remove(self.cursor);
                }
            }
            Key::Delete | Key::EndOrDelete => {
                if self.cursor < self.line.len() {
                    self.line.remove(self.cursor);
                }
            }
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = self.line.len().min(self.cursor + 1),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.line.len(),
            Key::KillAfter => self.line.truncate(self.cursor),
            Key::KillBefore => drop(self.line.drain(..take(&mut self.cursor))),
            Key::KillWord => {
                let before = &self.line[..self.cursor];
                let word_end = before
                    .iter()
                    .rposition(|c| *c != ' ')
                    .map_or(0, |at| at + 1);
                let start = before[..word_end].iter().rposition(|c| *c == ' ');
                let start = start.map_or(0, |at| at + 1);
                self.line.drain(start..self.cursor);
                self.cursor = start;
            }
            Key::Up => self.recall(self.recalled.map_or(0, |at| at + 1)),
            Key::Down => match self.recalled {
                Some(0) => {
                    self.recalled = None;
                    self.line = take(&mut self.draft);
                    self.cursor = self.line.len();
                }
                Some(at) => self.recall(at - 1),
                None => {}
            },
            Key::Enter | Key::Interrupt | Key::Redraw => {}
        }
    }

    fn recall(&mut self, at: usize) {
        let Some(line) = self.history.iter().rev().nth(at) else {
            return;
        };
        let line = line.chars().collect();
        let shown = std::mem::replace(&mut self.line, line);
        if self.recalled.is_none() {
            self.draft = shown;
        }
        self.recalled = Some(at);
        self.cursor = self.line.len();
    }

    fn remember(&mut self, line: &str) {
        self.recalled = None;
        if line.trim().is_empty() || self.history.back().is_some_and(|last| last == line) {
            return;
        }
        if self.history.len() == MAX_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(line.to_owned());
    }

    /// Writes the prompt and the line as they are, with the cursor in its place. Of a line that is
    /// longer than the terminal is wide, the part around the cursor is shown.
    pub(crate) fn show(&self, echo: &mut String) {
        let prompt_width = self.prompt.chars().count();
        let room = match self.columns {
            0 => MAX_LINE,
            columns => columns.saturating_sub(prompt_width + 1).max(1),
        };
        let first = (self.cursor + 1).saturating_sub(room);
        let visible = self.line[first..].iter().take(room);
        echo.push('\r');
        echo.push_str(&self.prompt);
        echo.extend(visible);
        echo.push_str("\x1b[K");
        echo.push('\r');
        let column = prompt_width + self.cursor - first;
        if column > 0 {
            echo.push_str(&format!("\x1b[{column}C"));
        }
    }
}

impl Keys {
    /// The key that this byte completes, if it does.
    fn push(&mut self, byte: u8) -> Option<Key> {
        let after_return = take(&mut self.after_return);
        match self.state {
            KeyState::Plain => self.plain(byte, after_return),
            KeyState::Character(left) => {
                // A byte that does not belong to it begins something new.
                if byte & 0xc0 != 0x80 {
                    self.reset();
                    return self.plain(byte, false);
                }
                self.bytes.push(byte);
                if left > 1 {
                    self.state = KeyState::Character(left - 1);
                    return None;
                }
                let text = std::str::from_utf8(&self.bytes).ok();
                let character = text.and_then(|text| text.chars().next());
                self.reset();
                // What could order the terminal about is no input either.
                character
                    .filter(|character| {
                        crate::text::printable(&character.to_string()) == character.to_string()
                    })
                    .map(Key::Character)
            }
            KeyState::Escape => {
                self.state = match byte {
                    b'[' | b'O' => KeyState::Sequence,
                    _ => KeyState::Plain,
                };
                None
            }
            KeyState::Sequence => {
                if !(0x40..=0x7e).contains(&byte) && self.bytes.len() < MAX_SEQUENCE {
                    self.bytes.push(byte);
                    return None;
                }
                let parameter = self.bytes.first().copied();
                self.reset();
                match (byte, parameter) {
                    (b'A', _) => Some(Key::Up),
                    (b'B', _) => Some(Key::Down),
                    (b'C', _) => Some(Key::Right),
                    (b'D', _) => Some(Key::Left),
                    (b'H', _) | (b'~', Some(b'1' | b'7')) => Some(Key::Home),
                    (b'F', _) | (b'~', Some(b'4' | b'8')) => Some(Key::End),
                    (b'~', Some(b'3')) => Some(Key::Delete),
                    _ => None,
                }
            }
        }
    }

    fn plain(&mut self, byte: u8, after_return: bool) -> Option<Key> {
        match byte {
            b'\r' => {
                self.after_return = true;
                Some(Key::Enter)
            }
            b'\n' => (!after_return).then_some(Key::Enter),
            0x1b => {
                self.state = KeyState::Escape;
                None
            }
            0x01 => Some(Key::Home),
            0x02 => Some(Key::Left),
            0x03 => Some(Key::Interrupt),
            0x04 => Some(Key::EndOrDelete),
            0x05 => Some(Key::End),
            0x06 => Some(Key::Right),
            0x08 | 0x7f => Some(Key::Backspace),
            0x0b => Some(Key::KillAfter),
            0x0c => Some(Key::Redraw),
            0x0e => Some(Key::Down),
            0x10 => Some(Key::Up),
            0x15 => Some(Key::KillBefore),
            0x17 => Some(Key::KillWord),
            0x20..=0x7e => Some(Key::Character(char::from(byte))),
            _ => {
                let more = match byte {
                    0xc2..=0xdf => 1,
                    0xe0..=0xef => 2,
                    0xf0..=0xf4 => 3,
                    // A tab, and whatever else is no key here.
                    _ => return None,
                };
                self.bytes.push(byte);
                self.state = KeyState::Character(more);
                None
            }
        }
    }

    fn reset(&mut self) {
        self.bytes.clear();
        self.state = KeyState::Plain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that come of these bytes, and what the terminal was sent.
    fn lines(editor: &mut Editor, bytes: impl AsRef<[u8]>) -> (Vec<Typed>, String) {
        let mut echo = String::new();
        let typed = bytes.as_ref().iter();
        let typed = typed
            .filter_map(|&byte| editor.typed(byte, &mut echo))
            .collect();
        (typed, echo)
    }

    fn line(bytes: impl AsRef<[u8]>) -> String {
        let mut editor = Editor::new("> ", 80);
        match lines(&mut editor, bytes).0.pop() {
            Some(Typed::Line(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_edit_the_line() {
        for (typed, expected) in [
            ("status\r", "status"),
            ("Kōzō 👍\r", "Kōzō 👍"),
            ("stats\x1b[Du\r", "status"),
            ("tatus\x01s\r", "status"),
            ("xstatus\x1b[H\x1b[3~\r", "status"),
            ("xstatus\x1bOH\x04\r", "status"),
            ("statusx\x7f\r", "status"),
            ("status now\x17\x7f\r", "status"),
            ("x\x15status\r", "status"),
            ("status xyz\x02\x02\x02\x02\x0b\r", "status"),
            ("ats\x1b[1~st\x1b[4~\x1b[F\x05us\r", "statsus"),
            ("\x1b[200~\t\x1bxstatus\r", "status"),
            ("\x1b[D\x1b[C\x7f\x04", ""),
        ] {
            let typed = if typed.ends_with('\r') {
                typed.to_owned()
            } else {
                format!("a{typed}\r")
            };
            let expected = if expected.is_empty() { "" } else { expected };
            assert_eq!(line(typed.clone()), expected, "{typed:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_no_input() {
        assert_eq!(line(b"a\xff\xc3(\xe2\x80\xaeb\x00c\r"), "a(bc");
    }

    #[test]
    fn lines_end_once_however_they_end() {
        let mut editor = Editor::new("> ", 80);
        let (typed, _) = lines(&mut editor, "a\r\nb\nc\r\r");
        let expected = ["a", "b", "c", ""].map(|line| Typed::Line(line.to_owned()));
        assert_eq!(typed, expected);
        assert_eq!(lines(&mut editor, "abc\x03").0, [Typed::Interrupt]);
        assert_eq!(lines(&mut editor, "\x04").0, [Typed::End]);
    }

    #[test]
    fn lines_are_remembered() {
        let mut editor = Editor::new("> ", 80);
        lines(&mut editor, "one\rtwo\rtwo\r \r");
        let up = "\x1b[A";
        let down = "\x1b[B";
        for (typed, expected) in [
            (format!("{up}\r"), "two"),
            (format!("{up}{up}\r"), "one"),
            (format!("draft{up}{up}{down}{down}\r"), "draft"),
            (format!("{up}{up}{up}{up}{up}{up}\r"), "one"),
            (format!("{down}x\r"), "x"),
        ] {
            let (mut lines, _) = lines(&mut editor, &typed);
            assert_eq!(
                lines.pop(),
                Some(Typed::Line(expected.to_owned())),
                "{typed:?}"
            );
        }
        for count in 0..1000 {
            lines(&mut editor, format!("line {count}\r"));
        }
        assert_eq!(editor.history.len(), MAX_HISTORY);
    }

    #[test]
    fn what_is_typed_is_bounded() {
        assert_eq!(line("x".repeat(3 * MAX_LINE) + "\r").len(), MAX_LINE);
        let mut editor = Editor::new("> ", 80);
        lines(&mut editor, "\x1b[".to_owned() + &"1;".repeat(10_000));
        assert!(editor.keys.bytes.len() <= MAX_SEQUENCE);
    }

    #[test]
    fn a_line_that_is_too_long_for_the_terminal_is_shown_around_the_cursor() {
        let mut editor = Editor::new("> ", 10);
        let (_, echo) = lines(&mut editor, "0123456789");
        assert!(echo.ends_with("\r> 456789\x1b[K\r\x1b[8C"), "{echo:?}");
        let (_, echo) = lines(&mut editor, "\x01");
        assert_eq!(echo, "\r> 0123456\x1b[K\r\x1b[2C");
    }

    #[test]
    fn whatever_is_typed_the_terminal_gets_nothing_but_what_the_editor_means() {
        let mut editor = Editor::new("> ", 20);
        let mut number = 1_u64;
        for _ in 0..200_000 {
            // A sequence of numbers that looks like none.
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let byte = (number >> 56) as u8;
            let mut echo = String::new();
            if let Some(Typed::Line(line)) = editor.typed(byte, &mut echo) {
                assert_eq!(crate::text::printable(&line), line);
            }
            assert!(editor.cursor <= editor.line.len());
            let own = echo.replace("\x1b[K", "").replace("\x1b[2J\x1b[H", "");
            let own = own.replace(['\r', '\n'], "");
            let escapes = own.matches('\x1b').count();
            let moves = usize::from(own.ends_with('C') && own.contains("\x1b["));
            assert_eq!(escapes, moves, "{own:?}");
        }
    }
}

//! The thread that reads the program's error output: lines for the log.

use kozo_child::{Lines, Reader};

use crate::shared::{Shared, lock};

/// The longest line, in bytes; what is over is cut off.
const MAX_LINE: usize = 8 * 1024;

/// The thread's whole work.
pub(crate) fn read(errors: Reader, shared: &Shared) {
    let mut lines = Lines::new(errors, MAX_LINE);
    while let Ok(Some(line)) = lines.next_line() {
        if !shared.pace() {
            return;
        }
        let text = String::from_utf8_lossy(line.text);
        let text = text.trim_end();
        if text.is_empty() && line.left_out == 0 {
            continue;
        }
        match line.left_out {
            0 => shared.host.warn(text),
            more => shared.host.warn(&format!("{text}… ({more} more bytes)")),
        }
        text.clone_into(&mut lock(&shared.last_words));
    }
}

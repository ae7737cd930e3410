//! What commands write, on its way to a client that may be slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::text::{Table, printable_lines};

/// How many pieces of output wait for the client. Who writes more waits as well.
pub(crate) const WAITING_PIECES: usize = 8;

/// Where a command writes to.
#[derive(Clone)]
pub(crate) struct Output {
    pieces: mpsc::Sender<Bytes>,
    ended: Arc<AtomicBool>,
    /// Whether there is a terminal, which needs a carriage return at each end of a line.
    is_terminal: bool,
}

impl Output {
    pub(crate) fn new(pieces: mpsc::Sender<Bytes>, is_terminal: bool) -> Self {
        Self {
            pieces,
            ended: Arc::default(),
            is_terminal,
        }
    }

    /// Writes lines, waiting for a client that is slow. Whatever a terminal would obey is escaped.
    pub(crate) fn line(&self, text: &str) {
        let piece = self.encoded(text);
        if self.pieces.blocking_send(piece).is_err() {
            self.end();
        }
    }

    pub(crate) fn table(&self, table: &Table) {
        let lines: Vec<String> = table.lines().collect();
        self.line(&lines.join("\n"));
    }

    /// The same from a task.
    pub(crate) async fn line_from_task(&self, text: &str) {
        let piece = self.encoded(text);
        // The session is at its end when nobody takes it.
        let _ = self.pieces.send(piece).await;
    }

    /// Writes what is meant for the terminal as it is.
    pub(crate) async fn raw(&self, text: String) {
        let _ = self.pieces.send(text.into()).await;
    }

    fn encoded(&self, text: &str) -> Bytes {
        let mut text = printable_lines(text).into_owned();
        text.push('\n');
        if self.is_terminal {
            text = text.replace('\n', "\r\n");
        }
        text.into()
    }

    /// A new command writes to the same place.
    pub(crate) fn for_command(&self) -> Self {
        Self {
            ended: Arc::default(),
            ..self.clone()
        }
    }

    /// Asks the command to end.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether the command shall end.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed) || self.pieces.is_closed()
    }
}

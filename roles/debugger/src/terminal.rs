//! What happens on a session's channel: lines are read, commands run, and the time is watched.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::ChannelWriteHalf;
use russh::server::{Handle, Msg};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::console::{Console, Outcome};
use crate::editor::{Editor, MAX_LINE, Typed};
use crate::output::{Output, WAITING_PIECES};
use crate::server::{Shared, Time};
use crate::text::span;

/// When users are told that the time is nearly over: so long before.
const WARNINGS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(10)];

/// How much input waits while a command runs, in bytes. What is more is thrown away.
const MAX_AHEAD: usize = 256 * 1024;

/// How long the client has to take what is left for it at the end.
const LAST_OUTPUT: Duration = Duration::from_secs(5);

/// Ctrl-C.
const INTERRUPT: u8 = 0x03;

/// What came from the client.
#[derive(Debug)]
pub(crate) enum Input {
    Bytes(Bytes),
    /// Its terminal is so wide now.
    Columns(u32),
    /// Nothing more comes.
    End,
}

/// What the client wants.
pub(crate) struct Request {
    /// Its address.
    pub(crate) client: String,
    /// How wide its terminal is, if it has one.
    pub(crate) columns: Option<u32>,
    /// The command, if it wants one and no shell.
    pub(crate) command: Option<String>,
}

/// Serves the client until it has what it wants, or the time is over.
pub(crate) async fn run(
    request: Request,
    shared: Arc<Shared>,
    input: mpsc::Receiver<Input>,
    channel: ChannelWriteHalf<Msg>,
    handle: Handle,
) {
    let id = channel.id();
    let (pieces, waiting) = mpsc::channel(WAITING_PIECES);
    let mut writer = tokio::spawn(write(waiting, channel));
    let terminal = Terminal {
        output: Output::new(pieces, request.columns.is_some()),
        editor: request
            .columns
            .map(|columns| Editor::new(&format!("{}> ", shared.node.name()), columns as usize)),
        console: Arc::new(Console::new(
            Arc::clone(&shared.node),
            shared.times.clone(),
            request.client,
        )),
        times: shared.times.clone(),
        ahead: VecDeque::new(),
        line: Vec::new(),
        running: None,
        no_more_input: false,
    };
    let status = match request.command {
        Some(command) => terminal.one(&command, input).await,
        None => terminal.shell(input).await,
    };
    if timeout(LAST_OUTPUT, &mut writer).await.is_err() {
        writer.abort();
    }
    // The connection may be gone already.
    let _ = handle.exit_status_request(id, status).await;
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}

async fn write(mut pieces: mpsc::Receiver<Bytes>, channel: ChannelWriteHalf<Msg>) {
    while let Some(piece) = pieces.recv().await {
        // Waits for the client's window.
        if channel.data_bytes(piece).await.is_err() {
            return;
        }
    }
}

struct Terminal {
    output: Output,
    /// Only where the client has a terminal; without, lines come as they are.
    editor: Option<Editor>,
    console: Arc<Console>,
    times: watch::Receiver<Time>,
    /// What was sent while a command was running.
    ahead: VecDeque<u8>,
    /// The beginning of a line, where there is no editor.
    line: Vec<u8>,
    running: Option<Running>,
    no_more_input: bool,
}

/// A command that is running.
struct Running {
    outcome: JoinHandle<Outcome>,
    output: Output,
    /// Whether it goes on until a key is pressed.
    is_live: bool,
}

impl Terminal {
    /// Runs one command; its exit status.
    async fn one(mut self, command: &str, mut input: mpsc::Receiver<Input>) -> u32 {
        self.start(command);
        loop {
            tokio::select! {
                outcome = finished(&mut self.running) => {
                    self.running = None;
                    // What lasts as long as the session makes that last until the client goes.
                    if outcome == Outcome::Failed || !self.console.has_started_something() {
                        return outcome.status();
                    }
                }
                received = input.recv() => match received {
                    // The client is gone.
                    None => return self.end_command().await,
                    Some(Input::Bytes(bytes)) if bytes.contains(&INTERRUPT) => {
                        return self.end_command().await;
                    }
                    // One that has nothing more to say still listens.
                    Some(_) => {}
                },
                () = over(self.times.clone()) => {
                    self.output.line_from_task("the time of this console is over").await;
                    return self.end_command().await;
                }
            }
        }
    }

    /// Reads commands and runs them until there are no more; the exit status.
    async fn shell(mut self, mut input: mpsc::Receiver<Input>) -> u32 {
        let mut status = 0;
        self.greet().await;
        let mut warnings = self.warnings_left();
        loop {
            tokio::select! {
                received = input.recv() => match received {
                    None => return self.end_command().await,
                    Some(received) => self.take(received),
                },
                outcome = finished(&mut self.running) => {
                    self.running = None;
                    status = outcome.status();
                    if outcome == Outcome::Quit {
                        return 0;
                    }
                    self.prompt().await;
                }
                () = next_warning(self.times.clone(), warnings) => {
                    if !self.warn().await {
                        self.end_command().await;
                        return 1;
                    }
                }
                // Somebody ordered more time.
                _ = changed(&mut self.times) => {}
            }
            warnings = self.warnings_left();
            while self.running.is_none() {
                let Some(byte) = self.ahead.pop_front() else {
                    break;
                };
                if let Some(end) = self.typed(byte).await {
                    return end;
                }
            }
            if self.running.is_none() && self.no_more_input && self.ahead.is_empty() {
                let last = std::mem::take(&mut self.line);
                if last.is_empty() {
                    return status;
                }
                self.start(&String::from_utf8_lossy(&last));
            }
        }
    }

    /// A byte of a line.
    async fn typed(&mut self, byte: u8) -> Option<u32> {
        let typed = match &mut self.editor {
            Some(editor) => {
                let mut echo = String::new();
                let typed = editor.typed(byte, &mut echo);
                self.output.raw(echo).await;
                typed?
            }
            None if byte == b'\n' => {
                let line = std::mem::take(&mut self.line);
                Typed::Line(String::from_utf8_lossy(&line).into_owned())
            }
            None => {
                if self.line.len() < MAX_LINE {
                    self.line.push(byte);
                }
                return None;
            }
        };
        match typed {
            Typed::Line(line) if line.trim().is_empty() => self.prompt().await,
            Typed::Line(line) => self.start(&line),
            Typed::Interrupt => self.prompt().await,
            Typed::End => return Some(0),
        }
        None
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Columns(columns) => {
                if let Some(editor) = &mut self.editor {
                    editor.resize(columns as usize);
                }
            }
            Input::End => {
                self.no_more_input = true;
                if let Some(running) = self.running.as_ref().filter(|running| running.is_live) {
                    running.output.end();
                }
            }
            Input::Bytes(bytes) => {
                let interrupts = |running: &&Running| {
                    self.editor.is_some() && (running.is_live || bytes.contains(&INTERRUPT))
                };
                if let Some(running) = self.running.as_ref().filter(interrupts) {
                    return running.output.end();
                }
                let room = MAX_AHEAD.saturating_sub(self.ahead.len());
                self.ahead.extend(bytes.iter().take(room));
            }
        }
    }

    fn start(&mut self, command: &str) {
        let output = self.output.for_command();
        let console = Arc::clone(&self.console);
        let line = command.to_owned();
        self.running = Some(Running {
            is_live: Console::is_live(command),
            output: output.clone(),
            outcome: spawn_blocking(move || console.execute(&line, &output)),
        });
    }

    /// Ends a command that is running; the status of one that was ended.
    async fn end_command(&mut self) -> u32 {
        if let Some(running) = &self.running {
            running.output.end();
        }
        1
    }

    async fn greet(&self) {
        if self.editor.is_some() {
            let node = self.console.place();
            let left = span(self.times.borrow().left().as_secs_f64());
            let text = format!("This is {node}. The console is closed in {left}. Try `help`.");
            self.output.line_from_task(&text).await;
            self.prompt().await;
        }
    }

    async fn prompt(&self) {
        if let Some(editor) = &self.editor {
            let mut echo = String::new();
            editor.show(&mut echo);
            self.output.raw(echo).await;
        }
    }

    /// Which warnings are still to come.
    fn warnings_left(&self) -> &'static [Duration] {
        let left = self.times.borrow().left();
        let passed = WARNINGS.iter().take_while(|warning| **warning >= left);
        &WARNINGS[passed.count()..]
    }

    /// Says how much time is left; whether there is some.
    async fn warn(&mut self) -> bool {
        let left = self.times.borrow().left();
        let text = match left.is_zero() {
            true => "The time of this console is over.".to_owned(),
            false => format!(
                "The console is closed in {}; a further order gives it its time anew.",
                span(left.as_secs_f64().ceil())
            ),
        };
        if self.editor.is_some() {
            self.output.raw("\r\x1b[K".to_owned()).await;
        }
        self.output.line_from_task(&text).await;
        if self.running.is_none() && !left.is_zero() {
            self.prompt().await;
        }
        !left.is_zero()
    }
}

/// Waits for the command; for ever where there is none.
async fn finished(running: &mut Option<Running>) -> Outcome {
    match running {
        Some(running) => (&mut running.outcome).await.unwrap_or(Outcome::Failed),
        None => std::future::pending().await,
    }
}

/// Waits until it is time for the next warning, or the time is over.
async fn next_warning(times: watch::Receiver<Time>, warnings: &[Duration]) {
    let left = times.borrow().left();
    let before = warnings.first().copied().unwrap_or_default();
    sleep(left.saturating_sub(before)).await;
}

/// Waits until the time has been changed. Where nobody can any more, there is nothing to wait for.
async fn changed(times: &mut watch::Receiver<Time>) {
    if times.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Waits until the time is over.
async fn over(mut times: watch::Receiver<Time>) {
    loop {
        let left = times.borrow_and_update().left();
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = sleep(left) => {}
            () = changed(&mut times) => {}
        }
    }
}

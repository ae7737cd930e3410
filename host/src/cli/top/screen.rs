//! The terminal: taken for drawing, and given back as it was, however the program ends.

use std::fs;
use std::io::{self, Stdout, Write};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use rustix::process::{
    Pid, Signal, getpgrp, getpid, getsid, kill_current_process_group, kill_process,
};
use tokio::signal::unix;

/// How long it is waited for the shell to say that the program goes on, once it does.
const STOP_LIMIT: Duration = Duration::from_millis(300);

/// The exit code of a program that panicked.
const PANICKED: i32 = 101;

/// A terminal that is drawn on. Dropped, it is as it was.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal of the standard output.
    ///
    /// # Errors
    /// It is none, or does not work.
    pub(super) fn open() -> io::Result<Self> {
        give_back_on_panic();
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        let terminal = terminal.inspect_err(|_| give_back())?;
        Ok(Self { terminal })
    }

    pub(super) fn terminal(&mut self) -> &mut Terminal<CrosstermBackend<Stdout>> {
        &mut self.terminal
    }

    /// Stops the program, after it was told to by `SIGTSTP`, and goes on when the shell says so, which
    /// `continued` tells. Where no shell can, it does not stop.
    pub(super) async fn suspend(&mut self, continued: &mut unix::Signal) -> io::Result<()> {
        if !is_of_a_shell() {
            return Ok(());
        }
        give_back();
        // The other one is caught, for the terminal to be given back first.
        kill_process(getpid(), Signal::STOP)?;
        // Another thread may be the one that the signal stops first.
        let _ = tokio::time::timeout(STOP_LIMIT, continued.recv()).await;
        self.take_again()
    }

    /// Takes the terminal once more: something else had it.
    pub(super) fn take_again(&mut self) -> io::Result<()> {
        take()?;
        // `clear` would ask the terminal for its cursor, and whoever reads keys would take the answer.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Tells this program, and those that it was started with, to stop, as Ctrl-Z does where nobody draws.
pub(super) fn ask_to_stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::TSTP)?)
}

/// Whether whoever started the program is in its session, as shells that stop and continue programs are.
fn is_of_a_shell() -> bool {
    let group = getpgrp().as_raw_nonzero();
    let Ok(stat) = fs::read_to_string(format!("/proc/{group}/stat")) else {
        return false;
    };
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split(' ');
    let parent = fields.nth(2).and_then(|parent| parent.parse().ok());
    let session = parent
        .and_then(Pid::from_raw)
        .map(|parent| getsid(Some(parent)));
    matches!((session, getsid(None)), (Some(Ok(theirs)), Ok(own)) if theirs == own)
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen).inspect_err(|_| give_back())
}

/// Whatever of it fails, the rest is done: there is nobody to tell.
fn give_back() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let _ = io::stdout().flush();
}

/// A panic of any thread ends the program, and is read on a terminal that is as it was.
fn give_back_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        report(panic);
        crate::log::finish();
        std::process::exit(PANICKED);
    }));
}

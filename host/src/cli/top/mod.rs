//! `kozo top`: a live view of the network on a terminal.
//!
//! ```text
//!  daemon ──feed──▶ model ──▶ sheets, details ──▶ draw ──▶ screen
//!                                    ▲
//!  keys ─────────────────▶ ui ───────┘
//! ```
//!
//! What is shown is worked out without I/O (`model`, `sheets`, `details`, `ui`); `feed` asks, and `screen` has
//! the terminal.

mod details;
mod draw;
mod feed;
mod model;
mod screen;
mod sheets;
#[cfg(test)]
mod tests;
mod ui;

use std::io::{self, IsTerminal};
use std::thread;

use kozo_ground::clock;
use ratatui::crossterm::event::{self, Event};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::details::rates_text;
use self::feed::{Answer, Feed, PERIOD};
use self::model::{Model, Overview, sum};
use self::screen::Screen;
use self::sheets::{Sorting, Tab, plain, rows};
use self::ui::{Effect, Ui};
use super::arguments::TopArguments;
use super::failure::Failure;
use super::output;
use super::reach::reach;
use crate::control::Client;
use crate::log::shows_colours;

/// How many events wait to be heeded; who brings more waits.
const MAX_EVENTS: usize = 16;

pub(super) fn top(arguments: &TopArguments) -> Result<(), Failure> {
    let daemon = reach(&arguments.daemon, arguments.asked())?;
    if arguments.once || arguments.json {
        return once(daemon, arguments.json);
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::other(
            "`kozo top` draws on a terminal, and this is none: `--once` prints plain text",
        ));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(Failure::other(
            "this terminal cannot be drawn on (TERM=dumb): `--once` prints plain text",
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::other)?;
    let result = runtime.block_on(live(daemon));
    runtime.shutdown_background();
    result.map_err(|error| Failure::other(format!("the terminal does not work: {error}")))
}

/// What happens while the view is there.
enum Happening {
    Told(Answer),
    Typed(Event),
    /// There is no keyboard any more.
    Deaf,
}

async fn live(daemon: Client) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut stopped = signal(SignalKind::from_raw(libc::SIGTSTP))?;
    let mut continued = signal(SignalKind::from_raw(libc::SIGCONT))?;
    let mut screen = Screen::open()?;
    let mut happenings = listen(daemon)?;
    let colour = shows_colours(&io::stdout());
    let (mut model, mut ui) = (Model::default(), Ui::default());
    loop {
        let now = clock::now();
        screen
            .terminal()
            .draw(|frame| draw::draw(frame, &model, &mut ui, colour, now))?;
        let happening = tokio::select! {
            happening = happenings.recv() => happening,
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            _ = stopped.recv() => {
                screen.suspend(&mut continued).await?;
                continue;
            }
            _ = continued.recv() => {
                screen.take_again()?;
                continue;
            }
        };
        match happening {
            Some(Happening::Told(Ok(_))) if ui.paused => model.found(),
            Some(Happening::Told(Ok(network))) => model.see(*network),
            Some(Happening::Told(Err(reason))) => model.lost(reason, clock::now()),
            Some(Happening::Typed(Event::Key(key))) => match ui.key(key, &model) {
                Effect::Shown => {}
                Effect::Quit => return Ok(()),
                Effect::Suspend => screen::ask_to_stop()?,
            },
            // Drawing finds out how large the terminal is now.
            Some(Happening::Typed(_)) => {}
            Some(Happening::Deaf) | None => return Ok(()),
        }
    }
}

/// Starts the threads that wait for the daemon and for keys. They end with the program.
fn listen(daemon: Client) -> io::Result<mpsc::Receiver<Happening>> {
    let (sender, receiver) = mpsc::channel(MAX_EVENTS);
    let told = sender.clone();
    let feed = Feed::of(daemon);
    let ask = move || feed.run(|answer| told.blocking_send(Happening::Told(answer)).is_ok());
    thread::Builder::new().name("feed".to_owned()).spawn(ask)?;
    let read = move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(Happening::Typed(event)).is_err() {
                return;
            }
        }
        let _ = sender.blocking_send(Happening::Deaf);
    };
    thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(receiver)
}

/// Prints what the view would show, measured over one period.
fn once(daemon: Client, json: bool) -> Result<(), Failure> {
    let mut feed = Feed::of(daemon);
    let before = feed.ask().map_err(Failure::other)?;
    thread::sleep(PERIOD);
    let now = feed.ask().map_err(Failure::other)?;
    let overview = Overview::new(&now, Some(&before));
    if json {
        return output::print_json(&overview);
    }
    output::print(&text(&overview))
}

/// All tables as plain text.
fn text(overview: &Overview) -> String {
    let mut text = format!(
        "{}: {}\n",
        overview.asked,
        rates_text(&sum(overview.nodes.iter().map(|node| node.rates)))
    );
    for tab in Tab::ALL {
        let rows = rows(overview, tab, Sorting::by(tab, 0));
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&plain(tab, &rows));
        }
    }
    text
}

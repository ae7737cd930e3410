//! What a terminal shows.

use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::text::is_harmful;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;

use super::super::draw::draw;
use super::super::model::Model;
use super::super::ui::Ui;
use super::network;

fn model() -> Model {
    let mut model = Model::default();
    model.see(network(10));
    model.see(network(14));
    model
}

fn terminal(model: &Model, ui: &mut Ui, size: (u16, u16), colour: bool) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    let now = Moment::ZERO + Duration::from_secs(5);
    terminal
        .draw(|frame| draw(frame, model, ui, colour, now))
        .unwrap();
    terminal
}

/// The lines of a screen without colours.
fn screen(model: &Model, keys: &[KeyCode], size: (u16, u16)) -> Vec<String> {
    let mut ui = Ui::default();
    for code in keys {
        ui.key(KeyEvent::new(*code, KeyModifiers::NONE), model);
    }
    let text = terminal(model, &mut ui, size, false).backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
    lines.map(str::to_owned).collect()
}

#[test]
fn a_small_terminal_shows_what_matters_most() {
    let lines = screen(&model(), &[], (80, 24));
    assert_eq!(
        lines[0],
        "kozo top  clock: 2 of 3 nodes answer, 1 link up, 2 roles"
    );
    assert!(
        lines[1].starts_with("all nodes: in 10/s (1000 B/s), out 10/s"),
        "{lines:#?}"
    );
    assert_eq!(lines[2], " Nodes   Links   Roles");
    assert!(lines[3].starts_with("node▲"), "{lines:#?}");
    assert!(
        lines[3].contains("in/s") && lines[3].contains("dropped"),
        "{lines:#?}"
    );
    assert!(lines[4].starts_with("clock   up"), "{lines:#?}");
    assert!(lines[5].starts_with("lamp    no link for"), "{lines:#?}");
    assert!(
        lines[23].starts_with("Tab table") && lines[23].ends_with("q quit"),
        "{lines:#?}"
    );
}

#[test]
fn a_wide_one_shows_all_columns() {
    let lines = screen(&model(), &[KeyCode::Tab], (200, 60));
    assert!(
        lines[3].starts_with("node▲") && lines[3].ends_with("over"),
        "{lines:#?}"
    );
    assert!(
        lines[5].contains("tcp → schreiber.häuschen:22"),
        "{lines:#?}"
    );
    let lines = screen(&model(), &[KeyCode::Tab, KeyCode::Tab], (200, 60));
    assert!(lines[5].contains("failed, in 2.0 s"), "{lines:#?}");
    // What a terminal would obey is escaped, and what takes two columns is all there.
    assert!(lines[5].contains(r"Datei \u{1b}[2J voll: 構"), "{lines:#?}");
}

#[test]
fn details_of_a_node_a_link_and_a_role_are_shown() {
    let text = |keys: &[KeyCode]| screen(&model(), keys, (80, 24)).join("\n");
    let node = text(&[KeyCode::End, KeyCode::Enter]);
    for part in [
        "Node scribe",
        "another version",
        "kozo 1.2.3, process 7",
        "writer (logger)",
    ] {
        assert!(node.contains(part), "{part} in\n{node}");
    }
    let link = text(&[KeyCode::Tab, KeyCode::End, KeyCode::Enter]);
    for part in [
        "What clock tells of scribe",
        "What scribe tells of clock",
        "round trip 1.2 ms",
    ] {
        assert!(link.contains(part), "{part} in\n{link}");
    }
    let role = text(&[KeyCode::Tab, KeyCode::Tab, KeyCode::End, KeyCode::Enter]);
    for part in [
        "Role writer of scribe",
        "84 of 100 waiting",
        "failed 3 times",
        r"\u{1b}[2J",
    ] {
        assert!(role.contains(part), "{part} in\n{role}");
    }
    assert!(text(&[KeyCode::Char('?')]).contains("sort by the next column"));
}

#[test]
fn it_is_said_that_the_daemon_is_gone_or_another_or_that_nothing_moves() {
    let mut model = model();
    model.lost("connection \x1b refused".to_owned(), Moment::ZERO);
    let lines = screen(&model, &[KeyCode::Char('p')], (80, 24));
    assert!(lines[0].ends_with("[paused]"), "{lines:#?}");
    assert_eq!(lines[1], r"no answer for 5.0 s: connection \u{1b} refused");
    assert!(lines[4].starts_with("clock"), "what was seen last stays");
    let nothing = screen(&Model::default(), &[], (80, 24));
    assert_eq!(nothing[1], "waiting for the first answer");
}

#[test]
fn no_size_of_a_terminal_is_a_fault_and_nothing_harmful_is_drawn() {
    let keys: [&[KeyCode]; 4] = [
        &[],
        &[KeyCode::Tab, KeyCode::Tab],
        &[KeyCode::Char('?'), KeyCode::End],
        &[KeyCode::End, KeyCode::Enter, KeyCode::PageDown],
    ];
    for size in [(1, 1), (3, 2), (10, 4), (20, 5), (79, 23), (300, 100)] {
        for keys in keys {
            let lines = screen(&model(), keys, size);
            assert!(!lines.concat().contains(is_harmful), "{lines:#?}");
        }
    }
}

#[test]
fn colours_are_there_only_when_they_are_wanted() {
    let coloured = |colour: bool| {
        let terminal = terminal(&model(), &mut Ui::default(), (80, 24), colour);
        let cells = terminal.backend().buffer().content.iter();
        cells.filter(|cell| cell.fg != Color::Reset).count()
    };
    assert!(coloured(true) > 0);
    assert_eq!(coloured(false), 0);
}

#[test]
fn the_chosen_row_is_always_on_the_screen() {
    let lines = screen(&model(), &[KeyCode::End], (80, 6));
    assert!(
        lines.iter().any(|line| line.starts_with("scribe")),
        "{lines:#?}"
    );
}

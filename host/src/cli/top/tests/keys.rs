//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::model::Model;
use super::super::sheets::{Subject, Tab};
use super::super::ui::{Effect, Over, Ui};
use super::network;

fn model() -> Model {
    let mut model = Model::default();
    model.see(network(10));
    model.see(network(14));
    model
}

fn press(ui: &mut Ui, model: &Model, codes: &[KeyCode]) -> Effect {
    let press = |code: &KeyCode| ui.key(KeyEvent::new(*code, KeyModifiers::NONE), model);
    codes.iter().map(press).last().unwrap()
}

fn node(name: &str) -> Subject {
    Subject::Node(name.to_owned())
}

#[test]
fn the_chosen_row_stays_chosen_where_it_moves() {
    let (mut ui, model) = (Ui::default(), model());
    press(
        &mut ui,
        &model,
        &[KeyCode::Down, KeyCode::Down, KeyCode::Down],
    );
    let chosen = |ui: &Ui| {
        let (rows, place) = ui.rows(model.overview().unwrap());
        (rows[place].subject.clone(), place)
    };
    assert_eq!(chosen(&ui), (node("scribe"), 2));
    press(&mut ui, &model, &[KeyCode::Char('r')]);
    assert_eq!(chosen(&ui), (node("scribe"), 0));
    press(&mut ui, &model, &[KeyCode::End]);
    assert_eq!(chosen(&ui), (node("clock"), 2));
}

#[test]
fn details_open_and_close_and_follow_the_row() {
    let (mut ui, model) = (Ui::default(), model());
    press(&mut ui, &model, &[KeyCode::Down, KeyCode::Enter]);
    assert_eq!(ui.over, Over::Details(node("lamp")));
    press(&mut ui, &model, &[KeyCode::Char('?')]);
    assert_eq!(ui.over, Over::Help);
    press(&mut ui, &model, &[KeyCode::Esc]);
    assert_eq!(ui.over, Over::Nothing);
    press(
        &mut ui,
        &model,
        &[KeyCode::Tab, KeyCode::Tab, KeyCode::Enter],
    );
    assert_eq!(
        ui.over,
        Over::Details(Subject::Role("clock".into(), "timer1".into()))
    );
}

#[test]
fn tables_turn_in_a_circle_and_each_has_an_order_of_its_own() {
    let (mut ui, model) = (Ui::default(), model());
    press(&mut ui, &model, &[KeyCode::Char('s')]);
    assert_eq!(ui.sorting().column, 1);
    press(&mut ui, &model, &[KeyCode::Tab]);
    assert_eq!((ui.tab, ui.sorting().column), (Tab::Links, 0));
    press(&mut ui, &model, &[KeyCode::Char('S')]);
    assert_eq!(ui.sorting().column, Tab::Links.columns().len() - 1);
    press(&mut ui, &model, &[KeyCode::Tab, KeyCode::Tab]);
    assert_eq!((ui.tab, ui.sorting().column), (Tab::Nodes, 1));
    press(&mut ui, &model, &[KeyCode::BackTab]);
    assert_eq!(ui.tab, Tab::Roles);
}

#[test]
fn it_pauses_stops_and_ends() {
    let (mut ui, model) = (Ui::default(), Model::default());
    assert_eq!(press(&mut ui, &model, &[KeyCode::Char('p')]), Effect::Shown);
    assert!(ui.paused);
    press(&mut ui, &model, &[KeyCode::Char(' ')]);
    assert!(!ui.paused);
    assert_eq!(press(&mut ui, &model, &[KeyCode::Char('q')]), Effect::Quit);
    let mut control = |letter| {
        let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        ui.key(key, &model)
    };
    assert_eq!(control('c'), Effect::Quit);
    assert_eq!(control('z'), Effect::Suspend);
}

#[test]
fn keys_without_any_answer_do_no_harm() {
    let (mut ui, model) = (Ui::default(), Model::default());
    for code in [KeyCode::Down, KeyCode::Enter, KeyCode::End, KeyCode::PageUp] {
        press(&mut ui, &model, &[code]);
    }
    assert_eq!(ui.over, Over::Nothing);
}

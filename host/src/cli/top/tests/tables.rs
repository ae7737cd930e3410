//! What stands in the tables, and in which order.

use super::super::model::Overview;
use super::super::sheets::{Sorting, Tab, fit, plain, rate, rows, width};
use super::super::text;
use super::network;

fn overview() -> Overview {
    Overview::new(&network(14), Some(&network(10)))
}

fn first_column(tab: Tab, column: &str, falling: bool) -> Vec<String> {
    let mut columns = tab.columns().iter();
    let column = columns.position(|it| it.title == column).unwrap();
    let rows = rows(&overview(), tab, Sorting { column, falling });
    rows.into_iter()
        .map(|row| row.cells[0].text.clone())
        .collect()
}

#[test]
fn rows_are_sorted_and_what_is_unknown_comes_last() {
    assert_eq!(
        first_column(Tab::Nodes, "node", false),
        ["clock", "lamp", "scribe"]
    );
    assert_eq!(
        first_column(Tab::Nodes, "node", true),
        ["scribe", "lamp", "clock"]
    );
    assert_eq!(
        first_column(Tab::Nodes, "in/s", true),
        ["scribe", "clock", "lamp"]
    );
    assert_eq!(
        first_column(Tab::Nodes, "in/s", false),
        ["clock", "scribe", "lamp"]
    );
}

#[test]
fn names_begin_at_a_and_numbers_at_the_greatest() {
    assert!(!Sorting::by(Tab::Nodes, 0).falling);
    assert!(Sorting::by(Tab::Nodes, 3).falling);
}

#[test]
fn columns_that_have_no_room_go_by_their_rank() {
    let rows = rows(&overview(), Tab::Nodes, Sorting::by(Tab::Nodes, 0));
    let titles = |room: usize| -> Vec<&str> {
        let fitting = fit(Tab::Nodes, &rows, room);
        let needed: usize = fitting.iter().map(|(_, width)| width + 2).sum();
        assert!(
            needed <= room + 2 || fitting.len() <= 2,
            "{room}: {fitting:?}"
        );
        let columns = Tab::Nodes.columns();
        fitting
            .iter()
            .map(|(place, _)| columns[*place].title)
            .collect()
    };
    assert_eq!(titles(200).len(), Tab::Nodes.columns().len());
    let narrow = titles(80);
    for title in [
        "node", "state", "trip", "in/s", "out/s", "queued", "dropped",
    ] {
        assert!(narrow.contains(&title), "{narrow:?}");
    }
    assert_eq!(titles(10), ["node", "state"]);
    (0..200).for_each(|room| drop(titles(room)));
}

#[test]
fn plain_text_has_all_tables_in_columns_and_nothing_for_a_terminal() {
    let text = text(&overview());
    let expected = "\
clock: in 10/s (1000 B/s), out 10/s (1000 B/s)

node    state                    trip  in/s  out/s  bytes in/s  bytes out/s  queued  dropped  links   roles  up for  note
clock   up                                0     10         0 B       1000 B       6        4      1       1    14 s  kozo 1.2.3
lamp    no link for 1 min 1 s                                                                                        there is no link with it
scribe  up                     1.2 ms    10      0      1000 B          0 B       3        7      1  0 of 1    14 s  has another version of the file
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("tcp → schreiber.häuschen:22"), "{text}");
    assert!(text.contains("Datei \\u{1b}[2J voll: 構造"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn wide_characters_keep_the_columns() {
    let mut network = network(14);
    let status = network.nodes[2].status.as_mut().unwrap();
    status.version = "構造".to_owned();
    network.nodes[2].other_file = false;
    let overview = Overview::new(&network, None);
    let rows = rows(&overview, Tab::Nodes, Sorting::by(Tab::Nodes, 0));
    let text = plain(Tab::Nodes, &rows);
    assert!(text.contains("kozo 構造"), "{text}");
    assert_eq!(width("構造"), 4);
    let places: Vec<_> = text
        .lines()
        .filter_map(|line| line.find(" kozo ").map(|place| width(&line[..place])))
        .collect();
    assert_eq!(places.len(), 2);
    assert_eq!(places[0], places[1]);
}

#[test]
fn rates_are_short() {
    for (value, shown) in [
        (0.0, "0"),
        (0.04, "0.0"),
        (9.94, "9.9"),
        (9.96, "10"),
        (99_999.0, "99999"),
        (123_456.0, "123k"),
        (1e9, "1000M"),
    ] {
        assert_eq!(rate(value), shown);
    }
}

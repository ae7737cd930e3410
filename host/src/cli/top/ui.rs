//! What keys do: which table is shown, in which order, which row is chosen, and what lies over it. It
//! knows nothing of the terminal but the keys.

use kozo_ground::text::Tone;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Model, Overview};
use super::sheets::{self, Row, Sorting, Subject, Tab};

/// What is shown, and how.
#[derive(Debug)]
pub(super) struct Ui {
    pub(super) tab: Tab,
    sheets: [SheetUi; 3],
    pub(super) over: Over,
    pub(super) paused: bool,
    /// How many lines of what lies over the tables are above the screen.
    pub(super) scrolled: usize,
    /// How many rows the screen has, as it was drawn last: what a page is.
    pub(super) page: usize,
}

/// What lies over the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    Nothing,
    Help,
    Details(Subject),
}

#[derive(Debug)]
struct SheetUi {
    sorting: Sorting,
    /// The chosen row, by what it is about: it may move.
    chosen: Option<Subject>,
    /// Where it was, for when it is gone.
    place: usize,
}

/// What a key asks of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Shown,
    Quit,
    /// Stop, until the shell says go on.
    Suspend,
}

impl Default for Ui {
    fn default() -> Self {
        Self {
            tab: Tab::Nodes,
            sheets: Tab::ALL.map(|tab| SheetUi {
                sorting: Sorting::by(tab, 0),
                chosen: None,
                place: 0,
            }),
            over: Over::Nothing,
            paused: false,
            scrolled: 0,
            page: 1,
        }
    }
}

impl Ui {
    /// The order of the table that is shown.
    pub(super) fn sorting(&self) -> Sorting {
        self.sheet().sorting
    }

    /// The rows of the table that is shown, and the place of the chosen one.
    pub(super) fn rows(&self, overview: &Overview) -> (Vec<Row>, usize) {
        let sheet = self.sheet();
        let rows = sheets::rows(overview, self.tab, sheet.sorting);
        let chosen = sheet.chosen.as_ref();
        let place = rows
            .iter()
            .position(|row| Some(&row.subject) == chosen)
            .unwrap_or(sheet.place)
            .min(rows.len().saturating_sub(1));
        (rows, place)
    }

    /// What a key does.
    pub(super) fn key(&mut self, key: KeyEvent, model: &Model) -> Effect {
        if key.kind == KeyEventKind::Release {
            return Effect::Shown;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Effect::Quit,
                KeyCode::Char('z') => Effect::Suspend,
                _ => Effect::Shown,
            };
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::F(10) => return Effect::Quit,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.put_over(match self.over {
                Over::Help => Over::Nothing,
                _ => Over::Help,
            }),
            KeyCode::Esc | KeyCode::Backspace => self.put_over(Over::Nothing),
            code if self.over != Over::Nothing => self.scroll(code),
            code => self.key_of_table(code, model),
        }
        Effect::Shown
    }

    fn put_over(&mut self, over: Over) {
        self.over = over;
        self.scrolled = 0;
    }

    fn scroll(&mut self, code: KeyCode) {
        let page = self.page.max(1);
        // Drawing keeps it inside of what there is.
        self.scrolled = match code {
            KeyCode::Up | KeyCode::Char('k') => self.scrolled.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scrolled.saturating_add(1),
            KeyCode::PageUp => self.scrolled.saturating_sub(page),
            KeyCode::PageDown => self.scrolled.saturating_add(page),
            KeyCode::Home => 0,
            KeyCode::End => usize::MAX,
            KeyCode::Enter | KeyCode::Left => return self.put_over(Over::Nothing),
            _ => return,
        };
    }

    fn key_of_table(&mut self, code: KeyCode, model: &Model) {
        let columns = self.tab.columns().len();
        let column = self.sorting().column;
        match code {
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Tab::ALL.len() - 1),
            KeyCode::Char('s' | '>') | KeyCode::F(6) => self.sort_by((column + 1) % columns),
            KeyCode::Char('S' | '<') => self.sort_by((column + columns - 1) % columns),
            KeyCode::Char('r' | 'I') => {
                let sorting = &mut self.sheet_mut().sorting;
                sorting.falling = !sorting.falling;
            }
            _ => {
                if let Some(overview) = model.overview() {
                    self.key_of_rows(code, overview);
                }
            }
        }
    }

    fn key_of_rows(&mut self, code: KeyCode, overview: &Overview) {
        let (rows, place) = self.rows(overview);
        let page = self.page.max(1);
        let place = match code {
            KeyCode::Up | KeyCode::Char('k') => place.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => place + 1,
            KeyCode::PageUp => place.saturating_sub(page),
            KeyCode::PageDown => place + page,
            KeyCode::Home => 0,
            KeyCode::End => usize::MAX,
            KeyCode::Enter => {
                if let Some(row) = rows.get(place) {
                    self.choose(place, row);
                    self.put_over(Over::Details(row.subject.clone()));
                }
                return;
            }
            _ => return,
        };
        let place = place.min(rows.len().saturating_sub(1));
        if let Some(row) = rows.get(place) {
            self.choose(place, row);
        }
    }

    fn choose(&mut self, place: usize, row: &Row) {
        let sheet = self.sheet_mut();
        sheet.chosen = Some(row.subject.clone());
        sheet.place = place;
    }

    fn turn(&mut self, by: usize) {
        let place = self.place_of_tab() + by;
        self.tab = Tab::ALL[place % Tab::ALL.len()];
    }

    fn sort_by(&mut self, column: usize) {
        self.sheet_mut().sorting = Sorting::by(self.tab, column);
    }

    fn place_of_tab(&self) -> usize {
        Tab::ALL
            .iter()
            .position(|tab| *tab == self.tab)
            .unwrap_or(0)
    }

    fn sheet(&self) -> &SheetUi {
        &self.sheets[self.place_of_tab()]
    }

    fn sheet_mut(&mut self) -> &mut SheetUi {
        &mut self.sheets[self.place_of_tab()]
    }
}

/// What the keys are for.
pub(super) fn help() -> Vec<(String, Tone)> {
    let keys = [
        ("Tab, ← →", "the next table, the one before"),
        ("↑ ↓, j k", "choose a row; in details and here: scroll"),
        ("PgUp PgDn, Home End", "the same by pages, and to the ends"),
        ("Enter", "details of the chosen row"),
        ("Esc", "back to the table"),
        ("s, S", "sort by the next column, the one before"),
        ("r", "sort the other way round"),
        ("p, space", "pause, and go on"),
        ("?, h", "this help"),
        ("q, Ctrl-C", "quit"),
        ("Ctrl-Z", "back to the shell; `fg` comes back here"),
    ];
    let mut lines = vec![("Keys".to_owned(), Tone::Strong), plain("")];
    lines.extend(keys.map(|(key, what)| plain(&format!("{key:<22}{what}"))));
    lines.extend(
        [
            "",
            "Rates are of messages and bytes per second, since the answer before. What a node tells of",
            "itself is asked for through the network; `introspection` in its block decides whether it does.",
            "`trip` of a node is the round trip between it and the node that was asked.",
        ]
        .map(plain),
    );
    lines
}

fn plain(text: &str) -> (String, Tone) {
    (text.to_owned(), Tone::Plain)
}

//! Draws what is shown on a screen of whatever size. Texts come here escaped.

use kozo_ground::clock::Moment;
use kozo_ground::text::{Tone, count, shortened, span};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row as TableRow, Table, TableState};

use super::details::{details, rates_text};
use super::model::{Model, Overview, sum};
use super::sheets::{Cell, GAP, Tab, fit, width};
use super::ui::{Over, Ui, help};

/// How much of why the daemon does not answer is shown, in characters.
const LONGEST_REASON: usize = 300;

/// The keys that are always shown.
const KEYS: &str = "Tab table  ↑↓ choose  Enter details  s sort  r turn  p pause  ? help  q quit";

/// Draws all of the screen.
pub(super) fn draw(frame: &mut Frame, model: &Model, ui: &mut Ui, colour: bool, now: Moment) {
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let look = Look { colour };
    head_lines(frame, head, model, ui, look, now);
    frame.render_widget(Paragraph::new(tab_line(ui)), tabs);
    let over = ui.over.clone();
    match (&over, model.overview()) {
        (Over::Help, _) => text(frame, body, help(), ui, look),
        (Over::Details(subject), _) => text(frame, body, details(model, subject), ui, look),
        (Over::Nothing, Some(overview)) => table(frame, body, overview, ui, look),
        (Over::Nothing, None) => {}
    }
    frame.render_widget(Line::from(Span::styled(KEYS, bold())), foot);
}

/// Whether there are colours.
#[derive(Clone, Copy)]
struct Look {
    colour: bool,
}

impl Look {
    fn of(self, tone: Tone) -> Style {
        let style = Style::new();
        match (tone, self.colour) {
            (Tone::Plain, _) | (Tone::Good, false) => style,
            (Tone::Strong, _) | (Tone::Doubtful | Tone::Bad, false) => bold(),
            (Tone::Good, true) => style.fg(Color::Green),
            (Tone::Doubtful, true) => style.fg(Color::Yellow),
            (Tone::Bad, true) => style.fg(Color::Red),
        }
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn reversed() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

fn head_lines(frame: &mut Frame, area: Rect, model: &Model, ui: &Ui, look: Look, now: Moment) {
    let mut first = vec![Span::styled("kozo top", bold())];
    let mut second = Line::default();
    if let Some(overview) = model.overview() {
        let answering = overview.nodes.iter().filter(|node| node.answers).count();
        first.push(Span::raw(format!(
            "  {}: {answering} of {} answer, {} up, {}",
            overview.asked,
            count(overview.nodes.len() as u64, "node"),
            count(links_up(overview), "link"),
            count(overview.roles.len() as u64, "role"),
        )));
        second = Line::raw(sums(overview));
    }
    if ui.paused {
        first.push(Span::styled("  [paused]", look.of(Tone::Doubtful)));
    }
    match model.gone() {
        Some(gone) => {
            let text = format!(
                "no answer for {}: {}",
                span(now.since(gone.since).as_secs_f64()),
                shortened(&gone.reason, LONGEST_REASON)
            );
            second = Line::from(Span::styled(text, look.of(Tone::Bad)));
        }
        None if model.was_restarted() => {
            let text = "the daemon was restarted: its counts begin anew";
            second = Line::from(Span::styled(text, look.of(Tone::Doubtful)));
        }
        None if model.overview().is_none() => second = Line::raw("waiting for the first answer"),
        None => {}
    }
    frame.render_widget(Paragraph::new(vec![Line::from(first), second]), area);
}

fn links_up(overview: &Overview) -> u64 {
    let up = overview
        .links
        .iter()
        .filter(|link| link.up_seconds.is_some());
    up.count() as u64
}

fn sums(overview: &Overview) -> String {
    let nodes = &overview.nodes;
    let queued = nodes
        .iter()
        .fold(0, |sum: usize, node| sum.saturating_add(node.queued));
    let dropped = nodes
        .iter()
        .fold(0, |sum: u64, node| sum.saturating_add(node.dropped));
    format!(
        "all nodes: {}, queued {queued}, dropped {dropped}",
        rates_text(&sum(nodes.iter().map(|node| node.rates)))
    )
}

fn tab_line(ui: &Ui) -> Line<'static> {
    let mut spans = Vec::new();
    for tab in Tab::ALL {
        let style = if tab == ui.tab {
            reversed()
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!(" {} ", tab.title()), style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn table(frame: &mut Frame, area: Rect, overview: &Overview, ui: &mut Ui, look: Look) {
    let (rows, chosen) = ui.rows(overview);
    ui.page = usize::from(area.height).saturating_sub(1).max(1);
    let sorting = ui.sorting();
    let columns = ui.tab.columns();
    let places = fit(ui.tab, &rows, usize::from(area.width));
    let widths = places
        .iter()
        .map(|(_, width)| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)));
    let titles = places.iter().map(|(place, _)| {
        let column = &columns[*place];
        let mark = match (*place == sorting.column, sorting.falling) {
            (true, true) => "▼",
            (true, false) => "▲",
            (false, _) => "",
        };
        aligned(Line::raw(format!("{}{mark}", column.title)), column.right)
    });
    let shown = rows.iter().map(|row| {
        TableRow::new(places.iter().map(|(place, width)| {
            let cell = row.cells.get(*place);
            let line = cell.map_or_else(Line::default, |cell| {
                Line::from(Span::styled(cut(cell, *width), look.of(cell.tone)))
            });
            aligned(line, columns[*place].right)
        }))
    });
    let table = Table::new(shown.collect::<Vec<_>>(), widths)
        .header(TableRow::new(titles).style(bold()))
        .column_spacing(GAP as u16)
        .row_highlight_style(reversed());
    let mut state = TableState::new().with_selected(Some(chosen).filter(|_| !rows.is_empty()));
    frame.render_stateful_widget(table, area, &mut state);
}

fn aligned(line: Line<'static>, right: bool) -> Line<'static> {
    if right { line.right_aligned() } else { line }
}

/// What of a cell fits into so many columns of the terminal, with a sign where it was cut.
fn cut(cell: &Cell, room: usize) -> String {
    if cell.width() <= room {
        return cell.text.clone();
    }
    let mut kept = String::new();
    for character in cell.text.chars() {
        kept.push(character);
        if width(&kept) + 1 > room {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

/// Lines over the tables, broken where the screen ends.
fn text(frame: &mut Frame, area: Rect, lines: Vec<(String, Tone)>, ui: &mut Ui, look: Look) {
    let room = usize::from(area.width).max(1);
    let lines: Vec<Line> = lines
        .into_iter()
        .flat_map(|(text, tone)| {
            let style = look.of(tone);
            broken(&text, room)
                .into_iter()
                .map(move |part| Line::from(Span::styled(part, style)))
        })
        .collect();
    ui.page = usize::from(area.height).max(1);
    ui.scrolled = ui.scrolled.min(lines.len().saturating_sub(ui.page));
    let shown = lines.into_iter().skip(ui.scrolled).take(ui.page);
    frame.render_widget(Paragraph::new(shown.collect::<Vec<_>>()), area);
}

/// A line in parts of so many columns at most, broken at spaces where there are some.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    for character in text.chars() {
        part.push(character);
        if width(&part) <= room {
            continue;
        }
        part.pop();
        let rest = match part
            .rfind(' ')
            .filter(|place| !part[..*place].trim().is_empty())
        {
            Some(place) => part.split_off(place).trim_start().to_owned(),
            None => String::new(),
        };
        parts.push(std::mem::replace(&mut part, rest));
        if character != ' ' || !part.is_empty() {
            part.push(character);
        }
    }
    parts.push(part);
    parts
}

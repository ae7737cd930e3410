//! The three tables of `kozo top` as texts: what stands in which column, in which order, and how wide.
//! All texts of others are escaped here, where they become cells.

use std::cmp::Ordering;

use kozo_ground::text::{Tone, bytes, count, shortened, span};
use kozo_status::{BusState, PeerState, RoleState};
use ratatui::text::Span;

use super::model::{BusLine, LinkLine, NodeLine, Overview, Rates, RoleLine};

/// How much of a text of others a cell shows, in characters.
const LONGEST_TEXT: usize = 120;

/// What stands between two columns.
pub(super) const GAP: usize = 2;

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Nodes,
    Links,
    Roles,
}

impl Tab {
    pub(super) const ALL: [Self; 3] = [Self::Nodes, Self::Links, Self::Roles];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Nodes => "Nodes",
            Self::Links => "Links",
            Self::Roles => "Roles",
        }
    }

    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Nodes => &NODES,
            Self::Links => &LINKS,
            Self::Roles => &ROLES,
        }
    }
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Whether it is aligned to the right, as numbers are.
    pub(super) right: bool,
    /// Which columns go first where there is no room: those with the highest rank.
    rank: u8,
    /// How wide it may be at most, where there is no room for all.
    most: usize,
}

const fn text(title: &'static str, rank: u8, most: usize) -> Column {
    Column {
        title,
        right: false,
        rank,
        most,
    }
}

const fn number(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        right: true,
        rank,
        most: 12,
    }
}

static NODES: [Column; 13] = [
    text("node", 0, 20),
    text("state", 0, 18),
    number("trip", 2),
    number("in/s", 1),
    number("out/s", 1),
    number("bytes in/s", 4),
    number("bytes out/s", 4),
    number("queued", 3),
    number("dropped", 3),
    number("links", 5),
    number("roles", 5),
    number("up for", 6),
    text("note", 7, 100),
];

static LINKS: [Column; 12] = [
    text("node", 0, 20),
    text("peer", 0, 20),
    text("state", 0, 14),
    number("trip", 2),
    number("out/s", 1),
    number("in/s", 1),
    number("bytes out/s", 5),
    number("bytes in/s", 5),
    number("queued", 3),
    number("dropped", 4),
    number("for", 6),
    text("over", 7, 100),
];

static ROLES: [Column; 11] = [
    text("node", 0, 20),
    text("role", 0, 20),
    text("state", 0, 14),
    number("in/s", 1),
    number("taken/s", 1),
    number("waiting", 2),
    number("dropped", 3),
    number("restarts", 4),
    number("failures", 4),
    text("module", 5, 20),
    text("last error", 6, 100),
];

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Node(String),
    Link(String, String),
    /// A node, and a bus that it is on.
    Bus(String, String),
    Role(String, String),
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) subject: Subject,
    pub(super) cells: Vec<Cell>,
}

/// A text at its place, and where it comes when rows are sorted by it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
    order: Order,
}

#[derive(Debug, Clone, PartialEq)]
enum Order {
    Text(String),
    Number(f64),
    /// Nothing is known: behind all others, in whichever direction.
    Unknown,
}

impl Cell {
    fn text(text: &str, tone: Tone) -> Self {
        Self {
            text: shortened(text, LONGEST_TEXT).into_owned(),
            tone,
            order: match text {
                "" => Order::Unknown,
                text => Order::Text(text.to_lowercase()),
            },
        }
    }

    fn number(value: Option<f64>, shown: impl Fn(f64) -> String) -> Self {
        Self {
            text: value.map_or_else(String::new, shown),
            tone: Tone::Plain,
            order: value.map_or(Order::Unknown, Order::Number),
        }
    }

    fn count(value: u64) -> Self {
        Self::number(Some(value as f64), |_| value.to_string())
    }

    /// A count that is zero as long as all is well.
    fn fault_count(value: u64) -> Self {
        let tone = if value > 0 {
            Tone::Doubtful
        } else {
            Tone::Plain
        };
        Self {
            tone,
            ..Self::count(value)
        }
    }

    /// How many columns of the terminal it takes.
    pub(super) fn width(&self) -> usize {
        width(&self.text)
    }
}

/// How many columns of a terminal a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// By which column the rows of a table are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sorting {
    pub(super) column: usize,
    pub(super) falling: bool,
}

impl Sorting {
    /// By a column in the direction that one wants first: names from A, numbers from the greatest.
    pub(super) fn by(tab: Tab, column: usize) -> Self {
        let falling = tab.columns().get(column).is_some_and(|it| it.right);
        Self { column, falling }
    }
}

/// The rows of a table, sorted. Those that are alike stay in the order of their names.
pub(super) fn rows(overview: &Overview, tab: Tab, sorting: Sorting) -> Vec<Row> {
    let mut rows: Vec<Row> = match tab {
        Tab::Nodes => overview.nodes.iter().map(node_row).collect(),
        Tab::Links => {
            let links = overview.links.iter().map(link_row);
            links.chain(overview.buses.iter().map(bus_row)).collect()
        }
        Tab::Roles => overview.roles.iter().map(role_row).collect(),
    };
    rows.sort_by(|one, other| {
        let order = |row: &Row| {
            let cell = row.cells.get(sorting.column);
            cell.map_or(Order::Unknown, |cell| cell.order.clone())
        };
        compared(&order(one), &order(other), sorting.falling)
    });
    rows
}

fn compared(one: &Order, other: &Order, falling: bool) -> Ordering {
    let order = match (one, other) {
        (Order::Text(one), Order::Text(other)) => one.cmp(other),
        (Order::Number(one), Order::Number(other)) => one.total_cmp(other),
        (Order::Unknown, Order::Unknown) => return Ordering::Equal,
        (Order::Unknown, _) => return Ordering::Greater,
        (_, Order::Unknown) => return Ordering::Less,
        (Order::Text(_), Order::Number(_)) => Ordering::Less,
        (Order::Number(_), Order::Text(_)) => Ordering::Greater,
    };
    if falling { order.reverse() } else { order }
}

/// Which columns there is room for, each with its place and its width.
pub(super) fn fit(tab: Tab, rows: &[Row], room: usize) -> Vec<(usize, usize)> {
    let columns = tab.columns();
    // The mark of the order stands behind the title.
    let title = |place: usize| width(columns[place].title) + 1;
    let mut fitting: Vec<(usize, usize)> = (0..columns.len())
        .map(|place| (place, widest(rows, place).max(title(place))))
        .collect();
    let needed = |fitting: &[(usize, usize)]| {
        let widths: usize = fitting.iter().map(|(_, width)| width + GAP).sum();
        widths.saturating_sub(GAP)
    };
    if needed(&fitting) > room {
        for (place, width) in &mut fitting {
            *width = (*width).min(columns[*place].most);
        }
    }
    while needed(&fitting) > room {
        let worst = fitting
            .iter()
            .enumerate()
            .max_by_key(|(_, (place, _))| columns[*place].rank)
            .filter(|(_, (place, _))| columns[*place].rank > 0)
            .map(|(index, _)| index);
        let Some(worst) = worst else { break };
        let excess = needed(&fitting) - room;
        let (place, width) = fitting[worst];
        if !columns[place].right && width >= title(place) + excess {
            // A text may be cut short.
            fitting[worst].1 = width - excess;
        } else {
            fitting.remove(worst);
        }
    }
    fitting
}

/// The width of a column's widest cell.
fn widest(rows: &[Row], place: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.cells.get(place));
    cells.map(Cell::width).max().unwrap_or(0)
}

fn node_row(line: &NodeLine) -> Row {
    let (state, tone) = match (line.answers, line.unreachable_seconds) {
        (true, _) => ("up".to_owned(), Tone::Good),
        (false, Some(seconds)) => (format!("no link for {}", span(seconds)), Tone::Bad),
        (false, None) => ("silent".to_owned(), Tone::Doubtful),
    };
    let note = match (&line.error, line.other_file, &line.version) {
        (Some(error), _, _) => error.clone(),
        (None, true, _) => "has another version of the file".to_owned(),
        (None, false, version) => version
            .as_ref()
            .map_or_else(String::new, |version| format!("kozo {version}")),
    };
    let noted = if line.error.is_some() || line.other_file {
        Tone::Doubtful
    } else {
        Tone::Plain
    };
    let count = |value: usize| Some(value as f64).filter(|_| line.answers);
    let mut cells = vec![
        Cell::text(line.node.as_str(), Tone::Plain),
        Cell::text(&state, tone),
        Cell::number(line.round_trip_seconds, span),
    ];
    cells.extend(rate_cells(&line.rates, Ways::InFirst));
    cells.extend([
        Cell::number(count(line.queued), |_| line.queued.to_string()),
        match line.answers {
            true => Cell::fault_count(line.dropped),
            false => Cell::number(None, rate),
        },
        Cell::number(count(line.linked), |_| line.linked.to_string()),
        Cell::number(count(line.roles), |_| {
            if line.roles_running == line.roles {
                line.roles.to_string()
            } else {
                format!("{} of {}", line.roles_running, line.roles)
            }
        }),
        Cell::number(line.running_seconds, span),
        Cell::text(&note, noted),
    ]);
    Row {
        subject: Subject::Node(line.node.to_string()),
        cells,
    }
}

fn link_row(line: &LinkLine) -> Row {
    let (state, tone) = link_state(line.state, line.next_dial_seconds);
    let over = match (&line.transport, &line.address, &line.error) {
        (Some(transport), Some(address), _) => {
            let arrow = if line.dialled == Some(true) {
                "→"
            } else {
                "←"
            };
            let more = match line.links {
                0 | 1 => String::new(),
                links => format!(" (one of {links})"),
            };
            format!("{transport} {arrow} {address}{more}")
        }
        (_, _, Some(error)) => error.clone(),
        _ => String::new(),
    };
    let mut cells = vec![
        Cell::text(line.node.as_str(), Tone::Plain),
        Cell::text(line.peer.as_str(), Tone::Plain),
        Cell::text(&state, tone),
        Cell::number(line.round_trip_seconds, span),
    ];
    cells.extend(rate_cells(&line.rates, Ways::OutFirst));
    cells.extend([
        Cell::count(line.queued as u64),
        Cell::fault_count(line.dropped),
        Cell::number(line.up_seconds, span),
        Cell::text(&over, Tone::Plain),
    ]);
    Row {
        subject: Subject::Link(line.node.to_string(), line.peer.to_string()),
        cells,
    }
}

/// A bus among links: what is at its other end are so many nodes.
fn bus_row(line: &BusLine) -> Row {
    let (state, tone) = bus_state(line.state);
    let over = match (&line.error, &line.server) {
        (Some(error), _) => error.as_str(),
        (None, server) => server.as_deref().unwrap_or_default(),
    };
    let tone_of_over = if line.error.is_some() {
        Tone::Doubtful
    } else {
        Tone::Plain
    };
    let nodes = count(line.nodes_heard as u64, "node");
    let mut cells = vec![
        Cell::text(line.node.as_str(), Tone::Plain),
        Cell::text(&format!("bus {} ({nodes})", line.bus), Tone::Plain),
        Cell::text(state, tone),
        Cell::number(line.round_trip_seconds, span),
    ];
    cells.extend(rate_cells(&line.rates, Ways::OutFirst));
    cells.extend([
        Cell::count(line.queued as u64),
        Cell::fault_count(line.dropped),
        Cell::number(Some(line.since_seconds), span),
        Cell::text(over, tone_of_over),
    ]);
    Row {
        subject: Subject::Bus(line.node.to_string(), line.bus.clone()),
        cells,
    }
}

/// How it stands between a node and the engine of a bus.
pub(super) fn bus_state(state: BusState) -> (&'static str, Tone) {
    match state {
        BusState::Connecting => ("connecting", Tone::Doubtful),
        BusState::Up => ("up", Tone::Good),
        BusState::Down => ("down", Tone::Bad),
    }
}

fn role_row(line: &RoleLine) -> Row {
    let (state, tone) = role_state(line.state, line.restart_in_seconds);
    Row {
        subject: Subject::Role(line.node.to_string(), line.role.to_string()),
        cells: vec![
            Cell::text(line.node.as_str(), Tone::Plain),
            Cell::text(line.role.as_str(), Tone::Plain),
            Cell::text(&state, tone),
            Cell::number(line.received_per_second, rate),
            Cell::number(line.taken_per_second, rate),
            Cell::count(line.waiting as u64),
            Cell::fault_count(line.dropped),
            Cell::count(line.restarts),
            Cell::fault_count(line.failures),
            Cell::text(line.module.as_str(), Tone::Plain),
            Cell::text(line.error.as_deref().unwrap_or_default(), Tone::Doubtful),
        ],
    }
}

enum Ways {
    InFirst,
    OutFirst,
}

fn rate_cells(rates: &Rates, ways: Ways) -> [Cell; 4] {
    let received = Cell::number(rates.received_per_second, rate);
    let sent = Cell::number(rates.sent_per_second, rate);
    let bytes_received = Cell::number(rates.bytes_received_per_second, byte_rate);
    let bytes_sent = Cell::number(rates.bytes_sent_per_second, byte_rate);
    match ways {
        Ways::InFirst => [received, sent, bytes_received, bytes_sent],
        Ways::OutFirst => [sent, received, bytes_sent, bytes_received],
    }
}

/// How it stands between two nodes.
pub(super) fn link_state(state: PeerState, next_dial: Option<f64>) -> (String, Tone) {
    let (text, tone) = match state {
        PeerState::Up => ("up", Tone::Good),
        PeerState::Greeting => ("greeting", Tone::Doubtful),
        PeerState::Dialling => ("dialling", Tone::Doubtful),
        PeerState::Waiting => {
            let wait = span(next_dial.unwrap_or_default());
            return (format!("down, in {wait}"), Tone::Bad);
        }
        PeerState::OnDemand => ("on demand", Tone::Plain),
        PeerState::LeftToPeer => ("left to peer", Tone::Doubtful),
        PeerState::NoWay => ("no way", Tone::Bad),
        PeerState::Never => ("never", Tone::Plain),
        PeerState::Stopping => ("stopping", Tone::Plain),
        PeerState::OverBus => ("over a bus", Tone::Plain),
    };
    (text.to_owned(), tone)
}

/// Where a role is in its life.
pub(super) fn role_state(state: RoleState, restart_in: Option<f64>) -> (String, Tone) {
    let (text, tone) = match state {
        RoleState::Starting => ("starting", Tone::Doubtful),
        RoleState::Running => ("running", Tone::Good),
        RoleState::Waiting => {
            let wait = span(restart_in.unwrap_or_default());
            return (format!("failed, in {wait}"), Tone::Bad);
        }
        RoleState::Stopping => ("stopping", Tone::Doubtful),
        RoleState::Stopped => ("stopped", Tone::Bad),
    };
    (text.to_owned(), tone)
}

/// So many a second.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        slow if slow < 9.95 => format!("{slow:.1}"),
        usual if usual < 99_999.5 => format!("{usual:.0}"),
        fast if fast < 99_999_500.0 => format!("{:.0}k", fast / 1e3),
        faster => format!("{:.0}M", faster / 1e6),
    }
}

/// So many bytes a second.
pub(super) fn byte_rate(per_second: f64) -> String {
    bytes(per_second.round() as u64)
}

/// A table as plain text, with all of its columns.
pub(super) fn plain(tab: Tab, rows: &[Row]) -> String {
    let columns = tab.columns();
    let widths: Vec<usize> = (0..columns.len())
        .map(|place| widest(rows, place).max(width(columns[place].title)))
        .collect();
    let mut text = String::new();
    let mut line = |texts: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((column, wide), text) in columns.iter().zip(&widths).zip(texts) {
            let blank = " ".repeat(wide.saturating_sub(width(text)));
            match column.right {
                true => line = line + &blank + text,
                false => line = line + text + &blank,
            }
            line.push_str(&" ".repeat(GAP));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&mut columns.iter().map(|column| column.title));
    for row in rows {
        line(&mut row.cells.iter().map(|cell| cell.text.as_str()));
    }
    text
}

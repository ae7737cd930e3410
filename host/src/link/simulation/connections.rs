//! The connections of the simulated network: made, broken, and bytes on their way.

use super::*;

impl World {
    pub(super) fn dialled(
        &mut self,
        from: usize,
        to: usize,
        life: u64,
        attempt: AttemptId,
        own: usize,
    ) {
        if self.nodes[from].life != life || !self.nodes[from].up {
            return;
        }
        let now = self.now;
        let pair = (from.min(to), from.max(to), own);
        if !self.nodes[to].up || self.blocked.contains(&pair) {
            self.peer(from, to)
                .dial_failed(attempt, "t", "unreachable", now);
        } else {
            let path = Path {
                transport: format!("t{own}"),
                address: "here".into(),
            };
            let dialler = self.peer(from, to).linked(attempt, path.clone(), now);
            let acceptor = self.peer(to, from).accepted(path, now);
            self.connections.push(Connection {
                nodes: [NodeIndex(from), NodeIndex(to)],
                keys: [dialler, acceptor],
                decoders: Default::default(),
                busy_until: [now; 2],
                last_arrival: [now; 2],
                cut: false,
                own,
            });
            let connection = self.connections.len() - 1;
            for side in 0..2 {
                if self.connections[connection].keys[side].is_none() {
                    self.close_end(End { connection, side });
                }
            }
            self.drive(to);
        }
        self.drive(from);
    }

    pub(super) fn arrive(&mut self, end: End, bytes: &[u8]) {
        let connection = &mut self.connections[end.connection];
        let (node, from) = (
            connection.nodes[end.side].0,
            connection.nodes[1 - end.side].0,
        );
        let Some(key) = connection.keys[end.side] else {
            return;
        };
        let mut frames = Vec::new();
        let decoder = &mut connection.decoders[end.side];
        decoder
            .decode(bytes, |frame| {
                frames.push(frame);
                Ok::<(), crate::wire::FrameError>(())
            })
            .unwrap();
        let incomplete = decoder.pending().map(|(_, announced)| announced);
        let now = self.now;
        self.peer(node, from).heard(key, incomplete, now);
        for frame in frames {
            match self.peer(node, from).received(key, frame, now) {
                Ok(Some(delivery)) => {
                    let (life, number, _): (u64, u64, Vec<u8>) =
                        rmp_serde::from_slice(delivery.message.data()).unwrap();
                    self.nodes[node]
                        .got
                        .entry((from, life))
                        .or_default()
                        .push(number);
                }
                Ok(None) => {}
                Err(violation) => panic!("{violation}"),
            }
        }
        self.drive(node);
    }

    /// An end learns that its connection is gone.
    pub(super) fn broken(&mut self, end: End, reason: &str) {
        let connection = &mut self.connections[end.connection];
        let (node, other) = (
            connection.nodes[end.side].0,
            connection.nodes[1 - end.side].0,
        );
        if let Some(key) = connection.keys[end.side].take() {
            let now = self.now;
            self.peer(node, other)
                .closed(key, Ending::Fault, reason, now);
            self.drive(node);
        }
    }

    /// This end closes: the other learns of it behind what is under way.
    pub(super) fn close_end(&mut self, end: End) {
        let connection = &mut self.connections[end.connection];
        connection.keys[end.side] = None;
        if !connection.cut {
            let arrival = connection.last_arrival[end.side].since(self.now);
            let delay = arrival + self.weather.delay;
            self.at(delay, Event::Broken(end.other()));
        }
    }

    /// Cuts a random connection that is in use. Each end learns of it soon, later, or by silence.
    pub(super) fn cut_one(&mut self) {
        let alive: Vec<_> = (0..self.connections.len())
            .filter(|&index| {
                let connection = &self.connections[index];
                !connection.cut && connection.keys.iter().any(Option::is_some)
            })
            .collect();
        if let Some(connection) = self.random.choice(alive) {
            self.cut(connection);
        }
    }

    pub(super) fn cut(&mut self, connection: usize) {
        self.connections[connection].cut = true;
        for side in 0..2 {
            if self.random.u8(0..3) > 0 {
                let delay = self.chance(Duration::from_secs(5));
                self.at(delay, Event::Broken(End { connection, side }));
            }
        }
    }

    /// Cuts everything that goes over a transport between two nodes, and keeps it cut.
    pub(super) fn block(&mut self, a: usize, b: usize, own: usize) {
        self.blocked.push((a.min(b), a.max(b), own));
        for connection in 0..self.connections.len() {
            let Connection {
                nodes,
                own: transport,
                cut,
                ..
            } = &self.connections[connection];
            let between =
                *nodes == [NodeIndex(a), NodeIndex(b)] || *nodes == [NodeIndex(b), NodeIndex(a)];
            if between && *transport == own && !cut {
                self.cut(connection);
            }
        }
    }

    pub(super) fn unblock(&mut self) {
        self.blocked.clear();
    }

    pub(super) fn transmit(&mut self, end: End, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let jitter = self.chance(self.weather.jitter);
        let connection = &mut self.connections[end.connection];
        let takes = Duration::from_secs_f64(bytes.len() as f64 / self.weather.rate);
        let sent = connection.busy_until[end.side].max(self.now) + takes;
        connection.busy_until[end.side] = sent;
        let arrival = (sent + self.weather.delay + jitter)
            .max(connection.last_arrival[end.side] + Duration::from_nanos(1));
        connection.last_arrival[end.side] = arrival;
        if !connection.cut {
            self.at(arrival.since(self.now), Event::Arrive(end.other(), bytes));
        }
    }

    pub(super) fn end(&self, node: usize, key: LinkKey, other: usize) -> Option<End> {
        self.connections
            .iter()
            .enumerate()
            .rev()
            .find_map(|(connection, it)| {
                (0..2)
                    .find(|&side| {
                        it.nodes[side] == NodeIndex(node)
                            && it.nodes[1 - side] == NodeIndex(other)
                            && it.keys[side] == Some(key)
                    })
                    .map(|side| End { connection, side })
            })
    }
}

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
            let path = LinkPath {
                transport: format!("t{own}"),
                address: "here".into(),
            };
            let late = self.weather.jitter * 6;
            let served = [(); 2].map(|()| now + self.chance(late));
            let dialler = self.peer(from, to).linked(attempt, path.clone(), now);
            let acceptor = self.peer(to, from).accepted(path, now);
            self.connections.push(SimulatedConnection {
                nodes: [NodeIndex(from), NodeIndex(to)],
                keys: [dialler, acceptor],
                decoders: Default::default(),
                lines: Default::default(),
                served,
                packets: Default::default(),
                last_arrival: [now; 2],
                cut: false,
                own,
            });
            let connection = self.connections.len() - 1;
            for side in 0..2 {
                if self.connections[connection].keys[side].is_none() {
                    self.close_end(ConnectionEnd { connection, side });
                }
            }
            self.drive(to);
        }
        self.drive(from);
    }

    pub(super) fn arrive(&mut self, end: ConnectionEnd, bytes: &[u8], is_end: bool) {
        let connection = &mut self.connections[end.connection];
        let (node, from) = (
            connection.nodes[end.side].0,
            connection.nodes[1 - end.side].0,
        );
        let Some(key) = connection.keys[end.side] else {
            return;
        };
        let now = self.now;
        let connection = &mut self.connections[end.connection];
        let packet = &mut connection.packets[end.side];
        packet.extend_from_slice(bytes);
        if self.encrypted && !is_end {
            self.peer(node, from).moved(key, now);
            return;
        }
        let mut frames = Vec::new();
        let decoder = &mut connection.decoders[end.side];
        decoder
            .decode(&std::mem::take(packet), |frame| {
                frames.push(frame);
                Ok::<(), kozo_wire::FrameError>(())
            })
            .unwrap();
        let pending = decoder.pending();
        self.peer(node, from).moved(key, now);
        self.peer(node, from).heard(key, pending, now);
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
    pub(super) fn broken(&mut self, end: ConnectionEnd, reason: &str) {
        let connection = &mut self.connections[end.connection];
        let (node, other) = (
            connection.nodes[end.side].0,
            connection.nodes[1 - end.side].0,
        );
        if let Some(key) = connection.keys[end.side].take() {
            let now = self.now;
            self.peer(node, other)
                .closed(key, LinkEnding::Fault, reason, now);
            self.drive(node);
        }
    }

    /// This end closes: the other learns of it behind what is under way.
    pub(super) fn close_end(&mut self, end: ConnectionEnd) {
        let connection = &mut self.connections[end.connection];
        connection.keys[end.side] = None;
        self.put(end, Piece::End);
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
                self.at(delay, Happening::Broken(ConnectionEnd { connection, side }));
            }
        }
    }

    /// Cuts everything that goes over a transport between two nodes, and keeps it cut.
    pub(super) fn block(&mut self, a: usize, b: usize, own: usize) {
        self.blocked.push((a.min(b), a.max(b), own));
        for connection in 0..self.connections.len() {
            let SimulatedConnection {
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

    pub(super) fn transmit(&mut self, end: ConnectionEnd, bytes: &[u8]) {
        for packet in bytes.chunks(LONGEST_PACKET) {
            let mut rest = packet;
            if !self.encrypted {
                // What is not cut into packets is one stream: a piece may end anywhere.
                let line = &mut self.connections[end.connection].lines[end.side];
                rest = line.append(rest);
            }
            while !rest.is_empty() {
                let length = self.random.usize(1..=LONGEST_PIECE).min(rest.len());
                let (piece, tail) = rest.split_at(length);
                rest = tail;
                self.put(end, Piece::Bytes(piece.to_vec(), rest.is_empty()));
            }
        }
    }

    /// Puts something into a socket.
    fn put(&mut self, end: ConnectionEnd, piece: Piece) {
        let line = &mut self.connections[end.connection].lines[end.side];
        line.length += piece.length();
        line.pieces.push_back(piece);
        if line.pieces.len() == 1 {
            self.start_leaving(end);
        }
    }

    /// The first piece in a socket is on its way out.
    fn start_leaving(&mut self, end: ConnectionEnd) {
        let line = &self.connections[end.connection].lines[end.side];
        if let Some(first) = line.pieces.front() {
            let takes = Duration::from_secs_f64(first.length() as f64 / self.weather.rate);
            self.at(takes, Happening::Leave(end));
        }
    }

    /// It has left; nothing more does when the connection is cut.
    pub(super) fn leave(&mut self, end: ConnectionEnd) {
        let jitter = self.chance(self.weather.jitter);
        let connection = &mut self.connections[end.connection];
        if connection.cut {
            return;
        }
        let line = &mut connection.lines[end.side];
        let Some(piece) = line.pieces.pop_front() else {
            return;
        };
        let waited = line.length > SOCKET_BUFFER;
        line.length -= piece.length();
        let has_room = line.length <= SOCKET_BUFFER;
        let arrival = (self.now + self.weather.delay + jitter)
            .max(connection.last_arrival[end.side] + Duration::from_nanos(1));
        connection.last_arrival[end.side] = arrival;
        let (key, nodes) = (connection.keys[end.side], connection.nodes);
        let event = match piece {
            Piece::Bytes(bytes, is_end) => Happening::Arrive(end.other(), bytes, is_end),
            Piece::End => Happening::Broken(end.other()),
        };
        self.at(arrival.since(self.now), event);
        self.start_leaving(end);
        let (node, other) = (nodes[end.side].0, nodes[1 - end.side].0);
        if let Some(key) = key.filter(|_| waited && self.nodes[node].up) {
            let now = self.now;
            self.peer(node, other).moved(key, now);
            if has_room {
                self.wake(node, Duration::ZERO);
            }
        }
    }

    pub(super) fn end(&self, node: usize, key: LinkKey, other: usize) -> Option<ConnectionEnd> {
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
                    .map(|side| ConnectionEnd { connection, side })
            })
    }
}

impl SendBuffer {
    /// Fills the last piece that waits up, and returns what does not fit.
    fn append<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let is_waiting = self.pieces.len() > 1;
        match self.pieces.back_mut() {
            Some(Piece::Bytes(last, _)) if is_waiting => {
                let room = LONGEST_PIECE.saturating_sub(last.len()).min(bytes.len());
                let (fitting, rest) = bytes.split_at(room);
                last.extend_from_slice(fitting);
                self.length += room;
                rest
            }
            _ => bytes,
        }
    }
}

impl Piece {
    fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes, _) => bytes.len(),
            Self::End => 0,
        }
    }
}

//! The engine: who gets what, and when.

use bytes::Bytes;

use super::*;
use crate::{Output, Published};

/// A datagram on its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Carried {
    pub(super) subject: String,
    pub(super) reply: Option<String>,
    pub(super) data: Bytes,
}

/// What happens to datagrams by chance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    /// How many of a thousand are lost on the way to one node.
    pub(super) lost: u32,
    /// How many of a thousand come twice.
    pub(super) repeated: u32,
    /// How many of a thousand may overtake others, or be overtaken.
    pub(super) reordered: u32,
    /// How many of a thousand the module has no room for.
    pub(super) full: u32,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: MILLI,
            jitter: MILLI,
            lost: 0,
            repeated: 0,
            reordered: 0,
            full: 0,
        }
    }
}

impl World {
    fn chance(&mut self, of_thousand: u32) -> bool {
        self.random.u32(0..1000) < of_thousand
    }

    fn span(&mut self) -> Duration {
        self.weather.delay + self.weather.jitter.mul_f64(self.random.f64())
    }

    /// Takes what a node wants to be published.
    pub(super) fn publish(&mut self, index: usize, bus: &mut Bus, now: Moment) {
        while let Some(output) = bus.output(now) {
            let Output::Publish {
                subject,
                reply,
                data,
            } = output
            else {
                continue;
            };
            if self.chance(self.weather.full) {
                bus.published(Published::Full, now);
                continue;
            }
            if subject.contains(".ask.") {
                self.asks += 1;
            }
            self.nodes[index].number += 1;
            let number = self.nodes[index].number;
            bus.published(Published::Accepted(number), now);
            let carried = Carried {
                subject,
                reply,
                data,
            };
            let connection = self.nodes[index].connection;
            // What a node publishes reaches the engine in order.
            let span = self.weather.delay;
            self.at(
                span,
                Event::Reach {
                    from: index,
                    connection,
                    number,
                    carried,
                },
            );
        }
    }

    /// A datagram has reached the engine.
    pub(super) fn reached(&mut self, from: usize, number: u64, carried: Carried) {
        let connection = self.nodes[from].connection;
        let span = self.weather.delay;
        self.at(
            span,
            Event::Confirm {
                to: from,
                connection,
                number,
            },
        );
        let found = self.distribute(from, &carried);
        if !found && carried.reply.is_some() {
            let subject = carried.subject.clone();
            self.at(
                span,
                Event::Nobody {
                    to: from,
                    connection,
                    subject,
                },
            );
        }
        if self.keeps && self.carried.len() < 5000 {
            self.carried.push(carried);
        }
    }

    /// Gives a datagram to all that have subscribed to it; whether there are any.
    pub(super) fn distribute(&mut self, from: usize, carried: &Carried) -> bool {
        let mut found = false;
        for to in 0..self.nodes.len() {
            let this = &self.nodes[to];
            let patterns = this.bus.as_ref().map_or(&[][..], |bus| bus.patterns());
            let wants = patterns
                .iter()
                .any(|pattern| fits(pattern, &carried.subject));
            if !wants || !this.is_connected {
                continue;
            }
            found = true;
            let times = match () {
                () if self.chance(self.weather.lost) => 0,
                () if self.chance(self.weather.repeated) => 2,
                () => 1,
            };
            for _ in 0..times {
                let mut arrives = self.now + self.span();
                if self.chance(self.weather.reordered) {
                    arrives += self.span() * 5;
                } else {
                    let last = self.last.entry((from, to)).or_default();
                    arrives = arrives.max(*last);
                    *last = arrives;
                }
                let connection = self.nodes[to].connection;
                let carried = carried.clone();
                self.at(
                    arrives - self.now,
                    Event::Arrive {
                        to,
                        connection,
                        carried,
                    },
                );
            }
        }
        found
    }

    pub(super) fn arrive(&mut self, to: usize, carried: &Carried) {
        if self.nodes[to].inbox.is_some() {
            return self.post(to, carried);
        }
        self.look_at(to, carried);
    }

    /// A node looks at a datagram.
    pub(super) fn look_at(&mut self, to: usize, carried: &Carried) {
        let now = self.clock(to);
        if let Some(bus) = &mut self.nodes[to].bus {
            bus.received(
                &carried.subject,
                carried.reply.as_deref(),
                &carried.data,
                now,
            );
            self.drive(to);
        }
    }
}

/// Whether a subject fits a pattern.
pub(super) fn fits(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for token in pattern.split('.') {
        match (token, tokens.next()) {
            (">", Some(_)) => return true,
            (_, None) => return false,
            ("*", _) => {}
            (token, Some(other)) if token == other => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

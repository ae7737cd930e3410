//! What this node writes over a peer's links, and when it has something to write.

use serde_bytes::ByteBuf;

use kozo_ground::clock::Moment;
use kozo_wire::{BUS, FrameWriter, Hello, PROTOCOL, QUESTIONS};

use super::Peer;
use crate::live::{Link, LinkStage};
use crate::terms::{LinkEnding, LinkKey, LinkOutput};

/// How much [`Peer::output`] adds at a time, in bytes; the last message may exceed it. Whoever shares the peer waits
/// meanwhile, if it cannot leave what it has elsewhere, so it is not more.
pub const OUTPUT_CHUNK: usize = 16 * 1024;

impl Peer {
    /// Adds what is to be written now over a link to `writer`: about [`OUTPUT_CHUNK`] of messages at
    /// most, so that there may be more.
    pub fn output(&mut self, key: LinkKey, writer: &mut FrameWriter, now: Moment) -> LinkOutput {
        let carries = self.carrier() == Some(key);
        let Some(index) = self.links.iter().position(|link| link.key == key) else {
            return LinkOutput::Last;
        };
        if !self.links[index].hello_sent {
            let hello = self.hello(&self.links[index]);
            self.links[index].hello_sent = true;
            writer.hello(&hello);
        }
        let link = &mut self.links[index];
        if let Some(twins) = link.twins.take() {
            writer.twins(&twins);
        }
        match link.stage {
            LinkStage::Greeting => return LinkOutput::Continue,
            LinkStage::Closing => {
                if let Some(reason) = &link.bye {
                    writer.bye(reason);
                }
                let link = self.links.remove(index);
                self.give_up_questions(&link);
                let reason = link.bye.unwrap_or_default();
                self.notice_end(link.path, link.stage, LinkEnding::Orderly, reason, now);
                return LinkOutput::Last;
            }
            LinkStage::Live => {}
        }
        if let Some(clock) = link.echo.take() {
            writer.echo(clock);
        }
        if link.take_heartbeat(now) {
            let clock = now.since(Moment::ZERO).as_micros();
            let clock = u64::try_from(clock).unwrap_or(u64::MAX);
            // Only the link that carries the messages knows what was sent before.
            let floor = if carries { self.outbox.floor() } else { 0 };
            writer.heartbeat(clock, floor);
        }
        link.exchange.output(writer);
        self.has_bus_news |= link.carriage.output(writer, now);
        let mut sent = 0;
        if carries {
            if let Some(sequence) = self.inbound.take_acknowledgement(now) {
                writer.acknowledgement(sequence);
            }
            let full = writer.len() + OUTPUT_CHUNK;
            writer.reserve(self.outbox.queued().bytes.min(OUTPUT_CHUNK));
            while writer.len() < full {
                let Some(due) = self.outbox.next(now) else {
                    break;
                };
                writer.message(due.sequence, due.remaining, due.message);
                self.used = now;
                sent += 1;
            }
        }
        self.links[index].sent += sent;
        LinkOutput::Continue
    }

    /// Whether `output` would have something to write over this link.
    pub fn wants_output(&self, key: LinkKey, now: Moment) -> bool {
        let Some(link) = self.link(key) else {
            return false;
        };
        let due = |moment: Option<Moment>| moment.is_some_and(|moment| moment <= now);
        !link.hello_sent
            || link.stage == LinkStage::Closing
            || link.twins.is_some()
            || link.is_live()
                && (link.echo.is_some()
                    || link.exchange.has_output()
                    || link.carriage.has_output()
                    || due(Some(link.heartbeat_due()))
                    || self.carrier() == Some(key)
                        && (due(self.inbound.acknowledge_by()) || self.outbox.can_send()))
    }

    fn hello(&self, link: &Link) -> Hello {
        let settings = &self.settings;
        Hello {
            protocol: PROTOCOL,
            node: settings.own.as_str().to_owned(),
            agent: concat!("kozo ", env!("CARGO_PKG_VERSION")).to_owned(),
            features: vec![QUESTIONS.to_owned(), BUS.to_owned()],
            session: settings.session,
            link: link.id.filter(|_| link.dialled),
            rank: link.rank,
            alive: self
                .links
                .iter()
                .filter(|other| other.is_live() && other.key != link.key)
                .filter_map(|other| other.id)
                .collect(),
            heartbeat: u64::try_from(settings.heartbeat.as_millis()).unwrap_or(u64::MAX),
            base: self.outbox.base(),
            seen: self.inbound.seen(),
            config: ByteBuf::from(settings.config_digest.clone()),
            interests: self.own_interests.clone(),
        }
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;

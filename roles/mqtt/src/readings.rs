//! What faces show, after the events of their roles.

use std::collections::BTreeMap;
use std::time::Duration;

use kozo_faces::{Data, Face, FaceKind, Reading, Source};

use crate::entity;
use crate::outbox::Outbox;
use crate::picture::Known;
use crate::retained::{Class, Retained};
use crate::topics::Topics;

/// The event from which it is known which Bluetooth devices are in range: a map with their addresses.
const IN_RANGE: &str = "bluetooth devices in range";

/// A message that a role has sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heard<'h> {
    pub(crate) node: &'h str,
    pub(crate) role: &'h str,
    pub(crate) type_name: &'h str,
    pub(crate) channel: Option<&'h str>,
    /// When it was sent: seconds since 1970, by the sender's clock.
    pub(crate) timestamp: f64,
}

/// A face, and what it is waiting for.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) face: Face,
    /// It shows whether the Bluetooth device with this address is in range.
    address: Option<String>,
    /// Without an event until then it is off.
    off_at: Option<Duration>,
    /// Without an event until then nobody knows any more how it is.
    unknown_at: Option<Duration>,
    /// Somebody waits for an answer, so the next state is sent even if it is the same.
    is_asked: bool,
}

/// The faces of all roles.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    roles: BTreeMap<String, BTreeMap<String, Vec<Shown>>>,
}

impl Shown {
    fn new(face: Face, address: Option<String>, now: Duration) -> Self {
        let mut shown = Self {
            face,
            address,
            off_at: None,
            unknown_at: None,
            is_asked: false,
        };
        // Nothing has come since the bridge is there, for all that it knows.
        shown.wind(now);
        shown
    }

    /// Its time begins anew.
    fn wind(&mut self, now: Duration) {
        let after = |seconds: Option<f64>| {
            let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            span.and_then(|span| now.checked_add(span))
        };
        self.off_at = after(self.face.off_after_seconds);
        self.unknown_at = after(self.face.expire_after_seconds);
    }

    /// What it shows after an event.
    fn reading(&self, data: &Data) -> Option<Reading> {
        let Some(address) = &self.address else {
            return self.face.shown(data);
        };
        let Data::Map(devices) = data else {
            return None;
        };
        match devices
            .iter()
            .any(|(found, _)| found.eq_ignore_ascii_case(address))
        {
            true => Some(Reading::Home),
            false => Some(Reading::Away),
        }
    }
}

/// The faces of a role: its own, and one for each Bluetooth device that is tracked, where it finds such.
pub(crate) fn faces_of(
    role: &str,
    faces: &[Face],
    track: &[String],
) -> Vec<(Face, Option<String>)> {
    let mut all: Vec<_> = faces.iter().map(|face| (face.clone(), None)).collect();
    let finds = |source: &Source| source.event == IN_RANGE;
    let Some(finder) = faces
        .iter()
        .find(|face| face.state.as_ref().is_some_and(finds))
    else {
        return all;
    };
    for address in track {
        let tracker = Face {
            name: format!("{address} at {role}"),
            state: finder.state.clone(),
            source: Some("bluetooth".to_owned()),
            ..Face::new(
                &format!("track-{}", address.replace(':', "")),
                FaceKind::DeviceTracker,
            )
        };
        all.push((tracker, Some(address.clone())));
    }
    all
}

impl Readings {
    /// The node has these roles with these faces from now on. What is the same goes on as it was.
    pub(crate) fn know(&mut self, node: &str, known: &Known, track: &[String], now: Duration) {
        let mut before = self.roles.remove(node).unwrap_or_default();
        let roles = known.roles.iter().map(|(role, faces)| {
            let mut old = before.remove(role).unwrap_or_default();
            let faces = faces_of(role, faces, track)
                .into_iter()
                .map(|(face, address)| {
                    let same = old.iter().position(|shown| shown.face == face);
                    match same {
                        Some(at) => old.swap_remove(at),
                        None => Shown::new(face, address, now),
                    }
                });
            (role.clone(), faces.collect())
        });
        let roles: BTreeMap<_, _> = roles.collect();
        self.roles.insert(node.to_owned(), roles);
    }

    /// The node is none of ours any more.
    pub(crate) fn forget(&mut self, node: &str) {
        self.roles.remove(node);
    }

    /// A face of a role.
    pub(crate) fn face(&mut self, node: &str, role: &str, face: &str) -> Option<&mut Shown> {
        let faces = self.roles.get_mut(node)?.get_mut(role)?;
        faces.iter_mut().find(|shown| shown.face.face == face)
    }

    /// Whether some face of the role shows events of this type and channel.
    pub(crate) fn wants(&self, heard: &Heard<'_>) -> bool {
        let faces = self
            .roles
            .get(heard.node)
            .and_then(|roles| roles.get(heard.role));
        faces.into_iter().flatten().any(|shown| shown.fits(heard))
    }

    /// Shows what an event says. `until` is when it means nothing any more that something has happened.
    pub(crate) fn hear(
        &mut self,
        heard: &Heard<'_>,
        data: &Data,
        (topics, retained, outbox): (&Topics, &mut Retained, &mut Outbox),
        (now, until): (Duration, Duration),
    ) {
        let (node, role) = (heard.node, heard.role);
        let faces = self
            .roles
            .get_mut(node)
            .and_then(|roles| roles.get_mut(role));
        for shown in faces.into_iter().flatten() {
            if !shown.fits(heard) {
                continue;
            }
            let Some(reading) = shown.reading(data) else {
                continue;
            };
            let facts = shown.face.further_facts(data);
            let topic = |what: &str| topics.face(node, role, &shown.face.face, what);
            if let Reading::Happened(happened) = &reading {
                outbox.push(
                    until,
                    topic("event"),
                    entity::event(happened, facts.as_ref()),
                );
                continue;
            }
            let Some(state) = entity::state(&reading, heard.timestamp) else {
                continue;
            };
            match std::mem::take(&mut shown.is_asked) {
                true => retained.put(&topic("state"), state, Class::State),
                false => retained.set(&topic("state"), state, Class::State),
            }
            if let Some(facts) = facts.as_ref().and_then(entity::attributes) {
                retained.set(&topic("attributes"), facts, Class::State);
            }
            shown.wind(now);
        }
    }

    /// Shows what follows of nothing having come.
    pub(crate) fn settle(&mut self, topics: &Topics, retained: &mut Retained, now: Duration) {
        for (node, roles) in &mut self.roles {
            for (role, faces) in roles {
                for shown in faces {
                    let is_due = |at: &mut Duration| *at <= now;
                    let topic = || topics.face(node, role, &shown.face.face, "state");
                    if shown.off_at.take_if(is_due).is_some()
                        && let Some(off) = entity::state(&Reading::Off, 0.0)
                    {
                        retained.set(&topic(), off, Class::State);
                    }
                    if shown.unknown_at.take_if(is_due).is_some()
                        && let Some(unknown) = entity::state(&Reading::Unknown, 0.0)
                    {
                        retained.set(&topic(), unknown, Class::State);
                    }
                }
            }
        }
    }

    /// When there is something to do next.
    pub(crate) fn due(&self) -> Option<Duration> {
        let all = self.roles.values().flat_map(BTreeMap::values).flatten();
        all.flat_map(|shown| [shown.off_at, shown.unknown_at])
            .flatten()
            .min()
    }
}

impl Shown {
    fn fits(&self, heard: &Heard<'_>) -> bool {
        let source = self.face.state.as_ref();
        source.is_some_and(|source| source.fits(heard.type_name, heard.channel))
    }

    /// The next state is an answer.
    pub(crate) fn ask(&mut self) {
        self.is_asked = true;
    }
}

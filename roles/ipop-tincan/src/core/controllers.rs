//! Whoever asks on the control port: which framing it speaks, where it wants to be told what happens, and what must
//! never reach it.
//!
//! Public controllers end, or go on with nonsense, when they are told something that the original never told. So
//! nothing is longer than what they read in one go, nothing that a peer sent looks as if tincan said it, and
//! nothing comes that needs a `local_state` before they have had one.

use std::net::SocketAddr;

use kozo_ipop::notification::RESERVED;
use kozo_ipop::{Api, Notification};

/// How many addresses are remembered from which requests came.
const MAX_SENDERS: usize = 64;

/// What only tincan and controllers say to each other, besides what only tincan says.
const ALSO_RESERVED: [&str; 2] = ["echo_reply", ""];

/// Which framing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framings {
    /// This one alone.
    Only(Api),
    /// Both, told apart by the first byte of what each sender sends first.
    Both,
}

/// Where what happens is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Callback {
    pub(super) address: SocketAddr,
    pub(super) api: Api,
    /// Who has said so: a controller may have one socket for what it asks, and another for what happens.
    pub(super) named_by: SocketAddr,
    /// Whether it takes the presence of a peer for that peer's request, as controllers from before 14.01.1 do. Later
    /// ones ask for links themselves.
    pub(super) takes_presences: bool,
    /// Whether it has been told who this node is: before that, controllers cannot take a message of a peer.
    pub(super) knows_this_node: bool,
}

/// Who has sent requests, and in which framing.
#[derive(Debug)]
pub(super) struct Senders {
    framings: Framings,
    /// The last one to come is the last one here.
    known: Vec<(SocketAddr, Api)>,
}

impl Senders {
    pub(super) fn new(framings: Framings) -> Self {
        Self {
            framings,
            known: Vec::new(),
        }
    }

    /// The framing of a datagram. None for one that cannot be told, or is not taken.
    pub(super) fn api(&mut self, sender: SocketAddr, datagram: &[u8]) -> Option<Api> {
        let said = Api::of_message(datagram);
        let api = match (self.framings, said) {
            (Framings::Only(api), _) => api,
            (Framings::Both, Some(api)) => match self.known(sender) {
                // A packet of 14.01 begins with any byte: what its sender spoke before decides.
                Some(Api::V14_01) if api == Api::V14_07 && !looks_like_json(&datagram[2..]) => {
                    Api::V14_01
                }
                _ => api,
            },
            (Framings::Both, None) if datagram.starts_with(&[0x02, 0x02]) => {
                self.known(sender).unwrap_or(Api::V14_07)
            }
            (Framings::Both, None) => self.known(sender)?,
        };
        Some(api)
    }

    /// Remembers the framing of somebody who has sent a request.
    pub(super) fn remember(&mut self, sender: SocketAddr, api: Api) {
        let newest = self.known.last();
        if newest.is_some_and(|known| *known == (sender, api)) {
            return;
        }
        self.known.retain(|(known, _)| *known != sender);
        if self.known.len() >= MAX_SENDERS {
            self.known.remove(0);
        }
        self.known.push((sender, api));
    }

    fn known(&self, sender: SocketAddr) -> Option<Api> {
        let mut known = self.known.iter();
        known
            .find(|(known, _)| *known == sender)
            .map(|(_, api)| *api)
    }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'{')
}

/// The datagram of a notification, if a controller can take it. Of figures of links, so many are left out that it can.
pub(super) fn datagram(api: Api, notification: Notification) -> Option<Vec<u8>> {
    let fits = |notification: &Notification| {
        let datagram = api.control(&notification.write());
        (datagram.len() <= api.controller_buffer()).then_some(datagram)
    };
    if let Some(datagram) = fits(&notification) {
        return Some(datagram);
    }
    let Notification::PeerState(mut state) = notification else {
        return None;
    };
    // The best pair stands first.
    let mut stats = state.stats.take()?;
    while !stats.is_empty() {
        stats.truncate(stats.len() - 1);
        state.stats = Some(stats.clone());
        if let Some(datagram) = fits(&Notification::PeerState(state.clone())) {
            return Some(datagram);
        }
    }
    None
}

/// Whether a peer may have sent a message of this kind.
pub(super) fn may_come_from_peers(kind: &str) -> bool {
    !RESERVED.contains(&kind) && !ALSO_RESERVED.contains(&kind)
}

/// Whether a packet can be sent to a controller: one of 14.01 takes what begins with a brace for JSON, and ends.
pub(super) fn packet_is_harmless(api: Api, datagram: &[u8]) -> bool {
    datagram.len() <= api.controller_buffer()
        && (api == Api::V14_07 || Api::of_message(datagram) != Some(Api::V14_01))
}

#[cfg(test)]
mod tests {
    use kozo_ipop::notification::{PeerState, Stats};

    use super::*;

    const SENDER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 40_000);

    #[test]
    fn framings_are_told_apart_by_the_first_byte() {
        let mut senders = Senders::new(Framings::Both);
        assert_eq!(senders.api(SENDER, b"{}"), Some(Api::V14_01));
        assert_eq!(senders.api(SENDER, b"\x02\x01{}"), Some(Api::V14_07));
        assert_eq!(senders.api(SENDER, b"\x02\x02packet"), Some(Api::V14_07));
        assert_eq!(senders.api(SENDER, b"nonsense"), None);
        senders.remember(SENDER, Api::V14_01);
        assert_eq!(senders.api(SENDER, b"packet"), Some(Api::V14_01));
        assert_eq!(senders.api(SENDER, b"\x02\x02packet"), Some(Api::V14_01));
        assert_eq!(senders.api(SENDER, b"\x02\x01packet"), Some(Api::V14_01));
        // It was replaced by one that speaks otherwise.
        assert_eq!(senders.api(SENDER, b"\x02\x01{}"), Some(Api::V14_07));
    }

    #[test]
    fn only_so_many_senders_are_remembered() {
        let mut senders = Senders::new(Framings::Both);
        for port in 1..=1000 {
            senders.remember(SocketAddr::new(SENDER.ip(), port), Api::V14_01);
        }
        assert_eq!(senders.known.len(), MAX_SENDERS);
    }

    #[test]
    fn figures_are_cut_to_what_a_controller_reads() {
        let state = PeerState {
            uid: "a".repeat(40),
            stats: Some(vec![Stats::default(); 100]),
            ..PeerState::default()
        };
        let cut = datagram(Api::V14_01, Notification::PeerState(state.clone())).unwrap();
        assert!(cut.len() <= 4096 && cut.len() > 3500, "{}", cut.len());
        let Ok(Notification::PeerState(read)) = Notification::read(&cut) else {
            panic!("it is no peer_state");
        };
        assert!(!read.stats.unwrap().is_empty());
        let whole = datagram(Api::V14_07, Notification::PeerState(state)).unwrap();
        assert!(whole.len() > 4096);
        let message = Notification::Message {
            kind: "send_msg".to_owned(),
            uid: String::new(),
            data: "x".repeat(5000),
        };
        assert_eq!(datagram(Api::V14_01, message), None);
    }

    #[test]
    fn peers_cannot_say_what_tincan_says() {
        for kind in [
            "local_state",
            "peer_state",
            "con_stat",
            "error",
            "echo_request",
            "echo_reply",
            "",
        ] {
            assert!(!may_come_from_peers(kind), "{kind}");
        }
        for kind in ["con_req", "con_resp", "send_msg", "anything"] {
            assert!(may_come_from_peers(kind), "{kind}");
        }
    }
}

//! A client that speaks the protocol by itself, frame by frame: what it sends, no node would.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};

use kozo_auth::algorithms::Algorithms;
use kozo_auth::identity::{Identity, TrustedKeys};
use kozo_auth::secured::{Receiver, Refused, Secured};
use kozo_auth::ssh::{AuthError, Endpoint, SshOutlet, connect};
use kozo_ground::interest::{Interest, Kind};
use kozo_ground::names::{NodeName, RoleName};
use kozo_wire::{
    Frame, FrameDecoder, FrameError, FrameWriter, Hello, LinkId, Message, PROTOCOL, RoleInterests,
    SessionId,
};
use tokio::runtime::{Builder, Handle};

use super::process::DEADLINE;
use super::scene::Scene;

/// The largest SSH packet that is announced, in bytes.
const MAX_PACKET: usize = 65_535;

/// The runtime of all guests: it runs also while a test does something else.
fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// What this end needs to be `node`.
fn endpoint(scene: &Scene, node: &str) -> Endpoint {
    let name = |name: &str| NodeName::new(name).unwrap();
    let identity = Identity {
        node: name(node),
        key: Arc::new(scene.key(node).clone()),
    };
    let trust: TrustedKeys = scene
        .names()
        .map(|node| (name(node), vec![scene.key(node).public_key().clone()]))
        .collect();
    Endpoint::new(
        identity,
        Arc::new(trust),
        &Algorithms::default(),
        MAX_PACKET,
    )
}

/// A link with a daemon, in the place of a node that has none.
pub(crate) struct Guest {
    name: String,
    secured: Secured<SshOutlet>,
    frames: mpsc::Receiver<Frame>,
    session: u64,
}

impl Guest {
    /// Connects to the daemon of `to` with the key and the name of `node`, and says nothing.
    pub(crate) fn connect(scene: &Scene, node: &str, to: &str) -> Result<Self, AuthError> {
        Self::connect_at(scene, node, to, scene.port(to))
    }

    /// The same over a port that leads there.
    pub(crate) fn connect_at(
        scene: &Scene,
        node: &str,
        to: &str,
        port: u16,
    ) -> Result<Self, AuthError> {
        let endpoint = endpoint(scene, node);
        let peer = NodeName::new(to).unwrap();
        let (sender, frames) = mpsc::channel();
        let decoder = FrameDecoder::default();
        let secured = runtime().block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            let ear = move |_: &_| Ear { decoder, sender };
            let link = connect(stream.unwrap(), &endpoint, &peer, ear);
            tokio::time::timeout(DEADLINE, link).await.unwrap()
        })?;
        Ok(Self {
            name: node.to_owned(),
            secured,
            frames,
            session: fastrand::u64(..),
        })
    }

    /// The same, and greets with these interests.
    pub(crate) fn join(scene: &Scene, node: &str, to: &str, wanted: Vec<Interest>) -> Self {
        let mut guest = Self::connect(scene, node, to).unwrap();
        let mut hello = guest.hello();
        hello.interests = vec![RoleInterests {
            role: "guest".to_owned(),
            interests: wanted,
        }];
        guest.say(|frames| frames.hello(&hello));
        guest.wait_for("a hello", |frame| matches!(frame, Frame::Hello(_)));
        guest
    }

    /// A hello that is good.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            node: self.name.clone(),
            agent: "guest".to_owned(),
            features: Vec::new(),
            session: SessionId(self.session),
            link: Some(LinkId(fastrand::u64(..))),
            rank: 8,
            alive: Vec::new(),
            heartbeat: 3_600_000,
            base: 1,
            seen: None,
            config: Vec::new().into(),
            interests: Vec::new(),
        }
    }

    /// Sends frames.
    pub(crate) fn say(&mut self, write: impl FnOnce(&mut FrameWriter)) {
        let mut writer = FrameWriter::default();
        write(&mut writer);
        self.send(&writer.take());
    }

    /// Sends bytes. That the link may be closed by then is for the test to find out.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let bytes = bytes.to_vec().into();
        let sent = async { tokio::time::timeout(DEADLINE, self.secured.sender.send(bytes)).await };
        let _ = runtime().block_on(sent).expect("the daemon takes nothing");
    }

    /// Sends a message whose data is a text.
    pub(crate) fn send_message(&mut self, sequence: u64, kind: Kind, type_name: &str, text: &str) {
        let role = RoleName::new("guest").unwrap();
        let data = rmp_serde::to_vec(text).unwrap();
        let message = Message::new(kind, &role, type_name, None, 0.0, &data).unwrap();
        self.say(|frames| frames.message(sequence, DEADLINE, &message));
    }

    /// Waits for the next frame that fits.
    pub(crate) fn wait_for(&mut self, what: &str, fits: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            match self.frames.recv_timeout(DEADLINE) {
                Ok(frame) if fits(&frame) => return frame,
                Ok(_) => {}
                Err(error) => panic!("{what} does not come: {error}"),
            }
        }
    }

    /// Waits until the daemon has closed the link; returns the frames that came until then.
    pub(crate) fn wait_for_end(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            match self.frames.recv_timeout(DEADLINE) {
                Ok(frame) => frames.push(frame),
                Err(RecvTimeoutError::Disconnected) => return frames,
                Err(RecvTimeoutError::Timeout) => panic!("the link stays open: {frames:?}"),
            }
        }
    }
}

/// Cuts what comes into frames.
struct Ear {
    decoder: FrameDecoder,
    sender: mpsc::Sender<Frame>,
}

impl Receiver for Ear {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let sender = &self.sender;
        let decoded = self.decoder.decode(bytes, |frame| {
            // The test may have seen enough.
            let _ = sender.send(frame);
            Ok::<(), FrameError>(())
        });
        decoded.map_err(|error| Refused::new(error.to_string()))
    }
}

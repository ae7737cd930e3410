//! The thread that has the connection: it tries one broker after the other, and tells the host what happens.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use kozo_abi::{BusHost, Delivered, Error, Limits, Publish};
use kozo_mqtt::{
    Access, Broker, Fault, Happening, Protocol, Publication, Receiver, Sender, Unsent, Welcome,
    connect,
};
use kozo_tls::{first_line, read_secret};

use crate::options::Settings;
use crate::outbox::{Deed, Outbox};
use crate::topics;

/// The largest datagram that is sent or taken, in bytes.
const MAX_DATAGRAM: u32 = 512 * 1024;

/// What is around it at most: two topics, and the protocol's own.
const AROUND: u32 = 2 * 1024;

/// The least that a broker has to take as one packet, in bytes: an announcement with what is around it.
const LEAST_PACKET: u32 = 4096 + AROUND;

/// How long a connection has to stand to count as one. After one that did, the next is looked for at once.
const STOOD: Duration = Duration::from_secs(5);

/// How long the host may have no room before what comes in is thrown away.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many reasons are shown of those why brokers cannot be used.
const SHOWN_REASONS: usize = 3;

/// What the host's threads and the worker share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something was refused, or the connection is over.
    changed: Condvar,
}

struct State {
    outbox: Outbox,
    /// The connection, once it is begun.
    sender: Option<Sender>,
    /// It stands.
    connected: bool,
    stopping: bool,
}

impl State {
    /// Hands over as much as the client takes.
    fn pump(&mut self) {
        let Some(sender) = self.sender.as_ref().filter(|_| self.connected) else {
            return;
        };
        while let Some(deed) = self.outbox.next() {
            match hand_over(sender, &deed) {
                Ok(()) => self.outbox.handed(deed),
                Err(Unsent::Full) => return self.outbox.back(deed),
                // The connection is over, which is seen elsewhere.
                Err(Unsent::Never) => return,
            }
        }
    }
}

fn hand_over(sender: &Sender, deed: &Deed) -> Result<(), Unsent> {
    match deed {
        Deed::Subscribe(patterns) => {
            let filters: Vec<_> = patterns
                .iter()
                .map(|pattern| topics::filter(pattern))
                .collect();
            sender.subscribe(&filters, false)
        }
        Deed::Unsubscribe(pattern) => sender.unsubscribe(&topics::filter(pattern)),
        Deed::Publish(datagram) => {
            let publication = Publication {
                topic: topics::topic(&datagram.subject),
                payload: datagram.data.clone().into(),
                // The answer to it is what confirms it.
                acknowledged: true,
                retained: false,
            };
            let reply = datagram.reply.as_deref().map(topics::topic);
            sender.ask(&publication, reply.as_deref())
        }
    }
}

impl Shared {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self {
            state: Mutex::new(State {
                outbox,
                sender: None,
                connected: false,
                stopping: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// It is never held while anything is waited for.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn publish(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Publish {
        let mut state = self.lock();
        let publish = state.outbox.publish(subject, reply, data);
        state.pump();
        publish
    }

    pub(crate) fn subscribe(&self, pattern: &str, on: bool) {
        let mut state = self.lock();
        let connected = state.connected;
        state.outbox.subscribe(pattern, on, connected);
        state.pump();
    }

    /// Asks for what the broker has refused now and then, until the connection is over.
    fn ask_again(&self) {
        let mut state = self.lock();
        while state.sender.is_some() {
            let now = Instant::now();
            let next = state.outbox.tick(now);
            state.pump();
            state = match next {
                None => {
                    let waited = self.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Some(next) => {
                    let limit = next.saturating_duration_since(now);
                    let waited = self.changed.wait_timeout(state, limit);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The connection is over. The result is whether it stood, and whether the bus is being stopped.
    fn over(&self) -> (bool, bool) {
        let mut state = self.lock();
        let was_up = state.outbox.is_up();
        state.outbox.end();
        state.connected = false;
        (was_up, state.stopping)
    }

    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        match &state.sender {
            // What was handed over goes out first.
            Some(sender) if state.outbox.is_up() => sender.close(),
            Some(sender) => sender.cut(),
            None => {}
        }
    }
}

/// Ends [`Shared::ask_again`], however the connection does.
struct Asking<'a>(&'a Shared);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.lock().sender = None;
        self.0.changed.notify_all();
    }
}

/// One call of the host's.
pub(crate) struct Worker<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) shared: &'a Shared,
    pub(crate) host: &'a BusHost,
}

impl Worker<'_> {
    /// Keeps a connection until the bus is stopped, or no broker can be used.
    ///
    /// # Errors
    /// Why there is no connection (any more).
    pub(crate) fn run(&self) -> Result<(), Error> {
        loop {
            let mut reasons = Vec::new();
            let mut stood = false;
            for broker in &self.settings.brokers {
                let began = Instant::now();
                let (fault, was_up, stopping) = self.one(broker);
                if stopping {
                    return Ok(());
                }
                let reason = format!("{broker}: {}", in_words(&fault));
                if was_up {
                    self.host.down(&reason);
                }
                if matches!(fault, Fault::File(_) | Fault::Tls(kozo_tls::Fault::File(_))) {
                    return Err(in_words(&fault).into());
                }
                reasons.push(reason);
                if was_up && began.elapsed() > STOOD {
                    // The first one is the best one again.
                    stood = true;
                    break;
                }
            }
            if stood {
                continue;
            }
            let more = reasons.len().saturating_sub(SHOWN_REASONS);
            reasons.truncate(SHOWN_REASONS);
            let mut text = reasons.join("; ");
            if more > 0 {
                text.push_str(&format!("; and {more} more"));
            }
            return Err(text.into());
        }
    }

    /// One connection, from its beginning to its end: why it is over, whether it stood, and whether the bus is being
    /// stopped.
    fn one(&self, broker: &Broker) -> (Fault, bool, bool) {
        let opened = self.access(broker).and_then(|access| connect(&access));
        let fault = match opened {
            Ok((sender, receiver)) => self.with(broker, sender, receiver),
            Err(fault) => fault,
        };
        let (was_up, stopping) = self.shared.over();
        (fault, was_up, stopping)
    }

    fn with(&self, broker: &Broker, sender: Sender, receiver: Receiver) -> Fault {
        {
            let mut state = self.shared.lock();
            if state.stopping {
                return Fault::Left;
            }
            state.sender = Some(sender);
        }
        // Here what comes of the connection is waited for, and that for as long as it takes.
        thread::scope(|scope| {
            let _until_then = Asking(self.shared);
            let asking = thread::Builder::new().name("ask again".to_owned());
            if let Err(error) = asking.spawn_scoped(scope, || self.shared.ask_again()) {
                return Fault::Other(error.to_string());
            }
            self.serve(broker, receiver)
        })
    }

    fn serve(&self, broker: &Broker, mut receiver: Receiver) -> Fault {
        let mut limits = None;
        let mut dropping = false;
        loop {
            match receiver.wait() {
                Happening::Connected(welcome) => {
                    match limits_of(broker, welcome) {
                        Ok(found) => limits = Some(found),
                        Err(fault) => return fault,
                    }
                    let mut state = self.shared.lock();
                    state.outbox.begin();
                    state.connected = true;
                }
                Happening::Subscribed(taken) => {
                    let mut state = self.shared.lock();
                    let answer = state.outbox.subscribed(&taken, Instant::now());
                    drop(state);
                    if !answer.refused.is_empty() {
                        self.shared.changed.notify_all();
                    }
                    for pattern in answer.refused {
                        self.refuse("subscribe", &pattern);
                    }
                    for pattern in answer.granted {
                        self.host.refused(&pattern, "");
                    }
                }
                Happening::Message {
                    topic,
                    payload,
                    retained: false,
                    response,
                } => self.message(&topic, response.as_deref(), &payload, &mut dropping),
                // A bus publishes nothing for those who come later.
                Happening::Message { .. } | Happening::Progress => {}
                Happening::Sent(number) => {
                    let answer = self.shared.lock().outbox.sent(number, Instant::now());
                    if let Some(number) = answer.and_then(|answer| answer.confirmed) {
                        self.host.confirmed(number);
                    }
                }
                Happening::Taken(number) => drop(self.answered(number)),
                Happening::Refused { number, reason } => {
                    if let Some(subject) = self.answered(number) {
                        self.refuse("publish", &subject);
                        self.host.debug(&format!("{subject}: {reason}"));
                    }
                }
                Happening::Lost(fault) => return fault,
            }
            let mut state = self.shared.lock();
            state.pump();
            if limits.is_some() && state.connected && state.outbox.is_subscribed() {
                state.outbox.up();
                drop(state);
                if let Some(limits) = limits.take() {
                    self.host.up(&limits);
                }
            }
        }
    }

    /// The broker has answered a publication; the subject that it was for.
    fn answered(&self, number: u16) -> Option<String> {
        let answer = self.shared.lock().outbox.answered(number, Instant::now())?;
        if let Some(number) = answer.confirmed {
            self.host.confirmed(number);
        }
        self.host.round_trip(answer.round_trip);
        Some(answer.subject)
    }

    fn message(&self, topic: &str, response: Option<&str>, payload: &[u8], dropping: &mut bool) {
        let Some(subject) = topics::subject(topic) else {
            return;
        };
        {
            let state = self.shared.lock();
            if !state.outbox.is_up() || !state.outbox.is_wanted(&subject) {
                return;
            }
        }
        let reply = response.and_then(topics::subject);
        let deliver = || self.host.deliver(&subject, reply.as_deref(), payload);
        let mut delivered = deliver();
        if delivered == Delivered::Full && !*dropping {
            // Nothing is read meanwhile, so the broker waits, too.
            let until = Instant::now() + PATIENCE;
            while delivered == Delivered::Full {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || !self.host.wait_for_room(left) {
                    break;
                }
                delivered = deliver();
            }
        }
        *dropping = delivered == Delivered::Full;
        if *dropping {
            self.host.dropped(1);
        }
    }

    /// Something is not allowed. The host counts how often that is.
    fn refuse(&self, deed: &str, subject: &str) {
        let reason = format!(
            "what the broker allows this login does not let it {deed} there; or the login is another node's"
        );
        self.host.refused(subject, &reason);
    }

    fn access(&self, broker: &Broker) -> Result<Access, Fault> {
        let settings = self.settings;
        let password = match &settings.password_file {
            None => None,
            Some(path) => Some(first_line(read_secret("passwordFile", path)?)),
        };
        let tls = match broker.scheme().is_secure() {
            true => Some(settings.identity.client_config()?),
            false => None,
        };
        Ok(Access {
            broker: broker.clone(),
            protocol: Protocol::V5,
            client_id: settings.client_id.clone(),
            user: settings.user.clone(),
            password,
            tls,
            keep_alive: settings.keep_alive,
            will: None,
            max_incoming: MAX_DATAGRAM + AROUND,
        })
    }
}

/// What a broker can do.
fn limits_of(broker: &Broker, welcome: Welcome) -> Result<Limits, Fault> {
    let packet = welcome.max_packet.unwrap_or(u32::MAX);
    if packet < LEAST_PACKET {
        return Err(Fault::Other(format!(
            "it takes {packet} bytes at once at most, and has to take {LEAST_PACKET}: raise its limit for packets"
        )));
    }
    let most = (packet - AROUND).min(MAX_DATAGRAM) as usize;
    let limits = Limits::new(most, format!("{broker} (MQTT 5)"));
    // What is published is handed over to the client's own thread at most.
    let limits = limits.publish_from_roles(true);
    Ok(limits.wildcards(!welcome.no_wildcards))
}

fn in_words(fault: &Fault) -> String {
    match fault {
        Fault::Version => "it does not speak MQTT 5, which a bus needs".to_owned(),
        Fault::Credentials | Fault::NotAllowed => {
            format!("{fault}; one that is new it may not know before its files are read again")
        }
        fault => fault.to_string(),
    }
}

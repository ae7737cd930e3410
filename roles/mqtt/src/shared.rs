//! What the threads of the role share: the bridge, and the connection as far as it sends.
//!
//! None of them ever waits for the broker: what has no room is taken again when there is some.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use kozo_abi::{Message, RoleHost};

use crate::bridge::{Bridge, Counts, Deed};
use crate::picture::{Node, Report};
use crate::readings::Heard;
use kozo_mqtt::{Access, Broker, Publication, Sender, Unsent, Welcome};

/// How often it is looked whether there is something to do, at least: while it all begins, and later.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

pub(crate) struct Shared {
    host: RoleHost,
    started: Instant,
    inside: Mutex<Inside>,
    /// Rings when the role stops, and when the bridge is ready.
    changed: Condvar,
}

struct Inside {
    bridge: Bridge,
    line: Option<Sender>,
    is_ready: bool,
    is_stopping: bool,
    /// How it stands with the broker.
    about: String,
    /// What was said last.
    said: String,
    /// How many publications brokers have not taken.
    refused: u64,
}

impl Shared {
    pub(crate) fn new(host: RoleHost, bridge: Bridge) -> Self {
        Self {
            host,
            started: Instant::now(),
            inside: Mutex::new(Inside {
                bridge,
                line: None,
                is_ready: false,
                is_stopping: false,
                about: "waits for what the node says of the network".to_owned(),
                said: String::new(),
                refused: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// What a thread that panicked leaves is whole: nothing is changed in two steps that belong together.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    // For the role's own thread.

    /// For how long nothing has to be done unless something happens.
    pub(crate) fn pause(&self) -> Duration {
        let inside = self.lock();
        let longest = match inside.bridge.is_open() {
            true => LOOKS.1,
            false => LOOKS.0,
        };
        let due = inside.bridge.due();
        let due = due.map(|due| due.saturating_sub(self.now()) + Duration::from_millis(1));
        due.map_or(longest, |due| due.min(longest))
    }

    /// A role has sent something.
    pub(crate) fn hear(&self, message: &Message) {
        let heard = Heard {
            node: message.sender_node(),
            role: message.sender_role(),
            type_name: message.type_name(),
            channel: message.channel(),
            timestamp: seconds(message.timestamp()),
        };
        let kind = match message.kind() {
            kozo_abi::Kind::Event => "event",
            kozo_abi::Kind::Order => "order",
            kozo_abi::Kind::Log => "log",
        };
        let times = (message.age(), self.now());
        self.lock()
            .bridge
            .hear(kind, &heard, message.data_bytes(), times);
    }

    /// Does what is due, and remembers what has to be.
    pub(crate) fn tick(&self) {
        let memory = {
            let mut inside = self.lock();
            let now = self.now();
            inside.bridge.tick(now);
            if !inside.is_ready && inside.bridge.is_ready() {
                inside.is_ready = true;
                self.changed.notify_all();
            }
            inside.bridge.memory()
        };
        if let Some(memory) = memory
            && let Err(error) = self.host.store(&memory)
        {
            self.host
                .warn(&format!("what was announced cannot be remembered: {error}"));
        }
        self.pump();
        self.say();
    }

    // For the thread that watches the node.

    pub(crate) fn see_here(&self, node: &Node) {
        let now = self.now();
        self.lock().bridge.see_here(node, now);
        self.pump();
    }

    pub(crate) fn see_network(&self, reports: &[Report]) {
        let now = self.now();
        self.lock().bridge.see_network(reports, now);
        self.pump();
    }

    pub(crate) fn idle_timeout(&self, idle: Duration) {
        self.lock().bridge.idle_timeout(idle);
    }

    // For the thread of the connection.

    /// Waits until it is known what there is. False: the role stops.
    pub(crate) fn wait_until_ready(&self) -> bool {
        let mut inside = self.lock();
        while !inside.is_ready && !inside.is_stopping {
            let waited = self.changed.wait(inside);
            inside = waited.unwrap_or_else(PoisonError::into_inner);
        }
        !inside.is_stopping
    }

    /// Sleeps. False: the role stops.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        let mut inside = self.lock();
        while !inside.is_stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(inside, left);
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    pub(crate) fn will(&self) -> Publication {
        self.lock().bridge.will()
    }

    /// A broker is tried.
    pub(crate) fn trying(&self, broker: &Broker) {
        let mut inside = self.lock();
        if inside.about.is_empty() || inside.said.is_empty() {
            inside.about = format!("connects with {broker}");
        }
    }

    /// There is a line, on which nothing is sent yet: what to ask for on it.
    pub(crate) fn begin(&self, sender: Sender) -> Vec<String> {
        let mut inside = self.lock();
        if inside.is_stopping {
            sender.close();
        }
        inside.line = Some(sender);
        inside.bridge.filters()
    }

    pub(crate) fn connected(&self, access: &Access, welcome: Welcome, filters: &[String]) {
        let now = self.now();
        let about = format!(
            "connected to {} as `{}`, MQTT {}",
            access.broker,
            access.client_id,
            access.protocol.name()
        );
        self.host.info(&about);
        let mut inside = self.lock();
        // To the second: nobody wants to know more.
        let since = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        inside.about = format!("{about}, since {since}");
        inside.bridge.connected(welcome, now);
        if let Some(line) = &inside.line {
            // Nothing else has been handed over yet, so there is room.
            let _ = line.subscribe(filters, true);
        }
    }

    pub(crate) fn subscribed(&self, refused: &[&str]) {
        let now = self.now();
        self.lock().bridge.subscribed(now);
        if !refused.is_empty() {
            self.host.warn(&format!(
                "the broker does not let this role subscribe to {}",
                refused.join(", ")
            ));
        }
    }

    /// The broker has not taken what was published.
    pub(crate) fn refused(&self, reason: &str) {
        let is_first = {
            let mut inside = self.lock();
            inside.refused += 1;
            inside.refused == 1
        };
        if is_first {
            self.host.warn(&format!(
                "the broker does not take what this role publishes: {reason}. Let its user write below `prefix` and \
                 `discoveryPrefix`"
            ));
        }
    }

    pub(crate) fn message(&self, topic: &str, payload: &[u8], retained: bool) {
        let now = self.now();
        self.lock().bridge.message(topic, payload, retained, now);
    }

    /// The line is no more.
    pub(crate) fn end(&self) {
        let mut inside = self.lock();
        inside.line = None;
        inside.bridge.lost();
    }

    /// Why there is no connection.
    pub(crate) fn failed(&self, reason: &str, was_connected: bool) {
        let text = match was_connected {
            true => format!("the connection was lost: {reason}"),
            false => format!("not connected: {reason}"),
        };
        let is_news = {
            let mut inside = self.lock();
            let is_news = inside.about != text;
            inside.about.clone_from(&text);
            is_news
        };
        if is_news {
            self.host.warn(&text);
        }
    }

    // For all of them.

    /// Publishes what there is room for, and does what is to be done.
    pub(crate) fn pump(&self) {
        let deeds = {
            let mut inside = self.lock();
            let Inside { bridge, line, .. } = &mut *inside;
            if let Some(line) = line {
                let now = self.now();
                while let Some(publication) = bridge.take(now) {
                    match line.publish(&publication) {
                        Ok(()) => {}
                        Err(Unsent::Full | Unsent::Never) => {
                            bridge.put_back(publication);
                            break;
                        }
                    }
                }
            }
            std::iter::from_fn(|| bridge.act()).collect::<Vec<_>>()
        };
        for deed in deeds {
            self.perform(deed);
        }
    }

    fn perform(&self, deed: Deed) {
        let sent = match &deed {
            Deed::Order {
                type_name,
                channel,
                data,
            } => {
                let order = self.host.order(type_name);
                match channel {
                    Some(channel) => order.channel(channel).send_bytes(data),
                    None => order.send_bytes(data),
                }
            }
            Deed::Event {
                type_name,
                channel,
                data,
            } => {
                let event = self.host.event(type_name);
                match channel {
                    Some(channel) => event.channel(channel).send_bytes(data),
                    None => event.send_bytes(data),
                }
            }
            Deed::Note(text) => {
                self.host.info(text);
                Ok(())
            }
            Deed::Warn(text) => {
                self.host.warn(text);
                Ok(())
            }
        };
        if let Err(error) = sent {
            self.host
                .warn(&format!("a message cannot be sent on: {error}"));
        }
    }

    /// Says what it is about, where that has changed.
    fn say(&self) {
        let text = {
            let mut inside = self.lock();
            let text = inside.in_words();
            if text == inside.said {
                return;
            }
            inside.said.clone_from(&text);
            text
        };
        self.host.set_status(&text);
    }

    /// The role stops: takes leave of the broker.
    pub(crate) fn stop(&self) {
        let mut inside = self.lock();
        inside.is_stopping = true;
        let Inside { bridge, line, .. } = &mut *inside;
        if let Some(line) = line.take() {
            if bridge.is_open() {
                // Where there is no room, the broker publishes the will.
                let _ = line.publish(&bridge.leave());
            }
            line.close();
        }
        self.changed.notify_all();
    }
}

/// Seconds since 1970; those before it are negative.
fn seconds(time: SystemTime) -> f64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

impl Inside {
    fn in_words(&self) -> String {
        let Self {
            bridge,
            about,
            refused,
            ..
        } = self;
        let mut words = vec![about.clone()];
        match bridge.nodes() {
            0 => words.push("no node of the network fits `nodes`".to_owned()),
            1 => words.push("1 node".to_owned()),
            nodes => words.push(format!("{nodes} nodes")),
        }
        let hidden = bridge.hidden();
        if !hidden.is_empty() {
            words.push(format!("hidden in Home Assistant: {}", hidden.join(", ")));
        }
        let Counts {
            commands_dropped,
            commands_refused,
            orders_refused,
            followed_dropped,
            too_large,
            crowded_out,
        } = bridge.counts();
        for (count, what) in [
            (*refused, "publications refused by the broker"),
            (bridge.events_dropped(), "events dropped"),
            (commands_dropped, "commands dropped"),
            (commands_refused, "commands refused"),
            (orders_refused, "orders refused"),
            (followed_dropped, "followed messages dropped"),
            (too_large, "messages too large"),
            (crowded_out, "of what came in dropped"),
        ] {
            if count > 0 {
                words.push(format!("{count} {what}"));
            }
        }
        words.join("; ")
    }
}

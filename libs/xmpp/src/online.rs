//! An account that is logged in: presence, signs of life, queries. Pure: stanzas and times in, text and events out.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::login::{CLIENT, error_of};
use crate::xml::{Element, Markup};
use crate::{Event, Fields, Jid, Reason, Senders};

/// How often the own presence is sent again.
const PRESENCE_EVERY: Duration = Duration::from_secs(120);

/// How often the server is asked for a sign of life, and how long it may take.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING_LIMIT: Duration = Duration::from_secs(5);

/// Whose presence is remembered at most: more than a roster has.
const MAX_PRESENT: usize = 10_000;

/// How many stanzas may come at once, and how many a second on average. A login with a large roster brings some
/// thousands at once.
const MAX_BURST: u32 = 20_000;
const MAX_RATE: u32 = 500;

/// How many children a query has at most.
const MAX_FIELDS: usize = 64;

const PING: &str = "urn:xmpp:ping";
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// The ids of what is asked begin with these.
const PING_ID: &str = "ping-";
const QUERY_ID: &str = "query-";

pub(crate) struct Online {
    jid: Jid,
    namespace: String,
    status: Option<String>,
    senders: Senders,
    present: BTreeSet<Jid>,
    allowance: Allowance,
    next_presence: Instant,
    ping: Ping,
    pings: u64,
}

#[derive(Clone, Copy)]
enum Ping {
    /// The next one is due then.
    Next(Instant),
    /// A sign of life has to come until then.
    Asked(Instant),
}

/// What comes of a stanza.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) event: Option<Event>,
    pub(crate) answer: Option<String>,
    /// A query or a presence of somebody who was not asked.
    pub(crate) stranger: bool,
}

impl Online {
    pub(crate) fn new(
        jid: Jid,
        namespace: String,
        status: Option<String>,
        senders: Senders,
        now: Instant,
    ) -> Self {
        Self {
            jid,
            namespace,
            status,
            senders,
            present: BTreeSet::new(),
            allowance: Allowance::new(now),
            next_presence: now,
            ping: Ping::Next(now + PING_EVERY),
            pings: 0,
        }
    }

    /// When [`due`](Self::due) has to be called.
    pub(crate) fn timeout(&self) -> Instant {
        let ping = match self.ping {
            Ping::Next(at) | Ping::Asked(at) => at,
        };
        ping.min(self.next_presence)
    }

    /// What is to be sent now.
    pub(crate) fn due(&mut self, now: Instant) -> Result<String, Reason> {
        let mut text = String::new();
        if now >= self.next_presence {
            self.next_presence = now + PRESENCE_EVERY;
            text.push_str(&self.presence());
        }
        match self.ping {
            Ping::Next(at) if now >= at => {
                self.ping = Ping::Asked(now + PING_LIMIT);
                self.pings += 1;
                let id = format!("{PING_ID}{}", self.pings);
                let ping = Markup::default()
                    .open(
                        "iq",
                        &[("type", "get"), ("id", &id), ("to", self.jid.domain())],
                    )
                    .element("ping", &[("xmlns", PING)], "")
                    .close("iq");
                text.push_str(&ping.finish());
            }
            Ping::Asked(at) if now >= at => return Err(Reason::Silent(PING_EVERY + PING_LIMIT)),
            _ => {}
        }
        Ok(text)
    }

    /// Something came from the server: whatever it is, it lives.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Ping::Asked(_) = self.ping {
            self.ping = Ping::Next(now + PING_EVERY);
        }
    }

    fn presence(&self) -> String {
        let mut presence = Markup::default().open("presence", &[]);
        if let Some(status) = &self.status {
            presence = presence.element("status", &[], status);
        }
        presence
            .element("priority", &[], "0")
            .close("presence")
            .finish()
    }

    /// A query to a session of somebody.
    pub(crate) fn query(&self, to: &str, id: u64, fields: &Fields) -> String {
        let id = format!("{QUERY_ID}{id}");
        let mut query = Markup::default()
            .open("iq", &[("type", "get"), ("to", to), ("id", &id)])
            .open("query", &[("xmlns", &self.namespace)]);
        for (name, text) in fields.iter() {
            query = query.element(name, &[], text);
        }
        query.close("query").close("iq").finish()
    }

    pub(crate) fn stanza(&mut self, stanza: &Element, now: Instant) -> Result<Outcome, Reason> {
        self.allowance.take(now)?;
        if stanza.namespace != CLIENT {
            return Ok(Outcome::default());
        }
        // What has no sender is of the own account.
        let from = match stanza.attribute("from").map(str::parse::<Jid>) {
            None => self.jid.bare(),
            Some(Ok(from)) => from,
            Some(Err(_)) => return Ok(Outcome::default()),
        };
        Ok(match stanza.name.as_str() {
            "presence" => self.presence_of(&from, stanza),
            "iq" => self.iq(from, stanza),
            // Nobody here reads what people write.
            _ => Outcome::default(),
        })
    }

    fn presence_of(&mut self, from: &Jid, presence: &Element) -> Outcome {
        if *from == self.jid || from.resource().is_none() {
            return Outcome::default();
        }
        if !self.lists(from) {
            return Outcome {
                stranger: true,
                ..Outcome::default()
            };
        }
        let event = match presence.attribute("type") {
            None => {
                if self.present.len() >= MAX_PRESENT && !self.present.contains(from) {
                    return Outcome {
                        stranger: true,
                        ..Outcome::default()
                    };
                }
                self.present.insert(from.clone());
                let status = presence.child(CLIENT, "status");
                Event::Available {
                    from: from.clone(),
                    status: status.map(|status| status.text.clone()),
                }
            }
            Some("unavailable" | "error") => {
                if !self.present.remove(from) {
                    return Outcome::default();
                }
                Event::Unavailable { from: from.clone() }
            }
            // Requests of subscriptions are answered by people.
            Some(_) => return Outcome::default(),
        };
        Outcome {
            event: Some(event),
            ..Outcome::default()
        }
    }

    /// Whether the presence of this account's sessions is of interest.
    fn lists(&self, from: &Jid) -> bool {
        match &self.senders {
            Senders::Present => true,
            Senders::Listed(accounts) => {
                let bare = from.bare();
                bare == self.jid.bare() || accounts.contains(&bare)
            }
        }
    }

    fn takes_from(&self, from: &Jid) -> bool {
        match &self.senders {
            Senders::Present => self.present.contains(from),
            Senders::Listed(_) => self.lists(from),
        }
    }

    fn iq(&mut self, from: Jid, iq: &Element) -> Outcome {
        match iq.attribute("type") {
            Some("get" | "set") => {}
            Some("error") => return self.returned(from, iq),
            _ => return Outcome::default(),
        }
        if from == self.jid {
            return Outcome::default();
        }
        if let Some(query) = iq.child(&self.namespace, "query") {
            if !self.takes_from(&from) {
                return Outcome {
                    stranger: true,
                    ..Outcome::default()
                };
            }
            let fields = query
                .children
                .iter()
                .filter(|child| child.namespace == self.namespace)
                .take(MAX_FIELDS)
                .map(|child| (child.name.clone(), child.text.clone()));
            return Outcome {
                event: Some(Event::Query {
                    fields: Fields(fields.collect()),
                    from,
                }),
                ..Outcome::default()
            };
        }
        Outcome {
            answer: Some(answer(iq)),
            ..Outcome::default()
        }
    }

    fn returned(&self, from: Jid, iq: &Element) -> Outcome {
        let id = iq.attribute("id").and_then(|id| id.strip_prefix(QUERY_ID));
        let Some(id) = id.and_then(|id| id.parse().ok()) else {
            return Outcome::default();
        };
        Outcome {
            event: Some(Event::Undelivered {
                to: from,
                id,
                condition: error_of(iq).0,
            }),
            ..Outcome::default()
        }
    }
}

/// What is answered to a question that is none of this program's: servers and clients ask many.
fn answer(iq: &Element) -> String {
    let id = iq.attribute("id").unwrap_or_default();
    let to = iq.attribute("from");
    let is_ping = iq.child(PING, "ping").is_some();
    let mut attributes = vec![
        ("type", if is_ping { "result" } else { "error" }),
        ("id", id),
    ];
    attributes.extend(to.map(|to| ("to", to)));
    let mut answer = Markup::default().open("iq", &attributes);
    if !is_ping {
        answer = answer
            .open("error", &[("type", "cancel")])
            .element("service-unavailable", &[("xmlns", STANZAS)], "")
            .close("error");
    }
    answer.close("iq").finish()
}

/// How many stanzas may still come.
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self {
            left: f64::from(MAX_BURST),
            at: now,
        }
    }

    fn take(&mut self, now: Instant) -> Result<(), Reason> {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(MAX_RATE);
        self.left = (self.left + gained).min(f64::from(MAX_BURST));
        self.at = now;
        if self.left < 1.0 {
            return Err(Reason::Flood(MAX_BURST));
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::tests::element;

    fn online(senders: Senders, now: Instant) -> Result<Online, crate::InvalidJid> {
        Ok(Online::new(
            "cabin@example.org/own".parse()?,
            "urn:q".to_owned(),
            Some("busy".to_owned()),
            senders,
            now,
        ))
    }

    fn outcome(online: &mut Online, text: &str) -> Outcome {
        let now = Instant::now();
        online.stanza(&element(text), now).unwrap_or_default()
    }

    const QUERY: &str =
        "<query xmlns='urn:q'><data>d</data><x xmlns='urn:x'>no</x><type>t</type></query>";

    #[test]
    fn presence_and_pings_go_out_in_time_and_silence_ends_it()
    -> Result<(), Box<dyn std::error::Error>> {
        let start = Instant::now();
        let mut online = online(Senders::Present, start)?;
        assert_eq!(online.timeout(), start);
        let first = online.due(start)?;
        assert_eq!(
            first,
            "<presence><status>busy</status><priority>0</priority></presence>"
        );
        assert_eq!(online.due(start)?, "");
        let mut presences = 0;
        for second in (15..=240).step_by(15) {
            let now = start + Duration::from_secs(second);
            assert!(online.timeout() <= now);
            let text = online.due(now)?;
            assert!(text.contains("<ping xmlns='urn:xmpp:ping'>"), "{text}");
            presences += u32::from(text.contains("<presence>"));
            online.heard(now);
        }
        assert_eq!(presences, 2);
        let ping = start + Duration::from_secs(255);
        online.due(ping)?;
        assert_eq!(online.timeout(), ping + PING_LIMIT);
        assert!(matches!(
            online.due(ping + PING_LIMIT),
            Err(Reason::Silent(_))
        ));
        Ok(())
    }

    #[test]
    fn queries_are_taken_only_from_those_who_are_present() -> Result<(), Box<dyn std::error::Error>>
    {
        let mut online = online(Senders::Present, Instant::now())?;
        let query = format!("<iq type='get' id='1' from='barn@example.org/x'>{QUERY}</iq>");
        let refused = outcome(&mut online, &query);
        assert!(refused.stranger && refused.event.is_none() && refused.answer.is_none());

        let there = "<presence from='Barn@example.org/x'><status>fpr</status></presence>";
        let from: Jid = "barn@example.org/x".parse()?;
        assert_eq!(
            outcome(&mut online, there).event,
            Some(Event::Available {
                from: from.clone(),
                status: Some("fpr".to_owned())
            })
        );
        let Some(Event::Query {
            from: sender,
            fields,
        }) = outcome(&mut online, &query).event
        else {
            return Err("no query".into());
        };
        assert_eq!(
            (sender, fields.text("data"), fields.text("type")),
            (from.clone(), Some("d"), Some("t"))
        );
        // What is of another namespace is not taken along.
        assert_eq!(fields.iter().count(), 2);

        let gone = "<presence type='unavailable' from='barn@example.org/x'/>";
        assert_eq!(
            outcome(&mut online, gone).event,
            Some(Event::Unavailable { from })
        );
        assert_eq!(outcome(&mut online, gone), Outcome::default());
        assert!(outcome(&mut online, &query).stranger);
        Ok(())
    }

    #[test]
    fn with_a_list_only_those_on_it_are_heard() -> Result<(), Box<dyn std::error::Error>> {
        let listed = ["barn@example.org".parse()?].into();
        let mut online = online(Senders::Listed(listed), Instant::now())?;
        for (from, taken) in [
            ("barn@example.org/x", true),
            ("cabin@example.org/y", true),
            ("barn@example.com/x", false),
        ] {
            let query = format!("<iq type='get' id='1' from='{from}'>{QUERY}</iq>");
            let outcome = outcome(&mut online, &query);
            assert_eq!(
                (outcome.event.is_some(), outcome.stranger),
                (taken, !taken),
                "{from}"
            );
        }
        Ok(())
    }

    #[test]
    fn foreign_questions_are_answered_and_nonsense_is_not() -> Result<(), Box<dyn std::error::Error>>
    {
        let mut online = online(Senders::Present, Instant::now())?;
        let ping = "<iq type='get' id='&lt;' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>";
        let answer = outcome(&mut online, ping).answer;
        assert_eq!(
            answer.as_deref(),
            Some("<iq type='result' id='&lt;' to='example.org'></iq>")
        );
        let other = "<iq type='get' id='2'><query xmlns='jabber:iq:version'/></iq>";
        let answer = outcome(&mut online, other).answer.unwrap_or_default();
        assert!(
            answer.contains("type='error' id='2'") && answer.contains("service-unavailable"),
            "{answer}"
        );
        for nothing in [
            "<iq type='result' id='2'/>",
            "<iq type='get' id='2' from='@@'><query xmlns='urn:q'/></iq>",
            "<iq type='get' id='2' from='cabin@example.org/own'><query xmlns='urn:q'/></iq>",
            "<iq type='error' id='other'/>",
            "<message from='barn@example.org/x'><body>hello</body></message>",
            "<presence type='subscribe' from='barn@example.org'/>",
            "<presence from='cabin@example.org/own'/>",
            "<presence xmlns='urn:other' from='barn@example.org/x'/>",
        ] {
            assert_eq!(
                outcome(&mut online, nothing),
                Outcome::default(),
                "{nothing}"
            );
        }
        let back = "<iq type='error' id='query-7' from='barn@example.org/x'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
        let event = Event::Undelivered {
            to: "barn@example.org/x".parse()?,
            id: 7,
            condition: "service-unavailable".to_owned(),
        };
        assert_eq!(outcome(&mut online, back).event, Some(event));
        Ok(())
    }

    #[test]
    fn a_flood_ends_the_connection_and_a_large_roster_does_not()
    -> Result<(), Box<dyn std::error::Error>> {
        let now = Instant::now();
        let mut online = online(Senders::Present, now)?;
        for number in 0..MAX_BURST {
            let from = format!("<presence from='a{number}@example.org/x'/>");
            online.stanza(&element(&from), now)?;
        }
        assert_eq!(online.present.len(), MAX_PRESENT);
        let presence = element("<presence from='a@example.org/x'/>");
        assert_eq!(online.stanza(&presence, now), Err(Reason::Flood(MAX_BURST)));
        assert!(
            online
                .stanza(&presence, now + Duration::from_secs(1))
                .is_ok()
        );
        Ok(())
    }
}

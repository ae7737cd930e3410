//! XMPP, over which tincans find each other and exchange what links begin with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use kozo_ipop::Uid;
use kozo_xmpp::{Event, Jid, Password, Reason, Senders, Server, Settings, State, Trust};

use crate::core::Account;

/// The namespace of what tincans send each other.
const NAMESPACE: &str = "jabber:iq:tincan";

/// What the resource of a tincan's JID begins with; its uid follows.
const RESOURCE: &str = "tincan";

/// How many sessions of tincans are known at a time.
const MAX_SESSIONS: usize = crate::core::MAX_PEERS;

/// Wakes the thread that calls [`Signalling::next`].
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// One account, and whose sessions are seen through it.
pub(crate) struct Signalling {
    trust: Trust,
    wake: Wake,
    account: Option<(Account, kozo_xmpp::Account)>,
    sessions: HashMap<Uid, Jid>,
}

/// What has happened.
pub(crate) enum Signal {
    /// The session is there, or has ended.
    LoggedIn(Result<Jid, Reason>),
    /// A peer is there, and says this by its presence.
    Seen { uid: Uid, status: Option<String> },
    /// A peer has sent something.
    Heard {
        uid: Uid,
        kind: String,
        data: String,
    },
}

/// Whose certificates are believed, by the options of the role.
pub(crate) fn trust(verify: bool, file: Option<PathBuf>) -> Trust {
    match file {
        _ if !verify => Trust::Anybody,
        Some(file) => Trust::File(file),
        None => Trust::System,
    }
}

impl Signalling {
    pub(crate) fn new(trust: Trust, wake: Wake) -> Self {
        Self {
            trust,
            wake,
            account: None,
            sessions: HashMap::new(),
        }
    }

    /// Logs in, in place of an earlier account. One that is being logged in to already goes on.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn log_in(&mut self, wanted: &Account) -> Result<(), String> {
        if self
            .account
            .as_ref()
            .is_some_and(|(account, _)| account == wanted)
        {
            return Ok(());
        }
        let account: Jid = wanted
            .username
            .parse()
            .map_err(|error| format!("`username`: {error}"))?;
        if account.node().is_none() {
            return Err("`username`: an account is written as NAME@DOMAIN".to_owned());
        }
        let settings = Settings {
            account,
            password: Password::Text(wanted.password.0.clone()),
            resource: format!("{RESOURCE}{}", wanted.uid),
            server: Some(server(&wanted.host)?),
            trust: self.trust.clone(),
            namespace: NAMESPACE.to_owned(),
            status: Some(wanted.fingerprint.clone()),
            senders: Senders::Present,
        };
        self.account = None;
        self.sessions.clear();
        let wake = Arc::clone(&self.wake);
        let started = kozo_xmpp::Account::start(settings, move || wake());
        let started =
            started.map_err(|error| format!("cannot start a thread for XMPP: {error}"))?;
        self.account = Some((wanted.clone(), started));
        Ok(())
    }

    /// What has happened next.
    pub(crate) fn next(&mut self) -> Option<Signal> {
        let (_, account) = self.account.as_ref()?;
        // What means nothing here is passed over; there are only so many events.
        loop {
            match account.next_event()? {
                Event::State(State::Online { jid }) => {
                    // Only the last state is told: there may have been an end in between.
                    self.sessions.clear();
                    return Some(Signal::LoggedIn(Ok(jid)));
                }
                Event::State(State::Offline { reason, .. }) => {
                    self.sessions.clear();
                    return Some(Signal::LoggedIn(Err(reason)));
                }
                Event::Available { from, status } => {
                    let Some(uid) = uid(&from) else { continue };
                    if !self.is_new_or_known(&uid, &from) {
                        continue;
                    }
                    self.sessions.insert(uid, from);
                    return Some(Signal::Seen { uid, status });
                }
                Event::Unavailable { from } => {
                    let Some(uid) = uid(&from) else { continue };
                    if self.sessions.get(&uid) == Some(&from) {
                        self.sessions.remove(&uid);
                    }
                }
                Event::Query { from, fields } => {
                    let Some(uid) = uid(&from) else { continue };
                    if !self.is_new_or_known(&uid, &from) {
                        continue;
                    }
                    return Some(Signal::Heard {
                        uid,
                        kind: fields.text("type").unwrap_or_default().to_owned(),
                        data: fields.text("data").unwrap_or_default().to_owned(),
                    });
                }
                _ => {}
            }
        }
    }

    /// Whether this session may speak for the uid: while one has it, another one that takes the same uid is somebody
    /// else, who would get what is for the first.
    fn is_new_or_known(&self, uid: &Uid, session: &Jid) -> bool {
        match self.sessions.get(uid) {
            Some(known) => known == session,
            None => self.sessions.len() < MAX_SESSIONS,
        }
    }

    /// Sends something to a peer; whether it is there to get it.
    pub(crate) fn send(&self, uid: &Uid, kind: &str, data: &str) -> bool {
        let (Some((_, account)), Some(session)) = (&self.account, self.sessions.get(uid)) else {
            return false;
        };
        account
            .send(session, &[("data", data), ("type", kind)])
            .is_ok()
    }

    /// How much the account has left out.
    pub(crate) fn dropped(&self) -> u64 {
        let counts = self.account.as_ref().map(|(_, account)| account.counts());
        counts.map_or(0, |counts| {
            counts.dropped_events + counts.strangers + counts.oversized
        })
    }
}

/// Whose session this is, if it is a tincan's.
fn uid(session: &Jid) -> Option<Uid> {
    let uid = session.resource()?.strip_prefix(RESOURCE)?;
    // Uids are compared as texts elsewhere.
    let parsed: Uid = uid.parse().ok()?;
    (parsed.to_string() == uid).then_some(parsed)
}

/// A server as controllers write it: a name or an address, with a port perhaps.
fn server(text: &str) -> Result<Server, String> {
    let wrong = || {
        format!(
            "`host`: `{}` is no host, nor a host with a port",
            text.escape_debug()
        )
    };
    let (host, port) = match text.rsplit_once(':') {
        // An address of IPv6 without a port.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = match port {
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(wrong)?,
        None => kozo_xmpp::CLIENT_PORT,
    };
    if host.is_empty() {
        return Err(wrong());
    }
    Ok(Server {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_may_have_ports() {
        for (text, host, port) in [
            ("xmpp.example.org", "xmpp.example.org", 5222),
            ("xmpp.example.org:5223", "xmpp.example.org", 5223),
            ("192.0.2.1:5223", "192.0.2.1", 5223),
            ("2001:db8::1", "2001:db8::1", 5222),
            ("[2001:db8::1]:5223", "2001:db8::1", 5223),
        ] {
            let found = server(text).unwrap();
            assert_eq!((found.host.as_str(), found.port), (host, port), "{text}");
        }
        for text in ["", ":5222", "host:0", "host:x", "host:70000"] {
            assert!(server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_tincans_are_peers() {
        let session = |resource: &str| format!("alice@kozo.test/{resource}").parse().unwrap();
        let found = uid(&session("tincan437e4c0475866c6030734fef0187b095078832d3"));
        assert_eq!(found, Some(Uid::of_ip4([172, 31, 0, 100].into())));
        for resource in [
            "phone",
            "tincan",
            "tincan437e4c0475866c6030734fef0187b095078832d",
            "tincan437E4C0475866C6030734FEF0187B095078832D3",
            "437e4c0475866c6030734fef0187b095078832d3",
        ] {
            assert_eq!(uid(&session(resource)), None, "{resource}");
        }
    }
}

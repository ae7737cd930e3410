//! What two nodes tell each other over XMPP before there is a link: how to prove oneself in its checks, and where one
//! can be reached.

use std::fmt;
use std::net::SocketAddr;

use kozo_ice::{Candidate, CandidateKind, Credentials};
use kozo_xmpp::Fields;

/// The namespace of the queries that carry it.
pub(crate) const NAMESPACE: &str = "jabber:iq:kozo-ice";

/// How many candidates are read; more than that, nobody needs.
const MAX_CANDIDATES: usize = kozo_ice::limits::CANDIDATES_PER_PEER;

/// The longest foundation (RFC 8839).
const MAX_FOUNDATION: usize = 32;

/// Whether it wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It does.
    Offer,
    /// It is an answer, or what has changed since.
    Answer,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        }
    }
}

/// What one node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) kind: Kind,
    pub(crate) credentials: Credentials,
    pub(crate) candidates: Vec<Candidate>,
}

impl Description {
    /// As children of a query.
    pub(crate) fn fields(&self) -> [(&'static str, String); 4] {
        let lines = self
            .candidates
            .iter()
            .map(|candidate| Line(candidate).to_string());
        [
            ("type", self.kind.name().to_owned()),
            ("user", self.credentials.user.clone()),
            ("password", self.credentials.password.clone()),
            ("candidates", lines.collect::<Vec<_>>().join("\n")),
        ]
    }

    /// Reads it from a query. Candidates that are of an unknown kind are left out: they are a later version's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(fields: &Fields) -> Result<Self, &'static str> {
        let text = |name| fields.text(name).ok_or("a part of it is missing");
        let kind = match text("type")? {
            "offer" => Kind::Offer,
            "answer" => Kind::Answer,
            _ => return Err("it is neither an offer nor an answer"),
        };
        let credentials = Credentials {
            user: text("user")?.to_owned(),
            password: text("password")?.to_owned(),
        };
        if !credentials.are_usable() {
            return Err("its credentials cannot be used");
        }
        let candidates = text("candidates")?
            .lines()
            .filter_map(candidate)
            .take(MAX_CANDIDATES);
        Ok(Self {
            kind,
            credentials,
            candidates: candidates.collect(),
        })
    }
}

struct Line<'a>(&'a Candidate);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Candidate {
            kind,
            address,
            priority,
            foundation,
            ..
        } = self.0;
        write!(f, "{} {address} {priority} {foundation}", kind.name())
    }
}

fn candidate(line: &str) -> Option<Candidate> {
    let mut words = line.split(' ');
    let kind = match words.next()? {
        "host" => CandidateKind::Host,
        "srflx" => CandidateKind::ServerReflexive,
        "relay" => CandidateKind::Relayed,
        _ => return None,
    };
    let address: SocketAddr = words.next()?.parse().ok()?;
    let priority = words.next()?.parse().ok()?;
    let foundation = words.next()?;
    let of_standard = |c: u8| c.is_ascii_alphanumeric() || c == b'+' || c == b'/';
    if foundation.len() > MAX_FOUNDATION || !foundation.bytes().all(of_standard) {
        return None;
    }
    Some(Candidate {
        kind,
        address,
        base: None,
        priority,
        foundation: foundation.to_owned(),
        interface: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let candidate = |kind, address: &str, priority| {
            Some(Candidate {
                kind,
                address: address.parse().ok()?,
                base: None,
                priority,
                foundation: "a1/+".to_owned(),
                interface: String::new(),
            })
        };
        [
            candidate(CandidateKind::Host, "[2001:db8::1]:5000", 2_130_706_431),
            candidate(CandidateKind::ServerReflexive, "203.0.113.10:5000", 1),
            candidate(CandidateKind::Relayed, "203.0.113.1:49152", 0),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What is read of these texts, which have come in a query.
    fn read(fields: &[(&str, &str)]) -> Result<Description, &'static str> {
        Description::read(
            &fields
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn descriptions_are_read_as_they_were_written() {
        for kind in [Kind::Offer, Kind::Answer] {
            let description = Description {
                kind,
                credentials: Credentials::random(),
                candidates: candidates(),
            };
            let fields = description.fields();
            assert_eq!(
                fields[3].1.lines().next(),
                Some("host [2001:db8::1]:5000 2130706431 a1/+")
            );
            let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
            assert_eq!(read(&fields), Ok(description));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_or_left_out() {
        let good = [
            ("type", "offer"),
            ("user", "u"),
            ("password", "p"),
            ("candidates", ""),
        ];
        assert!(read(&good).is_ok());
        for missing in 0..good.len() {
            let mut fields = good.to_vec();
            fields.remove(missing);
            assert!(read(&fields).is_err());
        }
        for wrong in [
            ("type", "bye"),
            ("user", "a:b"),
            ("password", "\u{fc}"),
            ("user", ""),
        ] {
            let mut fields = vec![wrong];
            fields.extend(good);
            assert!(read(&fields).is_err(), "{wrong:?}");
        }
        let line = "host 192.0.2.1:1 1 1\n";
        let hostile = format!(
            "tcp 192.0.2.1:1 1 1\nhost nobody:1 1 1\nhost 192.0.2.1:99999 1 1\nhost 192.0.2.1:1 -1 1\n\
             host 192.0.2.1:1 1 \nhost 192.0.2.1:1 1\nprflx 192.0.2.1:1 1 1\nhost 192.0.2.1:1 1 a:b\n{}",
            line.repeat(10_000)
        );
        let mut fields = good.to_vec();
        fields[3].1 = &hostile;
        let read = read(&fields).map(|description| description.candidates.len());
        assert_eq!(read, Ok(MAX_CANDIDATES));
    }
}

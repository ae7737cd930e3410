//! What is said before stanzas go: encryption, login, the session's name. Pure: elements in, steps out.
//!
//! ```text
//!  features ──starttls──▶ proceed ─▶ (TLS) ─▶ features ──SASL──▶ success ─▶ (stream anew) ─▶ features ──bind──▶ done
//! ```

use base64ct::{Base64, Encoding};

use crate::scram::{Binding, Fault, Hash, Scram};
use crate::xml::{Element, Markup};
use crate::{Jid, Reason};

pub(crate) const STREAM: &str = "http://etherx.jabber.org/streams";
pub(crate) const CLIENT: &str = "jabber:client";
const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const BINDINGS: &str = "urn:xmpp:sasl-cb:0";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";

const BIND_ID: &str = "bind";

/// The longest text of a server that is passed on to people, in characters.
const MAX_WORDS: usize = 200;

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Wait for more.
    Wait,
    /// Send this.
    Send(String),
    /// Encrypt from now on, and begin the stream anew.
    Encrypt,
    /// Begin the stream anew.
    Restart,
    /// The session is there.
    Done(Jid),
}

/// A connection's way to a session.
pub(crate) struct Login {
    account: Jid,
    resource: String,
    password: String,
    /// Whether the server's certificate has been checked.
    verified: bool,
    stage: Stage,
}

enum Stage {
    /// Not encrypted.
    Plain,
    Proceed,
    /// Encrypted; with what binds the login to that, if it can be had.
    Encrypted(Option<Vec<u8>>),
    Scram(Box<Scram>),
    /// The password was told.
    Told,
    LoggedIn,
    Binding,
}

impl Login {
    pub(crate) fn new(account: &Jid, resource: &str, password: String, verified: bool) -> Self {
        Self {
            account: account.bare(),
            resource: resource.to_owned(),
            password,
            verified,
            stage: Stage::Plain,
        }
    }

    /// The stream's header.
    pub(crate) fn header(&self) -> String {
        let header = Markup::default().open(
            "stream:stream",
            &[
                ("xmlns", CLIENT),
                ("xmlns:stream", STREAM),
                ("to", self.account.domain()),
                ("version", "1.0"),
                ("xml:lang", "en"),
            ],
        );
        format!("<?xml version='1.0'?>{}", header.finish())
    }

    /// The connection is encrypted now.
    pub(crate) fn encrypted(&mut self, binding: Option<Vec<u8>>) {
        self.stage = Stage::Encrypted(binding);
    }

    /// Whether the server has agreed to encrypt, and that is being set up.
    pub(crate) fn waits_for_encryption(&self) -> bool {
        matches!(self.stage, Stage::Proceed)
    }

    /// What is being waited for, to be said if it takes too long.
    pub(crate) fn waits_for(&self) -> &'static str {
        match self.stage {
            Stage::Plain | Stage::Proceed => "answer",
            Stage::Encrypted(_) => "set up encryption",
            Stage::Scram(_) | Stage::Told => "check the password",
            Stage::LoggedIn | Stage::Binding => "open the session",
        }
    }

    pub(crate) fn element(&mut self, element: &Element) -> Result<Step, Reason> {
        if element.is(STREAM, "error") {
            return Err(stream_error(element, &self.account));
        }
        let is_features = element.is(STREAM, "features");
        match &mut self.stage {
            Stage::Plain if is_features => self.ask_for_encryption(element),
            Stage::Proceed if element.is(TLS, "proceed") => Ok(Step::Encrypt),
            Stage::Proceed if element.is(TLS, "failure") => Err(Reason::NoStartTls),
            Stage::Encrypted(binding) if is_features => {
                let binding = binding.take();
                self.authenticate(element, binding)
            }
            Stage::Scram(scram) if element.is(SASL, "challenge") => {
                let answer = decoded(&element.text)
                    .and_then(|challenge| scram.response(&challenge))
                    .map_err(|fault| self.fault(fault))?;
                Ok(Step::Send(sasl("response", &[], &answer)))
            }
            Stage::Scram(scram) if element.is(SASL, "success") => {
                decoded(&element.text)
                    .and_then(|proof| scram.success(&proof))
                    .map_err(|fault| self.fault(fault))?;
                self.logged_in()
            }
            Stage::Told if element.is(SASL, "success") => self.logged_in(),
            Stage::Scram(_) | Stage::Told if element.is(SASL, "failure") => {
                Err(self.refusal(element))
            }
            Stage::LoggedIn if is_features => Ok(self.bind(element)),
            Stage::Binding if answers_bind(element) => self.bound(element),
            Stage::Binding => Ok(Step::Wait),
            _ => Err(Reason::NotUnderstood(format!(
                "`{}` while it was to {}",
                words(&element.name),
                self.waits_for()
            ))),
        }
    }

    fn ask_for_encryption(&mut self, features: &Element) -> Result<Step, Reason> {
        if features.child(TLS, "starttls").is_none() {
            return Err(Reason::NoStartTls);
        }
        self.stage = Stage::Proceed;
        let request = Markup::default().open("starttls", &[("xmlns", TLS)]);
        Ok(Step::Send(request.close("starttls").finish()))
    }

    fn authenticate(
        &mut self,
        features: &Element,
        binding: Option<Vec<u8>>,
    ) -> Result<Step, Reason> {
        let children = features
            .child(SASL, "mechanisms")
            .map(|mechanisms| mechanisms.children.as_slice())
            .unwrap_or_default();
        let offered: Vec<&str> = children.iter().map(|child| child.text.trim()).collect();
        let offers = |name: &str| offered.contains(&name);
        let exporter_offered = features
            .child(BINDINGS, "sasl-channel-binding")
            .is_some_and(|bindings| {
                let mut kinds = bindings.children.iter();
                kinds.any(|kind| kind.attribute("type") == Some("tls-exporter"))
            });
        let any_plus = offered.iter().any(|name| name.ends_with("-PLUS"));
        let user = self.account.node().unwrap_or_default().to_owned();

        for (hash, plus, plain) in [
            (Hash::Sha256, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
            (Hash::Sha1, "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"),
        ] {
            let (name, binding) = match &binding {
                Some(data) if exporter_offered && offers(plus) => {
                    (plus, Binding::Exporter(data.clone()))
                }
                _ if !offers(plain) => continue,
                Some(_) if !any_plus => (plain, Binding::NotOffered),
                _ => (plain, Binding::None),
            };
            let scram = Scram::new(hash, binding, &user, &self.password)
                .map_err(|fault| self.fault(fault))?;
            let request = sasl("auth", &[("mechanism", name)], &scram.initial());
            self.stage = Stage::Scram(Box::new(scram));
            return Ok(Step::Send(request));
        }
        // Whoever pretends to be the server would have the password.
        if offers("PLAIN") && self.verified {
            let told = format!("\0{user}\0{}", self.password);
            self.stage = Stage::Told;
            return Ok(Step::Send(sasl("auth", &[("mechanism", "PLAIN")], &told)));
        }
        let offered = offered.iter().take(10).map(|name| words(name));
        let offered = offered.collect::<Vec<_>>().join(", ");
        Err(Reason::NoMechanism {
            offered: if offered.is_empty() {
                "none".to_owned()
            } else {
                offered
            },
        })
    }

    fn logged_in(&mut self) -> Result<Step, Reason> {
        self.stage = Stage::LoggedIn;
        Ok(Step::Restart)
    }

    fn bind(&mut self, features: &Element) -> Step {
        self.stage = Stage::Binding;
        let mut request = Markup::default()
            .open("iq", &[("type", "set"), ("id", BIND_ID)])
            .open("bind", &[("xmlns", BIND)])
            .element("resource", &[], &self.resource)
            .close("bind")
            .close("iq");
        // Older servers want to be asked for a session as well, and say so. Requests are answered in order, so
        // nobody has to wait for it.
        let session = features.child(SESSION, "session");
        if session.is_some_and(|session| session.child(SESSION, "optional").is_none()) {
            request = request
                .open("iq", &[("type", "set"), ("id", "session")])
                .element("session", &[("xmlns", SESSION)], "")
                .close("iq");
        }
        Step::Send(request.finish())
    }

    fn bound(&mut self, answer: &Element) -> Result<Step, Reason> {
        if answer.attribute("type") == Some("error") {
            let (condition, text) = error_of(answer);
            return Err(match condition.as_str() {
                "conflict" => Reason::OtherResource {
                    wanted: self.resource.clone(),
                    given: "none".to_owned(),
                },
                _ => Reason::LoginRefused {
                    account: self.account.to_string(),
                    why: said(&condition, &text),
                },
            });
        }
        let jid = answer
            .child(BIND, "bind")
            .and_then(|bind| bind.child(BIND, "jid"))
            .and_then(|jid| jid.text.trim().parse::<Jid>().ok())
            .ok_or_else(|| Reason::NotUnderstood("a session without an address".to_owned()))?;
        match jid.resource() {
            Some(given) if given == self.resource => Ok(Step::Done(jid)),
            given => Err(Reason::OtherResource {
                wanted: self.resource.clone(),
                given: words(given.unwrap_or("none")),
            }),
        }
    }

    fn refusal(&self, failure: &Element) -> Reason {
        let account = self.account.to_string();
        let condition = failure.children.iter().find(|child| child.name != "text");
        let condition = condition.map_or("failure", |child| child.name.as_str());
        let text = failure.child(SASL, "text").map_or("", |text| &text.text);
        match condition {
            "not-authorized" | "invalid-authzid" => Reason::WrongPassword { account },
            _ => Reason::LoginRefused {
                account,
                why: said(condition, text),
            },
        }
    }

    fn fault(&self, fault: Fault) -> Reason {
        match fault {
            Fault::FalseServer => Reason::FalseServer,
            Fault::NotUnderstood(what) => Reason::NotUnderstood(what.to_owned()),
            Fault::Password => Reason::LoginRefused {
                account: self.account.to_string(),
                why: "the password is empty or has characters that passwords cannot have"
                    .to_owned(),
            },
            Fault::Random => Reason::Tls("the system gives no random numbers".to_owned()),
        }
    }
}

fn sasl(name: &str, attributes: &[(&str, &str)], data: &str) -> String {
    let attributes = [&[("xmlns", SASL)], attributes].concat();
    // An empty text would stand for none at all.
    let data = match data {
        "" if name == "auth" => "=".to_owned(),
        data => Base64::encode_string(data.as_bytes()),
    };
    Markup::default().element(name, &attributes, &data).finish()
}

fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    match text.trim() {
        "=" => Ok(Vec::new()),
        text => Base64::decode_vec(text)
            .map_err(|_| Fault::NotUnderstood("a step of the login that is not in Base64")),
    }
}

fn answers_bind(element: &Element) -> bool {
    element.is(CLIENT, "iq")
        && element.attribute("id") == Some(BIND_ID)
        && matches!(element.attribute("type"), Some("result" | "error"))
}

/// The condition and the text of a stanza's error.
pub(crate) fn error_of(stanza: &Element) -> (String, String) {
    const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
    let Some(error) = stanza.child(CLIENT, "error") else {
        return ("undefined-condition".to_owned(), String::new());
    };
    let of_standard = error
        .children
        .iter()
        .filter(|child| child.namespace == STANZAS);
    let condition = of_standard.clone().find(|child| child.name != "text");
    let condition = condition.map_or("undefined-condition", |child| &child.name);
    let text = error.child(STANZAS, "text").map_or("", |text| &text.text);
    (words(condition), words(text))
}

/// Why the server ends a stream.
pub(crate) fn stream_error(error: &Element, jid: &Jid) -> Reason {
    let condition = error
        .children
        .iter()
        .find(|child| child.namespace == STREAM_ERRORS && child.name != "text")
        .map_or("undefined-condition", |child| child.name.as_str());
    let text = error
        .child(STREAM_ERRORS, "text")
        .map_or("", |text| &text.text);
    match condition {
        "host-unknown" | "host-gone" => Reason::NoSuchDomain {
            domain: jid.domain().to_owned(),
        },
        "conflict" => Reason::Replaced {
            jid: jid.to_string(),
        },
        _ => Reason::Closed(said(condition, text)),
    }
}

fn said(condition: &str, text: &str) -> String {
    match text.trim() {
        "" => words(condition),
        text => format!("{} ({})", words(text), words(condition)),
    }
}

/// What a server said, as one line of bounded length without anything that a terminal would obey.
pub(crate) fn words(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_WORDS).map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::tests::element;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn login(verified: bool) -> Result<Login, crate::InvalidJid> {
        let account = "user@example.org".parse()?;
        Ok(Login::new(&account, "own", "pencil".to_owned(), verified))
    }

    fn features(inside: &str) -> Element {
        element(&format!("<stream:features>{inside}</stream:features>"))
    }

    fn mechanisms(names: &[&str]) -> Element {
        let names: String = names
            .iter()
            .map(|name| format!("<mechanism>{name}</mechanism>"))
            .collect();
        features(&format!("<mechanisms xmlns='{SASL}'>{names}</mechanisms>"))
    }

    #[test]
    fn nothing_is_told_before_encryption() -> Tested {
        let mut plain = login(true)?;
        let offered = features(&format!(
            "<mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms>"
        ));
        assert_eq!(plain.element(&offered), Err(Reason::NoStartTls));
        let mut plain = login(true)?;
        let starttls = features(&format!("<starttls xmlns='{TLS}'/>"));
        let Step::Send(request) = plain.element(&starttls)? else {
            return Err("no request".into());
        };
        assert_eq!(request, format!("<starttls xmlns='{TLS}'></starttls>"));
        // Nor is anything else taken in the place of the agreement.
        let success = element(&format!("<success xmlns='{SASL}'/>"));
        assert!(matches!(
            plain.element(&success),
            Err(Reason::NotUnderstood(_))
        ));
        let mut plain = login(true)?;
        plain.element(&starttls)?;
        assert_eq!(
            plain.element(&element(&format!("<proceed xmlns='{TLS}'/>")))?,
            Step::Encrypt
        );
        Ok(())
    }

    #[test]
    fn the_best_way_to_prove_the_password_is_chosen() -> Tested {
        let binding = format!(
            "<sasl-channel-binding xmlns='{BINDINGS}'><channel-binding type='tls-exporter'/></sasl-channel-binding>"
        );
        let all = [
            "PLAIN",
            "SCRAM-SHA-1",
            "SCRAM-SHA-1-PLUS",
            "SCRAM-SHA-256",
            "SCRAM-SHA-256-PLUS",
        ];
        let chosen = |offered: &Element, binding: Option<Vec<u8>>, verified: bool| {
            let mut login = login(verified).map_err(|_| Reason::Stopped)?;
            login.encrypted(binding);
            login.element(offered).map(|step| match step {
                Step::Send(text) => text,
                _ => String::new(),
            })
        };
        let key = || Some(vec![1; 32]);
        let with_binding = {
            let names: String = all
                .iter()
                .map(|name| format!("<mechanism>{name}</mechanism>"))
                .collect();
            features(&format!(
                "<mechanisms xmlns='{SASL}'>{names}</mechanisms>{binding}"
            ))
        };
        let header = |text: &str| {
            let data = element(text).text;
            let data = Base64::decode_vec(&data).unwrap_or_default();
            String::from_utf8_lossy(&data)
                .split("n=user")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        for (offered, binding, mechanism, expected) in [
            (
                &with_binding,
                key(),
                "SCRAM-SHA-256-PLUS",
                "p=tls-exporter,,",
            ),
            (&with_binding, None, "SCRAM-SHA-256", "n,,"),
            (&mechanisms(&all), key(), "SCRAM-SHA-256", "n,,"),
            (
                &mechanisms(&["SCRAM-SHA-1", "PLAIN"]),
                key(),
                "SCRAM-SHA-1",
                "y,,",
            ),
            (&mechanisms(&["SCRAM-SHA-1"]), None, "SCRAM-SHA-1", "n,,"),
        ] {
            let text = chosen(offered, binding, true)?;
            assert!(text.contains(&format!("mechanism='{mechanism}'")), "{text}");
            assert_eq!(header(&text), expected, "{mechanism}");
        }
        let told = chosen(&mechanisms(&["PLAIN"]), key(), true)?;
        assert_eq!(
            element(&told).text,
            Base64::encode_string(b"\0user\0pencil")
        );
        for (offered, verified) in [
            (&["PLAIN"][..], false),
            (&["DIGEST-MD5", "X"][..], true),
            (&[][..], true),
        ] {
            let reason = chosen(&mechanisms(offered), key(), verified);
            assert!(
                matches!(reason, Err(Reason::NoMechanism { .. })),
                "{offered:?}: {reason:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn refusals_are_told_apart() -> Tested {
        let refused = |inside: &str| {
            let mut login = login(true).map_err(|_| Reason::Stopped)?;
            login.encrypted(None);
            login.element(&mechanisms(&["SCRAM-SHA-1"]))?;
            login.element(&element(inside))
        };
        let failure =
            |inside: &str| refused(&format!("<failure xmlns='{SASL}'>{inside}</failure>"));
        let account = "user@example.org".to_owned();
        assert_eq!(
            failure("<not-authorized/>"),
            Err(Reason::WrongPassword {
                account: account.clone()
            })
        );
        assert_eq!(
            failure("<account-disabled/><text>pay\u{a} first</text>"),
            Err(Reason::LoginRefused {
                account,
                why: "pay  first (account-disabled)".to_owned()
            })
        );
        // A server that does not prove anything is none.
        assert_eq!(
            refused(&format!("<success xmlns='{SASL}'/>")),
            Err(Reason::FalseServer)
        );
        let error = |condition: &str| {
            refused(&format!(
                "<stream:error><{condition} xmlns='{STREAM_ERRORS}'/></stream:error>"
            ))
        };
        let domain = "example.org".to_owned();
        assert_eq!(error("host-unknown"), Err(Reason::NoSuchDomain { domain }));
        let jid = "user@example.org".to_owned();
        assert_eq!(error("conflict"), Err(Reason::Replaced { jid }));
        assert_eq!(
            error("policy-violation"),
            Err(Reason::Closed("policy-violation".to_owned()))
        );
        Ok(())
    }

    #[test]
    fn a_session_of_another_name_is_of_no_use() -> Tested {
        let bound = |answer: &str| {
            let mut login = login(true).map_err(|_| Reason::Stopped)?;
            login.stage = Stage::LoggedIn;
            let offered = features(&format!(
                "<bind xmlns='{BIND}'/><session xmlns='{SESSION}'/>"
            ));
            let Step::Send(request) = login.element(&offered)? else {
                return Err(Reason::Stopped);
            };
            assert!(request.contains("<resource>own</resource>") && request.contains(SESSION));
            login.element(&element(&format!("<iq id='bind' {answer}</iq>")))
        };
        let given = |jid: &str| {
            bound(&format!(
                "type='result'><bind xmlns='{BIND}'><jid>{jid}</jid></bind>"
            ))
        };
        assert_eq!(
            given("user@example.org/own")?,
            Step::Done("user@example.org/own".parse()?)
        );
        assert!(matches!(
            given("user@example.org/4711"),
            Err(Reason::OtherResource { .. })
        ));
        assert!(matches!(given("@"), Err(Reason::NotUnderstood(_))));
        let conflict = "type='error'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        assert!(matches!(bound(conflict), Err(Reason::OtherResource { .. })));
        Ok(())
    }
}

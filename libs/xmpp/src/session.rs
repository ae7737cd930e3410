//! One connection with the server, without the connection: bytes and times in, bytes and events out.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::login::{Login, STREAM, Step, stream_error};
use crate::online::Online;
use crate::xml::{Element, Part, Reader};
use crate::{Event, Fields, Jid, Reason, Settings, Trust, tls};

/// How long all may take from the connection to the session.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);

/// How much waits for a server that does not read, in bytes.
const MAX_OUTPUT: usize = 1 << 20;

/// What happened, from the session to its account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    Online(Jid),
    Event(Event),
    Oversized,
    Stranger,
}

pub(crate) struct Session {
    settings: Arc<Settings>,
    config: Arc<ClientConfig>,
    tls: Option<ClientConnection>,
    reader: Reader,
    /// For the socket.
    output: Vec<u8>,
    happenings: Vec<Happening>,
    stage: Stage,
}

enum Stage {
    Login { login: Login, deadline: Instant },
    Online(Online),
}

impl Session {
    pub(crate) fn new(
        settings: &Arc<Settings>,
        config: Arc<ClientConfig>,
        password: String,
        now: Instant,
    ) -> Self {
        let verified = settings.trust != Trust::Anybody;
        let login = Login::new(&settings.account, &settings.resource, password, verified);
        Self {
            settings: Arc::clone(settings),
            config,
            tls: None,
            reader: Reader::new(),
            output: login.header().into_bytes(),
            happenings: Vec::new(),
            stage: Stage::Login {
                login,
                deadline: now + LOGIN_LIMIT,
            },
        }
    }

    /// What is to be written to the server; whoever writes takes away what is written.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What has happened since the last time.
    pub(crate) fn happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called.
    pub(crate) fn timeout(&self) -> Instant {
        match &self.stage {
            Stage::Login { deadline, .. } => *deadline,
            Stage::Online(online) => online.timeout(),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Reason> {
        let text = match &mut self.stage {
            Stage::Login { login, deadline } if now >= *deadline => {
                return Err(Reason::TimedOut {
                    step: login.waits_for(),
                    limit: LOGIN_LIMIT,
                });
            }
            Stage::Login { .. } => return Ok(()),
            Stage::Online(online) => online.due(now)?,
        };
        self.send(&text)
    }

    /// Sends a query, if there is a session.
    pub(crate) fn query(&mut self, to: &str, id: u64, fields: &Fields) -> Result<(), Reason> {
        match &self.stage {
            Stage::Login { .. } => Ok(()),
            Stage::Online(online) => {
                let text = online.query(to, id, fields);
                self.send(&text)
            }
        }
    }

    /// Takes leave, so that others see at once that the account has gone.
    pub(crate) fn close(&mut self) {
        if let Stage::Online(_) = self.stage {
            let text = "<presence type='unavailable'/></stream:stream>";
            // Whoever leaves does not mind.
            let _ = self.send(text);
        }
    }

    /// Takes in what came from the server.
    pub(crate) fn received(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Reason> {
        if let Stage::Online(online) = &mut self.stage {
            online.heard(now);
        }
        if self.tls.is_none() {
            // What stands behind the last plain word is taken for encrypted, whoever has sent it.
            self.read(&mut bytes, now)?;
        }
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            let domain = self.settings.account.domain();
            let Some(tls) = &mut self.tls else {
                return Ok(());
            };
            tls.read_tls(&mut bytes).map_err(gone)?;
            tls.process_new_packets()
                .map_err(|error| tls::reason(&error, domain))?;
            plain.clear();
            match tls.reader().read_to_end(&mut plain) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(gone(error)),
                _ => {}
            }
            self.handshake_done()?;
            self.read(&mut plain.as_slice(), now)?;
        }
        self.flush()
    }

    /// If the encryption has just been set up, begins the stream in it.
    fn handshake_done(&mut self) -> Result<(), Reason> {
        let (Some(tls), Stage::Login { login, .. }) = (&mut self.tls, &mut self.stage) else {
            return Ok(());
        };
        if tls.is_handshaking() || !login.waits_for_encryption() {
            return Ok(());
        }
        let (label, length) = tls::BINDING;
        let binding = tls::binds(tls.protocol_version())
            .then(|| tls.export_keying_material(vec![0; length], label, None))
            .and_then(Result::ok);
        login.encrypted(binding);
        let header = login.header();
        self.reader = Reader::new();
        self.send(&header)
    }

    fn read(&mut self, bytes: &mut &[u8], now: Instant) -> Result<(), Reason> {
        while let Some(part) = self.reader.next(bytes)? {
            match part {
                Part::Header => {}
                Part::Skipped => self.happenings.push(Happening::Oversized),
                Part::Footer => return Err(Reason::Closed("without a reason".to_owned())),
                Part::Stanza(element) => {
                    if self.element(&element, now)? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether what comes behind it is no longer of this stream.
    fn element(&mut self, element: &Element, now: Instant) -> Result<bool, Reason> {
        let online = match &mut self.stage {
            Stage::Login { login, .. } => {
                let step = login.element(element)?;
                return self.step(step, now);
            }
            Stage::Online(online) => online,
        };
        if element.is(STREAM, "error") {
            let jid = self.settings.account.with_resource(&self.settings.resource);
            return Err(stream_error(
                element,
                jid.as_ref().unwrap_or(&self.settings.account),
            ));
        }
        let outcome = online.stanza(element, now)?;
        self.happenings.extend(outcome.event.map(Happening::Event));
        if outcome.stranger {
            self.happenings.push(Happening::Stranger);
        }
        if let Some(answer) = outcome.answer {
            self.send(&answer)?;
        }
        Ok(false)
    }

    fn step(&mut self, step: Step, now: Instant) -> Result<bool, Reason> {
        match step {
            Step::Wait => {}
            Step::Send(text) => self.send(&text)?,
            Step::Encrypt => {
                self.encrypt()?;
                return Ok(true);
            }
            Step::Restart => {
                self.reader = Reader::new();
                if let Stage::Login { login, .. } = &self.stage {
                    let header = login.header();
                    self.send(&header)?;
                }
                return Ok(true);
            }
            Step::Done(jid) => {
                let settings = Arc::clone(&self.settings);
                self.stage = Stage::Online(Online::new(
                    jid.clone(),
                    settings.namespace.clone(),
                    settings.status.clone(),
                    settings.senders.clone(),
                    now,
                ));
                self.happenings.push(Happening::Online(jid));
                self.handle_timeout(now)?;
            }
        }
        Ok(false)
    }

    fn encrypt(&mut self) -> Result<(), Reason> {
        let domain = self.settings.account.domain();
        let name = ServerName::try_from(domain.to_owned())
            .map_err(|error| Reason::Tls(format!("`{domain}`: {error}")))?;
        let mut tls = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| tls::reason(&error, domain))?;
        // The limit is on what comes out of it.
        tls.set_buffer_limit(None);
        self.tls = Some(tls);
        self.flush()
    }

    fn send(&mut self, text: &str) -> Result<(), Reason> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(text.as_bytes()).map_err(gone)?,
            None => self.output.extend_from_slice(text.as_bytes()),
        }
        self.flush()
    }

    /// Encrypts what waits for that.
    fn flush(&mut self) -> Result<(), Reason> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.output).map_err(gone)?;
            }
        }
        if self.output.len() > MAX_OUTPUT {
            return Err(Reason::Gone("the server does not read".to_owned()));
        }
        Ok(())
    }
}

fn gone(error: io::Error) -> Reason {
    Reason::Gone(error.to_string())
}

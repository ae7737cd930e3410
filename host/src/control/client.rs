//! The other end of the control socket: what `kozo status` and its like ask with.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_ground::names::NodeName;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::de::DeserializeOwned;

use super::paths::Surroundings;
use super::protocol::{MAX_ANSWER, MAX_REQUEST, ProtocolError};
use crate::introspection::{Outcome, Request};

/// How long a daemon may take to answer. It may have to wait for a role to come back.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Why a daemon was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// There is no socket of a daemon.
    #[error(
        "no daemon{of} runs here: there is no live socket in {folders}; `--control PATH` names another one"
    )]
    NoDaemon {
        /// This is ` of NODE`, or nothing.
        of: String,
        /// The folders that were looked into.
        folders: String,
    },
    /// Several daemons run here.
    #[error(
        "several nodes run here, so say which one, with `--on NODE`: {}",
        .0.join(", ")
    )]
    SeveralDaemons(Vec<String>),
    /// This user may not use the socket.
    #[error(
        "this user may not use `{}`: try as root, as the daemon's user, or as a member of its group",
        .0.display()
    )]
    NotAllowed(PathBuf),
    /// The socket does not work.
    #[error("the daemon behind `{}` does not answer: {reason}", path.display())]
    System {
        /// The path of the socket.
        path: PathBuf,
        /// What the system says about it.
        reason: io::Error,
    },
    /// The answer is not understood.
    #[error("the daemon's answer: {0}")]
    Protocol(#[from] ProtocolError),
    /// The answer is too long.
    #[error("the daemon's answer has more than {MAX_ANSWER} bytes")]
    TooLong,
    /// The request is too long.
    #[error("what is asked for has {0} bytes as JSON, and {MAX_REQUEST} are the limit")]
    RequestTooLong(usize),
    /// The daemon says why not.
    #[error("{0}")]
    Refused(String),
}

/// A daemon's control socket that somebody listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    path: PathBuf,
    patience: Duration,
}

impl Client {
    /// The daemon whose socket is at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            patience: ANSWER_LIMIT,
        }
    }

    /// The same daemon, with the usual time for an answer.
    pub(crate) fn patient(&self) -> Self {
        Self::at(&self.path)
    }

    /// All daemons that run here and that this user may ask, each for an answer within `patience`.
    pub(crate) fn all(surroundings: &Surroundings, patience: Duration) -> Vec<Self> {
        let places = surroundings.sockets().into_iter();
        places
            .map(|(_, path)| Self { path, patience })
            .filter(|client| open(&client.path, patience).is_ok())
            .collect()
    }

    /// The daemon of `node`; without a name the only one that runs here.
    ///
    /// # Errors
    /// [`ClientError::NoDaemon`], [`ClientError::SeveralDaemons`] or [`ClientError::NotAllowed`].
    pub(crate) fn find(
        surroundings: &Surroundings,
        node: Option<&NodeName>,
    ) -> Result<Self, ClientError> {
        let places = match node {
            Some(node) => {
                let places = surroundings.places_of(node).into_iter();
                places.map(|path| (node.clone(), path)).collect()
            }
            None => surroundings.sockets(),
        };
        let mut live: Vec<(NodeName, PathBuf)> = Vec::new();
        let mut forbidden = None;
        for (name, path) in places {
            match open(&path, ANSWER_LIMIT) {
                Ok(_) => live.push((name, path)),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    forbidden.get_or_insert(path);
                }
                Err(_) => {}
            }
        }
        if node.is_some() {
            // The places are in the order in which daemons choose theirs.
            live.truncate(1);
        }
        match (live.as_slice(), forbidden) {
            ([(_, path)], _) => Ok(Self::at(path)),
            ([], Some(path)) => Err(ClientError::NotAllowed(path)),
            ([], None) => {
                let folders = surroundings.folders().into_iter();
                let folders: Vec<_> = folders
                    .map(|path| format!("`{}`", path.display()))
                    .collect();
                Err(ClientError::NoDaemon {
                    of: node.map_or(String::new(), |node| format!(" of `{node}`")),
                    folders: folders.join(", "),
                })
            }
            (several, _) => Err(ClientError::SeveralDaemons(
                several.iter().map(|(name, _)| name.to_string()).collect(),
            )),
        }
    }

    /// Asks for something, and waits for the answer.
    ///
    /// # Errors
    /// [`ClientError`]
    pub(crate) fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        self.converse()?.ask(request)
    }

    /// Opens a connection for several requests: what they open ends with it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub(crate) fn converse(&self) -> Result<Conversation, ClientError> {
        let stream = open(&self.path, self.patience).map_err(|reason| self.failed(reason))?;
        Ok(Conversation {
            daemon: self.clone(),
            stream: BufReader::new(stream),
        })
    }

    fn failed(&self, reason: io::Error) -> ClientError {
        match reason.kind() {
            ErrorKind::PermissionDenied => ClientError::NotAllowed(self.path.clone()),
            // What a socket with a time limit says when the time is over.
            ErrorKind::WouldBlock => ClientError::System {
                path: self.path.clone(),
                reason: ErrorKind::TimedOut.into(),
            },
            _ => ClientError::System {
                path: self.path.clone(),
                reason,
            },
        }
    }
}

/// A connection with a daemon.
#[derive(Debug)]
pub(crate) struct Conversation {
    daemon: Client,
    stream: BufReader<UnixStream>,
}

impl Conversation {
    /// Asks for something, and waits for the answer.
    ///
    /// # Errors
    /// [`ClientError`]; only after [`ClientError::Refused`] may more be asked.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, ClientError> {
        let line = request.line_of_several();
        if line.len() > MAX_REQUEST {
            return Err(ClientError::RequestTooLong(line.len()));
        }
        let answer = self.exchange(line.as_bytes());
        let answer = answer.map_err(|reason| self.daemon.failed(reason))?;
        if answer.len() > MAX_ANSWER {
            return Err(ClientError::TooLong);
        }
        match Outcome::parse(&answer)? {
            Outcome::Answer(answer) => Ok(answer),
            Outcome::Error(reason) => Err(ClientError::Refused(reason)),
        }
    }

    fn exchange(&mut self, line: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.get_mut().write_all(line)?;
        let mut answer = Vec::new();
        let mut limited = self.stream.by_ref().take(MAX_ANSWER as u64 + 1);
        limited.read_until(b'\n', &mut answer)?;
        if answer.is_empty() {
            return Err(io::Error::other("it closed the connection: it may be busy"));
        }
        Ok(answer)
    }
}

/// A connection on which nothing takes for ever.
fn open(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    for direction in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(&socket, direction, Some(patience))?;
    }
    connect(&socket, &address)?;
    Ok(socket.into())
}

//! The socket that the service manager listens on.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// What the service manager wrote into the environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Invitation {
    /// `NOTIFY_SOCKET`: a path, or a name in the abstract namespace behind an `@`.
    pub(super) socket: Option<OsString>,
    /// `WATCHDOG_USEC`: after how many microseconds without a sign of life the process is taken
    /// for dead.
    pub(super) watchdog: Option<OsString>,
    /// `WATCHDOG_PID`: the process that this is asked of.
    pub(super) watchdog_process: Option<OsString>,
    /// The number of this process.
    pub(super) process: u32,
}

impl Invitation {
    /// Reads the environment of this process.
    pub(super) fn read() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            socket: variable("NOTIFY_SOCKET"),
            watchdog: variable("WATCHDOG_USEC"),
            watchdog_process: variable("WATCHDOG_PID"),
            process: std::process::id(),
        }
    }

    /// How long may pass between two signs of life; nothing when nobody waits for them.
    fn watchdog(&self) -> Result<Option<Duration>, ChannelError> {
        let Some(limit) = &self.watchdog else {
            return Ok(None);
        };
        let is_meant = match &self.watchdog_process {
            None => true,
            Some(process) => number("WATCHDOG_PID", process)? == u64::from(self.process),
        };
        match number("WATCHDOG_USEC", limit)? {
            limit @ 1.. if is_meant => Ok(Some(Duration::from_micros(limit))),
            _ => Ok(None),
        }
    }
}

/// Why the service manager cannot be told anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChannelError {
    #[error("the variable `{name}` is no number: `{}`", kozo_ground::text::printable(&value.to_string_lossy()))]
    NoNumber { name: &'static str, value: OsString },
    #[error(
        "the variable `NOTIFY_SOCKET` names no local socket: `{}`",
        kozo_ground::text::printable(&.0.to_string_lossy())
    )]
    NoSocket(OsString),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The way to the service manager.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixDatagram,
    watchdog: Option<Duration>,
}

impl Channel {
    /// Opens it; there is none when nobody asked to be told.
    ///
    /// # Errors
    /// [`ChannelError`]
    pub(super) fn open(invitation: &Invitation) -> Result<Option<Self>, ChannelError> {
        let Some(name) = &invitation.socket else {
            return Ok(None);
        };
        let socket = UnixDatagram::unbound()?;
        // The thread of the links never waits for anybody.
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address(name)?)?;
        Ok(Some(Self {
            socket,
            watchdog: invitation.watchdog()?,
        }))
    }

    /// How long may pass between two signs of life; nothing when nobody waits for them.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sends lines of `NAME=VALUE`; no lines are not sent.
    pub(super) fn send(&self, lines: &str) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.socket.send(lines.as_bytes()).map(drop)
    }
}

fn address(name: &OsStr) -> Result<SocketAddr, ChannelError> {
    match name.as_bytes() {
        [b'@', name @ ..] => Ok(SocketAddr::from_abstract_name(name)?),
        [b'/', ..] => Ok(SocketAddr::from_pathname(name)?),
        _ => Err(ChannelError::NoSocket(name.to_owned())),
    }
}

fn number(name: &'static str, value: &OsStr) -> Result<u64, ChannelError> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| ChannelError::NoNumber {
        name,
        value: value.to_owned(),
    })
}

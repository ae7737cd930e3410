//! What keeps Bluetooth from working, with what to do about it.

use std::io;

use bluer::{ErrorKind, InternalErrorKind};

/// Why something could not be done over Bluetooth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no system bus.
    #[error("D-Bus is not reached: is `dbus` installed and running? ({0})")]
    NoBus(String),

    /// Nobody on the bus answers for Bluetooth.
    #[error(
        "`bluetoothd` is not running: `systemctl start bluetooth` starts it, the package `bluez` has it"
    )]
    NoDaemon,

    /// The bus does not let this user talk to the daemon.
    #[error(
        "D-Bus does not let this user talk to `bluetoothd`: add it to the group `bluetooth`, or \
         install the D-Bus policy that Kōzō has for Bluetooth ({0})"
    )]
    Forbidden(String),

    /// The daemon knows no adapter.
    #[error("this machine has no Bluetooth adapter that `bluetoothd` knows")]
    NoAdapter,

    /// The adapter that the configuration names is not there.
    #[error("`adapter`: there is no `{wanted}`; present: {present}")]
    NoSuchAdapter {
        /// The one that is named.
        wanted: String,
        /// Those that are there.
        present: String,
    },

    /// A switch for radios keeps the adapter off.
    #[error("{}", blocked(adapter, *hard))]
    Blocked {
        /// Its name.
        adapter: String,
        /// Whether it is a switch in hardware.
        hard: bool,
    },

    /// The adapter is off.
    #[error(
        "the adapter `{adapter}` is off: `bluetoothctl power on` turns it on, `AutoEnable=true` in \
         `/etc/bluetooth/main.conf` does so at every start"
    )]
    Off {
        /// Its name.
        adapter: String,
    },

    /// The kernel has no Bluetooth, or not for this process.
    #[error(
        "this system gives the process no Bluetooth sockets: the kernel needs the modules \
         `bluetooth` and `rfcomm`, a systemd unit `AF_BLUETOOTH` in `RestrictAddressFamilies`"
    )]
    NoSockets,

    /// The other device did not answer, or no adapter is on.
    #[error("{0}")]
    Connection(String),

    /// The other device offers no such service.
    #[error("`{address}` offers no service `{uuid}`: is its node running, and is that its `uuid`?")]
    NoService {
        /// The device.
        address: bluer::Address,
        /// The service.
        uuid: bluer::Uuid,
    },

    /// The other device answers, but nobody there knows its services.
    #[error("`{address}` does not tell which services it has: is `bluetoothd` running there?")]
    NoList {
        /// The device.
        address: bluer::Address,
    },

    /// The other device's answer makes no sense.
    #[error("the list of services of the other device is broken: {0}")]
    BadAnswer(&'static str),

    /// It took too long.
    #[error("{0}: no answer in time")]
    TimedOut(&'static str),

    /// The daemon refused something.
    #[error("{doing}: {reason}")]
    Refused {
        /// What was to be done.
        doing: &'static str,
        /// What the daemon says.
        reason: String,
    },

    /// The runtime's thread is gone, or cannot be started.
    #[error("the thread for Bluetooth is not running: {0}")]
    Runtime(String),
}

fn blocked(adapter: &str, hard: bool) -> String {
    if hard {
        format!("the adapter `{adapter}` is blocked by a switch of this machine (rfkill)")
    } else {
        format!("the adapter `{adapter}` is blocked: `rfkill unblock bluetooth` lets it on again")
    }
}

impl Error {
    /// Whether a new connection to the bus may help.
    pub(crate) fn is_of_the_bus(&self) -> bool {
        matches!(self, Self::NoBus(_) | Self::TimedOut(_))
    }

    /// What the daemon, or the bus in its place, has answered.
    pub(crate) fn from_daemon(doing: &'static str, error: &bluer::Error) -> Self {
        let message = error.message.clone();
        match &error.kind {
            ErrorKind::Internal(InternalErrorKind::DBus(name)) => {
                Self::from_bus(doing, name, message)
            }
            ErrorKind::Internal(InternalErrorKind::DBusConnectionLost) => {
                Self::NoBus("the connection was lost".to_owned())
            }
            _ => Self::Refused {
                doing,
                reason: error.to_string(),
            },
        }
    }

    /// By the names that the bus gives to errors of its own.
    fn from_bus(doing: &'static str, name: &str, message: String) -> Self {
        match name
            .strip_prefix("org.freedesktop.DBus.Error.")
            .unwrap_or(name)
        {
            "ServiceUnknown" | "NameHasNoOwner" => Self::NoDaemon,
            // The bus was to start it, and could not.
            spawn if spawn.starts_with("Spawn.") => Self::NoDaemon,
            "AccessDenied" => Self::Forbidden(message),
            "FileNotFound" | "NoServer" | "Disconnected" | "AuthFailed" | "BadAddress" => {
                Self::NoBus(message)
            }
            // It went while it was asked, or is only being started.
            "NoReply" | "Timeout" | "TimedOut" => Self::TimedOut(doing),
            _ => Self::Refused {
                doing,
                reason: format!("{message} ({name})"),
            },
        }
    }

    /// What the kernel says of a socket on the way to `to`.
    pub(crate) fn from_socket(to: &str, error: &io::Error) -> Self {
        use rustix::io::Errno;
        let text = match Errno::from_io_error(error) {
            Some(Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT) => return Self::NoSockets,
            Some(Errno::HOSTUNREACH | Errno::NETDOWN | Errno::NETUNREACH | Errno::NODEV) => {
                "no Bluetooth adapter of this machine is on".to_owned()
            }
            Some(Errno::HOSTDOWN | Errno::TIMEDOUT) => "it is not in range, or off".to_owned(),
            Some(Errno::CONNREFUSED) => "it does not take the connection".to_owned(),
            Some(Errno::ACCESS | Errno::PERM | Errno::KEYREJECTED) => {
                "pairing was refused by one of the two".to_owned()
            }
            _ => error.to_string(),
        };
        Self::Connection(format!("cannot connect to `{to}`: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_bus(name: &str) -> String {
        let error = bluer::Error {
            kind: ErrorKind::Internal(InternalErrorKind::DBus(name.to_owned())),
            message: "why".to_owned(),
        };
        Error::from_daemon("looking for adapters", &error).to_string()
    }

    #[test]
    fn errors_of_the_bus_say_what_to_do() {
        for (name, says) in [
            (
                "org.freedesktop.DBus.Error.ServiceUnknown",
                "systemctl start bluetooth",
            ),
            (
                "org.freedesktop.DBus.Error.NameHasNoOwner",
                "the package `bluez`",
            ),
            (
                "org.freedesktop.DBus.Error.Spawn.ChildExited",
                "is not running",
            ),
            (
                "org.freedesktop.DBus.Error.AccessDenied",
                "the group `bluetooth`",
            ),
            (
                "org.freedesktop.DBus.Error.FileNotFound",
                "is `dbus` installed",
            ),
            ("org.freedesktop.DBus.Error.NoReply", "no answer in time"),
            (
                "org.example.Odd",
                "looking for adapters: why (org.example.Odd)",
            ),
        ] {
            let text = of_the_bus(name);
            assert!(text.contains(says), "{name}: {text}");
        }
    }

    #[test]
    fn errors_of_sockets_say_what_they_mean() {
        use rustix::io::Errno;
        for (error, says) in [
            (Errno::AFNOSUPPORT, "AF_BLUETOOTH"),
            (
                Errno::HOSTUNREACH,
                "cannot connect to `x`: no Bluetooth adapter",
            ),
            (Errno::HOSTDOWN, "not in range"),
            (Errno::CONNREFUSED, "does not take"),
        ] {
            let text = Error::from_socket("x", &error.into()).to_string();
            assert!(text.contains(says), "{error}: {text}");
        }
    }

    #[test]
    fn blocked_adapters_tell_which_switch_it_is() {
        let text = |hard| {
            let adapter = "hci0".to_owned();
            Error::Blocked { adapter, hard }.to_string()
        };
        assert!(text(false).contains("rfkill unblock bluetooth"));
        assert!(text(true).contains("switch of this machine"));
    }
}

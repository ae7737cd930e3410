//! What the text of an option may look like, beyond being one: a small set of formats, each with
//! one meaning, so that a mistake is found in the file wherever that is checked, without the module. One is of
//! paths, and says what is at the end of them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kozo_addresses::{Endpoint, Url, bluetooth, check_listening, check_onion};

/// The format of a text, or of each text in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// An IP address or a name at which others connect, with a port behind it or without one.
    Address,
    /// An IP address of this machine, or a name for it, to listen on; without a port.
    Listening,
    /// An IP address of this machine, or a name for it, with a port, to listen on.
    ListeningEndpoint,
    /// An IP address or a name, with a port, to connect to.
    Endpoint,
    /// Where a server is, and how it is spoken to: one of the schemes of the option, a host, and what may follow.
    Url,
    /// The address of an onion service, without a port.
    Onion,
    /// The address of a Bluetooth adapter.
    Bluetooth,
    /// A UUID.
    Uuid,
    /// A format of times in the notation of strftime.
    Strftime,
    /// A file that is there already, and is read; of a path. It is looked at on the node's machine alone.
    File,
}

/// Any port: whether a text is an address does not depend on it.
const SOME_PORT: u16 = 1;

impl Format {
    /// All formats, with the names that metadata uses.
    pub const ALL: [(&'static str, Self); 10] = [
        ("address", Self::Address),
        ("listening-address", Self::Listening),
        ("listening-endpoint", Self::ListeningEndpoint),
        ("endpoint", Self::Endpoint),
        ("url", Self::Url),
        ("onion-address", Self::Onion),
        ("bluetooth-address", Self::Bluetooth),
        ("uuid", Self::Uuid),
        ("strftime", Self::Strftime),
        ("file", Self::File),
    ];

    /// The name that metadata uses.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, format)| *format == self);
        found.map_or("", |(name, _)| name)
    }

    /// The format in a few words, for the tables of options.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Address => "IP address or host name, with `:port` or without",
            Self::Listening => "IP address or host name",
            Self::ListeningEndpoint | Self::Endpoint => "`host:port`",
            Self::Url => "URL",
            Self::Onion => ".onion address",
            Self::Bluetooth => "Bluetooth address",
            Self::Uuid => "UUID",
            Self::Strftime => "format of strftime",
            Self::File => "file that is read",
        }
    }

    /// Whether a text has this format; a URL has one of the schemes, or any where there are none.
    ///
    /// # Errors
    /// What is wrong with it, in words that begin with the text.
    pub(crate) fn check(self, text: &str, schemes: &[String]) -> Result<(), String> {
        let checked = match self {
            Self::Address => Endpoint::parse(text, Some(SOME_PORT)).map(drop),
            Self::Listening => check_listening(text),
            Self::ListeningEndpoint => Endpoint::parse_listening(text).map(drop),
            Self::Endpoint => Endpoint::parse(text, None).map(drop),
            Self::Url => Url::parse(text, schemes).map(drop),
            Self::Onion => check_onion(text),
            Self::Bluetooth => bluetooth::parse_address(text).map(drop),
            Self::Uuid => bluetooth::parse_uuid(text).map(drop),
            Self::Strftime => return strftime(text),
            // Any path may be one, on some machine.
            Self::File => Ok(()),
        };
        checked.map_err(|error| error.to_string())
    }

    /// What to write instead, for a help line; of a URL with one of these schemes, if there are any.
    pub(crate) fn advice_with(self, schemes: &[String]) -> String {
        match (self, schemes.first()) {
            (Self::Url, Some(scheme)) => format!(
                "write a scheme, `://`, a host and perhaps a port: `{scheme}://hall.local`, say"
            ),
            _ => self.advice().to_owned(),
        }
    }

    /// What to write instead, for a help line.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Address => {
                "write an IP address or a host name: `192.0.2.7`, `hall.local:6020` or `[2001:db8::7]:6020`"
            }
            Self::Listening => {
                "write an IP address of that machine or a name for it, without a port: `127.0.0.1`, say"
            }
            Self::ListeningEndpoint => {
                "write an IP address of that machine or a name for it, and a port: `127.0.0.1:9464`, say"
            }
            Self::Endpoint => "write a host and a port: `127.0.0.1:9050`, say",
            Self::Url => {
                "write a scheme, `://`, a host and perhaps a port and a path: `http://hall.local:8080/`, say"
            }
            Self::Onion => {
                "write the 56 characters and `.onion`; `kozo address CONFIG NODE` prints that of a node"
            }
            Self::Bluetooth => {
                "write it as in `00:1A:7D:DA:71:13`; `bluetoothctl show` prints that of an adapter"
            }
            Self::Uuid => "write it as `uuidgen` prints one",
            Self::File => "make the file, or name the one that is meant",
            Self::Strftime => "write it as in `%Y-%m-%d %H:%M:%S `, and `%%` for a percent sign",
        }
    }
}

/// Whether times can be written so. It is tried, since only that finds everything.
fn strftime(text: &str) -> Result<(), String> {
    let time = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    match jiff::fmt::strtime::format(text, &time) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "{} is no format of a time: {error}",
            kozo_ground::text::quoted(text)
        )),
    }
}

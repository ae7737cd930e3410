//! The way to `bluetoothd`, and the adapter to use.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bluer::{Adapter, Address, Session};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::{Error, Result};

/// How long the daemon may take for an answer. A controller that was just plugged in keeps it busy
/// for seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Where the kernel tells of adapters.
const ADAPTERS: &str = "/sys/class/bluetooth";

/// The way to the Bluetooth of this machine. It needs nothing to be there: what is asked for is
/// looked for anew each time, and the bus connected to again if need be.
#[derive(Debug)]
pub struct Bluetooth {
    wanted: Wanted,
    session: Mutex<Option<Session>>,
    /// What the daemon said last of the address to connect from.
    local_address: Mutex<Option<Address>>,
}

/// Which adapter is to be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    name: Option<String>,
    address: Option<Address>,
}

impl Bluetooth {
    /// For the adapter `name` (`hci0`), or the one with this address, or else whichever is on.
    #[must_use]
    pub fn new(name: Option<String>, address: Option<Address>) -> Self {
        Self {
            wanted: Wanted { name, address },
            session: Mutex::new(None),
            local_address: Mutex::new(None),
        }
    }

    /// The adapter to use; it is on.
    ///
    /// # Errors
    /// What is missing.
    pub async fn adapter(&self) -> Result<Adapter> {
        let session = self.session().await?;
        let doing = "looking for adapters";
        let present = self.ask(doing, present(&session)).await?;
        let chosen = choose(&self.wanted, &present)?;
        if chosen.on {
            return self
                .ask(doing, async { session.adapter(&chosen.name) })
                .await;
        }
        let adapter = chosen.name.clone();
        Err(match block(&Path::new(ADAPTERS).join(&adapter)) {
            Some(hard) => Error::Blocked { adapter, hard },
            None => Error::Off { adapter },
        })
    }

    /// The address to connect from: that of the adapter that is asked for by name, or any.
    ///
    /// # Errors
    /// As [`adapter`](Self::adapter), but only when one is asked for, and the daemon, if it is not there,
    /// has not told its address before: the kernel needs no daemon.
    pub async fn local_address(&self) -> Result<Address> {
        if self.wanted.name.is_none() {
            return Ok(Address::any());
        }
        let asking = async {
            let adapter = self.adapter().await?;
            self.ask("asking for the address of the adapter", adapter.address())
                .await
        };
        let answer = asking.await;
        let mut known = self.local_address.lock().await;
        match (answer, *known) {
            (Ok(address), _) => Ok(*known.insert(address)),
            (Err(Error::NoBus(_) | Error::NoDaemon), Some(known)) => Ok(known),
            (Err(error), _) => Err(error),
        }
    }

    /// The connection to the bus.
    pub(crate) async fn session(&self) -> Result<Session> {
        let mut session = self.session.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let doing = "connecting to D-Bus";
        match timeout(ANSWER_LIMIT, Session::new()).await {
            Ok(Ok(connected)) => Ok(session.insert(connected).clone()),
            Ok(Err(error)) => Err(Error::from_daemon(doing, &error)),
            Err(_) => Err(Error::TimedOut(doing)),
        }
    }

    /// Asks the daemon for something, within a time limit.
    pub(crate) async fn ask<T>(
        &self,
        doing: &'static str,
        question: impl Future<Output = bluer::Result<T>>,
    ) -> Result<T> {
        let error = match timeout(ANSWER_LIMIT, question).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Error::from_daemon(doing, &error),
            Err(_) => Error::TimedOut(doing),
        };
        if !error.is_of_the_bus() {
            return Err(error);
        }
        // A connection does not notice that the bus has gone; a new one does, and says so.
        *self.session.lock().await = None;
        self.session().await?;
        Err(error)
    }
}

/// What the daemon says of one adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Present {
    name: String,
    address: Address,
    on: bool,
}

async fn present(session: &Session) -> bluer::Result<Vec<Present>> {
    let mut present = Vec::new();
    for name in session.adapter_names().await? {
        let adapter = session.adapter(&name)?;
        let (address, on) = (adapter.address().await?, adapter.is_powered().await?);
        present.push(Present { name, address, on });
    }
    Ok(present)
}

/// The adapter that is wanted. When nobody says which: one with the address, if there is one; of
/// several, one that is on; of these, the first.
fn choose<'a>(wanted: &Wanted, present: &'a [Present]) -> Result<&'a Present> {
    let mut candidates: Vec<&Present> = present.iter().collect();
    candidates.sort_by_key(|adapter| {
        let has_address = Some(adapter.address) == wanted.address;
        (!has_address, !adapter.on, &adapter.name)
    });
    let Some(wanted) = &wanted.name else {
        return candidates.first().copied().ok_or(Error::NoAdapter);
    };
    let named = candidates.iter().find(|adapter| adapter.name == *wanted);
    named.copied().ok_or_else(|| {
        let mut names: Vec<&str> = present
            .iter()
            .map(|adapter| adapter.name.as_str())
            .collect();
        names.sort_unstable();
        Error::NoSuchAdapter {
            wanted: wanted.clone(),
            present: if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        }
    })
}

/// Whether a switch for radios keeps the adapter of this folder off, and if so, whether it is one in
/// hardware.
fn block(folder: &Path) -> Option<bool> {
    let entries = fs::read_dir(folder).ok()?;
    let switch = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with("rfkill")
        })?;
    let is_set =
        |kind: &str| fs::read_to_string(switch.join(kind)).is_ok_and(|text| text.trim() != "0");
    match (is_set("hard"), is_set("soft")) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(number: u8, on: bool) -> Present {
        Present {
            name: format!("hci{number}"),
            address: Address([0, 0, 0, 0, 0, number + 1]),
            on,
        }
    }

    fn chosen(wanted: &Wanted, present: &[Present]) -> Result<String> {
        choose(wanted, present).map(|adapter| adapter.name.clone())
    }

    #[test]
    fn of_several_adapters_the_first_that_is_on_is_used() {
        let any = Wanted::default();
        let three = [adapter(2, true), adapter(1, true), adapter(0, false)];
        assert_eq!(chosen(&any, &three), Ok("hci1".to_owned()));
        assert_eq!(chosen(&any, &[adapter(0, false)]), Ok("hci0".to_owned()));
        assert_eq!(chosen(&any, &[]), Err(Error::NoAdapter));
    }

    #[test]
    fn an_address_is_preferred_and_a_name_decides() {
        let two = [adapter(0, true), adapter(1, false)];
        let by_address = Wanted {
            address: Some(two[1].address),
            ..Wanted::default()
        };
        assert_eq!(chosen(&by_address, &two), Ok("hci1".to_owned()));
        assert_eq!(chosen(&by_address, &two[..1]), Ok("hci0".to_owned()));
        let by_name = |name: &str| Wanted {
            name: Some(name.to_owned()),
            ..by_address.clone()
        };
        assert_eq!(chosen(&by_name("hci0"), &two), Ok("hci0".to_owned()));
        let missing = chosen(&by_name("hci7"), &two).unwrap_err().to_string();
        assert_eq!(
            missing,
            "`adapter`: there is no `hci7`; present: hci0, hci1"
        );
    }

    #[test]
    fn switches_for_radios_are_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(block(folder.path()), None);
        let switch = folder.path().join("rfkill3");
        fs::create_dir(&switch).unwrap();
        for (soft, hard, expected) in [
            ("0", "0", None),
            ("1", "0", Some(false)),
            ("1", "1", Some(true)),
        ] {
            fs::write(switch.join("soft"), format!("{soft}\n")).unwrap();
            fs::write(switch.join("hard"), format!("{hard}\n")).unwrap();
            assert_eq!(block(folder.path()), expected);
        }
    }
}

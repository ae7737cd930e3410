//! A service that others find.

use std::pin::pin;
use std::time::Duration;

use bluer::rfcomm::{Profile, ProfileHandle, Role};
use bluer::{Adapter, AdapterEvent, AdapterProperty, Uuid};

use futures_util::StreamExt;
use tokio::time::timeout;

use crate::{Bluetooth, Error, Result, sdp};

/// How often the daemon is asked whether all is as it was.
const CHECK: Duration = Duration::from_secs(5);

/// For how long, in seconds, an adapter is made discoverable that shall only be connectable.
const MOMENT: u32 = 1;

/// How long the end of that moment may take to come.
const MOMENT_LIMIT: Duration = Duration::from_secs(8);

/// How often is seen to whether it has come.
const LOOK: Duration = Duration::from_millis(100);

/// Whom the adapter answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those who know its address.
    Connectable,
    /// Those who look for devices, too.
    Discoverable,
}

/// A service in this machine's list of services, for as long as this lives and the daemon does.
#[derive(Debug)]
pub struct Announcement {
    adapter: Adapter,
    reach: Reach,
    made_discoverable: bool,
    _record: ProfileHandle,
}

/// Something that happened while a service is announced.
enum News {
    Adapters,
    Adapter(Option<AdapterEvent>),
    Time,
}

impl Announcement {
    /// Announces the service `uuid`, called `name`, on this channel of RFCOMM, and lets the adapter
    /// answer.
    ///
    /// # Errors
    /// What is missing, or why the daemon does not do it.
    pub async fn publish(
        bluetooth: &Bluetooth,
        uuid: Uuid,
        name: &str,
        channel: u8,
        reach: Reach,
    ) -> Result<Self> {
        let adapter = bluetooth.adapter().await?;
        let session = bluetooth.session().await?;
        let profile = Profile {
            // Not the service's own: the daemon takes each only once, and would itself connect to
            // those that have it. That the record holds another is what matters.
            uuid: Uuid::new_v4(),
            name: Some(name.to_owned()),
            role: Some(Role::Server),
            service_record: Some(sdp::record(uuid, name, channel)),
            require_authentication: Some(false),
            require_authorization: Some(false),
            auto_connect: Some(false),
            ..Profile::default()
        };
        let registering = session.register_profile(profile);
        let record = bluetooth.ask("announcing the service", registering).await?;
        let mut announcement = Self {
            adapter,
            reach,
            made_discoverable: false,
            _record: record,
        };
        announcement.answer(bluetooth).await?;
        Ok(announcement)
    }

    /// The adapter that others find it by.
    #[must_use]
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Waits until the service has to be announced anew, because the daemon was started again, or
    /// adapters have come or gone.
    ///
    /// # Errors
    /// What is missing now.
    pub async fn watch(&mut self, bluetooth: &Bluetooth) -> Result<()> {
        let session = bluetooth.session().await?;
        let doing = "watching the adapters";
        let mut adapters = pin!(bluetooth.ask(doing, session.events()).await?);
        loop {
            let mut adapter = pin!(bluetooth.ask(doing, self.adapter.events()).await?);
            let news = loop {
                let news = tokio::select! {
                    _ = adapters.next() => News::Adapters,
                    event = adapter.next() => News::Adapter(event),
                    () = tokio::time::sleep(CHECK) => News::Time,
                };
                // Devices come and go, and so on.
                if !matches!(news, News::Adapter(Some(ref event)) if !matters(event)) {
                    break news;
                }
            };
            if matches!(news, News::Adapters | News::Adapter(None)) {
                return Ok(());
            }
            if bluetooth.adapter().await?.name() != self.adapter.name() {
                return Ok(());
            }
            // An adapter that is not discoverable may well be connectable: so only news count.
            if self.reach == Reach::Discoverable || matches!(news, News::Adapter(_)) {
                self.answer(bluetooth).await?;
            }
        }
    }

    /// Lets the adapter answer those that it shall.
    async fn answer(&mut self, bluetooth: &Bluetooth) -> Result<()> {
        let adapter = &self.adapter;
        let doing = "letting others reach the adapter";
        let is_discoverable = bluetooth.ask(doing, adapter.is_discoverable()).await?;
        let until_further_notice = bluetooth.ask(doing, adapter.discoverable_timeout()).await? == 0;
        match self.reach {
            Reach::Discoverable if is_discoverable && until_further_notice => {}
            Reach::Discoverable => {
                let switching = async {
                    adapter.set_discoverable_timeout(0).await?;
                    adapter.set_discoverable(true).await
                };
                bluetooth.ask(doing, switching).await?;
                self.made_discoverable = true;
            }
            Reach::Connectable if is_discoverable => {}
            Reach::Connectable => bluetooth.ask(doing, be_connectable(adapter)).await?,
        }
        Ok(())
    }

    /// Takes it back, discoverability included if that was brought by this.
    ///
    /// # Errors
    /// Why the daemon does not do it.
    pub async fn withdraw(self, bluetooth: &Bluetooth) -> Result<()> {
        if !self.made_discoverable {
            return Ok(());
        }
        let doing = "ending the discoverability of the adapter";
        let ending = bluetooth.ask(doing, self.adapter.set_discoverable(false));
        match ending.await {
            // Together with the adapter it is gone as well.
            Ok(()) | Err(Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether the adapter may answer fewer others than before: who ends discoverability ends
/// connectability, too.
fn matters(event: &AdapterEvent) -> bool {
    use AdapterProperty::{Discoverable, DiscoverableTimeout, Powered};
    let AdapterEvent::PropertyChanged(property) = event else {
        return false;
    };
    matches!(
        property,
        Discoverable(false) | DiscoverableTimeout(_) | Powered(_)
    )
}

/// Lets the adapter answer those who know its address. Until version 5.79 `bluetoothd` has no other way
/// to that than discoverability; but when its time is over, that ends alone.
async fn be_connectable(adapter: &Adapter) -> bluer::Result<()> {
    let before = adapter.discoverable_timeout().await?;
    adapter.set_discoverable_timeout(MOMENT).await?;
    adapter.set_discoverable(true).await?;
    let waiting = async {
        while adapter.is_discoverable().await? {
            tokio::time::sleep(LOOK).await;
        }
        bluer::Result::Ok(())
    };
    // If it does not come, somebody else has made the adapter discoverable: that is as good.
    let waited = timeout(MOMENT_LIMIT, waiting).await;
    adapter.set_discoverable_timeout(before).await?;
    waited.unwrap_or(Ok(()))
}

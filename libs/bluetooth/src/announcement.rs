//! A service that others find.

use std::pin::pin;
use std::time::Duration;

use bluer::rfcomm::{Profile, ProfileHandle, Role};
use bluer::{Adapter, Uuid};

use futures_util::StreamExt;
use tokio::time::timeout;

use crate::{Bluetooth, Error, Result, sdp};

/// How often the daemon is asked whether all is as it was.
const CHECK: Duration = Duration::from_secs(5);

/// A service in this machine's list of services, for as long as this lives and the daemon does.
#[derive(Debug)]
pub struct Announcement {
    adapter: Adapter,
    discoverable: bool,
    made_discoverable: bool,
    _record: ProfileHandle,
}

impl Announcement {
    /// Announces the service `uuid`, called `name`, on this channel of RFCOMM. `discoverable`: the
    /// adapter also answers those who look for devices.
    ///
    /// # Errors
    /// What is missing, or why the daemon does not do it.
    pub async fn publish(
        bluetooth: &Bluetooth,
        uuid: Uuid,
        name: &str,
        channel: u8,
        discoverable: bool,
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
            discoverable,
            made_discoverable: false,
            _record: record,
        };
        announcement.be_discoverable(bluetooth).await?;
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
        let watching = bluetooth.ask("watching the adapters", session.events());
        let mut adapters = pin!(watching.await?);
        while timeout(CHECK, adapters.next()).await.is_err() {
            let adapter = bluetooth.adapter().await?;
            if adapter.name() != self.adapter.name() {
                return Ok(());
            }
            // Somebody may have ended it; an adapter that was off for a moment has forgotten it.
            self.be_discoverable(bluetooth).await?;
        }
        Ok(())
    }

    /// Makes the adapter discoverable until further notice, if it shall be and is not.
    async fn be_discoverable(&mut self, bluetooth: &Bluetooth) -> Result<()> {
        if !self.discoverable {
            return Ok(());
        }
        let doing = "making the adapter discoverable";
        let is_discoverable = self.adapter.is_discoverable();
        let timeout = self.adapter.discoverable_timeout();
        let already = bluetooth.ask(doing, async {
            Ok(is_discoverable.await? && timeout.await? == 0)
        });
        if already.await? {
            return Ok(());
        }
        let adapter = &self.adapter;
        let switching = async {
            adapter.set_discoverable_timeout(0).await?;
            adapter.set_discoverable(true).await
        };
        bluetooth.ask(doing, switching).await?;
        self.made_discoverable = true;
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
        let doing = "ending the adapter's discoverability";
        match bluetooth
            .ask(doing, self.adapter.set_discoverable(false))
            .await
        {
            // Together with the adapter it is gone as well.
            Ok(()) | Err(Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

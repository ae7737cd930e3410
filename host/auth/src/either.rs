//! Links of both kinds as one type, for whoever serves them all alike.

use bytes::Bytes;

use crate::secured::{Closed, Outlet, Secured};
use crate::{plain, ssh};

/// A link, whatever secures it.
pub type SecuredLink = Secured<EitherOutlet>;

/// The outlet of a link that SSH secures, or the transport itself.
#[derive(Debug, Clone)]
pub enum EitherOutlet {
    /// SSH does.
    Ssh(ssh::SshOutlet),
    /// The transport does.
    Plain(plain::PlainOutlet),
}

impl Outlet for EitherOutlet {
    async fn send(&self, bytes: Bytes) -> Result<(), Closed> {
        match self {
            Self::Ssh(outlet) => outlet.send(bytes).await,
            Self::Plain(outlet) => outlet.send(bytes).await,
        }
    }

    async fn close(&self) {
        match self {
            Self::Ssh(outlet) => outlet.close().await,
            Self::Plain(outlet) => outlet.close().await,
        }
    }
}

impl From<Secured<ssh::SshOutlet>> for SecuredLink {
    fn from(link: Secured<ssh::SshOutlet>) -> Self {
        link.map_outlet(EitherOutlet::Ssh)
    }
}

impl From<Secured<plain::PlainOutlet>> for SecuredLink {
    fn from(link: Secured<plain::PlainOutlet>) -> Self {
        link.map_outlet(EitherOutlet::Plain)
    }
}

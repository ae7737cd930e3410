//! Where a console is opened, and for whom.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// The manual's password, which everybody knows.
pub(crate) const DEFAULT_PASSWORD: &str = "kozo";

/// What the options say.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) password: String,
    pub(crate) allow_remote: bool,
    pub(crate) bind_address: String,
    pub(crate) port: u16,
}

impl Opening {
    /// Why only this machine is let in; None where others are.
    pub(crate) fn why_local(&self) -> Option<&'static str> {
        if self.password == DEFAULT_PASSWORD {
            Some(
                "the password is the default, which everybody can read in the manual, so only this \
                 machine is let in: give the role a `password` of your own, or log in through \
                 the machine's own SSH server",
            )
        } else if self.password.is_empty() {
            Some("the `password` is empty, so only this machine is let in")
        } else if !self.allow_remote {
            Some("`allowRemote` is off, so only this machine is let in")
        } else {
            None
        }
    }

    /// Whether a client at this address is let in, whatever is listened on.
    pub(crate) fn admits(&self, client: IpAddr) -> bool {
        self.why_local().is_none() || client.to_canonical().is_loopback()
    }

    /// Listens on all addresses that are meant.
    ///
    /// # Errors
    /// Which cannot be listened on, and what to do about it.
    pub(crate) fn listen(&self) -> Result<Vec<TcpListener>, String> {
        let port = self.port;
        let addresses: Vec<SocketAddr> = if self.why_local().is_some() {
            vec![
                (Ipv4Addr::LOCALHOST, port).into(),
                (Ipv6Addr::LOCALHOST, port).into(),
            ]
        } else if self.bind_address.is_empty() {
            // Takes connections over IPv4 as well.
            vec![(Ipv6Addr::UNSPECIFIED, port).into()]
        } else {
            let resolved = (self.bind_address.as_str(), port).to_socket_addrs();
            resolved
                .map_err(|error| format!("there is no address `{}`: {error}", self.bind_address))?
                .collect()
        };
        let mut listeners = Vec::new();
        let mut failures = Vec::new();
        for address in addresses {
            match bind(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) => failures.push((address, error)),
            }
        }
        // A machine without IPv6 has no address of it: that is no fault.
        let fault = failures
            .into_iter()
            .find(|(_, error)| listeners.is_empty() || error.kind() == io::ErrorKind::AddrInUse);
        match fault {
            None => Ok(listeners),
            Some((address, error)) => Err(format!(
                "cannot listen on {address}: {error}; another `port` may be free"
            )),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = match TcpListener::bind(address) {
        Err(error)
            if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(password: &str, allow_remote: bool) -> Opening {
        Opening {
            password: password.to_owned(),
            allow_remote,
            bind_address: String::new(),
            port: 0,
        }
    }

    #[test]
    fn a_password_that_everybody_knows_is_for_this_machine_alone() {
        let elsewhere: IpAddr = [192, 0, 2, 1].into();
        let here: [IpAddr; 3] = [
            Ipv4Addr::LOCALHOST.into(),
            Ipv6Addr::LOCALHOST.into(),
            Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        ];
        for (password, allow_remote, others) in [
            ("kozo", true, false),
            ("kozo", false, false),
            ("", true, false),
            ("secret", false, false),
            ("secret", true, true),
        ] {
            let opening = opening(password, allow_remote);
            assert_eq!(opening.admits(elsewhere), others, "{password}");
            assert!(here.iter().all(|&address| opening.admits(address)));
            let listeners = opening.listen().unwrap();
            let is_local = |one: &TcpListener| one.local_addr().unwrap().ip().is_loopback();
            assert_eq!(listeners.iter().all(is_local), !others, "{password}");
        }
    }
}

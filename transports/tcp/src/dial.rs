//! Connecting: a name's addresses race, each a little behind the one before (RFC 8305).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kozo_abi::Error;
use kozo_addresses::Endpoint;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

/// How long after one address the next one is tried as well.
const STAGGER: Duration = Duration::from_millis(250);

/// How many of a name's addresses are tried.
const MAX_ADDRESSES: usize = 16;

/// How many names are resolved at a time: as many as the host dials at once, so that names whose server
/// is silent keep no other from being resolved. The system's resolver cannot be told to give up, so a
/// thread may outlive the connection that it was started for.
const MAX_RESOLVING: usize = 256;

static RESOLVING: AtomicUsize = AtomicUsize::new(0);

/// Connects to whichever of the endpoint's addresses answers first.
///
/// # Errors
/// The name is not resolved, or what each address said.
pub(crate) fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<TcpStream, Error> {
    let addresses = resolve(endpoint, deadline)?;
    let stream = race(&interleave(addresses), deadline)?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Asks the system for the addresses of a name.
fn resolve(endpoint: &Endpoint, deadline: Instant) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = endpoint.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, endpoint.port)]);
    }
    if RESOLVING.fetch_add(1, Ordering::SeqCst) >= MAX_RESOLVING {
        RESOLVING.fetch_sub(1, Ordering::SeqCst);
        return Err(format!("{MAX_RESOLVING} names wait for the system's resolver").into());
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let Endpoint { host, port } = endpoint.clone();
    std::thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || {
            let addresses = (host.as_str(), port).to_socket_addrs();
            RESOLVING.fetch_sub(1, Ordering::SeqCst);
            // Nobody waits for it any more when the time was up.
            let _ = sender.send(addresses.map(Iterator::collect::<Vec<_>>));
        })
        .inspect_err(|_| {
            RESOLVING.fetch_sub(1, Ordering::SeqCst);
        })?;
    let left = deadline.saturating_duration_since(Instant::now());
    match receiver.recv_timeout(left) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(format!("the name is not resolved: {error}").into()),
        Err(_) => Err("the name was not resolved in time".into()),
    }
}

/// IPv6 and IPv4 in turn, beginning with what the system put first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut mixed = Vec::new();
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed.truncate(MAX_ADDRESSES);
    mixed
}

/// A connection that is being made.
struct Attempt {
    address: SocketAddr,
    stream: TcpStream,
}

/// Tries the addresses, one more whenever one fails or [`STAGGER`] has passed.
fn race(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Error> {
    let mut waiting = addresses.iter();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut next_start = Instant::now();
    let mut failures = Vec::new();
    loop {
        let now = Instant::now();
        if now >= deadline {
            let pending = attempts.iter().map(|attempt| attempt.address);
            failures.extend(pending.map(|address| (address, "timed out".to_owned())));
            return Err(summary(&failures, "timed out"));
        }
        if attempts.is_empty() || now >= next_start {
            match waiting.next().map(|&address| (address, begin(address))) {
                Some((address, Ok(stream))) => attempts.push(Attempt { address, stream }),
                Some((address, Err(error))) => {
                    failures.push((address, io::Error::from(error).to_string()));
                    continue;
                }
                None if attempts.is_empty() => return Err(summary(&failures, "no address")),
                None => {}
            }
            next_start = now + STAGGER;
        }
        let until = match waiting.len() {
            0 => deadline,
            _ => next_start.min(deadline),
        };
        for index in wait(&attempts, until.saturating_duration_since(now))? {
            let attempt = attempts.remove(index);
            match outcome(&attempt.stream) {
                Ok(()) => return Ok(attempt.stream),
                Err(error) => {
                    failures.push((attempt.address, error.to_string()));
                    next_start = now;
                }
            }
        }
    }
}

/// What became of each address. Of a single one only the reason: the caller names the address that
/// was asked for.
fn summary(failures: &[(SocketAddr, String)], otherwise: &str) -> Error {
    match failures {
        [] => otherwise.into(),
        [(_, reason)] => reason.as_str().into(),
        several => {
            let each = several
                .iter()
                .map(|(address, reason)| format!("{address}: {reason}"));
            each.collect::<Vec<_>>().join("; ").into()
        }
    }
}

/// Begins to connect.
fn begin(address: SocketAddr) -> Result<TcpStream, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket.into()),
        Err(error) => Err(error),
    }
}

/// The indices of those that have come to an end, the last one first.
fn wait(attempts: &[Attempt], limit: Duration) -> Result<Vec<usize>, Errno> {
    let mut fds: Vec<PollFd<'_>> = attempts
        .iter()
        .map(|attempt| PollFd::new(&attempt.stream, PollFlags::OUT))
        .collect();
    match poll(&mut fds, Timespec::try_from(limit).ok().as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error),
    }
    let ended = |&index: &usize| !fds[index].revents().is_empty();
    Ok((0..fds.len()).rev().filter(ended).collect())
}

/// How an attempt has ended.
fn outcome(stream: &TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    // A socket that tries a port of its own machine from that very port connects to itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Long enough for anything that happens at all.
    const LIMIT: Duration = Duration::from_secs(60);

    /// An address that neither answers nor refuses: its backlog is full.
    pub(crate) struct Silent {
        pub(crate) address: SocketAddr,
        _listener: TcpListener,
        _waiting: Vec<TcpStream>,
    }

    impl Silent {
        pub(crate) fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
            rustix::net::listen(&listener, 0).expect("it listens");
            let address = listener.local_addr().expect("it has an address");
            // The system lets a few more wait than it was asked to.
            let waiting = (0..8)
                .map(|_| begin(address).expect("it is begun"))
                .collect();
            Self {
                address,
                _listener: listener,
                _waiting: waiting,
            }
        }
    }

    fn refused() -> SocketAddr {
        let port = kozo_abi::bench::reserve_port().expect("there is a port");
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn deadline() -> Instant {
        Instant::now() + LIMIT
    }

    #[test]
    fn families_take_turns_and_the_first_stays_first() {
        let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let addresses = |texts: &[&str]| texts.iter().map(|text| parse(text)).collect::<Vec<_>>();
        assert_eq!(
            interleave(addresses(&[
                "[::1]:1",
                "[::2]:1",
                "[::3]:1",
                "1.1.1.1:1",
                "2.2.2.2:1"
            ])),
            addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"])
        );
        assert_eq!(
            interleave(addresses(&["1.1.1.1:1", "[::1]:1", "[::2]:1"])),
            addresses(&["1.1.1.1:1", "[::1]:1", "[::2]:1"])
        );
        assert_eq!(interleave(vec![]), []);
        assert_eq!(
            interleave(vec![parse("1.1.1.1:1"); 99]).len(),
            MAX_ADDRESSES
        );
    }

    #[test]
    fn an_address_that_answers_wins_over_those_that_do_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let good = listener.local_addr().expect("it has an address");
        let silent = Silent::new();
        let addresses = [refused(), silent.address, refused(), good];
        let stream = race(&addresses, deadline()).expect("it connects");
        assert_eq!(stream.peer_addr().expect("it is connected"), good);
    }

    #[test]
    fn when_all_refuse_each_is_named() {
        let addresses = [refused(), refused()];
        let error = race(&addresses, deadline()).unwrap_err().to_string();
        for address in addresses {
            assert!(
                error.contains(&format!("{address}: Connection refused")),
                "{error}"
            );
        }
        assert_eq!(race(&[], deadline()).unwrap_err().to_string(), "no address");
    }

    #[test]
    fn an_address_that_says_nothing_is_given_up_at_the_deadline() {
        let silent = Silent::new();
        let soon = Instant::now() + Duration::from_millis(50);
        // The second address has not had its turn by then.
        let error = race(&[silent.address, refused()], soon).unwrap_err();
        assert_eq!(error.to_string(), "timed out");
    }

    #[test]
    fn a_name_that_is_none_is_an_error() {
        let endpoint = Endpoint::parse("no-such-host.invalid", Some(1)).expect("a name");
        let error = connect(&endpoint, deadline()).unwrap_err().to_string();
        assert!(error.starts_with("the name "), "{error}");
    }
}

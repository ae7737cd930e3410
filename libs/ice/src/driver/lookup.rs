//! Where servers are. Looking a name up may take half a minute, so that it is done on threads of its own.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::driver::Waker;
use crate::endpoint::ServerAddress;

/// How many names are looked up at a time; one that hangs holds the others up only when all of them do.
const AT_A_TIME: usize = 8;

/// What came of a lookup.
pub(super) type Found = Result<Vec<ServerAddress>, String>;

pub(super) struct Lookups {
    waiting: VecDeque<String>,
    under_way: usize,
    sender: Sender<(String, Found)>,
    receiver: Receiver<(String, Found)>,
    waker: Waker,
}

impl Lookups {
    /// The waker is called when there is an answer.
    pub(super) fn new(waker: Waker) -> Self {
        let (sender, receiver) = channel();
        Self {
            waiting: VecDeque::new(),
            under_way: 0,
            sender,
            receiver,
            waker,
        }
    }

    /// Looks a server up; an answer that needs no asking comes at once.
    pub(super) fn begin(&mut self, name: String) -> Option<(String, Found)> {
        if let Ok(address) = name.parse::<SocketAddr>() {
            return Some((name, Ok(vec![server_address(address)])));
        }
        self.waiting.push_back(name);
        self.go_on();
        None
    }

    fn go_on(&mut self) {
        while self.under_way < AT_A_TIME {
            let Some(name) = self.waiting.pop_front() else {
                return;
            };
            let (sender, waker) = (self.sender.clone(), self.waker.clone());
            let asked = name.clone();
            let thread = std::thread::Builder::new().name("ice-lookup".to_owned());
            let begun = thread.spawn(move || {
                // Nobody may be there any more to hear it.
                let _ = sender.send((asked.clone(), find(&asked)));
                waker.wake();
            });
            self.under_way += 1;
            if let Err(error) = begun {
                let _ = self.sender.send((name, Err(error.to_string())));
                self.waker.wake();
            }
        }
    }

    /// The next answer.
    pub(super) fn answer(&mut self) -> Option<(String, Found)> {
        let answer = self.receiver.try_recv().ok()?;
        self.under_way -= 1;
        self.go_on();
        Some(answer)
    }
}

fn find(name: &str) -> Found {
    let addresses = name.to_socket_addrs().map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => "it has to be `host:port`".to_owned(),
        _ => error.to_string(),
    })?;
    Ok(addresses.map(server_address).collect())
}

fn server_address(address: SocketAddr) -> ServerAddress {
    ServerAddress {
        address,
        via: source(address),
    }
}

/// Which address of ours the system would use. Nothing is sent for that.
fn source(server: SocketAddr) -> Option<IpAddr> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(server).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_asking_and_names_do() {
        let mut lookups = Lookups::new(Waker::new().unwrap());
        let (_, found) = lookups.begin("127.0.0.1:3478".to_owned()).unwrap();
        let expected = ServerAddress {
            address: "127.0.0.1:3478".parse().unwrap(),
            via: Some(IpAddr::from([127, 0, 0, 1])),
        };
        assert_eq!(found, Ok(vec![expected]));
        assert!(lookups.begin("localhost:3478".to_owned()).is_none());
        assert!(lookups.begin("without-port".to_owned()).is_none());
        let mut answers = Vec::new();
        while answers.len() < 2 {
            rustix::event::poll(
                &mut [rustix::event::PollFd::new(
                    &*lookups.waker.0,
                    rustix::event::PollFlags::IN,
                )],
                None,
            )
            .unwrap();
            answers.extend(lookups.answer());
        }
        answers.sort_by_key(|(name, _)| name.clone());
        assert!(answers[0].1.as_ref().unwrap().contains(&expected));
        assert_eq!(answers[1].1, Err("it has to be `host:port`".to_owned()));
    }
}

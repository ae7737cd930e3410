//! A long way: what goes through it arrives later, in both directions, in order.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// Forwards what comes to a port of this machine, and keeps everything for a while.
pub(crate) struct LongWay {
    /// Where it begins.
    pub(crate) port: u16,
    opened: mpsc::Receiver<Instant>,
}

impl LongWay {
    /// A way to the local port `to`, on which everything takes `delay`. It is there until the tests
    /// end.
    pub(crate) fn to(to: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, opened) = mpsc::channel();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Nobody may be interested any more.
                let _ = sender.send(Instant::now());
                if let Ok(far) = TcpStream::connect(("127.0.0.1", to)) {
                    one_way(near.try_clone().unwrap(), far.try_clone().unwrap(), delay);
                    one_way(far, near, delay);
                }
            }
        });
        Self { port, opened }
    }

    /// When the next connection began.
    pub(crate) fn next_connection(&self, limit: Duration) -> Instant {
        self.opened.recv_timeout(limit).unwrap()
    }
}

fn one_way(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    from.set_nodelay(true).unwrap();
    to.set_nodelay(true).unwrap();
    let (sender, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; CHUNK];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let _ = sender.send((Instant::now() + delay, buffer[..read].to_vec()));
        }
    });
    thread::spawn(move || {
        for (when, bytes) in due {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

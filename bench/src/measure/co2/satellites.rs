//! Many satellites in one thread, which note when each message has come to them.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::http::{find, whole};
use crate::Failure;

/// What stands before a message's number in its text.
const MARK: &[u8] = b"message ";

const ANSWER: &str = "<?xml version='1.0'?>\n<methodResponse><params><param><value><string>OK</string></value></param>\
                      </params></methodResponse>\n";

/// What a satellite does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It keeps them.
    Keeps,
    /// It closes each after an answer.
    Closes,
    /// It reads, and never answers.
    Stalls,
}

/// Satellites, which end when this is dropped.
pub(super) struct Satellites {
    pub(super) ports: Vec<u16>,
    pub(super) arrivals: Arc<Arrivals>,
    _stop: oneshot::Sender<()>,
}

/// What has come to the satellites.
pub(super) struct Arrivals {
    satellites: usize,
    messages: Mutex<Messages>,
    /// A message has come to all of them.
    completed: Condvar,
}

#[derive(Default)]
struct Messages {
    /// Of each message, by its number: to how many it has come, and when to the last of them.
    arrived: Vec<(usize, Option<Instant>)>,
    complete: usize,
}

impl Satellites {
    /// So many satellites of one manner, and then these others, whose messages are not noted.
    pub(super) fn start(count: usize, manner: Manner, others: &[Manner]) -> Result<Self, Failure> {
        let arrivals = Arc::new(Arrivals {
            satellites: count,
            messages: Mutex::default(),
            completed: Condvar::new(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut ports = Vec::new();
        for place in 0..count + others.len() {
            let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
            ports.push(listener.local_addr()?.port());
            let (manner, noted) = match place.checked_sub(count) {
                None => (manner, Some(Arc::clone(&arrivals))),
                Some(other) => (others[other], None),
            };
            runtime.spawn(listen(listener, manner, noted));
        }
        std::thread::spawn(move || {
            // Its other end is never used, and is dropped once.
            let _ = runtime.block_on(stopped);
        });
        Ok(Self {
            ports,
            arrivals,
            _stop: stop,
        })
    }
}

impl Arrivals {
    /// Waits until fewer than so many messages are on their way, and gives out the next number.
    pub(super) fn begin(&self, most: usize, limit: Duration) -> Result<usize, Failure> {
        let messages = self.lock();
        let mut messages = self.wait(messages, limit, |messages| {
            messages.arrived.len() - messages.complete < most
        })?;
        messages.arrived.push((0, None));
        Ok(messages.arrived.len() - 1)
    }

    /// Waits until all messages have come to all satellites.
    pub(super) fn finish(&self, limit: Duration) -> Result<(), Failure> {
        let messages = self.lock();
        let all = |messages: &Messages| messages.complete == messages.arrived.len();
        self.wait(messages, limit, all).map(drop)
    }

    /// Of all messages, when each had come to the last of the satellites.
    pub(super) fn last(&self) -> Vec<Instant> {
        let messages = self.lock();
        messages
            .arrived
            .iter()
            .filter_map(|(_, last)| *last)
            .collect()
    }

    fn wait<'a>(
        &self,
        messages: MutexGuard<'a, Messages>,
        limit: Duration,
        is_there: impl Fn(&Messages) -> bool,
    ) -> Result<MutexGuard<'a, Messages>, Failure> {
        let waited = self
            .completed
            .wait_timeout_while(messages, limit, |messages| !is_there(messages));
        let (messages, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let (complete, sent) = (messages.complete, messages.arrived.len());
            return Err(format!("{complete} of {sent} messages came to all satellites").into());
        }
        Ok(messages)
    }

    fn note(&self, body: &[u8]) {
        let Some(number) = find(body, MARK).and_then(|place| {
            let digits = &body[place + MARK.len()..];
            let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
            std::str::from_utf8(&digits[..end])
                .ok()?
                .parse::<usize>()
                .ok()
        }) else {
            return;
        };
        let mut messages = self.lock();
        let satellites = self.satellites;
        let Some((count, last)) = messages.arrived.get_mut(number) else {
            return;
        };
        *count += 1;
        if *count == satellites {
            *last = Some(Instant::now());
            messages.complete += 1;
            self.completed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listen(listener: TcpListener, manner: Manner, noted: Option<Arc<Arrivals>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let noted = noted.clone();
        // How it ends matters to nobody: what does not come is counted.
        tokio::spawn(async move { serve(stream, manner, noted).await });
    }
}

async fn serve(
    mut stream: TcpStream,
    manner: Manner,
    noted: Option<Arc<Arrivals>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let closes = match manner {
        Manner::Closes => "Connection: close\r\n",
        Manner::Keeps | Manner::Stalls => "",
    };
    let length = ANSWER.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n{closes}\r\n{ANSWER}"
    );
    let mut buffer = Vec::with_capacity(2048);
    loop {
        while let Some(request) = whole(&buffer) {
            let length = request.length;
            if manner == Manner::Stalls {
                break;
            }
            if let Some(arrivals) = &noted {
                arrivals.note(request.body);
            }
            buffer.drain(..length);
            stream.write_all(answer.as_bytes()).await?;
            if manner == Manner::Closes {
                return Ok(());
            }
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

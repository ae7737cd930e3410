//! Asks the daemon every second what the network does, on a thread of its own.

use std::thread;
use std::time::{Duration, Instant};

use kozo_status::NetworkStatus;

use crate::control::{Client, ClientError, Conversation};
use crate::introspection::Request;

/// How long there is from question to question.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// How long another node may take to answer, in milliseconds: about as long as the next question is away.
const NODE_LIMIT_MS: u64 = 900;

/// What the daemon says, or why it says nothing.
pub(super) type Answer = Result<Box<NetworkStatus>, String>;

/// A daemon that is asked again and again, also after it was gone.
pub(super) struct Feed {
    daemon: Client,
    conversation: Option<Conversation>,
}

impl Feed {
    pub(super) fn of(daemon: Client) -> Self {
        Self {
            daemon,
            conversation: None,
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`ClientError`]; it may be asked again.
    pub(super) fn ask(&mut self) -> Result<NetworkStatus, ClientError> {
        let request = Request::Network {
            wait_ms: Some(NODE_LIMIT_MS),
        };
        // The daemon ends a conversation that was silent for long, as while this program was stopped.
        if let Some(mut conversation) = self.conversation.take()
            && let Ok(answer) = conversation.ask(&request)
        {
            self.conversation = Some(conversation);
            return Ok(answer);
        }
        let mut conversation = self.daemon.converse()?;
        let answer = conversation.ask(&request)?;
        self.conversation = Some(conversation);
        Ok(answer)
    }

    /// Asks every second, for as long as somebody takes the answers.
    pub(super) fn run(mut self, mut take: impl FnMut(Answer) -> bool) {
        loop {
            let next = Instant::now() + PERIOD;
            let answer = self.ask().map(Box::new).map_err(|error| error.to_string());
            if !take(answer) {
                return;
            }
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

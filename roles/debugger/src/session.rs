//! One client's SSH session: a password, one channel, and on it a shell or a command.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session};
use russh::{Channel, ChannelId, ChannelWriteHalf, Pty};
use tokio::sync::mpsc;

use crate::gate::ClientId;
use crate::server::Shared;
use crate::terminal::{self, Input, Request};

/// How many pieces of input wait for the terminal. A client that sends more than is read meanwhile
/// is not one that somebody types at.
const WAITING_INPUT: usize = 64;

/// How many bytes a command of a client's has at most.
const MAX_COMMAND: usize = crate::editor::MAX_LINE;

/// What a session's task calls.
pub(crate) struct SessionHandler {
    shared: Arc<Shared>,
    client: SocketAddr,
    id: ClientId,
    state: State,
}

/// ```text
/// NoChannel ─session─▶ Channel ─shell or exec─▶ Running
/// ```
enum State {
    NoChannel,
    Channel {
        output: ChannelWriteHalf<Msg>,
        /// How wide the client's terminal is, if it has one; 0 where it does not say.
        columns: Option<u32>,
    },
    Running {
        channel: ChannelId,
        input: mpsc::Sender<Input>,
    },
}

impl SessionHandler {
    pub(crate) fn new(shared: Arc<Shared>, client: SocketAddr, id: ClientId) -> Self {
        Self {
            shared,
            client,
            id,
            state: State::NoChannel,
        }
    }

    /// Starts what was asked for on the channel; whether it could be.
    fn start(&mut self, channel: ChannelId, command: Option<String>, session: &Session) -> bool {
        match std::mem::replace(&mut self.state, State::NoChannel) {
            State::Channel { output, columns } if output.id() == channel => {
                let (input, incoming) = mpsc::channel(WAITING_INPUT);
                let request = Request {
                    client: self.client.to_string(),
                    columns,
                    command,
                };
                tokio::spawn(terminal::run(
                    request,
                    Arc::clone(&self.shared),
                    incoming,
                    output,
                    session.handle(),
                ));
                self.state = State::Running { channel, input };
                true
            }
            other => {
                self.state = other;
                false
            }
        }
    }

    /// Hands something to the terminal. Whatever it has no room for ends the session.
    fn give(&self, to: ChannelId, input: Input) -> Result<(), russh::Error> {
        match &self.state {
            State::Running {
                channel,
                input: way,
            } if *channel == to => match way.try_send(input) {
                Err(mpsc::error::TrySendError::Full(_)) => Err(russh::Error::Disconnect),
                // A terminal that has ended needs no more.
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl Handler for SessionHandler {
    type Error = russh::Error;

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(match self.shared.log_in(self.client, self.id, password) {
            true => Auth::Accept,
            false => Auth::reject(),
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // Dropping the reply refuses: one channel is all that a session has.
        if let State::NoChannel = self.state {
            // What is read comes by the calls below.
            let (_, output) = channel.split();
            self.state = State::Channel {
                output,
                columns: None,
            };
            reply.accept().await;
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        columns: u32,
        _rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match &mut self.state {
            State::Channel { columns: known, .. } => {
                *known = Some(columns);
                session.channel_success(channel)
            }
            _ => session.channel_failure(channel),
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        _rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.give(channel, Input::Columns(columns))
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.start(channel, None, session) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = std::str::from_utf8(command)
            .ok()
            .filter(|command| command.len() <= MAX_COMMAND);
        match command {
            Some(command) if self.start(channel, Some(command.to_owned()), session) => {
                session.channel_success(channel)
            }
            _ => session.channel_failure(channel),
        }
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.give(channel, Input::Bytes(Bytes::copy_from_slice(data)))
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.give(channel, Input::End)
    }

    async fn channel_close(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // The terminal's input ends, and with it the terminal.
        self.state = State::NoChannel;
        Ok(())
    }

    // Forwards and other channels are refused by default. These requests get no answer by default,
    // and a client that wants one would wait for ever.

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }
}

//! The thread that reads what a role's process says.

use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::service::{send, serve};
use super::writer::IpcWriter;
use crate::modules::{RoleServices, level_from_number};
use crate::roles::isolated::protocol::{
    self, CallReturn, FromRole, HostRequest, IpcError, MAX_WAITING, ToRole,
};
use crate::roles::services::LifeServices;
use crate::roles::spawn::{ROLE_STACK, spawn};

/// What the reader hands to the role's thread.
#[derive(Debug)]
pub(super) enum ToMain {
    /// A request of the process's main thread.
    Request { id: u64, request: HostRequest },
    /// The call has returned.
    Done(Result<CallReturn, String>),
}

/// Reads frames until the process ends or says something wrong.
pub(super) struct IpcReader {
    pub(super) stream: UnixStream,
    pub(super) writer: Arc<IpcWriter>,
    pub(super) services: Arc<LifeServices>,
    pub(super) main: Sender<ToMain>,
    /// Why no more is read, if it is not that the process has ended.
    pub(super) fault: Arc<OnceLock<IpcError>>,
}

impl IpcReader {
    /// The thread's whole work. At its end all of the role's waits end.
    pub(super) fn run(self) {
        if let Err(fault) = self.read_all() {
            // Nobody else sets it.
            let _ = self.fault.set(fault);
        }
        drop(self.main);
        self.services.reader.lose();
    }

    fn read_all(&self) -> Result<(), IpcError> {
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut stream = BufReader::new(&self.stream);
        loop {
            let frame = match protocol::read(&mut stream) {
                Ok(Some(frame)) => frame,
                // A process that crashes may end within a frame.
                Ok(None) | Err(IpcError::Io(_)) => return Ok(()),
                Err(error) => return Err(error),
            };
            match frame {
                FromRole::Log { level, text } => self.services.log(level_from_number(level), &text),
                FromRole::Status { text } => self.services.set_status(&text),
                FromRole::Send(message) => {
                    // The process has checked it already.
                    let sent = send(&*self.services, &message, Duration::ZERO);
                    sent.map_err(IpcError::Message)?;
                }
                // That nobody takes these any more means that the role is being dropped.
                FromRole::Done(outcome) => drop(self.main.send(ToMain::Done(outcome))),
                FromRole::Request {
                    id,
                    main: true,
                    request,
                } => drop(self.main.send(ToMain::Request { id, request })),
                FromRole::Request { id, request, .. } => self.help(id, request, &waiting)?,
            }
        }
    }

    /// Serves a request on a thread of its own: it may take its time.
    fn help(
        &self,
        id: u64,
        request: HostRequest,
        waiting: &Arc<AtomicUsize>,
    ) -> Result<(), IpcError> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            return Err(IpcError::TooManyRequests);
        }
        let (writer, services) = (Arc::clone(&self.writer), Arc::clone(&self.services));
        let waiting = Arc::clone(waiting);
        let work = move || {
            let answer = serve(&*services, request);
            waiting.fetch_sub(1, Ordering::Relaxed);
            // An error is that the process has ended, which is noticed elsewhere.
            let _ = writer.write(&ToRole::Answer { id, answer });
        };
        Ok(spawn("helper", ROLE_STACK, work)?)
    }
}

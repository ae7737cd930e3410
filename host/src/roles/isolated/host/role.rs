//! The host's side of an isolated role.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kozo_abi::{InboxLimits, Level, Pace};
use kozo_child::Child;
use kozo_ground::text::error_text;
use serde_bytes::ByteBuf;

use super::module::IsolatedModule;
use super::process;
use super::reader::{IpcReader, ToMain};
use super::service::serve;
use super::watch::{STOP_LIMIT, Watch};
use super::writer::IpcWriter;
use crate::modules::{CallError, RoleServices};
use crate::roles::error::RoleError;
use crate::roles::instance::Instance;
use crate::roles::isolated::protocol::{Call, CallReturn, IpcError, PaceOutcome, Start, ToRole};
use crate::roles::services::LifeServices;
use crate::roles::spawn::{HELPER_STACK, ROLE_STACK, spawn};

/// How long the last lines of a process that has ended are waited for: something that it has
/// started may keep its error output open.
const LAST_LINES_LIMIT: Duration = Duration::from_millis(200);

/// A role in a process of its own. When this is dropped, the role is dropped there, and the process
/// ends.
pub(in crate::roles) struct IsolatedRole {
    services: Arc<LifeServices>,
    writer: Arc<IpcWriter>,
    process: Child,
    /// Closed when the process says no more.
    said: Receiver<ToMain>,
    /// Closed when its error output is read to its end.
    written: Receiver<()>,
    fault: Arc<OnceLock<IpcError>>,
    was_killed: Arc<AtomicBool>,
    pace: Result<PaceOutcome, String>,
    /// How the process ended.
    ended: Option<String>,
}

impl IsolatedRole {
    /// Starts a process and makes the role there.
    pub(in crate::roles) fn create(
        module: &IsolatedModule,
        services: Arc<LifeServices>,
        options: &[u8],
    ) -> Result<Self, RoleError> {
        let mut role = Self::start(services)?;
        let start = ToRole::Start(Start {
            node: role.services.node().to_owned(),
            name: role.services.name().to_owned(),
            options: ByteBuf::from(options),
            ..module.start()
        });
        if role.writer.start(&start, &module.file.code).is_err() {
            return Err(role.end());
        }
        if let Err(error) = role.outcome() {
            // There is nothing in it to drop, so it ends of its own accord.
            role.end();
            return Err(error);
        }
        Ok(role)
    }

    /// A process, and the threads that serve it.
    fn start(services: Arc<LifeServices>) -> Result<Self, RoleError> {
        let label = format!("{}@{}", services.name(), services.node());
        let (process, stream, stderr) = process::start(&label)?;
        let no_thread = || RoleError::system("no thread to serve its process");
        let receiving = stream
            .try_clone()
            .map_err(RoleError::system("its socket cannot be shared"))?;
        let writer = Arc::new(IpcWriter::new(stream));
        let (main, said) = channel();
        let (writes, written) = channel::<()>();
        let role = Self {
            writer,
            process,
            said,
            written,
            fault: Arc::default(),
            was_killed: Arc::default(),
            pace: Ok(PaceOutcome::AtOnce),
            ended: None,
            services,
        };
        let reader = IpcReader {
            stream: receiving,
            writer: Arc::clone(&role.writer),
            services: Arc::clone(&role.services),
            main,
            fault: Arc::clone(&role.fault),
        };
        // What it sends may be given to a bus's module on this very thread.
        spawn("reader", ROLE_STACK, move || reader.run()).map_err(no_thread())?;
        let watch = Watch {
            services: Arc::clone(&role.services),
            writer: Arc::clone(&role.writer),
            process: Arc::clone(role.process.handle()),
            was_killed: Arc::clone(&role.was_killed),
        };
        spawn("watch", HELPER_STACK, move || watch.run()).map_err(no_thread())?;
        let services = Arc::clone(&role.services);
        let follow = move || {
            process::follow(stderr, &services);
            drop(writes);
        };
        spawn("output", HELPER_STACK, follow).map_err(no_thread())?;
        Ok(role)
    }

    fn call(&mut self, call: Call) -> Result<CallReturn, RoleError> {
        if self.writer.write(&ToRole::Call(call)).is_err() {
            return Err(self.end());
        }
        self.outcome()
    }

    /// Serves the role until the call that it is in returns.
    fn outcome(&mut self) -> Result<CallReturn, RoleError> {
        while let Ok(said) = self.said.recv() {
            match said {
                ToMain::Done(outcome) => {
                    let outcome = outcome.map_err(CallError::Said)?;
                    self.pace.clone_from(&outcome.pace);
                    return Ok(outcome);
                }
                ToMain::Request { id, request } => {
                    let answer = serve(&*self.services, request);
                    // An error is that the process has ended: nothing more comes from it then.
                    let _ = self.writer.write(&ToRole::Answer { id, answer });
                }
            }
        }
        Err(self.end())
    }

    /// The process says no more: waits for its end, and tells how that came.
    fn end(&mut self) -> RoleError {
        if let Some(ended) = &self.ended {
            return RoleError::Ended(ended.clone());
        }
        let fault = self.fault.get().map(|fault| error_text(fault));
        if fault.is_some() {
            self.process.handle().kill();
        }
        let how = process::end(&mut self.process);
        // Its last words come first.
        let _ = self.written.recv_timeout(LAST_LINES_LIMIT);
        let text = match fault {
            Some(fault) => format!("its process was killed, for it kept to no rules: {fault}"),
            None if self.was_killed.load(Ordering::Relaxed) => format!(
                "it did not end within {STOP_LIMIT:.0?} of being asked to, so its process was killed"
            ),
            None => format!("its process {how}"),
        };
        self.ended = Some(text.clone());
        RoleError::Ended(text)
    }
}

impl Instance for IsolatedRole {
    fn run(&mut self) -> Result<(), RoleError> {
        self.call(Call::Run).map(drop)
    }

    fn pace(&mut self) -> Result<Pace, RoleError> {
        Ok(match self.pace.clone().map_err(CallError::Said)? {
            PaceOutcome::AtOnce => Pace::AtOnce,
            PaceOutcome::Every(interval) => Pace::Every(interval),
            PaceOutcome::EveryOrMessage(interval) => Pace::EveryOrMessage(interval),
        })
    }

    fn inbox(&mut self, configured: InboxLimits) -> Result<InboxLimits, RoleError> {
        let InboxLimits { length, size } = configured;
        let wanted = self.call(Call::Inbox { length, size })?.inbox;
        let (length, size) = wanted.unwrap_or((length, size));
        Ok(InboxLimits { length, size })
    }

    fn reopen(&mut self) -> Result<(), RoleError> {
        self.call(Call::Reopen).map(drop)
    }

    fn stop(&mut self) -> Result<(), RoleError> {
        self.call(Call::Stop).map(drop)
    }
}

impl Drop for IsolatedRole {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        match self.call(Call::Drop) {
            Ok(_) => drop(self.end()),
            Err(error) => {
                let text = format!("while the role was dropped: {}", error_text(&error));
                self.services.log(Level::Error, &text);
            }
        }
    }
}

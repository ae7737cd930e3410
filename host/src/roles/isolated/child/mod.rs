//! The process of an isolated role, from its beginning to its end.

mod calls;
mod error;
mod remote;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use kozo_abi::Level;
use kozo_ground::names::ModuleName;
use kozo_ground::text::error_text;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::protocol::{
    self, Call, FromRole, IpcError, PaceOutcome, Start, ToRole, bounded, handover,
};
use crate::modules::image::Image;
use crate::modules::load::Source;
use crate::modules::memory::Memory;
use crate::modules::{Loader, RoleModule, TrustedWriters, close_inherited};
use crate::roles::spawn::{HELPER_STACK, ROLE_STACK, spawn};

pub(crate) use error::ChildError;
use remote::Remote;

/// Runs a role as the host says that it shall be run, over the socket that is the standard input.
/// Does not return before the role has ended or the host is gone; then the program should end, with
/// whatever threads the role may have left.
///
/// # Errors
/// This was not started by a host, or the system refuses what every role needs.
pub(crate) fn run_isolated() -> Result<(), ChildError> {
    // This comes before anything is opened here.
    close_inherited().map_err(ChildError::system("descriptors cannot be closed"))?;
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(ChildError::system("the host's end cannot be noticed"))?;
    outlive_signals().map_err(ChildError::system("signals cannot be caught"))?;
    let stream = take_stdin().map_err(ChildError::system("there is no socket"))?;
    let code = handover::receive(&stream).and_then(Memory::received);
    let code = code.map_err(IpcError::from)?;
    let mut incoming = BufReader::new(
        stream
            .try_clone()
            .map_err(ChildError::system("no socket"))?,
    );
    let Some(ToRole::Start(start)) = protocol::read(&mut incoming)? else {
        return Err(IpcError::NoStart.into());
    };
    let remote = Arc::new(Remote::new(stream, &start.node, &start.name));
    remote.take_log();
    // What tools such as `top` show.
    let name = start.name.clone();
    let (calls, called) = channel();
    let (ends, ended) = channel::<()>();
    let role = {
        let remote = Arc::clone(&remote);
        move || {
            remote.is_main_thread();
            if start.is_trial {
                let outcome = load(&start, code).map(|_| protocol::CallReturn {
                    pace: Ok(PaceOutcome::AtOnce),
                    inbox: None,
                });
                remote.done(outcome);
            } else {
                calls::serve(&remote, make(start, code), &called);
            }
            drop(ends);
        }
    };
    spawn(&name, ROLE_STACK, role).map_err(ChildError::system("no thread for the role"))?;
    let read = {
        let remote = Arc::clone(&remote);
        move || hand_out(&mut incoming, &remote, &calls)
    };
    let reading = spawn("reader", HELPER_STACK, read);
    reading.map_err(ChildError::system("no thread to read"))?;
    let _ = ended.recv();
    Ok(())
}

/// Signals that are meant for the host, which stops its roles in order. A handler that does nothing
/// is not inherited by what the role starts, as ignoring them would be.
fn outlive_signals() -> io::Result<()> {
    // Handlers stay when the runtime is gone.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _context = runtime.enter();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        drop(signal(kind)?);
    }
    Ok(())
}

/// The socket, in a place where neither the role nor what it starts comes upon it.
fn take_stdin() -> io::Result<UnixStream> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

/// The role's module, and its options. From here on its memory is limited.
fn make(start: Start, code: Memory) -> Result<(Arc<RoleModule>, Vec<u8>), ChildError> {
    let module = load(&start, code)?;
    if let Some(bytes) = start.memory_limit {
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        setrlimit(Resource::Data, limit).map_err(ChildError::system(
            "the memory of its process cannot be limited",
        ))?;
    }
    Ok((module, start.options.into_vec()))
}

fn load(start: &Start, code: Memory) -> Result<Arc<RoleModule>, ChildError> {
    let path = &start.path;
    let load = || {
        let name = ModuleName::new(&start.module)?;
        let bytes = code.read()?;
        let image = Image::read(&bytes)?;
        // What is mapped is the memory itself; this copy shall not count.
        drop(bytes);
        let loader = Loader::new(start.imports.clone(), TrustedWriters::of_this_process());
        let source = Source {
            name: &name,
            path,
            code: &Arc::new(code),
            image: &image,
        };
        Ok(loader.role(source)?)
    };
    load().map_err(|reason| ChildError::Module {
        path: path.clone(),
        reason,
    })
}

/// Reads what the host says, until it says no more: then there is nothing left to do here.
fn hand_out(stream: &mut impl Read, remote: &Remote, calls: &Sender<Call>) {
    loop {
        match protocol::read(stream) {
            // Both ends may be gone from the role's thread: it is about to end the process.
            Ok(Some(ToRole::Call(call))) => drop(calls.send(call)),
            Ok(Some(ToRole::Answer { id, answer })) => remote.answered(id, answer),
            Ok(Some(ToRole::Stopping)) => remote.stop(),
            Ok(Some(ToRole::Start(_)) | None) => break,
            Err(error) => {
                remote.log_line(
                    Level::Error,
                    &format!("the host cannot be understood: {}", error_text(&error)),
                );
                break;
            }
        }
    }
    std::process::exit(0);
}

impl Remote {
    /// Says that a call has returned. That nobody hears it means that the process ends.
    fn done(&self, outcome: Result<protocol::CallReturn, ChildError>) {
        let outcome = outcome.map_err(|error| bounded(&error_text(&error)));
        self.tell(&FromRole::Done(outcome));
    }
}

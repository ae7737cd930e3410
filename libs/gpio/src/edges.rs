//! A thread that waits for the edges of a line.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use gpiocdev::line::EdgeKind;
use gpiocdev::request::Request;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;

use crate::Changed;

/// Calls back on each edge, until it is dropped.
pub(crate) struct Edges {
    /// Written to when the thread shall end.
    end: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Edges {
    /// Watches a line whose edges were asked for when it was requested.
    pub(crate) fn watch(request: Arc<Request>, changed: Changed) -> io::Result<Self> {
        let end = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let thread = thread::Builder::new().name("edges".to_owned()).spawn({
            let end = Arc::clone(&end);
            move || wait(&request, &end, changed)
        })?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for Edges {
    fn drop(&mut self) {
        // It only fails when the counter is full: then it has been written to.
        let _ = rustix::io::write(&*self.end, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // A callback that panicked has been reported.
            let _ = thread.join();
        }
    }
}

/// Ends when it is told to, or when the line is gone: then reading it says why.
fn wait(request: &Request, end: &OwnedFd, mut changed: Changed) {
    loop {
        let mut ready = [
            PollFd::new(request, PollFlags::IN),
            PollFd::new(end, PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        if !ready[1].revents().is_empty() {
            return;
        }
        match request.read_edge_event() {
            Ok(event) => changed(event.kind == EdgeKind::Rising),
            Err(_) => return,
        }
    }
}

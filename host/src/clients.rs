//! The clients of a socket, few at a time, so that nobody who is slow keeps others out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{AbortHandle, JoinSet};

/// The clients that are served, the oldest first. They end with this.
pub(crate) struct Clients {
    most: usize,
    tasks: JoinSet<()>,
    places: Vec<(AbortHandle, Arc<AtomicBool>)>,
}

impl Clients {
    /// No clients yet, and at most so many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            tasks: JoinSet::new(),
            places: Vec::new(),
        }
    }

    /// Whether there is room for one more: if need be, the oldest client that keeps others waiting goes.
    pub(crate) fn make_room(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.places.retain(|(task, _)| !task.is_finished());
        if self.places.len() < self.most {
            return true;
        }
        let idle = |(_, at_work): &(_, Arc<AtomicBool>)| !at_work.load(Ordering::Relaxed);
        let Some(place) = self.places.iter().position(idle) else {
            return false;
        };
        let (task, _) = self.places.remove(place);
        task.abort();
        true
    }

    /// Serves a client. It says whether it is the daemon that is at work, or the client.
    pub(crate) fn add<F>(&mut self, serve: impl FnOnce(Arc<AtomicBool>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let at_work = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(serve(Arc::clone(&at_work)));
        self.places.push((task, at_work));
    }
}

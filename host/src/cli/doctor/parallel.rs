//! Waiting for many things at once, for so long and no longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use kozo_ground::lock::LockAnyway;

/// How many things are waited for at a time.
const WORKERS: usize = 32;

/// Does `work` with each of the items, several at a time, within `limit`. There is none of what was not
/// done by then; its thread, if it has one, is left behind.
pub(super) fn each<T, R>(
    items: Vec<T>,
    limit: Duration,
    work: impl Fn(T) -> R + Send + Sync + 'static,
) -> Vec<Option<R>>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let deadline = Instant::now() + limit;
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let workers = items.len().min(WORKERS);
    let queue = Arc::new(Mutex::new(items.into_iter().enumerate()));
    let (work, is_over) = (Arc::new(work), Arc::new(AtomicBool::new(false)));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..workers {
        let (queue, work) = (Arc::clone(&queue), Arc::clone(&work));
        let (is_over, sender) = (Arc::clone(&is_over), sender.clone());
        let worker = move || {
            while !is_over.load(Ordering::Relaxed) {
                let Some((place, item)) = queue.lock_anyway().next() else {
                    break;
                };
                if sender.send((place, work(item))).is_err() {
                    break;
                }
            }
        };
        // Without any, all of them stay undone.
        let _ = thread::Builder::new().name("doctor".into()).spawn(worker);
    }
    drop(sender);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left) {
            Ok((place, result)) => results[place] = Some(result),
            Err(_) => break,
        }
    }
    is_over.store(true, Ordering::Relaxed);
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_keeps_nothing_else() {
        let (hold, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let results = each(vec![0, 1, 2], Duration::from_secs(1), move |number| {
            if number == 1 {
                // Until this test has ended.
                let _ = held.lock_anyway().recv();
            }
            number * 10
        });
        assert_eq!(results, [Some(0), None, Some(20)]);
        drop(hold);
        let many = each(
            (0..100).collect(),
            Duration::from_secs(60),
            |number: u32| number,
        );
        assert!(many.into_iter().flatten().eq(0..100));
    }
}

//! Turns in asking many nodes: so many at once for all who ask together, and nobody waits longer than was agreed.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// A node that would have less time than this for its answer is not asked.
const LEAST_WAIT: Duration = Duration::from_millis(500);

/// Room for so many questions at once, whoever asks them.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

impl Turns {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Semaphore::new(at_once))
    }

    /// Asks these nodes as there is room, each with at most `wait` for its answer, and none for longer than until
    /// `until`. Gives the answers, and how many were not asked, since no time was left for them.
    pub(super) async fn ask<N, A: Future>(
        &self,
        nodes: impl IntoIterator<Item = N>,
        wait: Duration,
        until: Instant,
        ask: impl Fn(N, Duration) -> A,
    ) -> (Vec<A::Output>, usize) {
        let ask = &ask;
        let asked: Vec<_> = nodes
            .into_iter()
            .map(|node| async move {
                let least = LEAST_WAIT.min(wait);
                let room = self.0.acquire();
                let _room = timeout_at(until - least, room).await.ok()?.ok()?;
                let left = until.saturating_duration_since(Instant::now());
                if left < least {
                    return None;
                }
                Some(ask(node, wait.min(left)).await)
            })
            .collect();
        let all = asked.len();
        let answers: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        let left_out = all - answers.len();
        (answers, left_out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn all_who_ask_share_the_room_and_each_node_has_its_time() {
        let turns = Turns::new(3);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (now, most) = (&now, &most);
        let ask = |node: usize, wait: Duration| async move {
            assert!(wait <= HOUR);
            let at_once = now.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(at_once, Ordering::Relaxed);
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::Relaxed);
            node
        };
        let (one, other) = run(async {
            let until = Instant::now() + HOUR;
            tokio::join!(
                turns.ask(0..20, HOUR * 2, until, ask),
                turns.ask(20..40, HOUR, until, ask)
            )
        });
        assert_eq!(one, ((0..20).collect(), 0));
        assert_eq!(other, ((20..40).collect(), 0));
        assert_eq!(most.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn whoever_has_no_turn_in_time_is_left_out() {
        let turns = Turns::new(1);
        let ask = |node: usize, _| async move { node };
        let (late, taken) = run(async {
            let late = turns.ask(0..3, HOUR, Instant::now(), ask).await;
            let _taken = turns.0.acquire().await.unwrap();
            let until = Instant::now() + LEAST_WAIT + Duration::from_millis(50);
            (late, turns.ask(0..3, HOUR, until, ask).await)
        });
        assert_eq!(late, (vec![], 3));
        assert_eq!(taken, (vec![], 3));
    }
}

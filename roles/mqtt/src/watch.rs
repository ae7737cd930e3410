//! The thread that watches the node: what there is in the network, and how it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kozo_abi::RoleHost;

use crate::picture::{Changed, Network, Question, Why};
use crate::shared::Shared;

/// For how long the node is asked to wait for a change of its own.
const CHANGE_WAIT: Duration = Duration::from_secs(5);

/// How often all nodes are asked, without a reason.
const ROUND: Duration = Duration::from_secs(30);

/// How much longer than the answer may take it is waited for.
const GRACE: Duration = Duration::from_secs(3);

/// A node that answers at once without news would be asked without end.
const LEAST: Duration = Duration::from_millis(100);

/// How long to wait after a question that was refused.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches the node for as long as the role is there.
pub(crate) fn run(shared: &Arc<Shared>, host: &RoleHost) {
    let mut since = None;
    let mut asked: Option<Instant> = None;
    let mut knows_idle = false;
    while !shared.is_stopping() {
        let wait_ms = match since {
            None => 0,
            Some(_) => u64::try_from(CHANGE_WAIT.as_millis()).unwrap_or(u64::MAX),
        };
        let began = Instant::now();
        let question = Question::Changed { since, wait_ms };
        let node = match host.ask::<Changed>(&question, CHANGE_WAIT + GRACE) {
            Ok(changed) => {
                let is_news = since != Some(changed.version);
                since = Some(changed.version);
                shared.see_here(&changed.status);
                if is_news {
                    asked = None;
                } else if !shared.sleep(LEAST.saturating_sub(began.elapsed())) {
                    return;
                }
                changed.status
            }
            Err(error) => {
                if shared.is_stopping() {
                    return;
                }
                host.debug(&format!("the node does not say how it is: {error}"));
                if !shared.sleep(PAUSE) {
                    return;
                }
                continue;
            }
        };
        if !knows_idle && let Some(peer) = node.peers.first() {
            let question = Question::Why { peer: &peer.peer };
            if let Ok(why) = host.ask::<Why>(&question, GRACE)
                && let Ok(idle) = Duration::try_from_secs_f64(why.idle_timeout_seconds)
            {
                shared.idle_timeout(idle);
                knows_idle = true;
            }
        }
        if asked.is_none_or(|asked| asked.elapsed() >= ROUND) {
            let question = Question::Network { wait_ms: None };
            if let Ok(network) = host.ask::<Network>(&question, CHANGE_WAIT + GRACE) {
                shared.see_network(&network.nodes);
                asked = Some(Instant::now());
            }
        }
    }
}

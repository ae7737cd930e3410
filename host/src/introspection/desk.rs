//! Where roles ask: each with what the file grants it.

use std::pin::Pin;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::grant::Grants;
use kozo_ground::names::{NodeName, RoleName};
use kozo_ground::text::error_text;
use kozo_tap::Taps;
use kozo_wire::MAX_QUESTION_LEN;
use tokio::runtime::Handle;

use super::messages::AskersTaps;
use super::refusal::Refusal;
use super::{Asker, Introspection, Request};
use crate::link::PeerQuestions;
use crate::roles::{AnswerDesk, RoleQuestions};

/// How much longer than the role wants to wait an answer may take before it is given up.
const GRACE: Duration = Duration::from_secs(1);

/// Answers what the roles of a node ask, on the thread of its links, as soon as the node is complete.
pub struct Desk {
    taps: Arc<Taps>,
    grants: Vec<(RoleName, Grants)>,
    runtime: Handle,
    /// Roles are made before what is known of them can be asked. Weak, since that knows the roles.
    node: Arc<OnceLock<Weak<Introspection>>>,
}

impl Desk {
    /// The desk of a node whose roles have these grants; it answers on `runtime`.
    pub fn new(taps: &Arc<Taps>, grants: Vec<(RoleName, Grants)>, runtime: Handle) -> Self {
        Self {
            taps: Arc::clone(taps),
            grants,
            runtime,
            node: Arc::default(),
        }
    }

    /// From now on there are answers. Once.
    pub fn open_with(&self, node: &Arc<Introspection>) {
        let _ = self.node.set(Arc::downgrade(node));
    }
}

impl AnswerDesk for Desk {
    fn open(&self, role: &RoleName) -> Box<dyn RoleQuestions> {
        let granted = self.grants.iter().find(|(name, _)| name == role);
        Box::new(OneRole {
            asker: Arc::new(Asker {
                name: role.to_string(),
                grants: granted.map_or_else(Grants::default, |(_, grants)| *grants),
                taps: AskersTaps::new(&self.taps),
            }),
            runtime: self.runtime.clone(),
            node: Arc::clone(&self.node),
        })
    }
}

/// One life of a role.
struct OneRole {
    asker: Arc<Asker>,
    runtime: Handle,
    node: Arc<OnceLock<Weak<Introspection>>>,
}

impl RoleQuestions for OneRole {
    fn ask(&self, question: &[u8], wait: Duration) -> Receiver<Result<Vec<u8>, String>> {
        let (sender, receiver) = sync_channel(1);
        let request = parse(question);
        let (asker, node) = (Arc::clone(&self.asker), Arc::clone(&self.node));
        self.runtime.spawn(async move {
            let answer = async {
                let node = node.get().ok_or(Refusal::NotComplete)?;
                let node = node.upgrade().ok_or(Refusal::Stops)?;
                let answer = node.answer(request?, &asker).await?;
                rmp_serde::to_vec_named(&answer).map_err(Refusal::AnswerUnencodable)
            };
            // Who waits no longer gets nothing.
            if let Ok(answer) = tokio::time::timeout(wait + GRACE, answer).await {
                let _ = sender.send(answer.map_err(|refusal| error_text(&refusal)));
            }
        });
        receiver
    }
}

impl PeerQuestions for Desk {
    fn answer(
        &self,
        node: &NodeName,
        question: Bytes,
    ) -> Pin<Box<dyn Future<Output = Bytes> + Send>> {
        let (asker, introspection) = (node.clone(), Arc::clone(&self.node));
        Box::pin(async move {
            let introspection = introspection.get().and_then(Weak::upgrade);
            // Who asks before the node is complete, or while it stops, may ask again.
            introspection.map_or_else(Bytes::new, |node| node.answer_peer(&asker, &question))
        })
    }
}

fn parse(question: &[u8]) -> Result<Request, Refusal> {
    match question.len() {
        0..=MAX_QUESTION_LEN => rmp_serde::from_slice(question).map_err(Refusal::UnknownToHost),
        length => Err(Refusal::LongQuestion(length)),
    }
}

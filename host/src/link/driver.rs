//! The task of one peer: dials, closes, and keeps the time.

use std::collections::HashMap;
use std::sync::Arc;

use kozo_auth::SecuredLink;
use kozo_ground::clock::{self, Moment};
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_link::{Action, AttemptId, LinkKey, Notice, Occurrence};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::alarm::sleep_until;
use super::arrivals::PeerQuestions;
use super::dial::{Dialling, Route, dial};
use super::error::DialError;
use super::peer_link::PeerLink;
use super::writer;

/// Hears what links do, for the log and for people.
pub(crate) trait LinkObserver: Send + Sync + 'static {
    /// Something happened with a peer's links.
    fn notice(&self, peer: &NodeName, notice: &Notice);
}

/// Does what one peer wants done.
pub(crate) struct Driver {
    link: Arc<PeerLink>,
    /// The routes, by the places of the candidates' own and peer's transports.
    routes: HashMap<(usize, usize), Route>,
    dialling: Dialling,
    observer: Arc<dyn LinkObserver>,
    questions: Arc<dyn PeerQuestions>,
    /// Links that were accepted come in here.
    accepted: mpsc::Receiver<(LinkKey, SecuredLink)>,
    tasks: JoinSet<FinishedTask>,
    attempts: HashMap<AttemptId, AbortHandle>,
    writers: HashMap<LinkKey, AbortHandle>,
}

/// What one of the driver's tasks came to.
enum FinishedTask {
    Dial(AttemptId, String, Result<(LinkKey, SecuredLink), DialError>),
    Link(LinkKey),
    Question,
}

impl Driver {
    /// A driver for `link`; what is accepted from its peer comes through `accepted`.
    pub(crate) fn new(
        link: Arc<PeerLink>,
        routes: HashMap<(usize, usize), Route>,
        dialling: Dialling,
        observer: Arc<dyn LinkObserver>,
        questions: Arc<dyn PeerQuestions>,
        accepted: mpsc::Receiver<(LinkKey, SecuredLink)>,
    ) -> Self {
        Self {
            link,
            routes,
            dialling,
            observer,
            questions,
            accepted,
            tasks: JoinSet::new(),
            attempts: HashMap::new(),
            writers: HashMap::new(),
        }
    }

    /// Runs until the peer has stopped and its links are closed.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut stopped = false;
        loop {
            let timeout = self.step();
            if stopped && self.writers.is_empty() {
                return;
            }
            tokio::select! {
                () = self.link.changed() => {}
                () = sleep_until(timeout) => {}
                Some((key, secured)) = self.accepted.recv() => self.serve(key, secured),
                Some(finished) = self.tasks.join_next() => {
                    // An aborted task has nothing to say.
                    if let Ok(finished) = finished {
                        self.finished(finished);
                    }
                }
                _ = stopping.wait_for(|stopping| *stopping), if !stopped => {
                    stopped = true;
                    let now = clock::now();
                    self.link.change(now, |peer| peer.stop(now));
                }
            }
        }
    }

    /// Does what is to be done now, and returns when there may be more.
    fn step(&mut self) -> Option<Moment> {
        let now = clock::now();
        let has_callers = || self.dialling.entrance.has_callers();
        let (actions, timeout) = self.link.take_actions(has_callers, now);
        for action in actions {
            self.act(action);
        }
        timeout
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Dial(attempt, candidate) => {
                let Some(route) = self.routes.get(&(candidate.own, candidate.peer)).cloned() else {
                    let now = clock::now();
                    let reason = "this node has no such transport";
                    self.link
                        .change(now, |peer| peer.dial_failed(attempt, "", reason, now));
                    return;
                };
                let (dialling, link) = (self.dialling.clone(), Arc::clone(&self.link));
                let task = self.tasks.spawn(async move {
                    let transport = route.transport.name().to_owned();
                    let result = dial(&dialling, route, &link, attempt).await;
                    FinishedTask::Dial(attempt, transport, result)
                });
                self.attempts.insert(attempt, task);
            }
            Action::CancelDial(attempt) => {
                if let Some(task) = self.attempts.remove(&attempt) {
                    task.abort();
                }
            }
            Action::Close(key) => {
                if let Some(task) = self.writers.remove(&key) {
                    task.abort();
                }
            }
            Action::Learn(interests) => {
                self.dialling.arrivals.learn(self.link.name(), interests);
            }
            Action::Question(id, question) => {
                let answer = self.questions.answer(self.link.name(), question);
                let link = Arc::clone(&self.link);
                // So few of them are asked at once as the link core allows.
                self.tasks.spawn(async move {
                    let answer = answer.await;
                    link.change(clock::now(), |peer| peer.answer(id, answer));
                    FinishedTask::Question
                });
            }
            Action::Answered(id, answer, took) => self.link.answered(id, answer, took),
            Action::Unanswered(id) => self.link.unanswered(id),
            Action::Notice(notice) => {
                if let Notice::Link(Occurrence::Up { .. }) = &notice {
                    let name = self.link.name().as_str();
                    let routes = self.routes.values();
                    routes.for_each(|route| route.transport.heard_of(name));
                }
                self.observer.notice(self.link.name(), &notice);
            }
        }
    }

    fn finished(&mut self, finished: FinishedTask) {
        match finished {
            FinishedTask::Dial(attempt, transport, result) => {
                self.attempts.remove(&attempt);
                match result {
                    Ok((key, secured)) => self.serve(key, secured),
                    Err(error) => {
                        let reason = error_text(&error);
                        let now = clock::now();
                        self.link.change(now, |peer| {
                            peer.dial_failed(attempt, &transport, &reason, now);
                        });
                    }
                }
            }
            FinishedTask::Link(key) => {
                self.writers.remove(&key);
            }
            FinishedTask::Question => {}
        }
    }

    fn serve(&mut self, key: LinkKey, secured: SecuredLink) {
        if !self
            .link
            .look(|peer| peer.links().any(|other| other == key))
        {
            // It was closed while it was being made; dropping it closes it.
            return;
        }
        let (link, arrivals) = (Arc::clone(&self.link), Arc::clone(&self.dialling.arrivals));
        let task = self.tasks.spawn(async move {
            writer::serve(link, key, secured, arrivals).await;
            FinishedTask::Link(key)
        });
        self.writers.insert(key, task);
    }
}

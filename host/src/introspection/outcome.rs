//! What comes of a question, as it goes over the control socket and over links.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What comes of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome<T = Value> {
    /// What was asked for.
    Answer(T),
    /// Why there is none, for people.
    Error(String),
}

impl<T> From<Result<T, String>> for Outcome<T> {
    fn from(result: Result<T, String>) -> Self {
        match result {
            Ok(answer) => Self::Answer(answer),
            Err(reason) => Self::Error(reason),
        }
    }
}

impl Outcome {
    /// The bytes that go over a link.
    pub(super) fn encode(&self) -> Bytes {
        rmp_serde::to_vec_named(self).unwrap_or_default().into()
    }
}

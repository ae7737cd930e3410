//! What comes of a question, as it goes over the control socket and over links.

use bytes::Bytes;
use kozo_ground::text::error_text;
use kozo_status::TappedMessages;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Nearly everything.
    Value(Value),
    /// Messages that passed, as they are: there may be thousands a second, and each as a value costs as much
    /// again as it does to write it.
    Passed(TappedMessages),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

/// What comes of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome<T = Value> {
    /// What was asked for.
    Answer(T),
    /// Why there is none, for people.
    Error(String),
}

impl<T, E: std::error::Error> From<Result<T, E>> for Outcome<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(answer) => Self::Answer(answer),
            Err(error) => Self::Error(error_text(&error)),
        }
    }
}

impl Outcome {
    /// The bytes that go over a link.
    pub(super) fn encode(&self) -> Bytes {
        rmp_serde::to_vec_named(self).unwrap_or_default().into()
    }
}

//! What goes over the control socket: requests and answers in turn, one line of JSON each.
//!
//! ```text
//! {"version":1,"request":"status"}                      {"version":1,"answer":{…}}
//! {"version":1,"request":"why","peer":"scribe"}         {"version":1,"error":"…"}
//! {"version":1,"request":"restart-role","role":"timer"}
//! ```
//!
//! The daemon closes the connection after an answer, unless the request says `"several":true`: then another
//! one may follow, and what was opened stays open.

use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::introspection::{Outcome, Request};

/// The version of requests and answers. Fields may be added within a version.
pub(crate) const VERSION: u64 = 1;

/// The longest request, in bytes, its line end included: one that sends a message has its data in it.
pub(crate) const MAX_REQUEST: usize = 64 * 1024;

/// The longest answer that a client reads, in bytes: a network of thousands of nodes fits.
pub(crate) const MAX_ANSWER: usize = 16 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    several: bool,
    #[serde(flatten)]
    body: T,
}

/// What came over the socket is not understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// It is no JSON, or not what was expected.
    #[error("it is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The other side is older or newer.
    #[error(
        "it speaks version {got} of the control protocol, this program speaks version {VERSION}: \
         use the `kozo` that the daemon was started with"
    )]
    OtherVersion {
        /// The version of the other side.
        got: u64,
    },
}

impl Request {
    /// The line for this request.
    pub fn line(&self) -> String {
        to_line(self, false)
    }

    /// The line for this request, where more may follow.
    pub(crate) fn line_of_several(&self) -> String {
        to_line(self, true)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`ProtocolError`]: its text is for the client.
    pub fn parse(line: &[u8]) -> Result<Self, ProtocolError> {
        from_line(line)
    }
}

impl<T: Serialize> Outcome<T> {
    /// The line for this answer.
    pub fn line(&self) -> String {
        to_line(self, false)
    }
}

impl<T: DeserializeOwned> Outcome<T> {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`ProtocolError`]
    pub fn parse(line: &[u8]) -> Result<Self, ProtocolError> {
        // In one go where nothing is wrong: a long answer is read once.
        let answer = match serde_json::from_slice(line) {
            Ok(AnswerLine {
                version: VERSION,
                answer,
                error,
            }) => (answer, error),
            other => {
                check_version(line)?;
                let AnswerLine { answer, error, .. } = other?;
                (answer, error)
            }
        };
        match answer {
            (Some(answer), None) => Ok(Self::Answer(answer)),
            (None, Some(reason)) => Ok(Self::Error(reason)),
            _ => Err(serde_json::Error::custom("no answer, and no error either").into()),
        }
    }
}

#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct AnswerLine<T> {
    version: u64,
    /// `null` is an answer.
    #[serde(default, deserialize_with = "present")]
    answer: Option<T>,
    error: Option<String>,
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Whether more requests may follow this one.
pub(crate) fn is_one_of_several(request: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct OnlySeveral {
        #[serde(default)]
        several: bool,
    }
    serde_json::from_slice(request).is_ok_and(|OnlySeveral { several }| several)
}

fn to_line(body: &impl Serialize, several: bool) -> String {
    let versioned = Versioned {
        version: VERSION,
        several,
        body,
    };
    // Names are texts and numbers are numbers: nothing in here cannot be written as JSON.
    let mut line = serde_json::to_string(&versioned).unwrap_or_default();
    line.push('\n');
    line
}

fn check_version(line: &[u8]) -> Result<(), ProtocolError> {
    #[derive(Deserialize)]
    struct OnlyVersion {
        version: u64,
    }
    let OnlyVersion { version } = serde_json::from_slice(line)?;
    match version {
        VERSION => Ok(()),
        got => Err(ProtocolError::OtherVersion { got }),
    }
}

fn from_line<T: DeserializeOwned>(line: &[u8]) -> Result<T, ProtocolError> {
    // The version first: another one may have other requests.
    check_version(line)?;
    let versioned: Versioned<T> = serde_json::from_slice(line)?;
    Ok(versioned.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_documented() {
        let why = Request::Why {
            peer: "scribe".into(),
        };
        let line = "{\"version\":1,\"request\":\"why\",\"peer\":\"scribe\"}\n";
        assert_eq!(why.line(), line);
        assert!(!is_one_of_several(line.as_bytes()));
        let several = why.line_of_several();
        assert!(is_one_of_several(several.as_bytes()), "{several}");
        assert_eq!(Request::parse(several.as_bytes()).unwrap(), why);
        assert_eq!(Request::parse(line.as_bytes()).unwrap(), why);
        let restart = br#"{"version":1,"request":"restart-role","role":"timer","more":0}"#;
        let role = "timer".to_owned();
        assert_eq!(
            Request::parse(restart).unwrap(),
            Request::RestartRole { role }
        );
        let error = Outcome::<()>::Error("no".into());
        assert_eq!(error.line(), "{\"version\":1,\"error\":\"no\"}\n");
        assert_eq!(Outcome::parse(error.line().as_bytes()).unwrap(), error);
    }

    #[test]
    fn an_answer_may_be_anything_that_was_asked_for() {
        let nothing = Outcome::Answer(());
        assert_eq!(nothing.line(), "{\"version\":1,\"answer\":null}\n");
        assert_eq!(Outcome::parse(nothing.line().as_bytes()).unwrap(), nothing);
        let number = Outcome::Answer(7);
        assert_eq!(Outcome::parse(number.line().as_bytes()).unwrap(), number);
        // Of another type than was asked for.
        let error = Outcome::<u64>::parse(nothing.line().as_bytes()).unwrap_err();
        assert!(error.to_string().contains("not understood"), "{error}");
        for line in [
            r#"{"version":1}"#,
            r#"{"version":1,"answer":1,"error":"no"}"#,
        ] {
            let error = Outcome::<u64>::parse(line.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("not understood"), "{error}");
        }
        let later = br#"{"version":2,"answer":"something else"}"#;
        let error = Outcome::<u64>::parse(later).unwrap_err();
        assert!(
            matches!(error, ProtocolError::OtherVersion { got: 2 }),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let error = |line: &str| Request::parse(line.as_bytes()).unwrap_err().to_string();
        assert!(error(r#"{"version":2,"request":"dance"}"#).contains("version 2"));
        assert!(error(r#"{"version":1,"request":"dance"}"#).contains("dance"));
        for line in ["", "{}", "[]", "null", "{\"version\":-1}", "\u{0}", "GET /"] {
            assert!(error(line).contains("not understood"), "{line}");
        }
    }
}

//! The documents of XML-RPC: calls and answers, read from bytes and written.

mod reader;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;

use crate::encoding::{EncodingError, decode};
use crate::fault::{Fault, VALUE_ERROR};
use crate::value::{Struct, Value};

/// The largest document, in bytes.
pub const MAX_DOCUMENT: usize = 1024 * 1024;

/// The key of the password that a relay gives with each `notify`.
pub const NOTIFY_PASS: &str = "notify_pass";

const DECLARATION: &str = "<?xml version=\"1.0\"?>\n";

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is no text.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// It is no XML, or not what XML-RPC has here.
    #[error("{problem}, in line {line}, column {column} of the document")]
    Xml {
        /// What is wrong.
        problem: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// It cannot be written.
    #[error("a document cannot be written: {0}")]
    Unwritable(String),
}

impl From<DocumentError> for Fault {
    fn from(error: DocumentError) -> Self {
        Self::new(VALUE_ERROR, error)
    }
}

/// A call that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodCall {
    /// The method's name.
    pub method: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
}

/// Reads a call. `charset` is what HTTP says about its encoding.
///
/// # Errors
/// It is none.
pub fn read_call(body: &[u8], charset: Option<&str>) -> Result<MethodCall, DocumentError> {
    reader::call(&decode(body, charset)?)
}

/// Reads an answer: a result or a fault.
///
/// # Errors
/// It is neither.
pub fn read_answer(
    body: &[u8],
    charset: Option<&str>,
) -> Result<Result<Value, Fault>, DocumentError> {
    reader::answer(&decode(body, charset)?)
}

/// Reads values that stand between `<params>` and `</params>`, as they do in files.
///
/// # Errors
/// There is something else.
pub fn read_values(body: &[u8]) -> Result<Vec<Value>, DocumentError> {
    reader::values(&decode(body, None)?)
}

/// Writes what [`read_values`] reads.
///
/// # Errors
/// A value cannot be written.
pub fn write_values(values: &[Value]) -> Result<String, DocumentError> {
    let mut text = format!("{DECLARATION}<params>\n");
    for value in values {
        let value = value.to_xml_pretty().map_err(unwritable)?;
        text.extend(["<param>\n", &value, "\n</param>\n"]);
    }
    text.push_str("</params>\n");
    Ok(text)
}

/// Writes a call. The arguments have to be [`sendable`].
///
/// # Errors
/// An argument cannot be written.
pub fn write_call(method: &str, arguments: Vec<Value>) -> Result<String, DocumentError> {
    let call = dxr::MethodCall {
        name: Cow::Borrowed(method),
        params: arguments,
    };
    let text = call.to_xml().map_err(unwritable)?;
    Ok(format!("{DECLARATION}{text}"))
}

/// Writes an answer. A result has to be [`sendable`].
pub fn write_answer(answer: Result<Value, Fault>) -> String {
    let text = match answer {
        Ok(value) => dxr::MethodResponse { value }.to_xml(),
        Err(fault) => {
            let fault = dxr::Fault::new(fault.code, fault.sendable_text());
            dxr::FaultResponse { fault }.to_xml()
        }
    };
    format!("{DECLARATION}{}", text.unwrap_or_default())
}

/// A `notify` for many satellites: one document, of which only the password differs.
#[derive(Debug, Clone)]
pub struct Notify {
    head: Bytes,
    tail: Bytes,
}

impl Notify {
    /// The message of a satellite. The data has to be [`sendable`].
    ///
    /// # Errors
    /// The data cannot be written.
    pub fn new(host_id: &str, data: Value) -> Result<Self, DocumentError> {
        const END: &str = "</struct>";
        let argument = Struct::from([
            ("data".to_owned(), data),
            ("host_id".to_owned(), Value::String(host_id.to_owned())),
        ]);
        let text = Bytes::from(write_call("notify", vec![Value::Struct(argument)])?);
        // The last one is that of the argument itself: texts cannot hold one.
        let place = text
            .windows(END.len())
            .rposition(|part| part == END.as_bytes())
            .ok_or_else(|| DocumentError::Unwritable("it has no struct".to_owned()))?;
        Ok(Self {
            head: text.slice(..place),
            tail: text.slice(place..),
        })
    }

    /// How many bytes it has, but for the password.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether there are none, which never is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The document for a satellite, in pieces, with what [`Pass::new`] made of its password.
    pub fn for_satellite(&self, pass: &Pass) -> [Bytes; 3] {
        [self.head.clone(), pass.0.clone(), self.tail.clone()]
    }
}

/// A satellite's password, as it stands in its `notify`.
#[derive(Debug, Clone)]
pub struct Pass(Bytes);

impl Pass {
    /// Writes a password down once.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(pass: &str) -> Result<Self, DocumentError> {
        let value = Value::String(pass.to_owned());
        let value = value.to_xml().map_err(unwritable)?;
        let member = format!("<member><name>{NOTIFY_PASS}</name>{value}</member>");
        Ok(Self(Bytes::from(member)))
    }
}

fn unwritable(error: dxr::Error) -> DocumentError {
    DocumentError::Unwritable(error.to_string())
}

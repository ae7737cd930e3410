//! The documents of XML-RPC: calls and answers, read from bytes and written.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::encoding::{EncodingError, decode};
use crate::fault::{Fault, VALUE_ERROR};
use crate::value::{Allowed, MAX_DEPTH, Struct, Value, ValueError, sendable};

/// The largest document, in bytes.
pub const MAX_DOCUMENT: usize = 1024 * 1024;

/// How deep elements may be in each other: three for each level of values, and those around them.
const MAX_ELEMENTS: usize = 3 * MAX_DEPTH + 8;

/// The key of the password that a relay gives with each `notify`.
pub const NOTIFY_PASS: &str = "notify_pass";

const DECLARATION: &str = "<?xml version=\"1.0\"?>\n";

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is no text.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// It is no XML, or XML that is not for here.
    #[error("{problem}, in line {line}, column {column} of the document")]
    Xml {
        /// What is wrong.
        problem: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// It is XML, but not what XML-RPC has for this.
    #[error("the document is no {0} of XML-RPC")]
    NotThis(&'static str),
    /// A value in it is none.
    #[error(transparent)]
    Value(#[from] ValueError),
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
    let text = decode(body, charset)?;
    let shape = scan(&text)?;
    if shape.root != "methodCall" {
        return Err(DocumentError::NotThis("call"));
    }
    let call = text.get(shape.whole).unwrap_or_default();
    let call = dxr::MethodCall::from_xml(call).map_err(|_| DocumentError::NotThis("call"))?;
    let mut arguments = Vec::with_capacity(call.params.len());
    for (index, argument) in call.params.into_iter().enumerate() {
        arguments.push(sendable(
            argument,
            Allowed::ALL,
            &format!("argument {}", index + 1),
        )?);
    }
    Ok(MethodCall {
        method: call.name.trim().to_owned(),
        arguments,
    })
}

/// Reads an answer: a result or a fault.
///
/// # Errors
/// It is neither.
pub fn read_answer(
    body: &[u8],
    charset: Option<&str>,
) -> Result<Result<Value, Fault>, DocumentError> {
    const WHAT: &str = "answer";
    let not_this = |_| DocumentError::NotThis(WHAT);
    let text = decode(body, charset)?;
    let shape = scan(&text)?;
    if shape.root != "methodResponse" {
        return Err(DocumentError::NotThis(WHAT));
    }
    if let Some(fault) = shape.fault {
        let value = Value::from_xml(text.get(fault).unwrap_or_default().trim());
        return match value.map_err(not_this)? {
            Value::Struct(members) => Ok(Err(fault_of(&members))),
            _ => Err(DocumentError::NotThis(WHAT)),
        };
    }
    let answer = text.get(shape.whole).unwrap_or_default();
    let answer = dxr::MethodResponse::from_xml(answer).map_err(not_this)?;
    Ok(Ok(sendable(answer.value, Allowed::ALL, "answer")?))
}

/// Reads values that stand between `<params>` and `</params>`, as they do in files.
///
/// # Errors
/// There is something else.
pub fn read_values(body: &[u8]) -> Result<Vec<Value>, DocumentError> {
    const WHAT: &str = "list of values";
    let text = decode(body, None)?;
    let shape = scan(&text)?;
    if shape.root != "params" {
        return Err(DocumentError::NotThis(WHAT));
    }
    let values = text.get(shape.whole).unwrap_or_default();
    let call = format!("<methodCall><methodName>-</methodName>{values}</methodCall>");
    let call = dxr::MethodCall::from_xml(&call).map_err(|_| DocumentError::NotThis(WHAT))?;
    Ok(call.params)
}

/// Writes what [`read_values`] reads.
///
/// # Errors
/// A value cannot be written.
pub fn write_values(values: &[Value]) -> Result<String, DocumentError> {
    let mut text = format!("{DECLARATION}<params>\n");
    for value in values {
        let value = value
            .to_xml_pretty()
            .map_err(|_| DocumentError::NotThis("value"))?;
        text.extend(["<param>\n", &value, "\n</param>\n"]);
    }
    text.push_str("</params>\n");
    Ok(finished(text))
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
    let text = call.to_xml().map_err(|_| DocumentError::NotThis("call"))?;
    Ok(finished(format!("{DECLARATION}{text}")))
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
    finished(format!("{DECLARATION}{}", text.unwrap_or_default()))
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
            .ok_or(DocumentError::NotThis("call"))?;
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
        let value = value
            .to_xml()
            .map_err(|_| DocumentError::NotThis("value"))?;
        let member = format!("<member><name>{NOTIFY_PASS}</name>{value}</member>");
        Ok(Self(Bytes::from(finished(member))))
    }
}

/// Readers make a line feed of every carriage return that stands as it is. None is there but those of texts.
fn finished(text: String) -> String {
    match text.contains('\r') {
        true => text.replace('\r', "&#13;"),
        false => text,
    }
}

fn fault_of(members: &Struct) -> Fault {
    let code = match members.get("faultCode") {
        Some(Value::Integer(code)) => *code,
        _ => 0,
    };
    let text = match members.get("faultString") {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    Fault { code, text }
}

/// What a document has, seen from outside.
struct Shape {
    root: String,
    /// The root element.
    whole: Range<usize>,
    /// What is in the element `fault` of the root, where there is one.
    fault: Option<Range<usize>>,
}

/// Sees to it that a document is well-formed XML without anything that XML-RPC has no use for, and is not too deep,
/// before something goes into it that recurses.
fn scan(text: &str) -> Result<Shape, DocumentError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut values = 0;
    let mut shape: Option<Shape> = None;
    let mut ended = false;
    loop {
        let before = position(&reader);
        let wrong = |problem: &str| Err(at(text, before, problem.to_owned()));
        let event = reader
            .read_event()
            .map_err(|error| at(text, position_of_error(&reader), error.to_string()))?;
        match event {
            Event::Start(tag) => {
                let name = tag.name().as_ref().to_owned();
                if let Some(error) = tag.attributes().find_map(Result::err) {
                    return wrong(&error.to_string());
                }
                if ended {
                    return wrong("there is a second element beside the first");
                }
                let nests = matches!(name.as_str(), "array" | "struct");
                values += usize::from(nests);
                if values > MAX_DEPTH || open.len() >= MAX_ELEMENTS {
                    return wrong(&format!(
                        "there are more than {MAX_DEPTH} arrays and structs in each other"
                    ));
                }
                match (&mut shape, open.len()) {
                    (None, _) => {
                        shape = Some(Shape {
                            root: name,
                            whole: before..text.len(),
                            fault: None,
                        });
                    }
                    (Some(shape), 1) if name == "fault" => {
                        shape.fault = Some(position(&reader)..text.len());
                    }
                    _ => {}
                }
                open.push(Open { nests });
            }
            Event::End(_) => {
                let closed = open.pop();
                values -= usize::from(closed.is_some_and(|closed| closed.nests));
                match (&mut shape, open.len()) {
                    (Some(shape), 0) => {
                        shape.whole.end = position(&reader);
                        ended = true;
                    }
                    (Some(shape), 1) => {
                        if let Some(fault) = &mut shape.fault
                            && fault.end == text.len()
                        {
                            fault.end = before;
                        }
                    }
                    _ => {}
                }
            }
            Event::Empty(_) if open.is_empty() => return wrong("the document is empty"),
            Event::Text(characters) if open.is_empty() && !characters.trim_ascii().is_empty() => {
                return wrong("there is text outside of all elements");
            }
            Event::GeneralRef(reference) if !is_known(&reference) => {
                return wrong("there is an entity that XML has no meaning for");
            }
            Event::CData(_) | Event::GeneralRef(_) if open.is_empty() => {
                return wrong("there is text outside of all elements");
            }
            Event::DocType(_) => {
                return wrong("there is a DOCTYPE, which is not taken here");
            }
            Event::Eof => {
                return match shape {
                    Some(shape) if ended => Ok(shape),
                    _ => wrong("the document ends too early"),
                };
            }
            _ => {}
        }
    }
}

/// An element whose end has not come yet.
struct Open {
    /// Whether it is an array or a struct.
    nests: bool,
}

/// Whether a reference means something without a DOCTYPE.
fn is_known(reference: &BytesRef<'_>) -> bool {
    match reference.resolve_char_ref() {
        Ok(Some(_)) => true,
        Ok(None) => matches!(reference.as_ref(), "lt" | "gt" | "amp" | "apos" | "quot"),
        Err(_) => false,
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn position_of_error(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.error_position()).unwrap_or(usize::MAX)
}

fn at(text: &str, position: usize, problem: String) -> DocumentError {
    let before = text
        .get(..text.floor_char_boundary(position))
        .unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |place| place + 1);
    DocumentError::Xml {
        problem,
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

#[cfg(test)]
mod tests;

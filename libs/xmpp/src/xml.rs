//! XML as XMPP has it: one element that stays open, and stanzas in it, which are small and flat.

use rxml::error::EndOrError;
use rxml::{Options, Parse, RawEvent, RawParser, RawQName, WithOptions};

use crate::Reason;

/// The largest stanza that is kept; larger ones are skipped. Candidates are one or two kilobytes.
pub(crate) const MAX_KEPT: usize = 64 << 10;

/// What a stanza has at most before the connection ends: above what servers let through (256 KiB).
pub(crate) const MAX_STANZA: usize = 512 << 10;

/// How deep elements of a stanza that is kept may be in each other.
pub(crate) const MAX_DEPTH: usize = 32;

/// How many attributes an element of a stanza that is kept may have.
const MAX_ATTRIBUTES: usize = 32;

/// An element with all that is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) namespace: String,
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn child(&self, namespace: &str, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.is(namespace, name))
    }
}

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The stream begins.
    Header,
    /// A stanza, or an element of the negotiation.
    Stanza(Element),
    /// One that was too large or too deep.
    Skipped,
    /// The stream ends.
    Footer,
}

/// Makes parts of bytes.
///
/// Namespaces are resolved here, for what is kept: a parser that does so goes through all open elements for each
/// one, and then a stanza that is nothing but open elements takes minutes.
pub(crate) struct Reader {
    parser: RawParser,
    /// Whether the stream's header has been seen.
    open: bool,
    /// The element of which the attributes are being read.
    head: Option<Head>,
    /// The stanza's elements that are not complete yet, the outermost first.
    elements: Vec<Open>,
    /// Prefixes and what they stand for, in the order of their elements.
    namespaces: Vec<(Option<String>, String)>,
    /// How many elements of the stanza are open, those that are not kept as well.
    depth: usize,
    /// Its bytes until now.
    size: usize,
    skipping: bool,
}

#[derive(Default)]
struct Head {
    prefix: Option<String>,
    name: String,
    attributes: Vec<(String, String)>,
    namespaces: Vec<(Option<String>, String)>,
}

struct Open {
    element: Element,
    /// How many namespaces were known before it.
    namespaces: usize,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let options = Options {
            // A longer one would be a fault of the stream, not of the stanza.
            max_token_length: MAX_STANZA,
            ..Options::default()
        };
        let mut parser = RawParser::with_options(options);
        parser.set_text_buffering(false);
        Self {
            parser,
            open: false,
            head: None,
            elements: Vec::new(),
            namespaces: Vec::new(),
            depth: 0,
            size: 0,
            skipping: false,
        }
    }

    /// The next part in `bytes`, of which what it is made of is taken away; none when more bytes are needed.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Part>, Reason> {
        loop {
            let before = bytes.len();
            let event = self.parser.parse(bytes, false);
            self.size += before - bytes.len();
            if self.size > MAX_STANZA {
                return Err(Reason::HugeStanza(MAX_STANZA));
            }
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(None),
                Err(EndOrError::NeedMoreData) => return Ok(None),
                Err(EndOrError::Error(error)) => {
                    return Err(Reason::NotUnderstood(error.to_string()));
                }
            };
            if self.size > MAX_KEPT {
                self.skip();
            }
            if let Some(part) = self.event(event)? {
                return Ok(Some(part));
            }
        }
    }

    fn event(&mut self, event: RawEvent) -> Result<Option<Part>, Reason> {
        match event {
            RawEvent::XmlDeclaration(..) => {}
            RawEvent::ElementHeadOpen(_, name) => self.begin(name),
            RawEvent::Attribute(_, name, value) => match &mut self.head {
                Some(head) if head.is_full() => self.skip(),
                Some(head) => head.attribute(name, value)?,
                None => {}
            },
            RawEvent::ElementHeadClose(_) => {
                if let Some(head) = self.head.take() {
                    return self.complete(head);
                }
            }
            RawEvent::Text(_, text) => match self.elements.last_mut() {
                Some(open) => open.element.text.push_str(&text),
                // White space between stanzas keeps connections alive.
                None if self.depth == 0 => self.size = 0,
                None => {}
            },
            RawEvent::ElementFoot(_) => return Ok(self.end()),
        }
        Ok(None)
    }

    fn begin(&mut self, (prefix, name): RawQName) {
        if self.open {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                self.skip();
            }
        }
        if !self.skipping {
            self.head = Some(Head {
                prefix: prefix.map(|prefix| prefix.to_string()),
                name: name.to_string(),
                ..Head::default()
            });
        }
    }

    /// All of an element's attributes are there.
    fn complete(&mut self, head: Head) -> Result<Option<Part>, Reason> {
        let before = self.namespaces.len();
        self.namespaces.extend(head.namespaces);
        let mut known = self.namespaces.iter().rev();
        let namespace = match known.find(|(prefix, _)| *prefix == head.prefix) {
            Some((_, namespace)) => namespace.clone(),
            None if head.prefix.is_none() => String::new(),
            None => {
                return Err(Reason::NotUnderstood(
                    "a prefix that stands for nothing".to_owned(),
                ));
            }
        };
        if !self.open {
            self.open = true;
            self.size = 0;
            return Ok(Some(Part::Header));
        }
        self.elements.push(Open {
            element: Element {
                namespace,
                name: head.name,
                attributes: head.attributes,
                ..Element::default()
            },
            namespaces: before,
        });
        Ok(None)
    }

    fn end(&mut self) -> Option<Part> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Some(Part::Footer);
        };
        self.depth = depth;
        let complete = self.elements.pop().map(|open| {
            self.namespaces.truncate(open.namespaces);
            open.element
        });
        if depth == 0 {
            self.size = 0;
            if std::mem::take(&mut self.skipping) {
                return Some(Part::Skipped);
            }
            return complete.map(Part::Stanza);
        }
        if let (Some(parent), Some(child)) = (self.elements.last_mut(), complete) {
            parent.element.children.push(child);
        }
        None
    }

    /// Keeps nothing of the present stanza.
    fn skip(&mut self) {
        if self.depth == 0 {
            return;
        }
        self.skipping = true;
        self.head = None;
        if let Some(outermost) = self.elements.first() {
            self.namespaces.truncate(outermost.namespaces);
        }
        self.elements = Vec::new();
    }
}

impl Head {
    fn is_full(&self) -> bool {
        self.attributes.len() + self.namespaces.len() >= MAX_ATTRIBUTES
    }

    fn attribute(&mut self, (prefix, name): RawQName, value: String) -> Result<(), Reason> {
        let list = match prefix.as_ref().map(|prefix| prefix.as_str()) {
            Some("xmlns") => {
                self.namespaces.push((Some(name.to_string()), value));
                return Ok(());
            }
            None if name.as_str() == "xmlns" => {
                self.namespaces.push((None, value));
                return Ok(());
            }
            // Stanzas have nothing that matters in other namespaces.
            Some(_) => return Ok(()),
            None => &mut self.attributes,
        };
        if list.iter().any(|(key, _)| key == name.as_str()) {
            return Err(Reason::NotUnderstood(
                "an attribute that is there twice".to_owned(),
            ));
        }
        list.push((name.to_string(), value));
        Ok(())
    }
}

/// XML that is written.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Begins an element, which is closed with [`close`](Self::close).
    pub(crate) fn open(mut self, name: &str, attributes: &[(&str, &str)]) -> Self {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            self.0.push(' ');
            self.0.push_str(key);
            self.0.push_str("='");
            self.escape(value);
            self.0.push('\'');
        }
        self.0.push('>');
        self
    }

    pub(crate) fn close(mut self, name: &str) -> Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.escape(text);
        self
    }

    /// An element with a text.
    pub(crate) fn element(self, name: &str, attributes: &[(&str, &str)], text: &str) -> Self {
        self.open(name, attributes).text(text).close(name)
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '\'' => self.0.push_str("&apos;"),
                '"' => self.0.push_str("&quot;"),
                // Else they would be other white space at the other end.
                '\r' => self.0.push_str("&#13;"),
                '\n' => self.0.push_str("&#10;"),
                '\t' => self.0.push_str("&#9;"),
                c => self.0.push(c),
            }
        }
    }
}

/// Whether XML can carry it.
pub(crate) fn is_text(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => c >= ' ',
    })
}

/// Whether it can be the name of an element.
pub(crate) fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const HEADER: &str = "<?xml version='1.0'?><s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>";

    /// What comes of a stream, in chunks of that size.
    fn parts(stanzas: &str, chunk: usize) -> Result<Vec<Part>, Reason> {
        let mut reader = Reader::new();
        let mut parts = Vec::new();
        for mut bytes in format!("{HEADER}{stanzas}").as_bytes().chunks(chunk) {
            while let Some(part) = reader.next(&mut bytes)? {
                parts.push(part);
            }
        }
        Ok(parts)
    }

    /// The stanza that this text is, with `stream` for what is of the stream itself.
    pub(crate) fn element(text: &str) -> Element {
        let text = format!(
            "<s xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>{text}"
        );
        let mut bytes = text.as_bytes();
        let mut reader = Reader::new();
        while let Ok(Some(part)) = reader.next(&mut bytes) {
            if let Part::Stanza(element) = part {
                return element;
            }
        }
        Element::default()
    }

    fn stanza(parts: &[Part]) -> Option<&Element> {
        parts.iter().find_map(|part| match part {
            Part::Stanza(element) => Some(element),
            _ => None,
        })
    }

    #[test]
    fn stanzas_come_whole_however_they_are_cut() -> Result<(), Reason> {
        let text =
            " <iq id='1' x:id='2' xmlns:x='urn:x'><x:q>a&amp;<x:r/>b</x:q></iq>\n</s:stream>";
        for chunk in [1, 7, 4096] {
            let parts = parts(text, chunk)?;
            assert_eq!(parts.len(), 3, "{parts:?}");
            assert_eq!((&parts[0], &parts[2]), (&Part::Header, &Part::Footer));
            let iq = stanza(&parts).ok_or(Reason::Stopped)?;
            assert_eq!((iq.attribute("id"), iq.attribute("x")), (Some("1"), None));
            let q = iq.child("urn:x", "q").ok_or(Reason::Stopped)?;
            assert_eq!(q.text, "a&b");
            assert!(q.child("urn:x", "r").is_some() && q.child("jabber:client", "r").is_none());
        }
        Ok(())
    }

    #[test]
    fn stanzas_that_are_too_deep_or_too_large_are_skipped_and_the_next_one_is_not()
    -> Result<(), Reason> {
        let deep = "<a>".repeat(50_000) + &"</a>".repeat(50_000);
        let long = format!("<a>{}</a>", "x".repeat(MAX_KEPT));
        let attribute = format!("<a b='{}'/>", "x".repeat(MAX_KEPT));
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_KEPT / 4));
        let deeper = "<a>".repeat(MAX_DEPTH + 1) + &"</a>".repeat(MAX_DEPTH + 1);
        let attributes: String = (0..=MAX_ATTRIBUTES).map(|n| format!(" a{n}=''")).collect();
        let attributes = format!("<a{attributes}/>");
        for bad in [deep, deeper, long, attribute, many, attributes] {
            let parts = parts(&format!("{bad}<iq id='next'/>"), 1000)?;
            assert_eq!(parts[1], Part::Skipped);
            let next = stanza(&parts).and_then(|iq| iq.attribute("id"));
            assert_eq!((parts.len(), next), (3, Some("next")));
        }
        let deepest = "<a>".repeat(MAX_DEPTH) + &"</a>".repeat(MAX_DEPTH);
        assert!(matches!(parts(&deepest, 1000)?[1], Part::Stanza(_)));
        Ok(())
    }

    #[test]
    fn a_stanza_without_an_end_and_what_is_no_xml_end_the_stream() {
        for endless in [
            "<a>".repeat(MAX_STANZA),
            format!("<a b='{}", "x".repeat(MAX_STANZA)),
        ] {
            assert_eq!(parts(&endless, 4096), Err(Reason::HugeStanza(MAX_STANZA)));
        }
        for wrong in [
            "<a></b>",
            "<a b='1' b='2'/>",
            "<!DOCTYPE x [<!ENTITY e 'x'>]>",
            "<?php 1 ?>",
            "<a>&e;</a>",
            "<x:a/>",
            "<a>\u{1}</a>",
        ] {
            let parts = parts(wrong, 4096);
            assert!(
                matches!(parts, Err(Reason::NotUnderstood(_))),
                "{wrong}: {parts:?}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_back() -> Result<(), Reason> {
        let text = "<&>'\" \t\r\n ]]> ü";
        assert!(is_text(text) && !is_text("\u{0}") && !is_text("\u{ffff}"));
        assert!(is_name("type") && !is_name("a b") && !is_name("") && !is_name("1a"));
        let written = Markup::default()
            .element("iq", &[("id", text)], text)
            .finish();
        let parts = parts(&written, 4096)?;
        let iq = stanza(&parts).ok_or(Reason::Stopped)?;
        assert_eq!((iq.attribute("id"), iq.text.as_str()), (Some(text), text));
        Ok(())
    }
}

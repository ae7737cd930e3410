//! XML as XMPP has it: one element that stays open, and stanzas in it, which are small and flat.

use rxml::error::EndOrError;
use rxml::{AttrMap, Event, Options, Parse, Parser, WithOptions};

use crate::Reason;

/// The largest stanza that is kept; larger ones are skipped. Candidates are one or two kilobytes.
pub(crate) const MAX_KEPT: usize = 64 << 10;

/// What a stanza has at most before the connection ends: above what servers let through (256 KiB).
pub(crate) const MAX_STANZA: usize = 512 << 10;

/// How deep elements of a stanza that is kept may be in each other.
pub(crate) const MAX_DEPTH: usize = 32;

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
    fn new(namespace: &str, name: &str, attributes: &AttrMap) -> Self {
        let plain = attributes
            .iter()
            .filter(|((namespace, _), _)| namespace.is_none())
            .map(|((_, name), value)| (name.to_string(), value.clone()));
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            attributes: plain.collect(),
            ..Self::default()
        }
    }

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
pub(crate) struct Reader {
    parser: Parser,
    /// Whether the stream's header has been seen.
    open: bool,
    /// The stanza's elements that are not complete yet, the outermost first.
    elements: Vec<Element>,
    /// How many of its elements are open, those that are not kept as well.
    depth: usize,
    /// Its bytes until now.
    size: usize,
    skipping: bool,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let mut parser = Parser::with_options(Options {
            max_token_length: MAX_STANZA,
            ..Options::default()
        });
        parser.set_text_buffering(false);
        Self {
            parser,
            open: false,
            elements: Vec::new(),
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
            if let Some(part) = self.event(event) {
                return Ok(Some(part));
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<Part> {
        match event {
            Event::XmlDeclaration(..) => None,
            Event::StartElement(_, (namespace, name), attributes) => {
                if !self.open {
                    self.open = true;
                    self.size = 0;
                    return Some(Part::Header);
                }
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    self.skip();
                }
                if !self.skipping {
                    let element = Element::new(namespace.as_str(), name.as_str(), &attributes);
                    self.elements.push(element);
                }
                None
            }
            Event::Text(_, text) => {
                match self.elements.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    // White space between stanzas keeps connections alive.
                    None if self.depth == 0 => self.size = 0,
                    None => {}
                }
                None
            }
            Event::EndElement(_) => self.end(),
        }
    }

    fn end(&mut self) -> Option<Part> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Some(Part::Footer);
        };
        self.depth = depth;
        let complete = self.elements.pop();
        if depth == 0 {
            self.size = 0;
            if std::mem::take(&mut self.skipping) {
                return Some(Part::Skipped);
            }
            return complete.map(Part::Stanza);
        }
        if let (Some(parent), Some(child)) = (self.elements.last_mut(), complete) {
            parent.children.push(child);
        }
        None
    }

    /// Keeps nothing of the present stanza.
    fn skip(&mut self) {
        if self.depth > 0 {
            self.skipping = true;
            self.elements = Vec::new();
        }
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

//! The pages that a host shows to a browser: plain tables and lists, in which everything is text.

use std::fmt::Write as _;

use crate::methods::Table;
use crate::time::readable;
use crate::value::{DateTime, Struct, Value};

/// A page for a browser.
#[derive(Debug, Clone)]
pub struct Page {
    html: String,
}

impl Page {
    /// An empty page with a title.
    pub fn new(title: &str) -> Self {
        let title = escape(title);
        Self {
            html: format!(
                "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
                 <body>\n<h1>{title}</h1>\n"
            ),
        }
    }

    /// Links: paths, and what they are called.
    #[must_use]
    pub fn links(mut self, links: &[(&str, &str)]) -> Self {
        self.html.push_str("<ul>\n");
        for (path, name) in links {
            let _ = writeln!(
                self.html,
                "<li><a href=\"{}\">{}</a></li>",
                escape(path),
                escape(name)
            );
        }
        self.html.push_str("</ul>\n");
        self
    }

    /// A heading.
    #[must_use]
    pub fn heading(mut self, text: &str) -> Self {
        let _ = writeln!(self.html, "<h2>{}</h2>", escape(text));
        self
    }

    /// A paragraph.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        let _ = writeln!(self.html, "<p>{}</p>", escape(text));
        self
    }

    /// A table of two columns.
    #[must_use]
    pub fn table(mut self, members: &Struct) -> Self {
        self.html.push_str("<table>\n");
        for (key, value) in members {
            let _ = writeln!(
                self.html,
                "<tr><th>{}</th><td>{}</td></tr>",
                escape(key),
                escape(&shown(value))
            );
        }
        self.html.push_str("</table>\n");
        self
    }

    /// The whole page, as HTML.
    pub fn html(mut self) -> String {
        self.html.push_str("</body></html>\n");
        self.html
    }
}

/// The page of all methods of a host.
pub fn methods(table: &Table) -> Page {
    let mut page = Page::new("CO2: methods").links(&[("/", "system properties")]);
    for name in table.names() {
        page = page.heading(&name);
        if let Some(help) = table.help(&name) {
            page = page.text(&help);
        }
        if let Some(Value::Struct(signature)) = table.signature(&name) {
            page = page.table(&signature);
        }
    }
    page
}

/// The text with nothing in it that HTML has a meaning for.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::DateTime(time) => date(time),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Struct(members) => {
            let members = members
                .iter()
                .map(|(key, value)| format!("{key}: {}", shown(value)));
            members.collect::<Vec<_>>().join(", ")
        }
        other => crate::log::python(other),
    }
}

fn date(time: &DateTime) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// A time in seconds since 1970, for a page.
pub fn time(seconds: f64) -> String {
    readable(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_peer_calls_itself_is_text() {
        let nick = "<script>alert('\"&')</script>";
        let members = Struct::from([(nick.to_owned(), Value::String(nick.to_owned()))]);
        let page = Page::new(nick).heading(nick).text(nick).table(&members);
        let html = page.links(&[(nick, nick)]).html();
        assert!(
            !html.contains("<script") && html.contains("&lt;script&gt;"),
            "{html}"
        );
    }
}

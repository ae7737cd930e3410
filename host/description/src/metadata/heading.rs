//! Which module a metadata text is of, out of its first lines: who passes over most of the modules of a machine
//! needs no more of them.

use kozo_ground::names::ModuleName;

use super::parse::minor_of;
use crate::kind::ModuleKind;

/// Which module it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Role, transport or bus.
    pub kind: ModuleKind,
    /// The module's name, whatever its file is called.
    pub name: ModuleName,
}

impl Heading {
    /// Reads the beginning of a metadata text, up to where format, kind and name have been said, in plain lines of
    /// their own. What comes behind them is not looked at, and may be wrong.
    ///
    /// None when it begins in another way: [`Metadata::parse`](super::Metadata::parse) tells what it is then, or
    /// what is wrong.
    pub fn read(text: &str) -> Option<Self> {
        let (mut format, mut kind, mut name) = (None, None, None);
        let is_said = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let mut lines = text.lines().filter(is_said).peekable();
        while let Some(line) = lines.next() {
            let (key, value) = line.split_once(": ")?;
            let (known, value) = match key {
                "format" => (&mut format, value.strip_prefix('"')?.strip_suffix('"')?),
                "kind" => (&mut kind, value),
                "name" => (&mut name, value),
                _ => return None,
            };
            let is_first = known.replace(value).is_none();
            if !(is_first && value.chars().all(is_plain)) {
                return None;
            }
            if let (Some(format), Some(kind), Some(name)) = (format, kind, name) {
                // What is indented would go on with the text.
                let goes_on = lines.next_if(|next| next.starts_with([' ', '\t']));
                if goes_on.is_some() {
                    return None;
                }
                return Self::new(minor_of(format)?, kind, name);
            }
        }
        None
    }

    fn new(minor: u32, kind: &str, name: &str) -> Option<Self> {
        let kind = ModuleKind::ALL
            .into_iter()
            .find(|known| known.to_string() == kind)?;
        // Names of digits alone, and words like `null`, are no texts in YAML.
        let is_text = name.starts_with(|first: char| first.is_ascii_lowercase())
            && !["true", "false", "null", "yes", "no", "on", "off"].contains(&name);
        (is_text && (kind != ModuleKind::Bus || minor > 0)).then_some(Self {
            kind,
            name: ModuleName::new(name).ok()?,
        })
    }
}

/// Whether a character has no meaning of its own in YAML.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metadata;

    const REST: &str = "version: \"1.0\"\nauthor: Me\ndescription: It does.\n";

    #[test]
    fn the_first_lines_tell_which_module_it_is() {
        let text = "# Ours\nformat: \"1.1\"\n\nkind: bus\nname: nats-2\nversion: [\n";
        let heading = Heading::read(text).unwrap();
        assert_eq!(heading.kind, ModuleKind::Bus);
        assert_eq!(heading.name.as_str(), "nats-2");
        let in_another_order = "name: cuckoo\nkind: role\nformat: \"1.0\"";
        assert_eq!(
            Heading::read(in_another_order).unwrap().name.as_str(),
            "cuckoo"
        );
    }

    #[test]
    fn what_is_read_is_what_all_of_the_text_says() {
        let values = [
            "role",
            "transport",
            "bus",
            "\"role\"",
            "cuckoo",
            "'cuckoo'",
            "\"1.1\"",
            "\"1.0\"",
            "\"2.0\"",
            "1.1",
            "null",
            "true",
            "on",
            "012",
            "~",
            "a b",
            "a # b",
            "a: b",
            "a\n  b",
            "a\n\n  b",
            "a\n# c\n  b",
            "&a b",
            "*a",
            "!!str a",
            "|\n  a",
            "{a: b}",
            "[a]",
            "",
            "Cuckoo",
            "_a",
            "-",
            "- a",
            "a.b",
            "é",
        ];
        let mut read = 0;
        for kind in values {
            for name in values {
                for format in ["\"1.1\"", "\"1.0\"", "\"1.99\"", "\"2.0\"", "1.1", ""] {
                    let text = format!("format: {format}\nkind: {kind}\nname: {name}\n{REST}");
                    let Some(heading) = Heading::read(&text) else {
                        continue;
                    };
                    let whole = Metadata::parse(&text)
                        .unwrap_or_else(|problems| panic!("{text}\n{problems}"));
                    assert_eq!(
                        (heading.kind, heading.name),
                        (whole.kind, whole.name),
                        "{text}"
                    );
                    read += 1;
                }
            }
        }
        assert!(read > 10, "{read}");
    }

    #[test]
    fn what_begins_in_another_way_is_left_to_the_reader_of_all_of_it() {
        for text in [
            "",
            "---\nformat: \"1.1\"\nkind: role\nname: cuckoo\n",
            "{format: \"1.1\", kind: role, name: cuckoo}\n",
            "format: \"1.1\"\nkind: role\nkind: role\nname: cuckoo\n",
            "format: \"1.1\"\nkind: role\ndescription: |\n  name: cuckoo\n",
            "format: \"1.0\"\nkind: bus\nname: nats\n",
            "kind: role\nname: cuckoo\n",
            "format: \"1.1\"\nkind: role\nname: cuckoo\n  clock\n",
        ] {
            assert_eq!(Heading::read(text), None, "{text}");
        }
    }
}

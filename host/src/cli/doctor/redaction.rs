//! What is left out of texts that go to others: secrets, and what they would say about people.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use kozo_description::{Entry, ModuleKind, Problems, Scalar, Tree, TreeNode, parse_yaml};

use crate::modules::Registry;
use crate::secrets::is_secret_name;

/// What stands in place of what is left out.
pub(super) const LEFT_OUT: &str = "(left out)";

/// Options of which the names say something else: they name a file, or a public half.
const PUBLIC_OPTIONS: [&str; 2] = ["privateKey", "publicKey"];

/// Shorter secrets are left out of the file, but not looked for in other texts: they are everywhere.
const MIN_SECRET: usize = 4;

/// How much of an .onion address is shown: whoever has all of it can knock there.
const SHOWN_ONION: usize = 6;

/// An .onion address without its ending.
const ONION_LENGTH: usize = 56;

const PRIVATE_BEGIN: &str = "-----BEGIN ";
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// What is not to be seen in any text.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    /// The secrets of the file, the longest first.
    secrets: Vec<String>,
    home: Option<PathBuf>,
}

impl Redaction {
    /// `home` is the folder of this user.
    pub(super) fn new(home: Option<PathBuf>) -> Self {
        Self {
            secrets: Vec::new(),
            home: home.filter(|home| home.is_absolute() && home.as_path() != Path::new("/")),
        }
    }

    /// The configuration file with nothing in it that is secret, without its comments, which may hold
    /// anything. Its secrets are known from then on. None when it is not one of YAML.
    pub(super) fn file(&mut self, text: &[u8], registry: &Registry) -> Option<String> {
        let tree = parse_yaml(text, &mut Problems::new(""))?;
        let mut shown = String::new();
        let mut path = Vec::new();
        self.tree(&tree, &mut path, registry, &mut shown);
        self.secrets
            .sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        self.secrets.dedup();
        Some(shown)
    }

    fn tree<'t>(
        &mut self,
        tree: &'t Tree,
        path: &mut Vec<&'t str>,
        registry: &Registry,
        shown: &mut String,
    ) {
        match &tree.node {
            TreeNode::Map(entries) => {
                shown.push('\n');
                for Entry { key, value, .. } in entries {
                    path.push(key);
                    let indent = "  ".repeat(path.len() - 1);
                    // Writing to a text cannot fail.
                    let _ = write!(shown, "{indent}{}:", quoted(key));
                    if is_secret(path, value, registry) {
                        self.remember(value);
                        let _ = writeln!(shown, " {LEFT_OUT}");
                    } else {
                        self.tree(value, path, registry, shown);
                    }
                    path.pop();
                }
            }
            TreeNode::List(items) => {
                shown.push('\n');
                for item in items {
                    let _ = write!(shown, "{}-", "  ".repeat(path.len()));
                    path.push("");
                    self.tree(item, path, registry, shown);
                    path.pop();
                }
            }
            TreeNode::Scalar(scalar) => {
                let _ = writeln!(shown, " {}", value(scalar));
            }
            TreeNode::Invalid => shown.push('\n'),
        }
    }

    fn remember(&mut self, tree: &Tree) {
        match &tree.node {
            TreeNode::Scalar(scalar) if scalar.text.len() >= MIN_SECRET => {
                self.secrets.push(scalar.text.clone());
            }
            TreeNode::Map(entries) => entries.iter().for_each(|entry| self.remember(&entry.value)),
            TreeNode::List(items) => items.iter().for_each(|item| self.remember(item)),
            _ => {}
        }
    }

    /// A text without the secrets that are known, nor what looks like one.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret, LEFT_OUT);
            // As JSON and Rust write it.
            let escaped = format!("{secret:?}");
            text = text.replace(&escaped[1..escaped.len() - 1], LEFT_OUT);
        }
        if let Some(home) = &self.home {
            text = text.replace(&*home.to_string_lossy(), "~");
        }
        without_keys(&without_users(&without_onions(&without_logins(&text))))
    }
}

/// Whether the value of the option at this path is a secret.
fn is_secret(path: &[&str], value: &Tree, registry: &Registry) -> bool {
    let Some(name) = path.last() else {
        return false;
    };
    if PUBLIC_OPTIONS.contains(name) {
        return false;
    }
    // Nodes, roles, transports and buses may be called anything.
    let is_name = matches!(
        path,
        ["system", _] | ["system", _, "roles" | "transports", _] | ["buses", _]
    );
    (is_secret_name(name) && !is_name) || is_of_unknown_module(path, value, registry)
}

/// Whether this is a text of a module that is not on this machine: what it means, nothing says.
fn is_of_unknown_module(path: &[&str], value: &Tree, registry: &Registry) -> bool {
    // What a node has of a bus is in a block of a transport, whose name is that of no module: its texts
    // are left out as well.
    let (kind, name) = match path {
        ["system", _, "roles", name] => (ModuleKind::Role, name),
        ["system", _, "transports", name] => (ModuleKind::Transport, name),
        ["buses", name] => (ModuleKind::Bus, name),
        _ => return false,
    };
    let module = value.child("type").and_then(Tree::text).unwrap_or(name);
    value.is_mapping() && registry.metadata(kind, module).is_none()
}

fn quoted(key: &str) -> String {
    let is_simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match !key.is_empty() && key.chars().all(is_simple) {
        true => key.to_owned(),
        false => format!("{key:?}"),
    }
}

fn value(scalar: &Scalar) -> String {
    match scalar.plain {
        true => scalar.text.clone(),
        false => format!("{:?}", scalar.text),
    }
}

/// The names and passwords before the host of a URL.
fn without_logins(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | '<' | '>');
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "://";
        let authority = &part[..part.find(is_end).unwrap_or(part.len())];
        match authority.rfind('@') {
            Some(end) => {
                shown += LEFT_OUT;
                shown += &part[end..];
            }
            None => shown += part,
        }
    }
    shown
}

fn without_onions(text: &str) -> String {
    let mut parts = text.split(".onion").peekable();
    let mut shown = String::with_capacity(text.len());
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let is_base32 = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let length = part.chars().rev().take_while(is_base32).count();
        if is_last || length < ONION_LENGTH {
            shown += part;
        } else {
            shown += &part[..part.len() - ONION_LENGTH + SHOWN_ONION];
            shown.push('…');
        }
        if !is_last {
            shown += ".onion";
        }
    }
    shown
}

/// The names of users in the paths of their folders.
fn without_users(text: &str) -> String {
    const HOMES: &str = "/home/";
    let mut parts = text.split(HOMES);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | ':' | ',');
        let end = part.find(is_end).unwrap_or(part.len());
        shown += HOMES;
        shown += "…";
        shown += &part[end..];
    }
    shown
}

/// Blocks of private keys, wherever they come from.
fn without_keys(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut is_inside = false;
    for line in text.split_inclusive('\n') {
        let is_mark = line.contains(PRIVATE_KEY);
        if is_mark && line.contains(PRIVATE_BEGIN) {
            shown += LEFT_OUT;
            shown.push('\n');
            // A key in one line ends in it.
            is_inside = !line.contains("-----END ");
        } else if !is_inside {
            shown += line;
        } else if is_mark {
            is_inside = false;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::{SearchFolders, TrustedWriters};

    fn registry() -> Registry {
        Registry::scan(SearchFolders::default(), TrustedWriters::of_this_process())
    }

    #[test]
    fn options_that_are_called_like_secrets_have_no_value() {
        let text = "\
system:
  token:
    privateKey: /k # the code of the door is 4711
    publicKey: ssh-ed25519 AAAA
    roles:
      mine: {type: strange, text: of nobody's concern}
dbPassword: 'open sesame'
tokens: [abcdef, 'x\"y z']
secrets: {door: rosebud}
port: 22
buses:
  secret: {type: unheard, text: of nobody's business}
";
        let mut redaction = Redaction::new(None);
        let shown = redaction.file(text.as_bytes(), &registry()).unwrap();
        for gone in [
            "sesame", "abcdef", "x\"y", "rosebud", "concern", "4711", "business",
        ] {
            assert!(!shown.contains(gone), "{gone}: {shown}");
        }
        for there in [
            "  token:\n",
            "  secret:",
            "privateKey: /k",
            "AAAA",
            "dbPassword: (left out)",
            "port: 22",
        ] {
            assert!(shown.contains(there), "{there}: {shown}");
        }
        let said = redaction.text("it said \"x\\\"y z\" and open sesame, abcdef!");
        assert_eq!(said, "it said \"(left out)\" and (left out), (left out)!");
        assert_eq!(redaction.file(b"a: [", &registry()), None);
    }

    #[test]
    fn what_looks_like_a_secret_is_left_out_wherever_it_stands() {
        let redaction = Redaction::new(Some("/home/anna".into()));
        let onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";
        for (text, shown) in [
            ("/home/anna/net.yml", "~/net.yml"),
            ("`/home/bert/key`", "`/home/…/key`"),
            ("mqtt://me:pass@host:1/x@y", "mqtt://(left out)@host:1/x@y"),
            ("see https://example.org/a@b", "see https://example.org/a@b"),
            ("x.onion y", "x.onion y"),
            (
                "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3\n-----END OPENSSH PRIVATE KEY-----\nz",
                "a\n(left out)\nz",
            ),
        ] {
            assert_eq!(redaction.text(text), shown);
        }
        assert_eq!(
            redaction.text(&format!("at {onion}:6027")),
            "at 2gzyxa….onion:6027"
        );
    }
}

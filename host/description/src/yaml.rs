//! YAML text into a [`Tree`], within bounds that no file can push.
//!
//! A syntax error ends the reading: what follows it cannot be understood. Everything else that is
//! wrong here (a key twice, a merge key, an alias to nothing) is reported, leaves a hole that the
//! checks skip, and reading goes on.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use kozo_ground::text::{join_path, quoted};

use super::foreign::{self, place_behind};
use super::problem::{Place, Problem, Problems};
use super::syntax::{MAX_DEPTH, place_of, syntax_problem, too_deep};
use super::tree::{Entry, Scalar, Tree, TreeNode};

/// How many keys and values a document may have, those that aliases repeat included.
pub const MAX_NODES: usize = 100_000;

/// How many bytes of text a document may have, what aliases repeat included.
pub const MAX_TEXT: usize = 8 << 20;

/// Reads one document. `None` when there is nothing to go on with; `problems` says why.
pub fn parse(bytes: &[u8], problems: &mut Problems) -> Option<Tree> {
    if let Some(problem) = foreign::of_bytes(bytes) {
        problems.push(problem);
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let (before, rest) = bytes.split_at(error.valid_up_to());
            problems.push(
                Problem::error(
                    place_behind(&String::from_utf8_lossy(before)),
                    "",
                    format!(
                        "the file is not UTF-8 text: byte {:#04x} does not belong here",
                        rest.first().copied().unwrap_or_default()
                    ),
                )
                .with_help("save the file as UTF-8"),
            );
            return None;
        }
    };
    Reader::new(problems).read(text)
}

/// Reading cannot go on; the reason was reported.
struct Stop;

/// How much a value weighs when an alias repeats it.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    text: usize,
    /// How many levels of lists and mappings it holds.
    height: usize,
}

impl Weight {
    fn of_scalar(text: &str) -> Self {
        Self {
            nodes: 1,
            text: text.len(),
            height: 0,
        }
    }

    fn of_collection() -> Self {
        Self {
            nodes: 1,
            text: 0,
            height: 1,
        }
    }

    fn add_child(&mut self, child: Self) {
        self.nodes += child.nodes;
        self.text += child.text;
        self.height = self.height.max(child.height + 1);
    }
}

/// A list or mapping whose end was not read yet.
struct Open {
    place: Place,
    anchor: usize,
    weight: Weight,
    content: Content,
}

enum Content {
    List(Vec<Tree>),
    Map {
        entries: Vec<Entry>,
        keys: HashMap<String, Place>,
        key: Key,
        /// What merge keys bring. They were reported, and what they were to bring is not missing.
        merged: Vec<Entry>,
    },
}

/// What a mapping waits for.
enum Key {
    /// Its next key.
    Awaited,
    /// The value of this key.
    Read(String, Place),
    /// The value of a key that was reported.
    Dropped,
    /// The value of a merge key.
    Merge,
}

struct Reader<'p> {
    problems: &'p mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, (Tree, Weight)>,
    root: Option<Tree>,
    used: Weight,
}

impl<'p> Reader<'p> {
    fn new(problems: &'p mut Problems) -> Self {
        Self {
            problems,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            used: Weight::default(),
        }
    }

    fn read(mut self, text: &str) -> Option<Tree> {
        let options = granit_parser::options! {
            emit_unresolved_aliases: true,
            emit_comments: false,
            block_nesting_limit: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
        };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            match event {
                Ok((Event::DocumentStart(..), span)) => {
                    documents += 1;
                    if documents > 1 {
                        self.problems.push(
                            Problem::error(
                                place_of(&span.start),
                                "",
                                "a second YAML document begins here, and there may be only one",
                            )
                            .with_help(
                                "remove the `---` line, or move what follows to a file of its own",
                            ),
                        );
                        break;
                    }
                }
                Ok((event, span)) => self.event(event, &span).ok()?,
                Err(error) => {
                    let problem = syntax_problem(&error);
                    self.problems.push(foreign::blamed(problem, text));
                    return None;
                }
            }
        }
        self.root
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Stop> {
        let place = place_of(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // A tag that says "text" quotes as well as quotes do.
                let forced = tag.as_deref().is_some_and(is_text_tag);
                let scalar = Scalar {
                    plain: style == ScalarStyle::Plain && !forced,
                    text: if span.is_empty() && style == ScalarStyle::Plain {
                        String::new()
                    } else {
                        text.into_owned()
                    },
                };
                let weight = Weight::of_scalar(&scalar.text);
                let node = self.tagged(tag.as_deref(), TreeNode::Scalar(scalar), place);
                self.charge(weight, place)?;
                self.complete(Tree { place, node }, weight, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(place, anchor, tag.as_deref(), Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    keys: HashMap::new(),
                    key: Key::Awaited,
                    merged: Vec::new(),
                };
                self.begin(place, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some((mut tree, weight)) = self.anchors.get(&anchor).cloned() else {
                    self.report(
                        place,
                        "an alias may not stand inside the value that it repeats",
                    );
                    return self.complete_invalid(place);
                };
                self.charge(weight, place)?;
                if self.open.len() + weight.height > MAX_DEPTH {
                    return Err(self.too_deep(place));
                }
                // What is wrong in it is reported where it was written; only a single value
                // moves, as its message names the option that is set here.
                if matches!(tree.node, TreeNode::Scalar(_)) {
                    tree.place = place;
                }
                self.complete(tree, weight, 0)
            }
            Event::UnresolvedAlias(name) => {
                let problem = Problem::error(
                    place,
                    self.path(),
                    format!(
                        "the alias {} has no anchor above it",
                        quoted(&format!("*{name}"))
                    ),
                )
                .with_help("a text that begins with `*` needs quotes");
                self.problems.push(problem);
                self.complete_invalid(place)
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        place: Place,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Stop> {
        let _ = self.tagged(tag, TreeNode::Invalid, place);
        let weight = Weight::of_collection();
        self.charge(weight, place)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(place));
        }
        self.open.push(Open {
            place,
            anchor,
            weight,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let node = match open.content {
            Content::List(items) => TreeNode::List(items),
            Content::Map {
                mut entries,
                mut keys,
                merged,
                ..
            } => {
                for entry in merged {
                    // The first one counts.
                    if keys.insert(entry.key.clone(), entry.key_place).is_none() {
                        entries.push(entry);
                    }
                }
                TreeNode::Map(entries)
            }
        };
        let place = open.place;
        self.complete(Tree { place, node }, open.weight, open.anchor)
    }

    /// Puts a complete value where it belongs: into the list or mapping around it.
    fn complete(&mut self, tree: Tree, weight: Weight, anchor: usize) -> Result<(), Stop> {
        let tree = if self.awaits_key() {
            tree
        } else {
            let (tree, problem) = foreign::visible_value(tree, || self.path());
            problem
                .into_iter()
                .for_each(|problem| self.problems.push(problem));
            tree
        };
        if anchor != 0 {
            self.charge(weight, tree.place)?;
            self.anchors.insert(anchor, (tree.clone(), weight));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(tree);
            return Ok(());
        };
        parent.weight.add_child(weight);
        match &mut parent.content {
            Content::List(items) => items.push(tree),
            Content::Map {
                entries,
                key,
                merged,
                ..
            } => match std::mem::replace(key, Key::Awaited) {
                Key::Awaited => self.key(tree),
                Key::Dropped => {}
                Key::Merge => merge(tree, merged),
                Key::Read(key, key_place) => entries.push(Entry {
                    key,
                    key_place,
                    value: tree,
                }),
            },
        }
        Ok(())
    }

    /// Whether what comes next is the key of a mapping.
    fn awaits_key(&self) -> bool {
        let open = self.open.last().map(|open| &open.content);
        matches!(
            open,
            Some(Content::Map {
                key: Key::Awaited,
                ..
            })
        )
    }

    fn complete_invalid(&mut self, place: Place) -> Result<(), Stop> {
        let node = TreeNode::Invalid;
        self.complete(Tree { place, node }, Weight::of_scalar(""), 0)
    }

    fn key(&mut self, tree: Tree) {
        let path = self.path();
        let Some(Open {
            content: Content::Map { keys, key, .. },
            ..
        }) = self.open.last_mut()
        else {
            return;
        };
        if is_merge(&tree) {
            *key = Key::Merge;
            let message = "merge keys (`<<`) are not part of YAML 1.2 and are not read";
            self.problems
                .push(Problem::error(tree.place, path, message).with_help(
                    "write the options out; a whole value may be repeated with `&name` and `*name`",
                ));
            return;
        }
        let (tree, invisible) = foreign::visible_key(tree, &path);
        invisible
            .into_iter()
            .for_each(|problem| self.problems.push(problem));
        match checked_key(tree, keys, &path) {
            Ok((text, place)) => {
                keys.insert(text.clone(), place);
                *key = Key::Read(text, place);
            }
            Err(problem) => {
                *key = Key::Dropped;
                if let Some(problem) = problem {
                    self.problems.push(problem);
                }
            }
        }
    }

    /// The node, or a hole where its tag says what cannot be said here.
    fn tagged(&mut self, tag: Option<&Tag>, node: TreeNode, place: Place) -> TreeNode {
        match tag {
            Some(tag) if !(is_text_tag(tag) || is_core_tag(tag)) => {
                let problem = Problem::error(
                    place,
                    self.path(),
                    format!("the tag {} means nothing here", quoted(&tag.original())),
                )
                .with_help("remove it; a text that begins with `!` needs quotes");
                self.problems.push(problem);
                TreeNode::Invalid
            }
            _ => node,
        }
    }

    fn charge(&mut self, weight: Weight, place: Place) -> Result<(), Stop> {
        self.used.nodes += weight.nodes;
        self.used.text += weight.text;
        if self.used.nodes <= MAX_NODES && self.used.text <= MAX_TEXT {
            return Ok(());
        }
        self.report(
            place,
            format!(
                "the file holds too much: {MAX_NODES} keys and values and {MAX_TEXT} bytes of text \
                 are the most, with what aliases repeat"
            ),
        );
        Err(Stop)
    }

    fn too_deep(&mut self, place: Place) -> Stop {
        self.problems.push(too_deep(place));
        Stop
    }

    fn report(&mut self, place: Place, message: impl Into<String>) {
        let problem = Problem::error(place, self.path(), message);
        self.problems.push(problem);
    }

    /// The way through the lists and mappings that are open.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match &open.content {
                Content::List(items) => path.push_str(&format!("[{}]", items.len())),
                Content::Map {
                    key: Key::Read(key, _),
                    ..
                } => path = join_path(&path, key),
                Content::Map { .. } => {}
            }
        }
        path
    }
}

fn is_merge(tree: &Tree) -> bool {
    matches!(&tree.node, TreeNode::Scalar(scalar) if scalar.plain && scalar.text == "<<")
}

/// Adds what a merge key brings: the entries of a mapping, or of several in their order.
fn merge(tree: Tree, merged: &mut Vec<Entry>) {
    match tree.node {
        TreeNode::Map(entries) => merged.extend(entries),
        TreeNode::List(items) => items.into_iter().for_each(|item| merge(item, merged)),
        _ => {}
    }
}

/// The text of a key, or what is wrong with it unless that was reported.
fn checked_key(
    tree: Tree,
    earlier: &HashMap<String, Place>,
    path: &str,
) -> Result<(String, Place), Option<Problem>> {
    let place = tree.place;
    let error = |message: &str| Problem::error(place, path, message);
    let scalar = match tree.node {
        TreeNode::Scalar(scalar) => scalar,
        TreeNode::Invalid => return Err(None),
        TreeNode::List(_) | TreeNode::Map(_) => {
            return Err(Some(
                error("a key must be a text, and this is a list or a mapping")
                    .with_help("put a text that begins with `[` or `{` in quotes"),
            ));
        }
    };
    if scalar.is_null() {
        return Err(Some(if scalar.text.is_empty() {
            error("a key is missing before the `:`").with_help("write `name: value`")
        } else {
            error("a key must be a text, and this stands for nothing at all")
                .with_help("put it in quotes if it is a name")
        }));
    }
    let Some(first) = earlier.get(&scalar.text) else {
        return Ok((scalar.text, place));
    };
    let message = format!(
        "{} stands here for the second time: the first is on line {}, this one on line {}",
        quoted(&scalar.text),
        first.line,
        place.line
    );
    Err(Some(
        Problem::error(place, join_path(path, &scalar.text), message)
            .with_help("remove one of them, or give it another name"),
    ))
}

fn is_text_tag(tag: &Tag) -> bool {
    tag.is_yaml_core_schema_tag("str") || tag.original() == "!"
}

fn is_core_tag(tag: &Tag) -> bool {
    ["null", "bool", "int", "float", "seq", "map"]
        .iter()
        .any(|name| tag.is_yaml_core_schema_tag(name))
}

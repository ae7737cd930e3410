//! The house keeps its floors: what each crate of the host may know is what ARCHITECTURE.md says, and inside each
//! of them no room knows one that stands on it.
//!
//! Crates that know each other in a circle are refused by cargo; the rooms of one crate are not, and a list of what
//! knows what ages unless something reads it. So this test reads the manifests, the `use` lines and the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What knows what, by name.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders of the crates below the program, as `host/NAME`.
fn floors() -> Vec<String> {
    let mut floors: Vec<String> = fs::read_dir(root().join("host"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| format!("host/{}", entry.file_name().into_string().unwrap()))
        .collect();
    floors.sort();
    floors
}

/// The crates of this project that a manifest names as dependencies, `kozo-` left out; not those of tests.
fn known_crates(manifest: &str) -> BTreeSet<String> {
    manifest
        .split("\n[")
        .filter(|table| table.starts_with("dependencies]"))
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("kozo-"))
        .map(|rest| rest.split(['.', ' ', '=']).next().unwrap().to_owned())
        .collect()
}

/// The cells of the table in ARCHITECTURE.md that has a floor a row: the floor, and what it knows.
fn drawn() -> Graph {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut drawn = Graph::new();
    for row in text.lines().filter(|line| line.starts_with("| `host/")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [floor, _, knows] = cells[..] else {
            panic!("this row has not three cells: {row}");
        };
        let knows = knows.split(',').map(|name| name.trim().trim_matches('`'));
        let knows = knows.map(|name| name.trim_start_matches("libs/"));
        drawn.insert(
            floor.trim_matches('`').to_owned(),
            knows
                .filter(|name| *name != "nothing")
                .map(str::to_owned)
                .collect(),
        );
    }
    drawn
}

#[test]
fn each_floor_knows_what_the_architecture_says() {
    let built: Graph = floors()
        .into_iter()
        .map(|floor| {
            let manifest = read(&root().join(&floor).join("Cargo.toml"));
            (floor, known_crates(&manifest))
        })
        .collect();
    assert!(built.len() > 3, "no floors found: {built:?}");
    assert_eq!(built, drawn());
}

/// All of a folder's Rust files that are no tests, with the path of each one's module.
fn sources(folder: &Path, module: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" || name.ends_with("_tests") || name == "simulation" {
            continue;
        }
        let mut inner = module.to_vec();
        if path.is_dir() {
            inner.push(name);
            sources(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            if !matches!(name.as_str(), "lib" | "mod" | "main") {
                inner.push(name);
            }
            found.push((inner, code(&read(&path))));
        }
    }
}

/// A file without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The paths that a `use` or an expression names after `from`, each as its names; a group in braces has several.
fn paths(from: &str) -> Vec<Vec<String>> {
    if let Some(group) = from.strip_prefix('{') {
        let (mut depth, mut start, mut found) = (0, 0, Vec::new());
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    found.extend(paths(group[start..at].trim()));
                    start = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return found;
    }
    let end = from
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(from.len());
    if end == 0 {
        return Vec::new();
    }
    let name = from[..end].to_owned();
    let rest = from[end..].strip_prefix("::").map(paths);
    match rest {
        Some(rest) if !rest.is_empty() => rest
            .into_iter()
            .map(|path| [vec![name.clone()], path].concat())
            .collect(),
        _ => vec![vec![name]],
    }
}

/// All paths that the code of a module names with `crate`, `super` or `self` in front, from the crate's root on.
fn named(module: &[String], code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let (mut base, mut rest) = match start {
                "crate::" => (&[] as &[String], &code[at + start.len()..]),
                "super::" => (&module[..module.len() - 1], &code[at + start.len()..]),
                _ => (module, &code[at + start.len()..]),
            };
            while let (Some(shorter), Some((_, above))) =
                (rest.strip_prefix("super::"), base.split_last())
            {
                (base, rest) = (above, shorter);
            }
            found.extend(paths(rest).into_iter().map(|path| [base, &path].concat()));
        }
    }
    found
}

/// What a module shows as its own of the modules in it: the name, and the module's.
fn shown(children: &BTreeSet<String>, code: &str) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for statement in code.split(';') {
        let Some((_, path)) = statement.split_once("use ") else {
            continue;
        };
        for path in paths(path.trim_start_matches("self::")) {
            if let [child, .., name] = &path[..]
                && children.contains(child)
            {
                shown.insert(name.clone(), child.clone());
            }
        }
    }
    shown
}

/// Which of the modules in each module know which of their sisters, for all of a crate.
fn graphs(folder: &Path) -> BTreeMap<Vec<String>, Graph> {
    let mut files = Vec::new();
    sources(folder, &[], &mut files);
    let mut inside: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for (module, _) in &files {
        for depth in 0..module.len() {
            let (parent, child) = (module[..depth].to_vec(), module[depth].clone());
            inside.entry(parent).or_default().insert(child);
        }
    }
    let mut graphs = BTreeMap::new();
    for (parent, children) in inside {
        let own = files.iter().filter(|(module, _)| *module == parent);
        let shown: BTreeMap<String, String> =
            own.flat_map(|(_, code)| shown(&children, code)).collect();
        let mut graph: Graph = children
            .iter()
            .map(|child| (child.clone(), BTreeSet::new()))
            .collect();
        for (module, code) in &files {
            if module.len() <= parent.len() || !module.starts_with(&parent) {
                continue;
            }
            let child = &module[parent.len()];
            for path in named(module, code) {
                if path.len() <= parent.len() || !path.starts_with(&parent) {
                    continue;
                }
                let name = &path[parent.len()];
                let target = shown.get(name).unwrap_or(name);
                if target != child && children.contains(target) {
                    graph.get_mut(child).unwrap().insert(target.clone());
                }
            }
        }
        graphs.insert(parent, graph);
    }
    graphs
}

/// A way from a room back to itself.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    fn walk(graph: &Graph, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let here = way.last().unwrap().clone();
        for next in &graph[&here] {
            if let Some(start) = way.iter().position(|room| room == next) {
                way.drain(..start);
                way.push(next.clone());
                return true;
            }
            if !done.contains(next) {
                way.push(next.clone());
                if walk(graph, way, done) {
                    return true;
                }
                way.pop();
            }
        }
        done.insert(here);
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|room| {
        let mut way = vec![room.clone()];
        (!done.contains(room) && walk(graph, &mut way, &mut done)).then_some(way)
    })
}

#[test]
fn no_modules_know_each_other_in_a_circle() {
    let mut folders = vec!["host/src".to_owned(), "abi/src".to_owned()];
    folders.extend(floors().iter().map(|floor| format!("{floor}/src")));
    let mut circles = String::new();
    for folder in folders {
        let graphs = graphs(&root().join(&folder));
        assert!(
            !graphs.is_empty() || root().join(&folder).join("lib.rs").is_file(),
            "no modules found in {folder}"
        );
        for (parent, graph) in graphs {
            if let Some(way) = circle(&graph) {
                circles += &format!("{folder}/{}: {}\n", parent.join("/"), way.join(" -> "));
            }
        }
    }
    assert!(
        circles.is_empty(),
        "these know each other in a circle:\n{circles}"
    );
}

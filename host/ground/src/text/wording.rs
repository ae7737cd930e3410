//! Wording that every message shares.

use super::{Invisible, visible};

/// How much of a text from the file a message repeats, in characters.
const MAX_QUOTED: usize = 60;

/// Names longer than this are not compared with others; no option has such a name.
const MAX_COMPARED: usize = 64;

/// `text` between backticks, cut short, with characters that nobody sees made visible; the first of
/// them is called by its name.
pub fn quoted(text: &str) -> String {
    match Invisible::first_in(text) {
        Some(found) => format!("`{}` with {found} in it", plain(text)),
        None => format!("`{}`", plain(text)),
    }
}

/// `text` cut short, with characters that nobody sees made visible.
pub fn plain(text: &str) -> String {
    visible(text, MAX_QUOTED)
}

/// `parent.child`, or `parent["child"]` where the child's name has other characters than the names
/// of options.
pub fn join_path(parent: &str, child: &str) -> String {
    let is_simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if child.is_empty() || !child.chars().all(is_simple) {
        format!("{parent}[\"{}\"]", plain(child))
    } else if parent.is_empty() {
        plain(child)
    } else {
        format!("{parent}.{}", plain(child))
    }
}

/// "`a`, `b` or `c`", with the given word before the last.
pub fn enumerate<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let names: Vec<String> = names.into_iter().map(quoted).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// The candidate that was probably meant by `text`, if one is near.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if text.chars().count() > MAX_COMPARED {
        return None;
    }
    let text = text.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&text, &candidate.to_lowercase());
            // A slip in three characters; what is shorter has to be the same but for its case.
            let allowed = candidate.chars().count() / 3;
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

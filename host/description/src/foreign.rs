//! Characters that do not belong into a file of options: what a power cut leaves behind, another
//! encoding, and what comes along when text is copied from a page.

use kozo_ground::text::Invisible;
use kozo_ground::text::{join_path, quoted};

use super::problem::{Place, Problem};
use super::tree::{Scalar, Tree, TreeNode};

/// Why nothing of the file can be trusted, if that is so: it is no text, or parts of it are lost.
pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Problem> {
    let nul = bytes.iter().position(|&byte| byte == 0);
    let count = bytes.iter().filter(|&&byte| byte == 0).count();
    let is_utf16 = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || (count < bytes.len() && count >= bytes.len() / 2 && nul.is_some_and(|at| at < 2));
    if is_utf16 {
        let message = "the file is written in UTF-16";
        return Some(Problem::error(None, "", message).with_help("save the file as UTF-8"));
    }
    let before = String::from_utf8_lossy(&bytes[..nul?]);
    let message = match (count, count == bytes.len()) {
        (_, true) => "the file holds nothing but NUL bytes, as after a power cut".to_owned(),
        (1, _) => "a NUL byte stands here, as after a power cut".to_owned(),
        _ => format!("the first of {count} NUL bytes stands here, as after a power cut"),
    };
    let help = "what was in their place is lost: put a copy of the file in its place";
    Some(Problem::error(place_behind(&before), "", message).with_help(help))
}

/// The lines of a text. A lone carriage return ends one as well, as in YAML.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else {
            return rest.take();
        };
        let (line, behind) = text.split_at(end);
        rest = Some(behind.strip_prefix("\r\n").unwrap_or(&behind[1..]));
        Some(line)
    })
}

/// The place of what follows this text.
pub(crate) fn place_behind(text: &str) -> Place {
    let (mut line, mut last) = (0, "");
    for text in lines(text) {
        (line, last) = (line + 1, text);
    }
    Place {
        line,
        column: last.chars().count() + 1,
    }
}

/// A syntax error; or, where a character that nobody sees stands in that line or the one before, that
/// one as its cause.
pub(crate) fn blamed(problem: Problem, text: &str) -> Problem {
    let Some(place) = problem.place else {
        return problem;
    };
    let near = [place.line, place.line.saturating_sub(1)];
    let found = near.into_iter().find_map(|line| {
        let text = lines(text).nth(line.checked_sub(1)?)?;
        let mut characters = text.chars().enumerate();
        let (index, found) = characters.find_map(|(index, c)| Some((index, Invisible::new(c)?)))?;
        let column = index + 1;
        Some((Place { line, column }, found))
    });
    let Some((place, found)) = found else {
        return problem;
    };
    let message = format!(
        "{found} stands here, where it cannot be seen; {}",
        problem.message
    );
    Problem::error(place, problem.path, message).with_help(remedy(found))
}

/// A key without what nobody sees in it, and a report of that.
pub(crate) fn visible_key(tree: Tree, path: &str) -> (Tree, Option<Problem>) {
    let is_wrong = |scalar: &Scalar, text: &str| text.is_ascii() || is_stray(&scalar.text);
    let Some((text, place, found)) = without_invisible(&tree, is_wrong) else {
        return (tree, None);
    };
    let message = format!(
        "{found} stands in the key {}, where it cannot be seen",
        quoted(&text)
    );
    let problem = Problem::error(place, join_path(path, &text), message).with_help(remedy(found));
    (tree.with_text(text), Some(problem))
}

/// A value without what surely does not belong to it, and cannot be seen; and a warning of that. What
/// stands in quotes is left as it is.
pub(crate) fn visible_value(tree: Tree, path: impl Fn() -> String) -> (Tree, Option<Problem>) {
    let is_wrong = |scalar: &Scalar, _: &str| scalar.plain && is_stray(&scalar.text);
    let Some((text, place, found)) = without_invisible(&tree, is_wrong) else {
        return (tree, None);
    };
    let message = format!("{found} stands here, where it cannot be seen; it is left out");
    let problem = Problem::warning(place, path(), message).with_help(remedy(found));
    (tree.with_text(text), Some(problem))
}

/// The text of a scalar that is wrong in this sense, without what nobody sees, and the first such
/// character with its place.
fn without_invisible(
    tree: &Tree,
    is_wrong: impl Fn(&Scalar, &str) -> bool,
) -> Option<(String, Place, Invisible)> {
    let TreeNode::Scalar(scalar) = &tree.node else {
        return None;
    };
    let (place, found) = first(scalar, tree.place)?;
    let text = cleaned(&scalar.text);
    is_wrong(scalar, &text).then_some((text, place, found))
}

/// Whether what cannot be seen is of no use in a text: it stands at its end, or is none that writing
/// needs.
fn is_stray(text: &str) -> bool {
    let is_at_end = [text.chars().next(), text.chars().next_back()]
        .into_iter()
        .flatten()
        .any(|c| Invisible::new(c).is_some());
    is_at_end
        || text
            .chars()
            .filter_map(Invisible::new)
            .any(|found| !found.belongs_to_writing())
}

/// The first character of a value that cannot be seen, with its place.
fn first(scalar: &Scalar, start: Place) -> Option<(Place, Invisible)> {
    let mut characters = scalar.text.chars().enumerate();
    let (index, found) = characters.find_map(|(index, c)| Some((index, Invisible::new(c)?)))?;
    // In quotes there may be escapes before it, and longer values may go over several lines.
    let column = match scalar.plain && !scalar.text.contains([' ', '\n']) {
        true => start.column + index,
        false => start.column,
    };
    Some((Place { column, ..start }, found))
}

/// The text with spaces for what looks like them, and without the rest, and without either at its ends.
fn cleaned(text: &str) -> String {
    let visible = text.chars().filter_map(|c| match Invisible::new(c) {
        Some(found) => found.is_space().then_some(' '),
        None => Some(c),
    });
    visible.collect::<String>().trim().to_owned()
}

fn remedy(found: Invisible) -> &'static str {
    match found.is_space() {
        true => "delete it, and type a space if one is meant",
        false => "delete it: with what stands around it, if your editor does not show it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_yaml() {
        let all = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(all("a\r\nb\rc\nd"), ["a", "b", "c", "d"]);
        assert_eq!(all("a\r"), ["a", ""]);
        assert_eq!(all("\r\n"), ["", ""]);
        assert_eq!(all(""), [""]);
        assert_eq!(place_behind("a\rbc"), Place { line: 2, column: 3 });
    }
}

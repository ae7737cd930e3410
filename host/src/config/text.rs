//! Wording that every message shares.

/// How much of a text from the file a message repeats, in characters.
const MAX_QUOTED: usize = 60;

/// Names longer than this are not compared with others; no option has such a name.
const MAX_COMPARED: usize = 64;

/// `text` between backticks, cut short, with control characters made visible.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", plain(text))
}

/// `text` cut short, with control characters made visible.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == MAX_QUOTED {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// `parent.child`, or `child` alone at the top of the file.
pub(crate) fn join_path(parent: &str, child: &str) -> String {
    let child = plain(child);
    if parent.is_empty() {
        child
    } else {
        format!("{parent}.{child}")
    }
}

/// "`a`, `b` or `c`", with the given word before the last.
pub(crate) fn enumerate<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let names: Vec<String> = names.into_iter().map(quoted).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// The candidate that was probably meant by `text`, if one is near.
pub(crate) fn nearest<'a>(
    text: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if text.chars().count() > MAX_COMPARED {
        return None;
    }
    let text = text.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&text, &candidate.to_lowercase());
            let allowed = (candidate.chars().count() / 3).max(1);
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

//! What a failure shows of a long text. Whoever runs many tests may show no more than the last lines of
//! all, so a test shows few, and says its reason below them.

/// How much of a line is shown, in characters.
const SHOWN_OF_LINE: usize = 300;

/// The last lines, so many at most.
pub(crate) fn last_lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>, most: usize) -> String {
    let lines: Vec<_> = lines.into_iter().collect();
    let shown = lines[lines.len().saturating_sub(most)..].iter();
    let shown: Vec<String> = shown
        .map(|line| line.as_ref().chars().take(SHOWN_OF_LINE).collect())
        .collect();
    shown.join("\n")
}

//! What a module says that it is about.

use super::shortened;

/// How much of what a module says about itself is kept, in characters.
const LONGEST: usize = 200;

/// The first line of what a module says about itself, cut to what is shown, and without what could move a
/// cursor; none when it is empty.
pub fn status_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.trim();
    // The `…` counts, too.
    let kept = match line.chars().nth(LONGEST) {
        Some(_) => LONGEST - 1,
        None => LONGEST,
    };
    (!line.is_empty()).then(|| shortened(line, kept).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_says_of_itself_is_one_bounded_line_that_moves_no_cursor() {
        let line = |text: &str| status_line(text);
        assert_eq!(
            line("bootstrapping: 45 %\nand more").unwrap(),
            "bootstrapping: 45 %"
        );
        assert_eq!(line("\x1b[2Jgone").unwrap(), "\\u{1b}[2Jgone");
        let long = line(&"ä".repeat(1000)).unwrap();
        assert_eq!(long.chars().count(), LONGEST);
        assert!(long.ends_with('…'));
        assert_eq!(line(&"ä".repeat(LONGEST)).unwrap(), "ä".repeat(LONGEST));
        assert_eq!((line(""), line("  \n text")), (None, None));
    }
}

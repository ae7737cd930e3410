//! Subjects as topics, and patterns as filters. Pure.

use std::collections::BTreeSet;

use kozo_abi::subject_matches;

/// `a.b.c` as `a/b/c`.
pub(crate) fn topic(subject: &str) -> String {
    subject.replace('.', "/")
}

/// `a/b/c` as `a.b.c`; none for a topic that is none of a bus.
pub(crate) fn subject(topic: &str) -> Option<String> {
    let is_token = |token: &str| {
        !token.is_empty()
            && token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    topic
        .split('/')
        .all(is_token)
        .then(|| topic.replace('/', "."))
}

/// `a.*.>` as `a/+/#`.
pub(crate) fn filter(pattern: &str) -> String {
    let levels = pattern.split('.').map(|token| match token {
        "*" => "+",
        ">" => "#",
        token => token,
    });
    levels.collect::<Vec<_>>().join("/")
}

/// Whether a subject fits one of these patterns: `a/#` is also `a` itself for MQTT, and what was asked for before may
/// still come.
pub(crate) fn is_wanted(patterns: &BTreeSet<String>, subject: &str) -> bool {
    patterns.contains(subject)
        || patterns
            .iter()
            .any(|pattern| subject_matches(pattern, subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_topics_and_patterns_filters() {
        assert_eq!(topic("kozo.home.m.e"), "kozo/home/m/e");
        assert_eq!(subject("kozo/home/m/e").as_deref(), Some("kozo.home.m.e"));
        for topic in ["", "/", "a//b", "a/", "$SYS/x", "a/b.c", "a/b c", "a/ü"] {
            assert_eq!(subject(topic), None, "{topic}");
        }
        for (pattern, words) in [
            ("a.b", "a/b"),
            ("a.*.c", "a/+/c"),
            ("a.*.>", "a/+/#"),
            (">", "#"),
        ] {
            assert_eq!(filter(pattern), words);
        }
    }

    #[test]
    fn a_filter_takes_more_than_its_pattern() {
        let patterns = BTreeSet::from(["a.>".to_owned(), "b.*".to_owned(), "c".to_owned()]);
        for (subject, wanted) in [
            ("a", false),
            ("a.b", true),
            ("b", false),
            ("b.x", true),
            ("b.x.y", false),
            ("c", true),
            ("d", false),
        ] {
            assert_eq!(is_wanted(&patterns, subject), wanted, "{subject}");
        }
    }
}

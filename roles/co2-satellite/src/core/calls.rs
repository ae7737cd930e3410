//! Calls whose results somebody waits for.

use std::collections::BTreeMap;

/// How many may be under way at a time.
const MAX: usize = 64;

/// Those who wait, by the ids of their calls.
#[derive(Debug)]
pub(crate) struct Calls<W> {
    waiting: BTreeMap<String, W>,
}

impl<W> Default for Calls<W> {
    fn default() -> Self {
        let waiting = BTreeMap::new();
        Self { waiting }
    }
}

impl<W> Calls<W> {
    /// Begins one; false when too many are under way.
    pub(crate) fn begin(&mut self, id: String, waiter: W) -> bool {
        let has_room = self.waiting.len() < MAX;
        if has_room {
            self.waiting.insert(id, waiter);
        }
        has_room
    }

    /// Ends one, whether there is a result or not; none when nobody waits for it (any more).
    pub(crate) fn end(&mut self, id: &str) -> Option<W> {
        self.waiting.remove(id)
    }

    /// Ends all whose ids fit.
    pub(crate) fn end_all(&mut self, fits: impl Fn(&str) -> bool) {
        self.waiting.retain(|id, _| !fits(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_reaches_who_asked_once_and_there_is_a_limit() {
        let mut calls = Calls::default();
        for number in 0..MAX {
            assert!(calls.begin(number.to_string(), number));
        }
        assert!(!calls.begin("more".to_owned(), 0));
        assert_eq!(calls.end("7"), Some(7));
        assert_eq!(calls.end("7"), None);
        assert!(calls.begin("more".to_owned(), 99));
        calls.end_all(|id| id != "more");
        assert_eq!((calls.end("8"), calls.end("more")), (None, Some(99)));
    }
}

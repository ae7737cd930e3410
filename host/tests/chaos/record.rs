//! What a sink has written down: which events it got, in which order, in which of its lives.

/// One event that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The sink's life.
    pub(crate) life: u64,
    /// The source's run.
    pub(crate) run: u64,
    /// The event's number in it.
    pub(crate) sequence: u64,
}

/// The events of `node` in a sink's record. A last line that is not whole yet is left out.
pub(crate) fn entries(text: &str, node: &str) -> Vec<Entry> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let entry = |line: &str| {
        let mut fields = line.split(' ');
        let life = fields.next()?.parse().ok()?;
        let sender = fields.next()?;
        let run = fields.next()?.parse().ok()?;
        let sequence = fields.next()?.parse().ok()?;
        (sender == node).then_some(Entry {
            life,
            run,
            sequence,
        })
    };
    whole.lines().filter_map(entry).collect()
}

/// What became of the events 1 to `count` of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) lost: u64,
    pub(crate) repeated_or_reordered: u64,
}

/// Judges entries that are all of one run.
pub(crate) fn judge(entries: &[Entry], count: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let mut highest = 0;
    for entry in entries {
        if entry.sequence <= highest {
            verdict.repeated_or_reordered += 1;
        } else {
            verdict.lost += entry.sequence - highest - 1;
            highest = entry.sequence;
        }
    }
    verdict.lost += count.saturating_sub(highest);
    verdict
}

#[test]
fn a_verdict_counts_what_is_missing_and_what_is_not_higher_than_before() {
    let text = "9 a 1 1\n9 a 1 3\n9 b 1 7\n9 a 1 3\n9 a 1 2\n9 a 1";
    let entries = entries(text, "a");
    assert_eq!(entries.len(), 4);
    let expected = Verdict {
        lost: 3,
        repeated_or_reordered: 2,
    };
    assert_eq!(judge(&entries, 5), expected);
}

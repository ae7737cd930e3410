//! All metrics as one text.

use super::families::all;
use super::family::{Facts, Format, Samples};

/// All metrics.
pub(super) fn write(facts: &Facts<'_>, format: Format) -> String {
    let mut text = String::new();
    for family in all() {
        let mut samples = Samples::new(family, format, &mut text);
        (family.samples)(facts, &mut samples);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

//! Findings as people read them.

use std::fmt::Write;

use kozo_ground::text::{Tone, count, printable, toned};

use super::finding::{Counts, Diagnosis, Finding, Severity};

/// All of them, and how many there are of each kind.
pub(super) fn render(diagnoses: &[Diagnosis], colour: bool) -> String {
    let mut text = String::new();
    for diagnosis in diagnoses {
        diagnosed(&mut text, diagnosis, colour);
        text.push('\n');
    }
    let counts = Counts::of(diagnoses);
    let number = |number: usize, what| count(number as u64, what);
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "{}, {}, {} fine, {} not looked at",
        number(counts.faults, "fault"),
        number(counts.warnings, "warning"),
        counts.fine,
        counts.unknown
    );
    text
}

fn diagnosed(text: &mut String, diagnosis: &Diagnosis, colour: bool) {
    let whose = match &diagnosis.node {
        Some(node) => format!("{node} of {}", diagnosis.config),
        None => diagnosis.config.clone(),
    };
    let whose = toned(&printable(&whose), Tone::Strong, colour);
    let _ = writeln!(text, "{whose} ({})", printable(&diagnosis.chosen));
    for section in &diagnosis.sections {
        let title = toned(section.subject.title(), Tone::Strong, colour);
        let _ = writeln!(text, "\n{title}");
        for finding in &section.findings {
            found(text, finding, colour);
        }
    }
}

fn found(text: &mut String, finding: &Finding, colour: bool) {
    let (word, tone) = match finding.severity {
        Severity::Fine => ("fine", Tone::Good),
        Severity::Unknown => ("not seen", Tone::Plain),
        Severity::Warning => ("warning", Tone::Doubtful),
        Severity::Fault => ("FAULT", Tone::Bad),
    };
    let padding = " ".repeat("not seen".len() - word.len());
    let word = toned(word, tone, colour);
    let (looked_at, how) = (printable(&finding.looked_at), printable(&finding.found));
    let _ = writeln!(text, "  {word}{padding}  {looked_at}: {how}");
    for (label, line) in [("why", &finding.matters), ("do", &finding.advice)] {
        if let Some(line) = line {
            let _ = writeln!(text, "              {label}: {}", printable(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Section, Subject, worst};
    use super::*;

    fn diagnosis() -> Diagnosis {
        let findings = vec![
            Finding::fine("port 6020", "held by the daemon"),
            Finding::unknown("port 7000", "nobody says who holds it"),
            Finding::fault("port 22", "held by `ssh\u{1b}d`")
                .matters("others cannot connect")
                .advice("choose another one"),
        ];
        Diagnosis {
            node: Some("clock".into()),
            config: "/etc/kozo/kozo.yml".into(),
            chosen: "named on the command line".into(),
            sections: vec![Section {
                subject: Subject::Ports,
                findings,
            }],
        }
    }

    #[test]
    fn each_finding_says_what_why_and_what_to_do() {
        assert_eq!(
            render(&[diagnosis()], false),
            "\
clock of /etc/kozo/kozo.yml (named on the command line)

Ports of this node
  fine      port 6020: held by the daemon
  not seen  port 7000: nobody says who holds it
  FAULT     port 22: held by `ssh\\u{1b}d`
              why: others cannot connect
              do: choose another one

1 fault, 0 warnings, 1 fine, 1 not looked at
"
        );
        assert!(render(&[diagnosis()], true).contains("\x1b[31mFAULT\x1b[0m"));
    }

    #[test]
    fn the_worst_finding_decides_and_what_was_not_seen_does_not() {
        let mut diagnosis = diagnosis();
        assert_eq!(worst(&[diagnosis.clone()]).exit_code(), 2);
        diagnosis.sections[0].findings.pop();
        assert_eq!(worst(&[diagnosis.clone()]).exit_code(), 0);
        let warning = Finding::warning("clock", "not set");
        diagnosis.sections[0].findings.push(warning);
        assert_eq!(worst(&[diagnosis]).exit_code(), 1);
        assert_eq!(worst(&[]).exit_code(), 0);
    }
}

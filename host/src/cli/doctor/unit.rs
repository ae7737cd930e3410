//! How the unit of systemd is that runs the node.

use super::case::{Case, Running};
use super::finding::Finding;
use super::systemd::Unit;

pub(super) fn look(case: &Case) -> Vec<Finding> {
    if case.target.node.is_none() {
        return Vec::new();
    }
    match &case.unit {
        Ok(unit) => judge(
            unit,
            matches!(case.daemon, Running::Yes(..)),
            case.status().map(|it| it.pid),
        ),
        Err(reason) => vec![Finding::unknown("unit", reason)],
    }
}

fn judge(unit: &Unit, runs: bool, process: Option<u32>) -> Vec<Finding> {
    let of = |name| unit.property(name).unwrap_or_default();
    let name = unit.name();
    if of("LoadState") == "not-found" {
        let found = "there is no such unit: the package `kozo` has it";
        return vec![Finding::fine(name, found)];
    }
    let (active, sub) = (of("ActiveState"), of("SubState"));
    let is_of_unit = process.is_some_and(|process| of("MainPID") == process.to_string());
    let mut findings = Vec::new();
    if !is_of_unit && runs {
        let found = "the daemon runs, but not by this unit";
        findings.push(Finding::fine(name, found));
    }
    let state = format!("it is {active} ({sub})");
    let advice = format!("`journalctl -u {name} -e` has its last words");
    findings.push(match active.as_str() {
        "active" => Finding::fine(name, state),
        _ if runs => Finding::fine(name, state),
        "inactive" => Finding::warning(name, state)
            .matters("the node does not run")
            .advice(format!("`systemctl enable --now {name}`")),
        _ => Finding::fault(name, format!("{state}, {}", last_end(&of)))
            .matters("the node does not run, or not for long")
            .advice(advice.clone()),
    });
    if active == "active" && of("UnitFileState") == "disabled" {
        findings.push(
            Finding::warning(name, "it is not enabled")
                .matters("the node does not come back when the machine is started again")
                .advice(format!("`systemctl enable {name}`")),
        );
    }
    let restarts: u64 = of("NRestarts").parse().unwrap_or_default();
    if restarts > 0 {
        findings.push(
            Finding::warning(
                name,
                format!("it was restarted {restarts} times, {}", last_end(&of)),
            )
            .matters("each time links were cut, and messages that waited were lost")
            .advice(advice),
        );
    }
    findings
}

/// How it ended last.
fn last_end(of: &impl Fn(&'static str) -> String) -> String {
    let (result, code) = (of("Result"), of("ExecMainStatus"));
    match code.as_str() {
        "" | "0" => format!("last result: {result}"),
        _ => format!("last result: {result}, exit code or signal {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    fn worst(said: &str, process: Option<u32>) -> (Severity, usize) {
        let unit = Unit::that_said("kozo@clock.service", said);
        let findings = judge(&unit, process.is_some(), process);
        let worst = findings.iter().map(|it| it.severity).max();
        (worst.unwrap(), findings.len())
    }

    #[test]
    fn the_state_of_a_unit_decides_how_bad_it_is() {
        let running = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\
                       Result=success\nNRestarts=0\nMainPID=7\n";
        assert_eq!(worst(running, Some(7)), (Severity::Fine, 1));
        assert_eq!(worst(running, Some(8)), (Severity::Fine, 2));
        let disabled = running.replace("=enabled", "=disabled");
        assert_eq!(worst(&disabled, Some(7)), (Severity::Warning, 2));
        let again = running.replace("NRestarts=0", "NRestarts=3");
        assert_eq!(worst(&again, Some(7)), (Severity::Warning, 2));
        let failed = running
            .replace("=active", "=failed")
            .replace("Result=success", "Result=exit-code");
        assert_eq!(worst(&failed, None), (Severity::Fault, 1));
        assert_eq!(
            worst(&running.replace("=active", "=inactive"), None).0,
            Severity::Warning
        );
        assert_eq!(worst("LoadState=not-found\n", None), (Severity::Fine, 1));
    }
}

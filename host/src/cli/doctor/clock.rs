//! The clock of the machine, which few things of a node depend on.

use std::time::{Duration, SystemTime};

use kozo_description::ModuleKind;

use super::case::Case;
use super::command::{ask, properties};
use super::finding::Finding;
use crate::log::utc;

/// How far behind the making of the program a clock may be: the machine that made it has one of its own.
const TOLERANCE: Duration = Duration::from_secs(2 * 86_400);

/// How far after that a clock is set for sure, and wrongly.
const FAR_AHEAD: Duration = Duration::from_secs(30 * 365 * 86_400);

const ADVICE: &str = "set it: `timedatectl set-ntp true`, where there is a network";

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let uses_tor = case
        .described()
        .is_some_and(|it| it.uses(ModuleKind::Transport, "onion"));
    let made = std::env::current_exe().and_then(|program| program.metadata()?.modified());
    let mut findings = vec![compare(SystemTime::now(), made.ok(), uses_tor)];
    findings.extend(synchronised(case));
    findings
}

/// Compares the clock with the time at which the program was made.
fn compare(now: SystemTime, made: Option<SystemTime>, uses_tor: bool) -> Finding {
    let shown = utc(now);
    let Some(made) = made else {
        return Finding::unknown(
            "clock",
            format!("{shown}; there is nothing to compare it with"),
        );
    };
    let found = if now + TOLERANCE < made {
        "before this program was made"
    } else if now
        .duration_since(made)
        .is_ok_and(|after| after > FAR_AHEAD)
    {
        "long after anything that runs today"
    } else {
        return Finding::fine("clock", shown);
    };
    let found = format!("{shown}: {found} ({})", utc(made));
    match uses_tor {
        true => Finding::fault("clock", found).matters("Tor does not work with a wrong clock"),
        false => Finding::warning("clock", found).matters(
            "links and messages do not depend on it, but times in logs do, and whatever roles make of it",
        ),
    }
    .advice(ADVICE)
}

/// Whether somebody keeps the clock right.
fn synchronised(case: &Case) -> Option<Finding> {
    const WHAT: &str = "synchronisation of the clock";
    if case.machine.has("/run/systemd/timesync/synchronized") {
        return Some(Finding::fine(WHAT, "systemd-timesyncd keeps it right"));
    }
    let words = [
        "show",
        "--property=NTPSynchronized",
        "--property=NTP",
        "--property=CanNTP",
    ];
    let said = match ask("timedatectl", &words) {
        Ok(said) => said,
        Err(error) => return Some(Finding::unknown(WHAT, error.to_string())),
    };
    let of = properties(&said);
    let is = |name| of(name).as_deref() == Some("yes");
    Some(if is("NTPSynchronized") {
        Finding::fine(WHAT, "the kernel says that the clock is kept right")
    } else if is("NTP") {
        Finding::warning(WHAT, "it is switched on, and has not reached a server yet")
            .matters("times in logs may be wrong, and Tor needs a clock that is right")
            .advice("`timedatectl timesync-status` says which server is asked")
    } else {
        Finding::warning(WHAT, "nobody keeps the clock right")
            .matters("clocks drift, and a board without one forgets the time when it is off")
            .advice(ADVICE)
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_clock_that_is_not_set_is_worse_where_tor_is_used() {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let severity = |now, uses_tor| compare(now, Some(made), uses_tor).severity;
        let unset = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        assert_eq!(severity(unset, false), Severity::Warning);
        assert_eq!(severity(unset, true), Severity::Fault);
        let day = Duration::from_secs(86_400);
        assert_eq!(severity(made - day, true), Severity::Fine);
        assert_eq!(severity(made + 3000 * day, true), Severity::Fine);
        assert_eq!(severity(made + 20_000 * day, false), Severity::Warning);
        assert_eq!(compare(unset, None, true).severity, Severity::Unknown);
    }
}

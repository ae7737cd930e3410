//! How a process ended, in words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;

/// How a process ended, to be put behind "it": `ended by signal 11 (SIGSEGV)`.
pub fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(number), _) => match signal_name(number) {
            Some(name) => format!("ended by signal {number} ({name})"),
            None => format!("ended by signal {number}"),
        },
        (None, Some(code)) => format!("ended by itself, with exit code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The names of those signals that end processes which did something wrong.
fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    let named = names
        .into_iter()
        .find(|(signal, _)| signal.as_raw() == number);
    named.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_with_the_signals_number_and_name() {
        assert_eq!(
            describe(ExitStatus::from_raw(11)),
            "ended by signal 11 (SIGSEGV)"
        );
        assert_eq!(describe(ExitStatus::from_raw(40)), "ended by signal 40");
        assert_eq!(
            describe(ExitStatus::from_raw(3 << 8)),
            "ended by itself, with exit code 3"
        );
    }
}

//! One measurement as a process of its own: what it comes to is taken in as it comes, and when it
//! takes longer than it may, it is ended with everything that it has started.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::measure::{Measurement, Settings};
use crate::report::{Entry, Report};

/// How often it is looked whether a process that has told all has ended.
const POLL: Duration = Duration::from_millis(5);

/// What such a process writes, one a line.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// For the report.
    Entry(Entry),
    /// What it begins with.
    Begins(String),
    /// Why it ends.
    Failure(String),
}

/// In such a process: something for the report.
pub(crate) fn tell(entry: &Entry) {
    write(&Told::Entry(entry.clone()));
}

/// In such a process: what it begins with, to be named if it hangs there.
pub(crate) fn tell_begin(what: &str) {
    write(&Told::Begins(what.to_owned()));
}

/// In such a process: why it could not measure.
pub(crate) fn tell_failure(why: &str) {
    write(&Told::Failure(why.to_owned()));
}

/// In such a process: lets it end, with all that it has started, when its supervisor does. Ctrl-C
/// reaches only that one.
pub(crate) fn end_with_supervisor() {
    std::thread::spawn(|| {
        // Nobody writes there: it ends when the other end is closed.
        let _ = std::io::stdin().read(&mut [0]);
        let _ = kill_process_group(getpid(), Signal::KILL);
    });
}

fn write(told: &Told) {
    if let Ok(line) = serde_json::to_string(told) {
        println!("{line}");
    }
}

/// Makes a measurement, and adds what it comes to to the report.
pub(crate) fn measure(
    measurement: &Measurement,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--here", measurement.name])
        .args(["--repeat", &settings.repeat.to_string()]);
    if settings.quick {
        command.arg("--quick");
    }
    supervise(command, settings.limit(measurement), report)
}

fn supervise(mut command: Command, limit: Duration, report: &mut Report) -> Result<(), Failure> {
    let deadline = Instant::now() + limit;
    // A process group of its own, which all that it starts belongs to.
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0);
    let mut group = Group(command.spawn()?);
    // Kept open for as long as it is supervised.
    let _tie = group.0.stdin.take();
    let told = group.0.stdout.take().ok_or("it has no output")?;
    let told = listen(told);
    let mut begun = "its beginning".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(Told::Entry(entry)) => report.take(entry),
            Ok(Told::Begins(what)) => begun = what,
            Ok(Told::Failure(why)) => return Err(why.into()),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => return Err(hung(&begun, limit)),
        }
    }
    let status = loop {
        if let Some(status) = group.0.try_wait()? {
            break status;
        } else if Instant::now() > deadline {
            return Err(hung(&begun, limit));
        }
        std::thread::sleep(POLL);
    };
    if status.success() {
        Ok(())
    } else {
        Err(format!("it ended at {begun}: {status}").into())
    }
}

fn hung(begun: &str, limit: Duration) -> Failure {
    let limit = limit.as_secs();
    format!("it hung at {begun}, and was ended after {limit} s").into()
}

/// What a process tells, until it ends.
fn listen(stdout: ChildStdout) -> Receiver<Told> {
    let (sender, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Whatever else writes there is none of this program's.
            let Ok(told) = serde_json::from_str(&line) else {
                continue;
            };
            if sender.send(told).is_err() {
                return;
            }
        }
    });
    told
}

/// A process that leads a group; the whole group is killed when this is dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(leader) = leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for a shell on a busy machine.
    const LONG: Duration = Duration::from_secs(120);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn figures_are_taken_as_they_come_also_from_one_that_hangs_then() {
        let mut report = Report::new();
        let figure = r#"{"Entry":{"Figure":{"name":"delay","value":2.0,"unit":"ms","range":[1.0,3.0],"limits":"","aim":null,"met":null}}}"#;
        let script = format!(
            r#"echo '{{"Begins":"run 2 of 3"}}'; echo 'no word of ours'; echo '{figure}'; exec sleep 1000"#
        );
        // Less than the sleep, and enough for the echoes.
        let limit = Duration::from_secs(10);
        let failure = supervise(shell(&script), limit, &mut report).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "it hung at run 2 of 3, and was ended after 10 s"
        );
        assert_eq!(report.value("delay"), Some(2.0));
    }

    #[test]
    fn what_it_has_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child");
        let script = format!("sleep 1000 & echo $! >'{}'; wait", file.display());
        let limit = Duration::from_secs(5);
        supervise(shell(&script), limit, &mut Report::new()).unwrap_err();
        let child = std::fs::read_to_string(&file).unwrap();
        let status = format!("/proc/{}/stat", child.trim());
        // Gone, or a zombie that its new parent has not yet asked for.
        let deadline = Instant::now() + LONG;
        while std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < deadline, "it still runs");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[test]
    fn a_failure_is_told_and_an_end_without_one_is_named() {
        let failure = |script: &str| {
            let failure = supervise(shell(script), LONG, &mut Report::new());
            failure.unwrap_err().to_string()
        };
        assert_eq!(
            failure(r#"echo '{"Failure":"no link"}'; exit 1"#),
            "no link"
        );
        assert_eq!(
            failure("exit 3"),
            "it ended at its beginning: exit status: 3"
        );
        assert!(supervise(shell("true"), LONG, &mut Report::new()).is_ok());
    }
}

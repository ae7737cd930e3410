//! Children that are real processes.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use kozo_child::{Interrupt, Lines, Program, Reader, StartError, Started, WriteError, Writer};

/// How long something may take that should take no time, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Program {
    Program::new("/bin/sh").args(["-c", script])
}

fn output(program: Program) -> String {
    let mut started = program.stdout(Stdio::piped()).start().unwrap();
    let mut text = String::new();
    let mut stdout = started.stdout.take().unwrap();
    stdout.read_to_string(&mut text).unwrap();
    let ended = started.child.end(LONG).unwrap();
    assert!(ended.is_success(), "{ended}");
    text
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there is such a process, and it has not ended.
fn is_alive(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

#[test]
fn it_gets_its_arguments_folder_and_variables_and_a_group_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new("sh")
        .arg0("another name")
        .args([
            "-c",
            "echo $0 $1; pwd; echo $COLOUR; ps -o pgid= -p $$; echo $$",
        ])
        .args(["-", "one"])
        .folder(folder.path())
        .env("COLOUR", "red")
        .env("COLOUR", "blue");
    let text = output(program);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "- one");
    assert_eq!(
        Path::new(lines[1]).canonicalize().unwrap(),
        folder.path().canonicalize().unwrap()
    );
    assert_eq!(lines[2], "blue");
    assert_eq!(lines[3], lines[4]);
    let shown = Program::new("/bin/sh")
        .arg0("a node")
        .args(["-c", "tr '\\0' ' ' </proc/$$/cmdline"]);
    assert!(output(shown).starts_with("a node -c"));
}

#[test]
fn it_sees_nothing_else_of_the_environment() {
    let text = output(Program::new("env").mark("KOZO_TEST").env("MORE", "1"));
    for line in text.lines() {
        let name = line.split('=').next().unwrap();
        let is_known = ["PATH", "HOME", "LANG", "TZ", "MORE", "KOZO_TEST"].contains(&name);
        assert!(is_known || name.starts_with("LC_"), "{line}");
    }
    assert!(
        text.contains("MORE=1") && text.contains("KOZO_TEST="),
        "{text}"
    );
}

#[test]
fn a_program_that_cannot_be_started_is_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: u32, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let error = |program: Program| program.start().unwrap_err();
    let told = |program: Program| error(program).to_string();

    let missing = error(Program::new("no-such-program-kozo"));
    assert!(matches!(missing, StartError::NotInPath { .. }), "{missing}");
    assert!(
        missing
            .to_string()
            .starts_with("no program `no-such-program-kozo` in the folders of `PATH` (")
    );
    let missing = error(Program::new("./nothing").folder(folder.path()));
    assert!(matches!(missing, StartError::NotFound(_)), "{missing}");
    assert!(
        missing
            .to_string()
            .contains(folder.path().to_str().unwrap())
    );

    let plain = error(Program::new(file("plain", 0o600, "#!/bin/sh\n")));
    assert!(matches!(plain, StartError::NotExecutable(_)), "{plain}");
    let folder_itself = error(Program::new(folder.path()));
    assert!(
        matches!(folder_itself, StartError::NoFile(_)),
        "{folder_itself}"
    );
    let lost = error(Program::new(file(
        "lost",
        0o700,
        "#!/no/such/interpreter\n",
    )));
    assert!(matches!(lost, StartError::NoInterpreter(_)), "{lost}");
    let foreign = error(Program::new(file("foreign", 0o700, "no program at all")));
    assert!(
        matches!(foreign, StartError::NotForThisMachine(_)),
        "{foreign}"
    );

    let nowhere = told(shell("true").folder("/no/such/folder"));
    assert!(
        nowhere.starts_with("it cannot run in the folder `/no/such/folder`: No such file"),
        "{nowhere}"
    );
    let no_folder = told(shell("true").folder("/dev/null"));
    assert!(no_folder.contains("not a directory"), "{no_folder}");
    let nul = error(shell("true").args(["a\0b"]));
    assert!(matches!(nul, StartError::Nul(_)), "{nul}");
    assert!(matches!(error(Program::new("")), StartError::NoName));
}

#[test]
fn a_relative_program_begins_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hello");
    fs::write(&path, "#!/bin/sh\necho hello\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(
        output(Program::new("./hello").folder(folder.path())),
        "hello\n"
    );
    let named = Program::new("hello").env("PATH", folder.path().as_os_str().to_owned());
    assert_eq!(output(named), "hello\n");
}

#[test]
fn how_it_ended_is_told() {
    let ended = |script: &str| {
        let mut child = shell(script).start().unwrap().child;
        let ended = child.end(LONG).unwrap();
        assert_eq!(ended, child.end(LONG).unwrap());
        ended
    };
    assert!(ended("exit 0").is_success());
    assert_eq!(
        ended("exit 3").to_string(),
        "ended by itself, with exit code 3"
    );
    assert_eq!(
        ended("kill -SEGV $$").to_string(),
        "ended by signal 11 (SIGSEGV)"
    );
}

#[test]
fn it_is_asked_to_end_and_then_killed() {
    let none = Duration::ZERO;
    let first_line = |started: &mut Started| {
        let mut byte = [0];
        started
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut byte)
            .unwrap();
    };
    let mut polite = shell("trap 'exit 7' TERM; echo; while :; do sleep 0.01; done")
        .stdout(Stdio::piped())
        .start()
        .unwrap();
    first_line(&mut polite);
    let ended = polite.child.stop(none, LONG).unwrap();
    assert_eq!(
        (ended.status.code(), ended.was_asked, ended.was_killed),
        (Some(7), true, false)
    );

    let mut deaf = shell("trap '' TERM; echo; while :; do sleep 0.01; done")
        .stdout(Stdio::piped())
        .start()
        .unwrap();
    first_line(&mut deaf);
    let ended = deaf.child.stop(none, Duration::from_millis(50)).unwrap();
    assert!(ended.was_killed);
    assert_eq!(ended.to_string(), "ended by signal 9 (SIGKILL)");

    let mut reader = shell("cat; exit 4").stdin(Stdio::piped()).start().unwrap();
    drop(reader.stdin.take());
    let ended = reader.child.stop(LONG, LONG).unwrap();
    assert_eq!((ended.status.code(), ended.was_asked), (Some(4), false));
}

#[test]
fn everything_that_it_has_started_ends_with_it() {
    // One in its group, one in a session of its own.
    let script = "sleep 600 & echo $!; setsid sh -c 'echo $$; exec sleep 600' & read _";
    let mut started = shell(script)
        .mark("KOZO_TEST")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .start()
        .unwrap();
    let mut lines = Lines::new(started.stdout.take().unwrap(), 100);
    let mut number = || {
        let line = lines.next_line().unwrap().unwrap();
        String::from_utf8(line.text.to_vec()).unwrap()
    };
    let (in_group, in_session) = (number(), number());
    assert!(is_alive(&in_group) && is_alive(&in_session));
    drop(started);
    wait_until("both have ended", || {
        !is_alive(&in_group) && !is_alive(&in_session)
    });
}

/// A process whose program is just being loaded shows no environment, and this one does hardly anything else.
#[test]
fn what_becomes_another_program_meanwhile_ends_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("again");
    fs::write(&script, "exec /bin/sh $0").unwrap();
    let script = format!(
        "setsid sh -c 'echo $$; exec /bin/sh {}' & read _",
        script.display()
    );
    for _ in 0..50 {
        let mut started = shell(&script)
            .mark("KOZO_TEST")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .start()
            .unwrap();
        let mut lines = Lines::new(started.stdout.take().unwrap(), 100);
        let line = lines.next_line().unwrap().unwrap();
        let number = String::from_utf8(line.text.to_vec()).unwrap();
        drop(started);
        wait_until("it has ended", || !is_alive(&number));
    }
}

#[test]
fn several_threads_wait_for_it_and_one_kills_it() {
    let mut child = shell("sleep 600").start().unwrap().child;
    assert!(!child.handle().wait(Duration::from_millis(1)) && !child.handle().has_ended());
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let handle = child.handle().clone();
            thread::spawn(move || handle.wait(LONG))
        })
        .collect();
    child.handle().kill();
    assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
    assert_eq!(
        child.end(LONG).unwrap().to_string(),
        "ended by signal 9 (SIGKILL)"
    );
}

#[test]
fn what_it_has_of_memory_is_limited() {
    let script = "read _; grep 'Max data size' /proc/self/limits";
    let mut started = shell(script)
        .memory_limit(64 << 20)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .start()
        .unwrap();
    drop(started.stdin.take());
    let mut text = String::new();
    started
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let numbers: Vec<&str> = text.split_whitespace().skip(3).collect();
    assert_eq!(numbers[..2], ["67108864", "67108864"]);
}

#[test]
fn a_writer_gives_up_when_its_child_does_not_read_and_tears_nothing() {
    let mut started = shell("sleep 0.1; cat >/dev/null; exit 5")
        .stdin(Stdio::piped())
        .start()
        .unwrap();
    let mut writer = Writer::new(started.stdin.take().unwrap(), Interrupt::new().unwrap()).unwrap();
    writer.buffer().resize(1 << 20, b'x');
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(!writer.flush(Some(soon)).unwrap());
    let pending = writer.pending();
    assert!(pending > 0 && pending < 1 << 20, "{pending}");
    writer.buffer().extend_from_slice(b"\nmore\n");
    assert_eq!(writer.pending(), pending + 6);
    assert!(writer.flush(Some(Instant::now() + LONG)).unwrap());
    assert_eq!(writer.pending(), 0);
    drop(writer);
    assert_eq!(started.child.end(LONG).unwrap().status.code(), Some(5));
}

#[test]
fn an_interruption_ends_the_waits_of_a_writer_and_of_a_reader() {
    let mut started = shell("sleep 600")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .start()
        .unwrap();
    let interrupt = Interrupt::new().unwrap();
    let mut writer = Writer::new(started.stdin.take().unwrap(), interrupt.clone()).unwrap();
    let reader = Reader::new(started.stdout.take().unwrap(), interrupt.clone()).unwrap();
    let writing = thread::spawn(move || {
        writer.buffer().resize(1 << 20, b'x');
        writer.flush(None).unwrap()
    });
    let reading = thread::spawn(move || Lines::new(reader, 100).next_line().unwrap().is_none());
    assert!(interrupt.sleep(Duration::from_millis(1)) && !interrupt.is_raised());
    interrupt.raise();
    assert!(!interrupt.sleep(LONG) && interrupt.is_raised());
    assert!(!writing.join().unwrap());
    assert!(reading.join().unwrap());
}

#[test]
fn an_interrupted_reader_takes_what_is_there_but_not_without_end() {
    let mut started = shell("echo last words; read _")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .start()
        .unwrap();
    let interrupt = Interrupt::new().unwrap();
    let stdout = started.stdout.take().unwrap();
    // They are there once the child waits, and the pipe is readable.
    let mut lines = Lines::new(Reader::new(stdout, interrupt.clone()).unwrap(), 100);
    assert_eq!(lines.next_line().unwrap().unwrap().text, b"last words");
    interrupt.raise();
    assert!(lines.next_line().unwrap().is_none());

    // Where something is there at all times.
    let interrupt = Interrupt::new().unwrap();
    let endless = fs::File::open("/dev/zero").unwrap();
    let mut lines = Lines::new(Reader::new(endless, interrupt.clone()).unwrap(), 100);
    interrupt.raise();
    let line = lines.next_line().unwrap().unwrap();
    assert!(line.left_out > 0);
    assert!(lines.next_line().unwrap().is_none());
}

#[test]
fn a_writer_is_told_when_nobody_reads_any_more() {
    let mut started = shell("exec <&-; echo; sleep 600")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .start()
        .unwrap();
    started
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0])
        .unwrap();
    let mut writer = Writer::new(started.stdin.take().unwrap(), Interrupt::new().unwrap()).unwrap();
    // A child that another test starts just now has the other end, too, until its program is loaded.
    wait_until("it is told so", || {
        writer.buffer().push(b'x');
        match writer.flush(Some(Instant::now() + LONG)) {
            Ok(written) => assert!(written),
            Err(error) => {
                assert!(matches!(error, WriteError::Closed), "{error}");
                return true;
            }
        }
        false
    });
}

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kozo_abi::bench::{Incoming, RoleBench, StartedRole};
use kozo_abi::{Error, Level};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

use super::pending::MAX_PENDING_BYTES;
use super::{FLUSH_AFTER, Logger};

/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder for the test, and the log's path in it.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("there is room for a folder");
    let path = folder.path().join("kozo.log");
    (folder, path)
}

/// A logger whose lines begin with `- `.
fn logger(path: &Path) -> RoleBench<Logger> {
    RoleBench::new()
        .option("file", path)
        .option("timePrefix", "- ")
}

fn log(bench: &mut StartedRole, text: &str) -> Result<(), Error> {
    assert!(bench.deliver(Incoming::log(text).from("cuckoo", "tower")));
    bench.run()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The errors among the lines for the host's log.
fn errors(bench: &mut StartedRole) -> Vec<String> {
    let errors = bench.logged().into_iter();
    let errors = errors.filter(|(level, _)| *level == Level::Error);
    errors.map(|(_, text)| text).collect()
}

#[test]
fn lines_are_printed_and_written_with_their_sender() -> Result<(), Error> {
    let (_folder, path) = place();
    let mut bench = logger(&path).start()?;
    log(&mut bench, "one")?;
    log(&mut bench, "two\n- <timer1@clock> forged")?;
    bench.stop()?;
    assert_eq!(
        read(&path),
        "- <cuckoo@tower> one\n- <cuckoo@tower> two\\n- <timer1@clock> forged\n"
    );
    assert_eq!(
        bench.logged()[0],
        (Level::Info, "<cuckoo@tower> one".to_owned())
    );
    Ok(())
}

#[test]
fn the_default_prefix_tells_when_the_line_was_sent() -> Result<(), Error> {
    let (_folder, path) = place();
    let mut bench = RoleBench::<Logger>::new().option("file", &path).start()?;
    let hours = Duration::from_secs(3 * 3600);
    bench.deliver(Incoming::log("old").age(hours));
    bench.deliver(Incoming::log("new"));
    bench.run()?;
    bench.run()?;
    bench.stop()?;
    let text = read(&path);
    let times: Vec<jiff::civil::DateTime> = text
        .lines()
        .map(|line| {
            let prefix = line.get(..22).expect("it begins with the time");
            jiff::civil::DateTime::strptime("[%Y-%m-%d %H:%M:%S] ", prefix).expect("a time")
        })
        .collect();
    // Not exactly three: clocks are put forward and back.
    assert!(times[0] < times[1], "{text}");
    Ok(())
}

#[test]
fn lines_of_one_node_leave_its_name_out_and_others_are_not_wanted() -> Result<(), Error> {
    let (_folder, path) = place();
    let mut bench = logger(&path).option("nodeRestrict", "tower").start()?;
    log(&mut bench, "one")?;
    assert!(!bench.deliver(Incoming::log("two").from("cuckoo", "attic")));
    bench.stop()?;
    assert_eq!(read(&path), "- <cuckoo> one\n");

    for nodes in ["tower, attic", "tow*"] {
        let mut bench = logger(&path)
            .option("nodeRestrict", nodes)
            .option("clearLog", true)
            .start()?;
        log(&mut bench, "one")?;
        bench.stop()?;
        assert_eq!(read(&path), "- <cuckoo@tower> one\n", "{nodes}");
    }
    Ok(())
}

#[test]
fn the_file_is_written_after_so_many_messages_or_when_nothing_comes() -> Result<(), Error> {
    let (_folder, path) = place();
    let mut bench = logger(&path).option("flushEvery", 2).start()?;
    log(&mut bench, "one")?;
    assert_eq!(read(&path), "");
    log(&mut bench, "two")?;
    assert_eq!(read(&path).lines().count(), 2);
    log(&mut bench, "three")?;
    assert_eq!(read(&path).lines().count(), 2);
    bench.run()?;
    assert_eq!(read(&path).lines().count(), 3);
    assert!(bench.elapsed() <= FLUSH_AFTER);
    Ok(())
}

#[test]
fn long_lines_do_not_wait_for_their_number() -> Result<(), Error> {
    let (_folder, path) = place();
    let mut bench = logger(&path).start()?;
    let long = "x".repeat(30_000);
    for _ in 0..100 {
        log(&mut bench, &long)?;
    }
    bench.stop()?;
    assert_eq!(read(&path).lines().count(), 100);
    Ok(())
}

#[test]
fn an_existing_file_is_continued_or_cleared() -> Result<(), Error> {
    let (_folder, path) = place();
    fs::write(&path, "old\ncut of")?;
    let mut bench = logger(&path).start()?;
    log(&mut bench, "one")?;
    bench.stop()?;
    assert_eq!(read(&path), "old\ncut of\n- <cuckoo@tower> one\n");

    let mut bench = logger(&path).option("clearLog", true).start()?;
    assert_eq!(read(&path), "");
    log(&mut bench, "one")?;
    bench.stop()?;
    assert_eq!(read(&path), "- <cuckoo@tower> one\n");
    Ok(())
}

#[test]
fn the_file_is_rotated_and_the_oldest_one_goes() -> Result<(), Error> {
    let (folder, path) = place();
    // One line is in the file already, and counts.
    fs::write(&path, "first\n")?;
    let mut bench = logger(&path)
        .option("rotateEvery", 2)
        .option("rotateMax", 2)
        .start()?;
    for number in 0..8 {
        log(&mut bench, &number.to_string())?;
    }
    bench.stop()?;
    let numbers = |path: &Path| -> String {
        let text = read(path);
        let last = text.lines().filter_map(|line| line.rsplit(' ').next());
        last.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(numbers(&path), "7");
    assert_eq!(numbers(&folder.path().join("kozo.log.1")), "5 6");
    assert_eq!(numbers(&folder.path().join("kozo.log.2")), "3 4");
    assert_eq!(fs::read_dir(&folder)?.count(), 3);
    Ok(())
}

#[test]
fn without_old_files_to_keep_a_full_file_is_begun_anew() -> Result<(), Error> {
    let (folder, path) = place();
    let mut bench = logger(&path)
        .option("rotateEvery", 2)
        .option("rotateMax", 0)
        .start()?;
    for number in 0..3 {
        log(&mut bench, &number.to_string())?;
    }
    bench.stop()?;
    assert_eq!(read(&path), "- <cuckoo@tower> 2\n");
    assert_eq!(fs::read_dir(&folder)?.count(), 1);
    Ok(())
}

#[test]
fn a_file_that_was_moved_is_opened_again() -> Result<(), Error> {
    let (folder, path) = place();
    let moved = folder.path().join("moved");
    let mut bench = logger(&path).start()?;
    log(&mut bench, "one")?;
    fs::rename(&path, &moved)?;
    bench.reopen()?;
    // What came before the move is in either file, but nowhere twice.
    let both = || read(&path) + &read(&moved);
    assert_eq!(both(), "- <cuckoo@tower> one\n");

    // Without a signal as well.
    fs::rename(&path, &moved)?;
    log(&mut bench, "two")?;
    bench.run()?;
    assert!(read(&path).ends_with("two\n"));
    Ok(())
}

#[test]
fn a_vanished_folder_is_reported_once_and_survived() -> Result<(), Error> {
    let (folder, path) = place();
    let (home, away) = (folder.path().join("home"), folder.path().join("away"));
    fs::create_dir(&home)?;
    let path = home.join(path.file_name().expect("it has a name"));
    let mut bench = logger(&path).start()?;
    fs::rename(&home, &away)?;
    for text in ["one", "two"] {
        log(&mut bench, text)?;
        bench.run()?;
    }
    let errors = errors(&mut bench);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with(&format!("cannot open the log file `{}`: ", path.display())));
    assert!(errors[0].contains("does its folder exist?"));

    fs::rename(&away, &home)?;
    bench.run()?;
    assert_eq!(read(&path), "- <cuckoo@tower> one\n- <cuckoo@tower> two\n");
    let logged = bench.logged();
    assert_eq!(logged.len(), 1);
    assert!(logged[0].1.ends_with("is written again"));
    Ok(())
}

#[test]
fn a_full_disk_keeps_lines_up_to_a_limit_and_counts_the_rest() -> Result<(), Error> {
    let (_folder, path) = place();
    std::os::unix::fs::symlink("/dev/full", &path)?;
    let mut bench = logger(&path).start()?;
    let long = "x".repeat(60_000);
    for _ in 0..20 {
        log(&mut bench, &long)?;
    }
    bench.run()?;
    let errors = errors(&mut bench);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("cannot write to the log file"));
    assert!(errors[0].contains("up to 1 MiB of lines are kept"));

    fs::remove_file(&path)?;
    bench.run()?;
    let text = read(&path);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 18);
    assert_eq!(
        lines[17],
        "- (3 lines are missing here: the file could not be written)"
    );
    log(&mut bench, "on")?;
    bench.stop()?;
    assert_eq!(read(&path).lines().count(), 19);
    Ok(())
}

#[test]
fn what_cannot_be_written_at_the_end_is_an_error() -> Result<(), Error> {
    let (_folder, path) = place();
    std::os::unix::fs::symlink("/dev/full", &path)?;
    let mut bench = logger(&path).start()?;
    log(&mut bench, "one")?;
    let error = bench.stop().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("lines of the log that are lost: 1: ")
    );
    Ok(())
}

#[test]
fn a_file_that_can_never_be_opened_does_not_hold_the_role_up() -> Result<(), Error> {
    let (folder, path) = place();
    let mut bench = logger(folder.path()).start()?;
    assert_eq!(errors(&mut bench).len(), 1);
    log(&mut bench, "printed all the same")?;
    assert_eq!(bench.logged().len(), 1);

    assert!(
        std::process::Command::new("mkfifo")
            .arg(&path)
            .status()?
            .success()
    );
    let mut bench = logger(&path).start()?;
    assert!(errors(&mut bench)[0].contains("it is a pipe"));
    Ok(())
}

/// A file that takes some thousand bytes, and then makes whoever writes to it wait until somebody
/// reads from the other end.
fn hanging_file() -> Result<(File, PathBuf), Error> {
    let other_end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&other_end)?;
    unlockpt(&other_end)?;
    let path = ptsname(&other_end, Vec::new())?.into_string()?;
    Ok((File::from(other_end), path.into()))
}

#[test]
fn a_disk_that_does_not_answer_holds_the_role_up_for_a_moment_only() -> Result<(), Error> {
    let (mut other_end, path) = hanging_file()?;
    let mut bench = logger(&path).option("flushEvery", 1).start()?;
    let line = "x".repeat(MAX_PENDING_BYTES / 18);
    for _ in 0..20 {
        log(&mut bench, &line)?;
    }
    let printed = |bench: &mut StartedRole| {
        let lines = bench.logged().into_iter();
        lines.filter(|(_, text)| text.ends_with('x')).count()
    };
    let reported = errors(&mut bench);
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].contains("does not answer"), "{reported:?}");
    // It takes no more lines for the file than it keeps, but prints and answers.
    log(&mut bench, "the last one, x")?;
    assert_eq!(printed(&mut bench), 1);
    // The disk answers again.
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let mut chunk = [0; 4096];
        while !text.contains("are missing here") {
            match other_end.read(&mut chunk) {
                Ok(count) if count > 0 => text.push_str(&String::from_utf8_lossy(&chunk[..count])),
                _ => break,
            }
        }
        text
    });
    let deadline = Instant::now() + LIMIT;
    loop {
        bench.run()?;
        let again = |(_, text): &(Level, String)| text.ends_with("is written again");
        if bench.logged().iter().any(again) {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    bench.stop()?;
    let text = reader.join().expect("it reads");
    assert!(text.contains("lines are missing here"), "{}", text.len());
    Ok(())
}

#[test]
fn a_disk_that_never_answers_does_not_keep_the_role_from_stopping() -> Result<(), Error> {
    let (_other_end, path) = hanging_file()?;
    let mut bench = logger(&path).option("flushEvery", 1).start()?;
    for _ in 0..2 {
        log(&mut bench, &"x".repeat(16 * 1024))?;
    }
    bench.reopen()?;
    log(&mut bench, &"x".repeat(16 * 1024))?;
    let error = bench.stop().unwrap_err().to_string();
    assert!(
        error.starts_with("lines of the log that are lost: 3: the disk of the log file"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_bad_prefix_is_an_error_at_the_start() {
    let (_folder, path) = place();
    let logger = logger(&path).option("timePrefix", "%Q%");
    let error = logger.older_host().start();
    assert!(error.unwrap_err().to_string().contains("`timePrefix`"));
}

#[test]
fn a_burst_of_lines_fits_into_the_inbox() -> Result<(), Error> {
    let (_folder, path) = place();
    let mut bench = logger(&path).start()?;
    for number in 0..1000 {
        bench.deliver(Incoming::log(&number.to_string()));
    }
    for _ in 0..1000 {
        bench.run()?;
    }
    bench.stop()?;
    assert_eq!(read(&path).lines().count(), 1000);
    Ok(())
}

#[test]
fn data_that_is_no_text_is_no_reason_to_stop() -> Result<(), Error> {
    let (_folder, path) = place();
    let mut bench = logger(&path).start()?;
    bench.deliver(Incoming::log("").from("odd", "tower").data(&7));
    bench.run()?;
    bench.stop()?;
    assert_eq!(
        read(&path),
        "- <odd@tower> (a log message whose data is no text)\n"
    );
    Ok(())
}

//! Where a thread is that does not wait: gdb can tell, where it is installed and allowed to. It stops
//! the process for a moment, and reads neither what compilers tell debuggers nor libraries, which would
//! take seconds.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};

use super::stack::{Registers, Words};
use crate::gdbserver::allow;

/// How much of each stack is read, in pages.
///
/// Each page is asked for by itself: of what reaches beyond the end of a stack, gdb tells nothing at all, and a
/// thread that has called few functions is near to that end.
const PAGES: u64 = 9;

/// The smallest page of memory there is, in bytes.
const PAGE: u64 = 4096;

const WORD: u64 = 8;

/// One at a time: a process has one debugger at most, and gives its permission to one.
static TURN: Mutex<()> = Mutex::new(());

/// How many seconds gdb has before it is killed.
const LIMIT_SECONDS: u32 = 10;

/// Runs a program for so many seconds at most: the process that it looks into, the seconds, the program, its words.
/// Where that was killed the process may be left standing still, and is told to go on. Only somebody outside of it
/// can do so, once the program is gone.
const LIMITED: &str = "timeout --foreground -s KILL \"$@\"; code=$?; \
                       [ $code -le 128 ] || kill -CONT \"$0\"; exit $code";

/// The exit code of a program that was killed, as shells have it.
const KILLED: i32 = 128 + 9;

/// How much of what gdb writes is read, in bytes.
const MAX_ANSWER: u64 = 32 * 1024 * 1024;

/// Asks gdb.
///
/// # Errors
/// Why it does not tell.
pub(super) fn ask(process: u32, thread: u32) -> Result<(Registers, Words), String> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // A pipe would fill up, since its reader may be the very process that is stopped.
    let answer = memfd_create("gdb", MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    let mut answer = File::from(answer);
    let output = answer.try_clone().map_err(|error| error.to_string())?;
    let pages = (0..PAGES).flat_map(|page| ["-ex".to_owned(), ask_for_page(page)]);
    let mut gdb = limited(process, LIMIT_SECONDS, "gdb");
    gdb.args(["-nx", "-readnever", "-batch"])
        .args([
            "-iex",
            "set auto-solib-add off",
            "-iex",
            "set debuginfod enabled off",
        ])
        .args(["-iex", "set confirm off", "-iex", "set width 0"])
        // Numbers are what is wanted, whatever language the program is written in.
        .args(["-ex", "set print symbol off", "-ex", "set language c"])
        .args(["-p", &process.to_string()])
        .args(["-ex", "thread apply all -s p/x $pc"])
        .args(["-ex", "thread apply all -s p/x $sp"])
        .args(["-ex", FRAME_POINTERS])
        .args(pages)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::null());
    let mut gdb = gdb
        .spawn()
        .map_err(|error| format!("gdb cannot be asked: {error}"))?;
    allow(&gdb);
    let status = gdb.wait().map_err(|error| error.to_string())?;
    answer.rewind().map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    answer
        .take(MAX_ANSWER)
        .read_to_end(&mut text)
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    parse(&text, thread).ok_or_else(|| match status.code() {
        Some(127) => "gdb is not installed, which could tell where it is".to_owned(),
        Some(KILLED) => format!("gdb does not tell where it is within {LIMIT_SECONDS} s"),
        _ if is_debugged(process) => {
            "gdb does not tell where it is: another debugger has hold of the process".to_owned()
        }
        _ => "gdb does not tell where it is: it may not be allowed to look into the process \
              (the unit's SystemCallFilter, kernel.yama.ptrace_scope)"
            .to_owned(),
    })
}

#[cfg(target_arch = "x86_64")]
const FRAME_POINTERS: &str = "thread apply all -s p/x $rbp";
#[cfg(not(target_arch = "x86_64"))]
const FRAME_POINTERS: &str = "thread apply all -s p/x $x29";

/// A program that looks into a process, which goes on afterwards, however the program ends.
fn limited(process: u32, seconds: u32, program: &str) -> Command {
    let (process, seconds) = (process.to_string(), seconds.to_string());
    let mut command = Command::new("sh");
    command.args(["-c", LIMITED, &process, &seconds, program]);
    command
}

/// The command for one page of each stack, counted from the one that the stack ends in at the moment.
fn ask_for_page(page: u64) -> String {
    let words = PAGE / WORD;
    let mask = PAGE - 1;
    let distance = page * PAGE;
    format!("thread apply all -s x/{words}gx ((unsigned long) $sp & ~{mask}UL) + {distance}")
}

/// Whether a debugger has hold of a process.
fn is_debugged(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mut lines = status.lines();
    let tracer = lines.find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|id| id.trim() != "0")
}

/// What gdb says of one thread: three numbers and words, each below a line that names the thread.
fn parse(text: &str, thread: u32) -> Option<(Registers, Words)> {
    let heading = format!("LWP {thread})");
    let mut numbers = Vec::new();
    let mut words: Option<Words> = None;
    let mut is_it = false;
    for line in text.lines() {
        if line.starts_with("Thread ") {
            is_it = line.contains(&heading);
        } else if is_it {
            if let Some((_, value)) = line.split_once(" = ") {
                numbers.push(number(value)?);
            } else if let Some((address, line)) = line.split_once(':') {
                let start = number(address)?;
                let words = words.get_or_insert_with(|| Words {
                    start,
                    bytes: Vec::new(),
                });
                // Behind a page that is missing there is another stack.
                if words.end() == start {
                    for word in line.split_whitespace() {
                        words.bytes.extend(number(word)?.to_ne_bytes());
                    }
                }
            }
        }
    }
    let &[code, stack, frame] = numbers.as_slice() else {
        return None;
    };
    let registers = Registers {
        code,
        stack,
        frame: Some(frame),
    };
    let nothing = Words {
        start: stack,
        bytes: Vec::new(),
    };
    Some((registers, words.unwrap_or(nothing)))
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_goes_on_when_what_looks_into_it_hangs() {
        let mut victim = Command::new("sleep").arg("1000").spawn().unwrap();
        let stop = format!("kill -STOP {}; exec sleep 1000", victim.id());
        let mut looks = limited(victim.id(), 1, "sh");
        let status = looks.args(["-c", &stop]).status().unwrap();
        assert_eq!(status.code(), Some(KILLED));
        let stat = fs::read_to_string(format!("/proc/{}/stat", victim.id())).unwrap();
        assert!(!stat.contains(") T "), "{stat}");
        victim.kill().unwrap();
        victim.wait().unwrap();
    }

    #[test]
    fn what_gdb_says_is_read() {
        let text = "\nThread 2 (LWP 12):\n$1 = 0x10\n\nThread 1 (LWP 123):\n$2 = 0x20\n\
                    Thread 1 (Thread 0x7f (LWP 12) \"x\"):\n$3 = 0x11\n\
                    Thread 2 (LWP 12):\n$5 = 0x12\n\
                    Thread 2 (LWP 12):\n0x1000:\t0x0000000000000001\t0x2\n0x1010:\t0x3\t0x4\n\
                    Thread 2 (LWP 12):\n0x1020:\t0x5\n\
                    Thread 1 (LWP 123):\n0x1028:\t0x6\n\
                    Thread 2 (LWP 12):\n0x3000:\t0x7\n";
        let (registers, words) = parse(text, 12).unwrap();
        let expected = Registers {
            code: 0x10,
            stack: 0x11,
            frame: Some(0x12),
        };
        assert_eq!(registers, expected);
        assert_eq!(words.start, 0x1000);
        assert_eq!(words.bytes.len(), 5 * 8);
        assert_eq!(words.at(0x1020), Some(5));
        assert!(parse(text, 1).is_none());
        assert!(parse("", 12).is_none());
    }
}

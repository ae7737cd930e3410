//! Where a thread is that does not wait: gdb can tell, where it is installed and allowed to. It stops
//! the process for a moment, and reads neither symbols nor libraries, which would take seconds.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use super::stack::{Registers, Words};
use crate::gdbserver::allow;

/// How many words of each stack are read.
const WORDS: usize = 4096;

/// How many seconds gdb has before it is killed, by which the process goes on.
const LIMIT_SECONDS: u32 = 10;

/// How much of what gdb writes is read, in bytes.
const MAX_ANSWER: u64 = 32 * 1024 * 1024;

/// Asks gdb.
///
/// # Errors
/// Why it does not tell.
pub(super) fn ask(process: u32, thread: u32) -> Result<(Registers, Words), String> {
    // A pipe would fill up, since its reader may be the very process that is stopped.
    let answer = memfd_create("gdb", MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    let mut answer = File::from(answer);
    let output = answer.try_clone().map_err(|error| error.to_string())?;
    let words = format!("x/{WORDS}gx $sp");
    let mut gdb = Command::new("timeout")
        .args([
            "-s",
            "KILL",
            &LIMIT_SECONDS.to_string(),
            "gdb",
            "-nx",
            "-batch",
        ])
        .args([
            "-iex",
            "set auto-solib-add off",
            "-iex",
            "set debuginfod enabled off",
        ])
        .args(["-iex", "set confirm off", "-iex", "set width 0"])
        // No program, so that no symbols are read; numbers are what is wanted.
        .args(["-ex", "set print symbol off", "-p", &process.to_string()])
        .args(["-ex", "thread apply all -s p/x $pc"])
        .args(["-ex", "thread apply all -s p/x $sp"])
        .args(["-ex", FRAME_POINTERS])
        .args(["-ex", &format!("thread apply all -s {words}")])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::null())
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
        _ => "gdb does not tell where it is: it may not be allowed to look into the process \
              (the unit's SystemCallFilter, kernel.yama.ptrace_scope)"
            .to_owned(),
    })
}

#[cfg(target_arch = "x86_64")]
const FRAME_POINTERS: &str = "thread apply all -s p/x $rbp";
#[cfg(not(target_arch = "x86_64"))]
const FRAME_POINTERS: &str = "thread apply all -s p/x $x29";

/// What gdb says of one thread: three numbers and words, each below a line that names the thread.
fn parse(text: &str, thread: u32) -> Option<(Registers, Words)> {
    let heading = format!("LWP {thread})");
    let mut numbers = Vec::new();
    let mut bytes = Vec::new();
    let mut is_it = false;
    for line in text.lines() {
        if line.starts_with("Thread ") {
            is_it = line.contains(&heading);
        } else if is_it {
            if let Some((_, value)) = line.split_once(" = ") {
                numbers.push(number(value)?);
            } else if let Some((_, words)) = line.split_once(':') {
                for word in words.split_whitespace() {
                    bytes.extend(number(word)?.to_ne_bytes());
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
    let words = Words {
        start: stack,
        bytes,
    };
    Some((registers, words))
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gdb_says_is_read() {
        let text = "\nThread 2 (LWP 12):\n$1 = 0x10\n\nThread 1 (LWP 123):\n$2 = 0x20\n\
                    Thread 1 (Thread 0x7f (LWP 12) \"x\"):\n$3 = 0x11\n\
                    Thread 2 (LWP 12):\n$5 = 0x12\n\
                    Thread 2 (LWP 12):\n0x11:\t0x0000000000000001\t0x2\n0x21:\t0x3\t0x4\n";
        let (registers, words) = parse(text, 12).unwrap();
        let expected = Registers {
            code: 0x10,
            stack: 0x11,
            frame: Some(0x12),
        };
        assert_eq!(registers, expected);
        assert_eq!(words.start, 0x11);
        assert_eq!(words.bytes.len(), 32);
        assert!(parse(text, 1).is_none());
        assert!(parse("", 12).is_none());
    }
}

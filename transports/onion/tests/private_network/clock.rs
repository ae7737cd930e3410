//! A clock of a daemon's own, which is wrong for as long as it shall be, by `libfaketime`.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Where its library is; the loader knows what `$LIB` stands for.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// How far off a clock is, in the library's own words: `+5h`.
pub(crate) struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Whether there can be such a clock; if not, why.
    pub(crate) fn check() -> Result<(), String> {
        let seconds = |variables: &[(&str, &str)]| -> Option<i64> {
            let variables = variables.iter().copied();
            let output = Command::new("date").arg("+%s").envs(variables).output();
            String::from_utf8(output.ok()?.stdout)
                .ok()?
                .trim()
                .parse()
                .ok()
        };
        let off = seconds(&[("LD_PRELOAD", LIBRARY), ("FAKETIME", "+100h")]);
        match (off, seconds(&[])) {
            (Some(off), Some(right)) if off > right + 3600 => Ok(()),
            _ => Err("no clock can be wrong here: install Debian's package `libfaketime`".into()),
        }
    }

    /// A clock that is off, and set by this file.
    pub(crate) fn new(file: PathBuf, off: &str) -> Self {
        let clock = Self { file };
        clock.set(off);
        clock
    }

    /// Sets it.
    pub(crate) fn set(&self, off: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, off).unwrap();
        fs::rename(&new, &self.file).unwrap();
    }

    /// What a process needs that is to have this clock. Its stop watch stays right.
    pub(crate) fn variables(&self) -> [(&'static str, OsString); 4] {
        [
            ("LD_PRELOAD", LIBRARY.into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }
}

//! Has the linker put those functions side by side that a node at work calls: `layout/functions` names them.
//!
//! The system maps a program in pieces of 64 KiB. The linker leaves functions in the order in which the compiler made them,
//! so that nearly each piece has something that a node needs, and most of what is in it nobody does. Only a program that is
//! optimised is laid out in this way, and only by a linker that is seen to know how: others leave the order as it is.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// Patterns of the functions' names, as the linker knows them.
const FUNCTIONS: &str = "layout/functions";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={FUNCTIONS}");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if !(is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux")) {
        return Ok(());
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no folder for it")?);
    let script = folder.join("layout.ld");
    fs::write(&script, linker_script(&fs::read_to_string(FUNCTIONS)?)?)?;
    if is_understood(&script, &folder)? {
        println!("cargo::rustc-link-arg-bin=kozo=-T");
        println!("cargo::rustc-link-arg-bin=kozo={}", script.display());
    }
    Ok(())
}

/// What a linker adds to its own layout: a section for these functions, before that of all others.
fn linker_script(functions: &str) -> Result<String, Box<dyn Error>> {
    let mut script = "SECTIONS {\n  .text.node : {\n".to_owned();
    for name in functions.lines().filter(|line| !line.starts_with('#')) {
        let is_name =
            |character: char| character.is_ascii_alphanumeric() || "_$.*".contains(character);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!("`{name}` in `{FUNCTIONS}` is no pattern of names").into());
        }
        writeln!(script, "    *(.text.{name}* .text.unlikely.{name}*)")?;
    }
    script += "  }\n}\nINSERT BEFORE .text;\n";
    Ok(script)
}

/// Whether the linker that the program will be linked with, or the usual one in the place of the compiler's own, makes a
/// program with this script.
fn is_understood(script: &Path, folder: &Path) -> Result<bool, Box<dyn Error>> {
    let source = folder.join("probe.c");
    fs::write(&source, "int main(void) { return 0; }\n")?;
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let options = codegen_options(&flags);
    let linker = options
        .iter()
        .rev()
        .find_map(|option| option.strip_prefix("linker="));
    let linker = linker
        .map(str::to_owned)
        .or_else(|| env::var("RUSTC_LINKER").ok());
    let of_user = options
        .iter()
        .filter_map(|option| option.strip_prefix("link-arg="));
    let mut command = Command::new(linker.as_deref().unwrap_or("cc"));
    command
        .args(of_user)
        .arg("-T")
        .arg(script)
        .arg(&source)
        .arg("-o")
        .arg(folder.join("probe"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command.status().is_ok_and(|status| status.success()))
}

/// What follows `-C` in the compiler's flags, as cargo hands them over.
fn codegen_options(flags: &str) -> Vec<&str> {
    let mut flags = flags.split('\x1f');
    let mut options = Vec::new();
    while let Some(flag) = flags.next() {
        match flag.strip_prefix("-C") {
            Some("") => options.extend(flags.next()),
            Some(option) => options.push(option),
            None => {}
        }
    }
    options
}

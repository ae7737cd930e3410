//! The `kozo` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    kozo::cli::main(std::env::args_os())
}

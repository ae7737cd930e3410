//! Writes the texts that packages have besides programs and modules, each from the place where the
//! thing itself is: the manual page of the command from its arguments, that of the configuration
//! file from the tables that the file is checked with, the licences from the crates.
//!
//! ```text
//! kozo-packaging-texts pages FOLDER      manual pages and completions
//! kozo-packaging-texts copyright LIST    whose the listed crates are, to the standard output; what
//!                                        `cargo metadata` says comes from the standard input
//! ```

mod command;
mod completion;
mod licences;
mod options;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["pages", folder] => pages(Path::new(folder)),
        ["copyright", list] => copyright(Path::new(list)),
        _ => {
            eprintln!("usage: kozo-packaging-texts pages FOLDER | copyright LIST");
            return ExitCode::from(1);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kozo-packaging-texts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn pages(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    command::write(folder)?;
    let page = options::page(&options::shipped_modules()?);
    std::fs::write(folder.join("kozo.yml.5"), page)?;
    Ok(())
}

fn copyright(list: &Path) -> Result<(), Box<dyn Error>> {
    let wanted = std::fs::read_to_string(list)?;
    let metadata = serde_json::from_reader(std::io::stdin().lock())?;
    print!("{}", licences::copyright(metadata, &wanted)?);
    Ok(())
}

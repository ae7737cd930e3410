//! `kozo new`: a crate for a role or transport of one's own, which builds, passes its tests and
//! loads as it is.

mod crate_text;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::arguments::{NewArguments, NewKind};
use super::failure::Failure;
use super::output;

use crate_text::CrateText;
use kozo_ground::names::{ModuleName, NameError};

/// Where packages put the crate that modules are built with.
const INSTALLED_ABI: &str = "/usr/share/kozo/abi";

/// Where this program was built. A build tree is used only while it is still there.
const BUILD_TREE_ABI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../abi");

/// Why there is no new crate.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error("a {kind} cannot be called `{}`: {error}", kozo_ground::text::printable(.name))]
    Name {
        kind: &'static str,
        name: String,
        error: NameError,
    },
    #[error("`{}` is there already: choose another folder with `--path`", .0.display())]
    Exists(PathBuf),
    #[error("`{}` cannot be made: {error}", .path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error(
        "`{}` does not hold the crate `kozo-abi`: name the folder in which its `Cargo.toml` is",
        .0.display()
    )]
    NotAbi(PathBuf),
    #[error(
        "the crate `kozo-abi` is neither in `{INSTALLED_ABI}` nor where this program was built: \
         install Kōzō's development files, or name the crate's folder with `--abi-path`"
    )]
    NoAbi,
    #[error("the path `{}` is not UTF-8, as cargo needs it: move the crate `kozo-abi`", .0.display())]
    Encoding(PathBuf),
}

pub(super) fn new(arguments: &NewArguments) -> Result<(), Failure> {
    let kind = arguments.kind;
    let name = ModuleName::new(&arguments.name).map_err(|error| {
        Failure::other(NewError::Name {
            kind: kind.word(),
            name: arguments.name.clone(),
            error,
        })
    })?;
    let abi = abi(arguments.abi_path.as_deref()).map_err(Failure::other)?;
    let folder = match &arguments.path {
        Some(path) => path.clone(),
        // Not `-x`, which commands would take for an option.
        None => Path::new(".").join(name.as_str()),
    };
    let vendor = vendor(Path::new(&abi));
    let text = CrateText::new(kind, &name, &abi, vendor.as_deref());
    write(&folder, &text).map_err(Failure::other)?;
    output::print(&next_steps(kind, &name, &folder, &text.library))
}

fn next_steps(kind: NewKind, name: &ModuleName, folder: &Path, library: &str) -> String {
    let word = kind.word();
    let variable = kind.path_variable();
    format!(
        "The {word} `{name}` is in `{folder}`. What comes next:\n\
         \n\
         \x20 cd {folder}\n\
         \x20 cargo test\n\
         \x20 cargo build --release        # makes target/release/lib{library}.so\n\
         \x20 {variable}=$PWD/target/release kozo modules {name}\n",
        folder = folder.display(),
    )
}

/// The folder of `kozo-abi`: the given one, the installed one, or that of the build tree.
fn abi(given: Option<&Path>) -> Result<String, NewError> {
    let folder = match given {
        Some(folder) if holds_abi(folder) => folder,
        Some(folder) => return Err(NewError::NotAbi(folder.to_owned())),
        None => [INSTALLED_ABI, BUILD_TREE_ABI]
            .map(Path::new)
            .into_iter()
            .find(|folder| holds_abi(folder))
            .ok_or(NewError::NoAbi)?,
    };
    let absolute = fs::canonicalize(folder).map_err(|_| NewError::NotAbi(folder.to_owned()))?;
    match absolute.into_os_string().into_string() {
        Ok(text) => Ok(text),
        Err(path) => Err(NewError::Encoding(path.into())),
    }
}

/// The folder with the sources of all crates that modules need: packages put it beside `kozo-abi`.
fn vendor(abi: &Path) -> Option<String> {
    let folder = abi.with_file_name("vendor");
    folder
        .is_dir()
        .then_some(folder)?
        .into_os_string()
        .into_string()
        .ok()
}

fn holds_abi(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|text| text.lines().any(|line| line == r#"name = "kozo-abi""#))
}

/// Writes the crate into a folder that was not there before: wholly or not at all.
fn write(folder: &Path, text: &CrateText) -> Result<(), NewError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |error| NewError::Write { path, error }
    };
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(NewError::Exists(folder.to_owned()));
        }
        result => result.map_err(failed(folder))?,
    }
    let written = text.files.iter().try_for_each(|(name, text)| {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        fs::write(&path, text).map_err(failed(&path))
    });
    if written.is_err() {
        // Nothing of anybody else's is in it. When this fails too, the first error says more.
        let _ = fs::remove_dir_all(folder);
    }
    written
}

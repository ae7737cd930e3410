//! `kozo new`: a crate for a role, transport or bus of one's own, which builds, passes its tests and
//! loads as it is; or a role in another language, which passes its test and runs as it is.

mod crate_text;
mod program_text;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use kozo_auth::keys::{self, NewKey};

use super::arguments::{NewArguments, NewKind};
use super::failure::Failure;
use super::output;

use crate_text::CrateText;
use kozo_ground::names::{ModuleName, NameError};
use program_text::Language;

/// Where packages put the crate that modules are built with.
const INSTALLED_ABI: &str = "/usr/share/kozo/abi";

/// Where this program was built. A build tree is used only while it is still there.
const BUILD_TREE_ABI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../abi");

/// Where packages put the Python package.
const INSTALLED_PYTHON: &str = "/usr/lib/python3/dist-packages";

/// The same of the build tree.
const BUILD_TREE_PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../python");

/// Whose key the example's is, for people.
const EXAMPLE_COMMENT: &str = "kozo example";

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
    #[error("the key of the example cannot be made: {0}")]
    Key(#[from] keys::KeyError),
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
    let folder = match &arguments.path {
        Some(path) => path.clone(),
        // Not `-x`, which commands would take for an option.
        None => Path::new(".").join(name.as_str()),
    };
    if let Some(language) = language(arguments)? {
        return program(language, &name, &folder);
    }
    let abi = abi(arguments.abi_path.as_deref()).map_err(Failure::other)?;
    let vendor = vendor(Path::new(&abi));
    let text = CrateText::new(kind, &name, &abi, vendor.as_deref());
    write(&folder, &text.files).map_err(Failure::other)?;
    output::print(&next_steps(kind, &name, &folder, &text.library))
}

/// The language of a role that is a program.
fn language(arguments: &NewArguments) -> Result<Option<Language>, Failure> {
    let language = match (arguments.python, arguments.shell) {
        (true, _) => Language::Python,
        (_, true) => Language::Shell,
        _ => return Ok(None),
    };
    match arguments.kind {
        NewKind::Role => Ok(Some(language)),
        kind => {
            let text = format!(
                "a {} is a module in Rust: only a role may be a program in another language\n",
                kind.word()
            );
            let error = clap::Error::raw(ErrorKind::ArgumentConflict, text);
            Err(Failure::Usage(error))
        }
    }
}

/// Makes a role that is a program.
fn program(language: Language, name: &ModuleName, folder: &Path) -> Result<(), Failure> {
    let key = keys::generate(NewKey::Ed25519, EXAMPLE_COMMENT).map_err(Failure::other)?;
    let public_key = keys::public_line(&key);
    let package = match language {
        Language::Python => python_package(),
        Language::Shell => None,
    };
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let files = program_text::files(language, name, &whole, &public_key, package.as_deref());
    write(folder, &files).map_err(Failure::other)?;
    let written = keys::write_private(&folder.join(program_text::KEY), &key);
    if let Err(error) = written {
        let _ = fs::remove_dir_all(folder);
        return Err(Failure::other(NewError::Key(error)));
    }
    output::print(&format!(
        "The role `{name}` is in `{folder}`. What comes next:\n\
         \n\
         \x20 cd {folder}\n\
         \x20 {test}\n\
         \x20 kozo run example.yml here     # prints a greeting a second, until you press Ctrl-C\n\
         \n\
         README.md has the block for the file of your own network.\n",
        folder = folder.display(),
        test = language.test_command(package.as_deref()),
    ))
}

/// The folder of the Python package, where it is that of the build tree and none is installed.
fn python_package() -> Option<PathBuf> {
    let holds_package = |folder: &Path| folder.join("kozo/__init__.py").exists();
    if holds_package(Path::new(INSTALLED_PYTHON)) {
        return None;
    }
    let folder = Path::new(BUILD_TREE_PYTHON);
    holds_package(folder)
        .then(|| fs::canonicalize(folder).ok())
        .flatten()
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

/// Writes the files into a folder that was not there before: wholly or not at all.
fn write(folder: &Path, files: &[(&str, String)]) -> Result<(), NewError> {
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
    let written = files.iter().try_for_each(|(name, text)| {
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

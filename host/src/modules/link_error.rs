//! What the system's loader says when it cannot load an object, made understandable.
//!
//! It has no error codes, only text: glibc's, which is the same in every language as long as the
//! program sets no locale. What is not recognised is handed on as it is.

use std::path::{Path, PathBuf};

/// Why the system cannot load an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A library that it needs, directly or not, is nowhere to be found.
    #[error(
        "it needs the library `{library}`, which is not there: install it, or add its folder to `importPath` (looked in {}, and where the system keeps its libraries)",
        folders(.looked_in)
    )]
    MissingLibrary {
        /// The library's name.
        library: String,
        /// The folders of `importPath` and `KOZOIMPORTPATH`.
        looked_in: Vec<PathBuf>,
    },
    /// A function or variable that it uses is in none of its libraries.
    #[error(
        "it uses `{0}`, which none of its libraries has: a library is too old, or was forgotten when the module was linked"
    )]
    UndefinedSymbol(String),
    /// A library is older than the one that it was built with.
    #[error(
        "it needs {version} of `{library}`, which this system is too old for: build it on this system or an older one"
    )]
    LibraryVersion {
        /// The version's name, `GLIBC_2.38` say.
        version: String,
        /// The library's name.
        library: String,
    },
    /// The copy in memory has no path that could be opened.
    #[error("its copy in memory cannot be opened: `/proc` has to be mounted")]
    NoProc,
    /// Anything else, in the system's own words.
    #[error("the system cannot load it: {0}")]
    Other(String),
}

fn folders(folders: &[PathBuf]) -> String {
    let quoted: Vec<String> = folders
        .iter()
        .map(|folder| format!("`{}`", folder.display()))
        .collect();
    if quoted.is_empty() {
        "no folder of yours, as none is set".to_owned()
    } else {
        quoted.join(", ")
    }
}

impl LinkError {
    /// Reads the loader's message. `opened` is the path that was opened, `shown` the one that the
    /// user knows, `looked_in` the folders of imports.
    pub(super) fn read(text: &str, opened: &Path, shown: &Path, looked_in: &[PathBuf]) -> Self {
        if let Some((library, _)) = text.split_once(": cannot open shared object file") {
            if Path::new(library) != opened {
                return Self::MissingLibrary {
                    library: library.to_owned(),
                    looked_in: looked_in.to_vec(),
                };
            }
            if opened != shown {
                return Self::NoProc;
            }
        }
        if let Some((_, symbol)) = text.split_once("undefined symbol: ") {
            return Self::UndefinedSymbol(symbol.to_owned());
        }
        if let Some((library, rest)) = text.split_once(": version `")
            && let Some((version, _)) = rest.split_once("' not found")
        {
            let library = Path::new(library).file_name().map_or_else(
                || library.to_owned(),
                |name| name.to_string_lossy().into_owned(),
            );
            return Self::LibraryVersion {
                version: format!("version `{version}`"),
                library,
            };
        }
        let opened = opened.display().to_string();
        Self::Other(text.replace(&opened, &shown.display().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let imports = [PathBuf::from("/opt/lib")];
        LinkError::read(
            text,
            Path::new("/proc/self/fd/9"),
            Path::new("libx.so"),
            &imports,
        )
        .to_string()
    }

    #[test]
    fn what_the_system_says_is_made_understandable() {
        assert_eq!(
            read("libfoo.so.1: cannot open shared object file: No such file or directory"),
            "it needs the library `libfoo.so.1`, which is not there: install it, or add its folder to `importPath` \
             (looked in `/opt/lib`, and where the system keeps its libraries)"
        );
        assert_eq!(
            read("/proc/self/fd/9: cannot open shared object file: No such file or directory"),
            "its copy in memory cannot be opened: `/proc` has to be mounted"
        );
        assert_eq!(
            read("/proc/self/fd/9: undefined symbol: foo, version BAR_1"),
            "it uses `foo, version BAR_1`, which none of its libraries has: a library is too old, or was forgotten \
             when the module was linked"
        );
        assert_eq!(
            read(
                "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.99' not found (required by /proc/self/fd/9)"
            ),
            "it needs version `GLIBC_2.99` of `libc.so.6`, which this system is too old for: build it on this \
             system or an older one"
        );
        assert_eq!(
            read("/proc/self/fd/9: cannot allocate memory in static TLS block"),
            "the system cannot load it: libx.so: cannot allocate memory in static TLS block"
        );
    }
}

//! Files that options name.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::FileFault;

/// The largest file, in bytes: certificates of all authorities that there are have some 250 KB.
const LARGEST: u64 = 4 << 20;

/// Rights of those who are neither the owner nor in the group, and the group's right to write: whoever has one of
/// these could read or replace a secret.
const TOO_OPEN: u32 = 0o027;

/// What stands in a file that an option names.
///
/// # Errors
/// In words, with the option's name.
pub fn read(option: &str, path: &Path) -> Result<Vec<u8>, FileFault> {
    whole(path)
        .map(|(text, _)| text)
        .map_err(|error| FileFault::unreadable(option, path, &error))
}

/// The same, for a file that holds a secret.
///
/// # Errors
/// It cannot be read, or others could read or change it: then it says how to mend that.
pub fn read_secret(option: &str, path: &Path) -> Result<Vec<u8>, FileFault> {
    let (text, mode) = whole(path).map_err(|error| FileFault::unreadable(option, path, &error))?;
    if mode & TOO_OPEN != 0 {
        let reason = format!(
            "others can read or change it (its mode is {:04o}): `chmod 600`, or 640 where its group is the daemon's",
            mode & 0o7777
        );
        return Err(FileFault::unusable(option, path, &reason));
    }
    Ok(text)
}

/// The first line: a file that an editor has saved ends with a line feed, which belongs to no password.
pub fn first_line(mut file: Vec<u8>) -> Vec<u8> {
    if let Some(end) = file.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        file.truncate(end);
    }
    file
}

/// A file's text and mode, of one and the same file.
fn whole(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => Err(io::Error::other(format!(
            "it has more than {LARGEST} bytes"
        ))),
        false => Ok((text, about.permissions().mode())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "secret\n").unwrap();
        for (mode, fine) in [
            (0o600, true),
            (0o640, true),
            (0o400, true),
            (0o644, false),
            (0o660, false),
            (0o602, false),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let read = read_secret("passwordFile", &path);
            assert_eq!(read.is_ok(), fine, "{mode:o}");
            if let Err(fault) = read {
                let text = fault.to_string();
                assert!(text.contains("`passwordFile`"), "{text}");
                assert!(text.contains("chmod 600"), "{text}");
            }
        }
        assert_eq!(first_line(read("x", &path).unwrap()), b"secret");
        let none = read_secret("tokenFile", &folder.path().join("none"));
        let text = none.unwrap_err().to_string();
        assert!(
            text.contains("`tokenFile`") && text.contains("cannot be read"),
            "{text}"
        );
        let folder = read("caFile", folder.path()).unwrap_err().to_string();
        assert!(folder.contains("it is no file"), "{folder}");
    }
}

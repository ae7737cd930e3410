//! The file with the satellites, so that they need not register again with a relay that was restarted: the values of
//! one XML-RPC document, an array with a struct for each. It holds passwords, so it is for its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kozo_co2::document::{DocumentError, read_values, write_values};
use kozo_co2::{Struct, Value};

use crate::satellite::{Passed, Registration, Satellite, count};

/// The largest file that is read, in bytes: what the most satellites with the longest names need, and more.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Who may do what with the file.
const MODE: u32 = 0o600;

/// Why a dump is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpError {
    #[error(
        "others than its owner may read or change it (its mode is {0:o}): `chmod 600` it if it is as it should be"
    )]
    Open(u32),
    #[error("it belongs to the user {0}, and not to the one that this daemon runs as")]
    Foreign(u32),
    #[error("it is no file: name one, or leave it out")]
    NoFile,
    #[error("it is larger than 64 MiB")]
    TooLarge,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl From<DocumentError> for DumpError {
    fn from(error: DocumentError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Reads the satellites; none where there is no file.
///
/// # Errors
/// Why they are not used.
pub(crate) fn load(path: &Path) -> Result<Vec<Satellite>, DumpError> {
    // What waits for somebody else to open it does not hang the role.
    #[allow(clippy::cast_possible_wrap, reason = "flags have few bits")]
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(DumpError::NoFile);
    }
    if about.uid() != rustix::process::geteuid().as_raw() {
        return Err(DumpError::Foreign(about.uid()));
    }
    let mode = about.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(DumpError::Open(mode));
    }
    if about.len() > MAX_FILE {
        return Err(DumpError::TooLarge);
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    read(&text)
}

/// Looks whether there may be a file, before anything is done with it: a folder or a device is neither moved aside nor
/// replaced.
///
/// # Errors
/// There is something else.
pub(crate) fn check(path: &Path) -> Result<(), DumpError> {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => Err(DumpError::NoFile),
        _ => Ok(()),
    }
}

/// Moves a file aside that is not used, so that somebody can look at it; where to.
pub(crate) fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = beside(path, "refused");
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Writes the satellites, wholly or not at all.
pub(crate) fn save(path: &Path, text: &str) -> io::Result<()> {
    let new = beside(path, "new");
    // One that a crash has left may have another mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// The text of the file.
pub(crate) fn write<'a>(
    satellites: impl Iterator<Item = &'a Satellite>,
) -> Result<String, DocumentError> {
    let all = satellites.map(|satellite| Value::Struct(members(satellite)));
    write_values(&[Value::Array(all.collect())])
}

fn read(text: &[u8]) -> Result<Vec<Satellite>, DumpError> {
    let values = read_values(text)?;
    let [Value::Array(satellites)] = values.as_slice() else {
        return Err(DumpError::Damaged(
            "it does not hold one array of satellites".to_owned(),
        ));
    };
    let number = |index: usize| format!("satellite {} of it ", index + 1);
    satellites
        .iter()
        .enumerate()
        .map(|(index, value)| match value {
            Value::Struct(members) => satellite(members).ok_or_else(|| {
                DumpError::Damaged(number(index) + "lacks something, or has it in another form")
            }),
            _ => Err(DumpError::Damaged(number(index) + "is no struct")),
        })
        .collect()
}

fn members(satellite: &Satellite) -> Struct {
    let mut members = satellite.properties(true);
    members.retain(|key, _| !key.starts_with("ping_"));
    members.insert(
        "notify_pass".to_owned(),
        Value::String(satellite.notify_pass.clone()),
    );
    members.insert("missed_count".to_owned(), count(satellite.missed));
    members
}

fn satellite(members: &Struct) -> Option<Satellite> {
    let text = |key: &str| match members.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let number = |key: &str| match members.get(key) {
        Some(Value::Integer(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let seconds = |key: &str| match members.get(key) {
        Some(Value::Double(seconds)) => Some(*seconds),
        _ => None,
    };
    let passed = |count: &str, time: &str| {
        let count = number(count)?;
        let last = (count > 0).then(|| seconds(time)).flatten();
        Some(Passed { count, last })
    };
    let address = match members.get("addr") {
        Some(Value::Array(parts)) => match parts.as_slice() {
            [Value::String(ip), Value::Integer(port)] => {
                SocketAddr::new(ip.parse().ok()?, u16::try_from(*port).ok()?)
            }
            _ => return None,
        },
        _ => return None,
    };
    let plugins = match members.get("plugins") {
        Some(Value::Array(names)) => names.iter().map(|name| match name {
            Value::String(name) => Some(name.clone()),
            _ => None,
        }),
        _ => return None,
    };
    let host_id = text("host_id")?;
    // What registers is not believed an address either.
    if !host_id.ends_with(&format!("@{address}")) {
        return None;
    }
    let registration = Registration {
        port: address.port(),
        plugins: plugins.collect::<Option<_>>()?,
        nick: text("nick")?,
        notify_pass: text("notify_pass")?,
    };
    let mut satellite = Satellite::new(host_id, address, registration, seconds("ctime")?).ok()?;
    satellite.sent = passed("send_count", "send_time")?;
    satellite.received = passed("recv_count", "recv_time")?;
    satellite.missed = number("missed_count").unwrap_or_default();
    Some(satellite)
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn two() -> Vec<Satellite> {
        let one = |ip: &str, nick: &str| {
            let address: SocketAddr = ip.parse().unwrap();
            let registration = Registration {
                port: address.port(),
                plugins: vec!["ham".to_owned()],
                nick: nick.to_owned(),
                notify_pass: "<secret>".to_owned(),
            };
            let id = format!("123456789@{address}");
            let mut satellite = Satellite::new(id, address, registration, 1000.5).unwrap();
            satellite.received = Passed {
                count: 7,
                last: Some(1001.0),
            };
            satellite
        };
        vec![one("127.0.0.1:2004", "studio"), one("[::1]:2004", "")]
    }

    fn saved(path: &Path) -> String {
        let text = write(two().iter()).unwrap();
        save(path, &text).unwrap();
        text
    }

    fn refusal(path: &Path) -> String {
        load(path).unwrap_err().to_string()
    }

    #[test]
    fn satellites_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.xml");
        assert!(load(&path).unwrap().is_empty());
        saved(&path);
        let loaded = load(&path).unwrap();
        assert_eq!(loaded.len(), 2);
        for (loaded, saved) in loaded.iter().zip(two()) {
            assert_eq!(loaded.properties(true), saved.properties(true));
            assert_eq!(loaded.notify_pass, saved.notify_pass);
        }
        // Again, over the file that is there, with one that a crash has left beside it.
        fs::write(beside(&path, "new"), "left").unwrap();
        saved(&path);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.xml");
        saved(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(refusal(&path).contains("640"));
        let aside = put_aside(&path).unwrap();
        assert!(aside.ends_with("relay.xml.refused") && aside.exists());
        assert!(load(&path).unwrap().is_empty());
        assert!(refusal(folder.path()).contains("no file"));
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.xml");
        let text = saved(&path);
        for length in [0, 1, text.len() / 2, text.len() - 10] {
            save(&path, &text[..length]).unwrap();
            assert!(refusal(&path).contains("damaged"), "{length}");
        }
        for (from, to) in [
            ("host_id", "guest_id"),
            ("<i4>2004</i4>", "<i4>99999</i4>"),
            ("123456789@127.0.0.1:2004", "123456789@10.0.0.1:2004"),
            ("notify_pass", "nothing"),
        ] {
            assert!(text.contains(from), "{text}");
            save(&path, &text.replacen(from, to, 1)).unwrap();
            assert!(refusal(&path).contains("satellite 1 of it"), "{from}");
        }
        save(&path, "<params><param><value>x</value></param></params>").unwrap();
        assert!(refusal(&path).contains("one array"));
    }
}

//! What the system's own files say: processes, users, and where it listens.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kozo_access::User;

/// The longest file of the system that is read, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A machine, seen from this process.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// The folder that all its files are in: `/`, but in tests.
    root: PathBuf,
}

/// Somebody on this machine, with what the system lets it do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Its name; its number where it has none.
    pub(super) name: String,
    pub(super) user: User,
    /// The capabilities, a bit for each.
    pub(super) capabilities: u64,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Self {
        Self::at("/")
    }

    /// One whose files are in a folder.
    pub(super) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the file at this absolute path is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text, as far as it is UTF-8.
    pub(super) fn read(&self, path: &str) -> io::Result<String> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(path))?;
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The number in a file.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.read(path).ok()?.trim().parse().ok()
    }

    /// The names in a folder, in order; none where it is not there.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Whether there is something at a path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The processes that can be seen.
    pub(super) fn processes(&self) -> impl Iterator<Item = u32> {
        let names = self.names("/proc").into_iter();
        names.filter_map(|name| name.parse().ok())
    }

    /// What the program of a process is called.
    pub(super) fn program(&self, process: u32) -> Option<String> {
        let name = self.read(&format!("/proc/{process}/comm")).ok()?;
        Some(name.trim_end().to_owned())
    }

    /// The process that started another one.
    pub(super) fn parent(&self, process: u32) -> Option<u32> {
        let status = self.read(&format!("/proc/{process}/status")).ok()?;
        field(&status, "PPid")?.parse().ok()
    }

    /// Whether a program of this name runs.
    pub(super) fn runs(&self, program: &str) -> bool {
        self.processes()
            .any(|process| self.program(process).as_deref() == Some(program))
    }

    /// Whom a process runs as.
    pub(super) fn person_of(&self, process: u32) -> Option<Person> {
        let status = self.read(&format!("/proc/{process}/status")).ok()?;
        // Real, effective, saved and that of file systems.
        let effective = |name| {
            field(&status, name)?
                .split_whitespace()
                .nth(1)?
                .parse()
                .ok()
        };
        let mut groups: BTreeSet<u32> = field(&status, "Groups")?
            .split_whitespace()
            .filter_map(|group| group.parse().ok())
            .collect();
        groups.extend(effective("Gid"));
        let id = effective("Uid")?;
        let capabilities = field(&status, "CapEff")
            .and_then(|text| u64::from_str_radix(text, 16).ok())
            .unwrap_or_default();
        Some(Person {
            name: self.user_name(id).unwrap_or_else(|| id.to_string()),
            user: User { id, groups },
            capabilities,
        })
    }

    /// The user of this name (or number), with its groups and these as well. Without capabilities.
    pub(super) fn person_named(&self, name: &str, more: &[String]) -> Option<Person> {
        let users = self.read("/etc/passwd").ok()?;
        let line = rows(&users).find(|row| row[0] == name || row.get(2) == Some(&name))?;
        let id = line.get(2)?.parse().ok()?;
        let mut groups = BTreeSet::from_iter([line.get(3)?.parse().ok()?]);
        for row in rows(&self.read("/etc/group").unwrap_or_default()) {
            let is_member = row
                .get(3)
                .is_some_and(|members| members.split(',').any(|member| member == line[0]));
            if is_member || more.iter().any(|group| group == row[0]) {
                groups.extend(row.get(2).and_then(|id| id.parse::<u32>().ok()));
            }
        }
        Some(Person {
            name: line[0].to_owned(),
            user: User { id, groups },
            capabilities: 0,
        })
    }

    /// What a user is called.
    pub(super) fn user_name(&self, id: u32) -> Option<String> {
        self.name_of(id, "/etc/passwd")
    }

    /// What a group is called; its number where it has no name.
    pub(super) fn group_name(&self, id: u32) -> String {
        self.name_of(id, "/etc/group")
            .unwrap_or_else(|| id.to_string())
    }

    fn name_of(&self, id: u32, file: &str) -> Option<String> {
        let (table, id) = (self.read(file).ok()?, id.to_string());
        let found = rows(&table).find(|row| row.get(2) == Some(&id.as_str()))?;
        Some(found[0].to_owned())
    }
}

impl Person {
    /// Who runs this process, where the system tells nothing else of it.
    pub(super) fn unnamed() -> Self {
        let user = User::of_this_process();
        Self {
            name: user.id.to_string(),
            user,
            capabilities: 0,
        }
    }

    /// Whether it may do everything.
    pub(super) fn is_root(&self) -> bool {
        self.user.id == 0
    }
}

/// The rows of `/etc/passwd` and its like.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().map(|line| line.split(':').collect())
}

/// A line of `/proc/PID/status`.
fn field<'t>(status: &'t str, name: &str) -> Option<&'t str> {
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    lines
        .into_iter()
        .find_map(|(field, value)| (field == name).then_some(value.trim()))
}

/// The folder or file where something is that is not there yet: the nearest one above that is.
pub(super) fn nearest_existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A machine in a folder, with these files.
    pub(in super::super) fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::at(folder.path());
        for (path, text) in files {
            let path = machine.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (folder, machine)
    }

    #[test]
    fn users_have_their_groups_whether_they_run_or_not() {
        let (_folder, machine) = machine(&[
            (
                "/etc/passwd",
                "root:x:0:0::/root:/bin/sh\nkozo:x:998:997::/:/x\n",
            ),
            (
                "/etc/group",
                "kozo:x:997:\ngpio:x:990:kozo,pi\nbluetooth:x:112:\n",
            ),
            (
                "/proc/77/status",
                "Name:\tkozo\nPPid:\t1\nUid:\t998\t998\t998\t998\nGid:\t997\t997\t997\t997\n\
                 Groups:\t990 \nCapEff:\t0000000000000400\n",
            ),
            ("/proc/77/comm", "kozo\n"),
        ]);
        let by_name = machine.person_named("kozo", &["bluetooth".into()]).unwrap();
        assert_eq!(by_name.user.id, 998);
        assert!(by_name.user.groups.iter().eq(&[112, 990, 997]));
        let running = machine.person_of(77).unwrap();
        assert_eq!(running.name, "kozo");
        assert!(running.user.groups.iter().eq(&[990, 997]));
        assert_eq!(running.capabilities, 1 << 10);
        assert!(machine.runs("kozo") && !machine.runs("bluetoothd"));
        assert_eq!(machine.parent(77), Some(1));
        assert_eq!(machine.group_name(5), "5");
        assert_eq!(machine.person_named("nobody", &[]), None);
    }
}

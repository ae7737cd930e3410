//! Who else can read the key of a node, or change what it runs: as the real program, also as another
//! user. That needs root; without it, those tests say so and pass.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use tempfile::TempDir;

/// The user that a daemon would have, and a third one. Nobody has to know their names.
const DAEMON: u32 = 61_001;
const OTHER: u32 = 61_002;

const INVALID: i32 = 3;

/// A folder that everybody may look into, with a network of one node in it.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Self { folder };
        allow(scene.folder.path(), 0o755);
        std::fs::create_dir(scene.path("secrets")).unwrap();
        let made = run(command()
            .args(["keygen", "secrets/key"])
            .current_dir(scene.folder.path()));
        let line = String::from_utf8(made.stdout).unwrap();
        let text = format!("system:\n  attic:\n    privateKey: secrets/key\n    {line}");
        std::fs::write(scene.path("net.yml"), text).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn check(&self) -> Command {
        let mut check = command();
        check.arg("check").arg(self.path("net.yml")).arg("attic");
        check
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
    for variable in [
        "KOZOROLEPATH",
        "KOZOTRANSPORTPATH",
        "KOZOIMPORTPATH",
        "CREDENTIALS_DIRECTORY",
    ] {
        command.env_remove(variable);
    }
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

#[track_caller]
fn assert_taken(command: &mut Command) {
    let output = run(command);
    assert!(output.status.success(), "{output:?}");
}

/// That the command fails, and says this.
#[track_caller]
fn assert_refused(command: &mut Command, why: &str) {
    let output = run(command);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(INVALID), "{said}");
    assert!(said.contains(why), "{why}: {said}");
}

fn said(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{stdout}{stderr}")
}

fn allow(path: impl AsRef<Path>, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn give(path: impl AsRef<Path>, user: u32, group: u32) {
    chown(path, Some(user), Some(group)).unwrap();
}

/// Whether the program can be run by other users; says so if it cannot.
fn can_be_others() -> bool {
    let why = if !rustix::process::geteuid().is_root() {
        "it needs root"
    } else if command()
        .arg("--version")
        .uid(DAEMON)
        .gid(DAEMON)
        .output()
        .is_err()
    {
        "other users may not run the program where it is"
    } else {
        return true;
    };
    eprintln!("skipped: {why}");
    false
}

#[test]
fn a_credential_of_the_service_is_taken_as_a_key() {
    let scene = Scene::new();
    allow(scene.path("secrets/key"), 0o440);
    allow(scene.path("secrets"), 0o500);
    let check = |folder: &str| {
        let mut check = scene.check();
        check.env("CREDENTIALS_DIRECTORY", scene.path(folder));
        check
    };
    assert_taken(&mut check("secrets"));
    // Its folder may be reached over a link, and be further up.
    symlink("secrets", scene.path("link")).unwrap();
    assert_taken(&mut check("link"));
    assert_taken(&mut check(""));
    // Elsewhere such a file can be closed, and has to be.
    for folder in ["secret", "secrets/key/x", "net.yml"] {
        assert_refused(&mut check(folder), "(mode 0440): run `chmod 600");
    }
    assert_refused(&mut scene.check(), "(mode 0440): run `chmod 600");
    // A folder of credentials that anybody may look into is none.
    allow(scene.path("secrets"), 0o755);
    allow(scene.path("secrets/key"), 0o444);
    assert_refused(
        &mut check("secrets"),
        "can be read by others than root and this user (mode 0444",
    );
    allow(scene.path("secrets"), 0o700);
    assert_taken(&mut check("secrets"));
    allow(scene.path("secrets/key"), 0o420);
    assert_refused(&mut check("secrets"), "can be read by others");
    allow(scene.path("secrets/key"), 0o600);
    assert_taken(&mut scene.check());
}

#[test]
fn root_may_share_a_key_with_the_group_of_the_daemon() {
    if !can_be_others() {
        return;
    }
    let scene = Scene::new();
    let key = scene.path("secrets/key");
    let check = || {
        let mut check = scene.check();
        check.uid(DAEMON).gid(DAEMON);
        check
    };
    give(&key, 0, DAEMON);
    for mode in [0o640, 0o440] {
        allow(&key, mode);
        assert_taken(&mut check());
    }
    // Who may write it could put another key there.
    allow(&key, 0o660);
    assert_refused(&mut check(), "can be read by others");
    // Everybody can read it, but for a folder that is closed to all who do not share the group.
    allow(&key, 0o444);
    assert_refused(
        &mut check(),
        "give it the mode 0400, or 0440 with a group of this user",
    );
    give(scene.path("secrets"), 0, DAEMON);
    allow(scene.path("secrets"), 0o750);
    assert_taken(&mut check());
    give(scene.path("secrets"), DAEMON, DAEMON);
    allow(scene.path("secrets"), 0o700);
    assert_taken(&mut check());
    // Whoever owns the folder could open it.
    give(scene.path("secrets"), OTHER, DAEMON);
    allow(scene.path("secrets"), 0o750);
    assert_refused(&mut check(), "can be read by others");
    give(scene.path("secrets"), 0, 0);
    allow(scene.path("secrets"), 0o755);
    // A third user's file is never the daemon's own, whatever its mode.
    give(&key, OTHER, DAEMON);
    allow(&key, 0o440);
    assert_refused(&mut check(), "can be read by others");
    // One's own can be closed.
    give(&key, DAEMON, DAEMON);
    assert_refused(&mut check(), "run `chmod 600");
    allow(&key, 0o400);
    assert_taken(&mut check());
}

/// As systemd lets the user of a service read its credentials: they are root's, and the bits of their
/// group are the mask of an access list.
#[test]
fn an_access_list_may_let_the_daemon_in_and_nobody_else() {
    if !can_be_others() {
        return;
    }
    let scene = Scene::new();
    let key = scene.path("secrets/key");
    let check = || {
        let mut check = scene.check();
        check.uid(DAEMON).gid(DAEMON);
        check
    };
    allow(&key, 0o400);
    match let_read(&key, &[DAEMON]) {
        Ok(()) => {}
        Err(Errno::OPNOTSUPP) => {
            return eprintln!("skipped: there are no access lists here");
        }
        Err(error) => panic!("{error}"),
    }
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o440);
    assert_taken(&mut check());
    let_read(&key, &[DAEMON, OTHER]).unwrap();
    assert_refused(&mut check(), "can be read by others");
    // What keeps the other one out may be such a list, too.
    allow(scene.path("secrets"), 0o500);
    let_read(&scene.path("secrets"), &[DAEMON]).unwrap();
    assert_taken(&mut check());
}

/// Lets these users read a file of root's, or look into a folder, and nobody else.
fn let_read(path: &Path, users: &[u32]) -> Result<(), Errno> {
    const NOBODY: u32 = u32::MAX;
    let mut list = 2_u32.to_le_bytes().to_vec();
    let mut entry = |tag: u16, bits: u16, id: u32| {
        list.extend(tag.to_le_bytes());
        list.extend(bits.to_le_bytes());
        list.extend(id.to_le_bytes());
    };
    let bits = if path.is_dir() { 5 } else { 4 };
    entry(0x01, bits, NOBODY);
    users.iter().for_each(|&user| entry(0x02, bits, user));
    entry(0x04, 0, NOBODY);
    entry(0x10, bits, NOBODY);
    entry(0x20, 0, NOBODY);
    rustix::fs::setxattr(path, "system.posix_acl_access", &list, XattrFlags::empty())
}

/// What `kozo modules` says of `more/roles/timer.so`, or of a link to it.
struct Modules {
    folder: TempDir,
}

impl Modules {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let modules = Self { folder };
        for part in ["", "more", "more/roles"] {
            std::fs::create_dir_all(modules.path(part)).unwrap();
            allow(modules.path(part), 0o755);
        }
        std::fs::write(modules.file(), "this is a text").unwrap();
        allow(modules.file(), 0o644);
        modules
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("more/roles/timer.so")
    }

    fn listed(&self, folder: &str, user: u32) -> String {
        let mut list = command();
        list.arg("modules").env("KOZOROLEPATH", self.path(folder));
        if user != 0 {
            list.uid(user).gid(user);
        }
        said(&run(&mut list))
    }

    /// That it is refused for what somebody may do with this path.
    #[track_caller]
    fn assert_refused(&self, folder: &str, user: u32, path: &str, why: &str) {
        let path = self.path(path);
        let listed = self.listed(folder, user);
        let expected = why.replace("PATH", path.to_str().unwrap());
        assert!(
            listed.contains(&format!("refused: {expected}")),
            "{expected}: {listed}"
        );
    }

    /// That it is refused for what it is: a text.
    #[track_caller]
    fn assert_read(&self, folder: &str, user: u32) {
        let listed = self.listed(folder, user);
        assert!(
            !listed.contains("belongs to") && !listed.contains("may write"),
            "{listed}"
        );
        assert!(listed.contains("refused"), "{listed}");
    }
}

const BELONGS: &str = "`PATH` belongs to the user 61002, who may change it";
const BY_ALL: &str = "every user may write to `PATH`";
const BY_GROUP: &str = "others than root may write to `PATH`";

#[test]
fn root_runs_no_module_that_somebody_else_can_change() {
    if !can_be_others() {
        return;
    }
    let modules = Modules::new();
    modules.assert_read("more/roles", 0);
    for part in ["more/roles/timer.so", "more/roles", "more"] {
        let path = modules.path(part);
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        give(&path, OTHER, 0);
        modules.assert_refused("more/roles", 0, part, BELONGS);
        give(&path, 0, OTHER);
        modules.assert_read("more/roles", 0);
        allow(&path, mode | 0o020);
        modules.assert_refused("more/roles", 0, part, BY_GROUP);
        give(&path, 0, 0);
        modules.assert_read("more/roles", 0);
        allow(&path, mode | 0o002);
        modules.assert_refused("more/roles", 0, part, BY_ALL);
        allow(&path, mode);
    }
    // Where many may write, the sticky bit keeps them from what is not theirs.
    allow(modules.path("more"), 0o1777);
    modules.assert_read("more/roles", 0);
    allow(modules.path("more"), 0o755);
    allow(modules.path("more/roles"), 0o1777);
    modules.assert_refused("more/roles", 0, "more/roles", BY_ALL);
}

#[test]
fn links_to_modules_are_followed_as_the_system_does() {
    if !can_be_others() {
        return;
    }
    let modules = Modules::new();
    for folder in ["links", "open"] {
        std::fs::create_dir(modules.path(folder)).unwrap();
        allow(modules.path(folder), 0o755);
    }
    // `links/timer.so` leads over `open/timer.so` to the file.
    symlink("../more/roles/timer.so", modules.path("open/timer.so")).unwrap();
    symlink("../open/timer.so", modules.path("links/timer.so")).unwrap();
    symlink("links", modules.path("folder")).unwrap();
    for folder in ["links", "folder"] {
        modules.assert_read(folder, 0);
        for part in ["more", "more/roles", "more/roles/timer.so", "open", "links"] {
            give(modules.path(part), OTHER, 0);
            modules.assert_refused(folder, 0, part, BELONGS);
            give(modules.path(part), 0, 0);
        }
        allow(modules.path("open"), 0o777);
        modules.assert_refused(folder, 0, "open", BY_ALL);
        allow(modules.path("open"), 0o755);
    }
    // A link that somebody else may replace.
    std::os::unix::fs::lchown(modules.path("folder"), Some(OTHER), Some(0)).unwrap();
    modules.assert_refused("folder", 0, "folder", BELONGS);
}

#[test]
fn others_than_root_run_their_own_modules_and_those_of_root() {
    if !can_be_others() {
        return;
    }
    let modules = Modules::new();
    modules.assert_read("more/roles", DAEMON);
    give(modules.file(), DAEMON, DAEMON);
    modules.assert_read("more/roles", DAEMON);
    give(modules.path("more/roles"), DAEMON, DAEMON);
    modules.assert_read("more/roles", DAEMON);
    give(modules.file(), OTHER, OTHER);
    modules.assert_refused("more/roles", DAEMON, "more/roles/timer.so", BELONGS);
    give(modules.file(), DAEMON, DAEMON);
    give(modules.path("more/roles"), OTHER, OTHER);
    modules.assert_refused("more/roles", DAEMON, "more/roles", BELONGS);
}

#[test]
fn who_can_change_the_network_file_is_told_by_check_and_run_alike() {
    if !can_be_others() {
        return;
    }
    let scene = Scene::new();
    let file = scene.path("net.yml");
    let shown = file.display();
    // It does not start for want of the key, and has told what it warns of before.
    std::fs::remove_file(scene.path("secrets/key")).unwrap();
    let mut start = command();
    start
        .arg("run")
        .arg(&file)
        .arg("attic")
        .arg("--control")
        .arg(scene.path("socket"));
    let said_by = |command: &mut Command| said(&run(command));
    let every = format!("every user may write to `{shown}`");
    let belongs = format!("`{shown}` belongs to the user {OTHER}");
    for text in [said_by(&mut scene.check()), said_by(&mut start)] {
        assert!(
            !text.contains("may write") && !text.contains("belongs to"),
            "{text}"
        );
        assert!(text.contains("there is no private key"), "{text}");
    }
    allow(&file, 0o666);
    for command in [&mut scene.check(), &mut start] {
        assert_refused(command, &every);
        assert!(
            said_by(command).to_lowercase().contains("error"),
            "{command:?}"
        );
    }
    // Only told of: the node would start.
    allow(&file, 0o644);
    give(&file, OTHER, 0);
    let text = said_by(&mut scene.check());
    assert!(
        text.contains(&format!("warning: {shown}: {belongs}")),
        "{text}"
    );
    let text = said_by(&mut start);
    assert!(text.contains("WARN") && text.contains(&belongs), "{text}");
    let text = said_by(scene.check().uid(DAEMON).gid(DAEMON));
    assert!(
        text.contains(&format!("warning: {shown}: {belongs}")),
        "{text}"
    );
    let text = said_by(scene.check().uid(OTHER).gid(OTHER));
    assert!(!text.contains("belongs to"), "{text}");
    // Its folder, and one further up.
    give(&file, 0, 0);
    allow(scene.folder.path(), 0o777);
    let every = format!(
        "every user may write to `{}`",
        scene.folder.path().display()
    );
    assert_refused(&mut scene.check(), &every);
    assert_refused(&mut start, &every);
    // The sticky bit keeps a file by this name from all others, as in `/tmp`.
    allow(scene.folder.path(), 0o1777);
    let text = said_by(&mut scene.check());
    assert!(!text.contains("may write"), "{text}");
    assert!(text.contains("1 error, 0 warnings"), "{text}");
}

#[test]
fn a_doctor_who_may_not_see_the_key_says_so() {
    if !can_be_others() {
        return;
    }
    let scene = Scene::new();
    give(scene.path("secrets/key"), DAEMON, DAEMON);
    let doctor = |user: u32| {
        let mut doctor = command();
        doctor.arg("doctor").arg(scene.path("net.yml"));
        said(&run(doctor.arg("attic").uid(user).gid(user)))
    };
    let (of_other, of_daemon) = (doctor(OTHER), doctor(DAEMON));
    let hidden = "this user may not read it";
    assert!(of_daemon.contains("it fits `publicKey`"), "{of_daemon}");
    assert!(!of_daemon.contains(hidden), "{of_daemon}");
    // Whom the daemon runs as, nothing says here: it may well be somebody else.
    assert!(of_other.contains(hidden), "{of_other}");
    assert!(!of_other.contains("FAULT"), "{of_other}");
}

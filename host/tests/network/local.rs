//! What is wrong on the machine itself: keys, ports, folders, modules. Each message is the whole of
//! what `kozo run` prints; `kozo check` says the same of what it can see.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use kozo_auth::keys::{self, NewKey};

use super::process::wait_until;
use super::scene::{Scene, gate_folder, start_with_roles};

/// The exit code and the standard error output of a command that ends.
fn kozo(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .env_remove("JOURNAL_STREAM")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

/// What `kozo run` says, and that `kozo check` says it too.
fn refused(file: &Path, node: &str, check_code: i32) -> (i32, String) {
    let file = file.to_str().unwrap();
    let (code, text) = kozo(&["run", file, node]);
    let (checked, report) = kozo(&["check", file, node]);
    assert_eq!(checked, check_code, "{report}");
    let reason = text.trim().strip_prefix("error: ").unwrap_or(&text);
    assert!(report.contains(reason), "run: {text}\ncheck: {report}");
    (code, text)
}

/// Changes the key file and expects this message, in which PATH is its path.
fn key_refused(change: impl FnOnce(&Path), message: &str) {
    let scene = Scene::new(&["clock"]);
    let key = scene.key_path("clock");
    change(&key);
    let (code, text) = refused(&scene.write(), "clock", 3);
    let expected = message.replace("PATH", &key.display().to_string());
    assert_eq!((code, text), (5, format!("error: {expected}\n")));
}

fn ssh_keygen(arguments: &[&str], key: &Path) {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .arg("-f")
        .arg(key)
        .output();
    assert!(output.unwrap().status.success());
}

#[test]
fn what_is_wrong_with_a_private_key_is_said_with_what_to_do_about_it() {
    key_refused(
        |key| std::fs::remove_file(key).unwrap(),
        "there is no private key at `PATH`: make one there with `kozo keygen PATH`, or correct `privateKey`",
    );
    key_refused(
        |key| std::fs::set_permissions(key, PermissionsExt::from_mode(0o644)).unwrap(),
        "the private key `PATH` is open to others than its owner (mode 0644): run `chmod 600 PATH`, \
         and make a new key if somebody may have read it",
    );
    key_refused(
        |key| std::fs::write(key, "no key\n").unwrap(),
        "`PATH` holds no private key that can be read (it has no `BEGIN … PRIVATE KEY` line)",
    );
    key_refused(
        |key| ssh_keygen(&["-q", "-p", "-P", "", "-N", "secret"], key),
        "the private key `PATH` is protected by a passphrase, which nobody can type for a daemon: \
         remove it with `ssh-keygen -p -N '' -f PATH`",
    );
    key_refused(
        |key| {
            std::fs::copy(keys::public_path(key), key).unwrap();
        },
        "`PATH` holds a public key: `privateKey` must name the private one",
    );
    key_refused(
        |key| {
            std::fs::remove_file(key).unwrap();
            std::fs::create_dir(key).unwrap();
        },
        "`PATH` is not a file: `privateKey` must name the file that holds the private key",
    );
}

#[test]
fn a_private_key_that_this_user_may_not_read_is_named() {
    if rustix::process::geteuid().is_root() {
        super::process::skipped("root may read everything");
        return;
    }
    key_refused(
        |key| std::fs::set_permissions(key, PermissionsExt::from_mode(0o000)).unwrap(),
        "cannot read the private key `PATH`: Permission denied (os error 13)",
    );
}

#[test]
fn a_key_that_is_another_nodes_is_told_by_its_fingerprint() {
    let scene = Scene::new(&["clock"]);
    let other = keys::generate(NewKey::Ed25519, "other").unwrap();
    let key = scene.key_path("clock");
    std::fs::remove_file(&key).unwrap();
    std::fs::remove_file(keys::public_path(&key)).unwrap();
    keys::write_private(&key, &other).unwrap();
    let (code, text) = refused(&scene.write(), "clock", 3);
    let expected = format!(
        "error: the private key ({}) does not belong to the node: its `publicKey` is {}; correct one of them\n",
        keys::fingerprint(other.public_key()),
        keys::fingerprint(scene.key("clock").public_key()),
    );
    assert_eq!((code, text), (5, expected));
}

#[test]
fn two_nodes_with_one_key_and_a_node_that_is_not_there_are_refused() {
    let scene = Scene::new(&["clock", "scribe"]);
    let line = |node: &str| keys::public_line(scene.key(node));
    let text = scene.text().replace(&line("scribe"), &line("clock"));
    let file = scene.write_as("twins.yml", &text);
    let (code, said) = refused(&file, "clock", 3);
    assert_eq!(code, 3);
    assert!(
        said.contains("clock") && said.contains("scribe") && said.contains("same"),
        "{said}"
    );
    let (code, said) = kozo(&["run", scene.write().to_str().unwrap(), "scibe"]);
    assert_eq!(code, 4);
    assert!(
        said.contains("`scibe`") && said.contains("`scribe`"),
        "{said}"
    );
}

#[test]
fn a_module_that_is_missing_is_named_with_the_folders_that_were_searched() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "sundial", "{}");
    let (code, text) = refused(&scene.write(), "clock", 3);
    assert_eq!(code, 3);
    assert!(text.contains("`sundial`"), "{text}");
    assert!(
        text.contains("rolePath") || text.contains("KOZOROLEPATH"),
        "{text}"
    );
    // For another node it is no reason not to start.
    let mut scribe = scene.start("scribe");
    scribe.wait_for_text("start", "`sundial`");
    scribe.wait_for_text("kozo", "started");
}

#[test]
fn a_port_that_is_taken_is_named_and_tried_again_while_the_daemon_goes_on() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.node_option("scribe", "selfToOthersConnectPolicy: never");
    let other = TcpListener::bind(("127.0.0.1", scene.port("clock"))).unwrap();
    let mut clock = scene.start("clock");
    let said = clock.wait_for_text("transport", "cannot listen");
    let said = said["message"].as_str().unwrap();
    assert!(said.contains(&scene.port("clock").to_string()), "{said}");
    assert!(said.contains("in use"), "{said}");
    // Its links to others are made meanwhile.
    let _scribe = scene.start("scribe");
    clock.wait_for_link("scribe");
    drop(other);
    clock.wait_for_text("transport", "listening on");
}

#[test]
fn a_storage_folder_that_cannot_be_is_refused_at_the_start() {
    let mut scene = Scene::new(&["clock"]);
    scene.role("clock", "cuckoo", "{}");
    std::fs::write(scene.storage("clock"), "").unwrap();
    let (code, text) = kozo(&["run", scene.write().to_str().unwrap(), "clock"]);
    let expected = format!(
        "error: `{}` (`roleStorage`) is not a folder: name one\n",
        scene.storage("clock").display()
    );
    assert_eq!((code, text), (5, expected));
    std::fs::remove_file(scene.storage("clock")).unwrap();
    let text = scene.text().replace("clock-storage", "no/where/storage");
    let file = scene.write_as("nowhere.yml", &text);
    std::fs::write(scene.folder().join("no"), "").unwrap();
    let (code, text) = kozo(&["run", file.to_str().unwrap(), "clock"]);
    assert_eq!(code, 5);
    assert!(text.contains("no/where/storage` (`roleStorage`)"), "{text}");
    assert!(
        text.contains("give it to the user that runs `kozo`"),
        "{text}"
    );
}

#[test]
fn a_storage_folder_that_cannot_be_is_a_warning_where_no_role_stores_things() {
    let mut scene = Scene::new(&["clock"]);
    scene.role("clock", "timer", "{}");
    std::fs::write(scene.storage("clock"), "").unwrap();
    let reason = format!(
        "`{}` (`roleStorage`) is not a folder: name one",
        scene.storage("clock").display()
    );
    let (code, report) = kozo(&["check", scene.write().to_str().unwrap(), "clock"]);
    assert_eq!(code, 0, "{report}");
    assert!(report.contains(&reason), "{report}");
    let mut clock = scene.start("clock");
    clock.wait_for_text("storage", &reason);
    clock.wait_for_text("kozo", "started");
}

/// A disk of one page, gone when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// None when this user may not mount it.
    fn mount(folder: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4k,mode=0700", "tmpfs"])
            .arg(folder)
            .output();
        let done = mounted.is_ok_and(|output| output.status.success());
        done.then_some(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: a daemon that is being killed may still use it.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).output();
    }
}

#[test]
fn a_storage_folder_on_a_full_disk_costs_the_role_its_memory_and_nothing_else() {
    let mut scene = Scene::new(&["clock"]);
    scene.role("clock", "cuckoo", "{}");
    scene.role("clock", "timer", "{tick: 0.1}");
    let folder = scene.storage("clock");
    std::fs::create_dir(&folder).unwrap();
    let Some(_disk) = SmallDisk::mount(&folder) else {
        super::process::skipped("this user may not mount a small disk");
        return;
    };
    // The one page that it has is taken.
    std::fs::write(folder.join("filler"), vec![0; 4096]).unwrap();
    let mut clock = scene.start("clock");
    let failed = clock.wait_for("storing fails", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("No space left"))
    });
    let text = failed["message"].as_str().unwrap();
    assert!(text.contains("clock.cuckoo.kozo"), "{text}");
    clock.wait_for_text("role", "Cuckoo!");
    std::fs::remove_file(folder.join("filler")).unwrap();
    wait_until("there is room, and it stores again", || {
        folder.join("clock.cuckoo.kozo").exists().then_some(())
    });
    clock.kill();
}

#[test]
fn a_role_path_comes_before_the_shipped_modules_and_the_log_says_what_it_hides() {
    let mut scene = Scene::new(&["hall"]);
    scene.role("hall", "gate", "{}");
    // The same module twice: once by the file, once by the environment.
    let nearer = scene.folder().join("roles");
    std::fs::create_dir(&nearer).unwrap();
    std::fs::copy(gate_folder().join("libgate.so"), nearer.join("libgate.so")).unwrap();
    scene.option("rolePath", "roles");
    let mut by_file = scene.start("hall");
    by_file.wait_for_text("kozo", "started");
    drop(by_file);
    let mut by_both = start_with_roles(&scene.write(), "hall", &gate_folder());
    by_both.wait_for("one hides the other", |line| {
        let text = line.to_string();
        text.contains(nearer.to_str().unwrap()) && text.contains("gate/libgate.so")
    });
}

#[test]
fn the_example_of_the_manual_is_valid_with_the_shipped_modules() {
    // For the modules, which are built for the scene.
    let _scene = Scene::new(&[]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manual.yaml");
    let (code, text) = kozo(&["check", file.to_str().unwrap()]);
    assert_eq!((code, text.as_str()), (0, "0 errors, 0 warnings\n"));
}

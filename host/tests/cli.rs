//! The command line, as the real program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG/rmCrM8J69xo8l6Ge7BLSiFmyJA9CWAiwEDJoBalpF";

/// Exit codes, as `kozo --help` has them.
const USAGE: i32 = 1;
const UNREADABLE: i32 = 2;
const INVALID: i32 = 3;
const UNKNOWN_NODE: i32 = 4;
const OTHER: i32 = 5;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
    for variable in [
        "KOZOROLEPATH",
        "KOZOTRANSPORTPATH",
        "KOZOIMPORTPATH",
        "JOURNAL_STREAM",
    ] {
        command.env_remove(variable);
    }
    command
}

fn kozo<'a>(words: impl IntoIterator<Item = &'a str>) -> Done {
    let output = command().args(words).output();
    Done::new(output.expect("the program starts"))
}

/// A program that has ended.
#[derive(Debug)]
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Done {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ends the program"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    fn succeeds(self) -> Self {
        self.fails(0)
    }
}

/// A folder with files in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A valid file of a network with two nodes, one of which has a key.
    fn network(&self) -> String {
        let made = kozo(["keygen", &self.path("key"), "--comment", "clock"]).succeeds();
        self.write(
            "net.yaml",
            &format!(
                "system:\n  clock:\n    privateKey: key\n    {}  scribe:\n    privateKey: key\n    publicKey: {KEY}\n",
                made.stdout
            ),
        )
    }
}

fn mode(path: impl AsRef<Path>) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for words in [
        &["net.yaml"][..],
        &["net.yaml", "clock", "scribe"],
        &["run"],
        &["check"],
        &["--nonsense"],
        &["check", "net.yaml", "--nonsense"],
        &["net.yaml", "a node"],
        &["--log", "loud", "modules"],
        &["--log-format", "xml", "modules"],
        &["keygen", "key", "--type", "dsa"],
        &["demo", "--run-for", "0"],
    ] {
        let done = kozo(words.iter().copied()).fails(USAGE);
        assert!(done.stderr.contains("error: "), "{words:?}: {done:?}");
        assert_eq!(done.stdout, "");
    }
    // Nothing at all gets the whole help.
    assert!(kozo([]).fails(USAGE).stderr.contains("Exit codes:"));
}

#[test]
fn a_slip_in_a_command_gets_the_right_one() {
    let done = kozo(["chekc", "net.yaml"]).fails(USAGE);
    assert_eq!(
        done.stderr,
        "error: there is no file `chekc` and no command of that name: did you mean `kozo check`?\n"
    );
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    let version = kozo(["--version"]).succeeds();
    assert_eq!(
        version.stdout,
        concat!("kozo ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let commands = [
        "run", "check", "keygen", "modules", "seal", "status", "why", "roles", "demo",
    ];
    let main = kozo(["--help"]).succeeds();
    for command in commands {
        assert!(main.stdout.contains(&format!("  {command} ")), "{command}");
        let help = kozo([command, "--help"]).succeeds();
        for text in [&main.stdout, &help.stdout] {
            assert!(text.contains("Exit codes:"), "{command}: {text}");
            for code in 0..=5 {
                assert!(text.contains(&format!("\n  {code}  ")), "{command}: {code}");
            }
        }
    }
    assert!(main.stdout.contains("kozo [OPTIONS] <CONFIG> <NODE>"));
}

#[test]
fn a_file_that_is_not_there_is_reported_in_either_form() {
    let folder = Folder::new();
    let missing = folder.path("net.yaml");
    for words in [
        &[&missing, "clock"][..],
        &["run", &missing, "clock"],
        &["--log", "debug", &missing, "clock"],
    ] {
        let done = kozo(words.iter().copied()).fails(UNREADABLE);
        let expected = format!("error: {missing}: there is no such file");
        assert!(done.stderr.starts_with(&expected), "{done:?}");
    }
    let done = kozo(["check", &missing]).fails(UNREADABLE);
    assert!(done.stdout.ends_with("1 error, 0 warnings\n"), "{done:?}");
}

#[test]
fn a_broken_file_is_reported_with_line_and_column() {
    let folder = Folder::new();
    let file = folder.write("net.yaml", "system:\n  clock: [1, 2\n");
    let done = kozo([&file, "clock"]).fails(INVALID);
    assert!(
        done.stderr.starts_with(&format!("error: {file}:2:10: ")),
        "{done:?}"
    );
}

#[test]
fn an_unknown_node_gets_the_one_that_was_probably_meant() {
    let folder = Folder::new();
    let file = folder.network();
    for words in [&[&file, "clokc"][..], &["check", &file, "clokc"]] {
        let done = kozo(words.iter().copied()).fails(UNKNOWN_NODE);
        let text = done.stdout + &done.stderr;
        assert!(text.contains("did you mean `clock`?"), "{text}");
    }
}

#[test]
fn what_keeps_a_node_from_starting_is_json_when_the_log_is() {
    let folder = Folder::new();
    let file = folder.write("net.yaml", "system:\n  clock:\n    colour: red\n");
    let done = kozo(["--log-format", "json", &file, "clock"]).fails(INVALID);
    let lines: Vec<Value> = done
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let unknown = lines.iter().find(|line| {
        let message = line["message"].as_str().unwrap();
        message.starts_with(&format!("{file}:3:5: system.clock.colour: "))
    });
    let unknown = unknown.unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(unknown["level"], "ERROR");
    assert_eq!(unknown["target"], "start");
    assert!(unknown["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_good_file_has_nothing_to_report() {
    let folder = Folder::new();
    let file = folder.network();
    for words in [&["check", &file][..], &["check", &file, "clock"]] {
        let done = kozo(words.iter().copied()).succeeds();
        assert_eq!(done.stdout, "0 errors, 0 warnings\n");
        assert_eq!(done.stderr, "");
    }
}

#[test]
fn the_private_key_is_checked_for_the_local_node_only() {
    let folder = Folder::new();
    let file = folder.network();
    kozo(["check", &file]).succeeds();
    let done = kozo(["check", &file, "scribe"]).fails(INVALID);
    let expected =
        format!("error: {file}:6:17: system.scribe.privateKey: the private key (SHA256:");
    assert!(done.stdout.starts_with(&expected), "{done:?}");
    assert!(done.stdout.ends_with("1 error, 0 warnings\n"), "{done:?}");
}

#[test]
fn a_missing_module_is_an_error_where_it_is_needed_and_a_warning_elsewhere() {
    let folder = Folder::new();
    let file = folder.network();
    let text = std::fs::read_to_string(&file).unwrap() + "    roles:\n      no-such-role:\n";
    std::fs::write(&file, text).unwrap();
    let done = kozo(["check", &file, "clock"]).succeeds();
    assert!(done.stdout.contains("no-such-role"), "{done:?}");
    assert!(done.stdout.ends_with("0 errors, 1 warning\n"), "{done:?}");
    let modules = folder.path("modules");
    let done = kozo(["check", &file, "scribe", "--modules", &modules]).fails(INVALID);
    assert!(done.stdout.contains(&modules), "{done:?}");
}

#[test]
fn the_storage_of_the_local_node_is_checked() {
    let folder = Folder::new();
    let file = folder.network();
    let text = std::fs::read_to_string(&file).unwrap();
    let with_storage = |storage: &str| {
        let line = format!("    privateKey: key\n    roleStorage: {storage}\n");
        folder.write(
            "net.yaml",
            &text.replacen("    privateKey: key\n", &line, 1),
        )
    };
    with_storage("storage");
    kozo(["check", &file, "clock"]).succeeds();
    // No role of this node needs it.
    with_storage("net.yaml");
    let done = kozo(["check", &file, "clock"]).succeeds();
    assert!(done.stdout.starts_with("warning: "), "{done:?}");
    assert!(done.stdout.contains("is not a folder"), "{done:?}");
}

#[test]
fn addresses_are_told_where_a_transport_makes_them_up() {
    let folder = Folder::new();
    let file = folder.network();
    let done = kozo(["address", &file, "clock"]).fails(OTHER);
    assert!(
        done.stderr
            .contains("no transport of `clock` makes its address up"),
        "{done:?}"
    );
    kozo(["address", &file, "nobody"]).fails(UNKNOWN_NODE);
}

#[test]
fn findings_are_a_document_of_json_on_request() {
    let folder = Folder::new();
    let file = folder.write("net.yaml", "system:\n  clock:\n    colour: red\n");
    let done = kozo(["check", "--json", &file]).fails(INVALID);
    let findings: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(findings["file"], file.as_str());
    assert_eq!(findings["omitted"], 0);
    assert_eq!(findings["warnings"], 0);
    let problems = findings["problems"].as_array().unwrap();
    assert_eq!(findings["errors"], problems.len());
    let unknown = problems
        .iter()
        .find(|problem| problem["path"] == "system.clock.colour")
        .unwrap();
    assert_eq!(unknown["severity"], "error");
    assert_eq!(unknown["place"]["line"], 3);
    assert_eq!(unknown["place"]["column"], 5);

    let missing = folder.path("missing.yaml");
    let done = kozo(["check", "--json", &missing]).fails(UNREADABLE);
    let findings: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(findings["errors"], 1);
}

#[test]
fn new_keys_belong_to_their_owner_and_are_never_overwritten() {
    let folder = Folder::new();
    for (kind, algorithm) in [
        ("ed25519", "ssh-ed25519"),
        ("ecdsa", "ecdsa-sha2-nistp256"),
        ("rsa", "ssh-rsa"),
    ] {
        let path = folder.path(kind);
        let words = ["keygen", &path, "--type", kind, "--comment", "the clock"];
        let made = kozo(words).succeeds();
        assert_eq!(mode(&path), 0o600);
        let public = std::fs::read_to_string(format!("{path}.pub")).unwrap();
        assert!(public.starts_with(algorithm), "{public}");
        assert!(public.ends_with(" the clock\n"), "{public}");
        assert_eq!(made.stdout, format!("publicKey: {public}"));
        assert!(made.stderr.contains(&format!("{path}.pub")), "{made:?}");

        let before = std::fs::read(&path).unwrap();
        let again = kozo(words).fails(OTHER);
        assert!(again.stderr.contains("is not overwritten"), "{again:?}");
        assert_eq!(again.stdout, "");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn the_line_of_a_member_is_printed_of_a_key_that_is_there_already() {
    let folder = Folder::new();
    let path = folder.path("node.key");
    let words = ["keygen", &path, "--comment", "made by a package"];
    let made = kozo(words).succeeds();
    let public = made.stdout.strip_prefix("publicKey: ").unwrap();
    let before = std::fs::read(&path).unwrap();
    let line = kozo(["keygen", &path, "--member", "field-01"]).succeeds();
    assert_eq!(line.stdout, format!("field-01 {public}"));
    assert!(line.stderr.contains("there already"), "{line:?}");
    let words = ["keygen", &path, "--member", "field-01", "--comment", "gate"];
    let renamed = kozo(words).succeeds().stdout;
    assert_eq!(renamed, line.stdout.replace("made by a package", "gate"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, "no key").unwrap();
    kozo(["keygen", &path, "--member", "field-01"]).fails(OTHER);
}

#[test]
fn a_password_is_hashed_for_the_file() {
    let hashed = |password: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
        command.arg("password").stdin(Stdio::piped());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), password.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let made = hashed("correct horse\n");
    let line = String::from_utf8(made.stdout).unwrap();
    assert!(line.starts_with("password: '$argon2id$v=19$"), "{line}");
    assert!(!line.contains("horse") && line.ends_with("'\n"), "{line}");
    let refused = hashed("short\n");
    assert_eq!(refused.status.code(), Some(OTHER));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("fewer than 8 characters"), "{said}");
}

#[test]
fn without_a_comment_a_key_says_whose_machine_made_it() {
    let folder = Folder::new();
    let made = kozo(["keygen", &folder.path("key")]).succeeds();
    assert!(made.stdout.contains(" kozo@"), "{made:?}");
}

#[test]
fn names_of_files_and_texts_in_them_cannot_order_a_terminal_about() {
    let folder = Folder::new();
    let harmful = |c: char| c != '\n' && kozo_ground::text::is_harmful(c);
    let missing = folder.path("\x1b[2J\u{202e}.yml");
    let done = kozo(["check", &missing]).fails(2);
    let said = done.stdout + &done.stderr;
    assert!(said.contains("\\u{1b}[2J\\u{202e}.yml"), "{said}");
    assert!(!said.contains(harmful), "{said:?}");

    let odd = folder.write("odd.yml", "system: {\"\u{202e}\\e[2J\": 1}\n\u{202e}: 2\n");
    for words in [vec!["check", odd.as_str()], vec!["check", "--json", &odd]] {
        let done = kozo(words).fails(3);
        assert!(!done.stdout.contains(harmful), "{done:?}");
        assert!(done.stdout.to_lowercase().contains("202e"), "{done:?}");
    }

    folder.write("\x1b[2J\u{9b}.so", "text");
    for words in [
        vec!["modules"],
        vec!["modules", "--json"],
        vec!["modules", "\u{9b}"],
    ] {
        let output = command()
            .args(words)
            .env("KOZOROLEPATH", folder.0.path())
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains(harmful), "{said:?}");
        assert!(said.contains("9b"), "{said:?}");
    }
}

#[test]
fn modules_are_listed_also_as_json() {
    let folder = Folder::new();
    let broken = PathBuf::from(folder.write("broken.so", "this is a text"));
    let with_folder = |words: &[&str]| {
        let output = command()
            .args(words)
            .env("KOZOROLEPATH", broken.parent().unwrap())
            .output();
        Done::new(output.unwrap())
    };
    let table = with_folder(&["modules"]).succeeds().stdout;
    assert!(table.starts_with("KIND "), "{table}");
    assert!(table.contains("refused"), "{table}");

    let rows: Value =
        serde_json::from_str(&with_folder(&["modules", "--json"]).succeeds().stdout).unwrap();
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["path"] == broken.to_str().unwrap());
    assert_eq!(row.unwrap()["state"], "refused");

    let done = with_folder(&["modules", "broken"]).fails(OTHER);
    assert!(
        done.stderr
            .starts_with("error: there is no module `broken` in "),
        "{done:?}"
    );
    assert!(done.stderr.contains("is refused: "), "{done:?}");
}

/// What a file holds is not even looked at.
#[test]
fn run_by_root_modules_that_everybody_may_write_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    if !rustix::process::geteuid().is_root() {
        let reason = "only root refuses modules that everybody may write";
        return writeln!(std::io::stderr(), "skipped: {reason}").unwrap();
    }
    let folder = Folder::new();
    let file = folder.write("timer.so", "this is a text");
    let list = || {
        let output = command()
            .arg("modules")
            .env("KOZOROLEPATH", folder.0.path())
            .output();
        Done::new(output.unwrap()).succeeds().stdout
    };
    let everybody = |path: &str, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    everybody(&file, 0o666);
    let refused = |path: &str| format!("refused: every user may write to `{path}`");
    let remedy = "take that right away with `chmod o-w`";
    let text = list();
    assert!(
        text.contains(&refused(&file)) && text.contains(remedy),
        "{text}"
    );
    everybody(&file, 0o644);
    everybody(&folder.path(""), 0o777);
    let text = list();
    assert!(
        text.contains(&refused(folder.path("").trim_end_matches('/'))),
        "{text}"
    );
}

#[test]
fn a_module_is_described_as_json() {
    let done = kozo(["modules", "timer", "--json"]).succeeds();
    let modules: Value = serde_json::from_str(&done.stdout).unwrap();
    let timer = &modules[0];
    assert_eq!(
        (&timer["kind"], &timer["name"]),
        (&"role".into(), &"timer".into())
    );
    assert_eq!(timer["state"], "usable");
    assert_eq!(timer["storage"], false);
    let option = |name: &str| -> Value {
        let options = timer["options"].as_array().unwrap();
        options
            .iter()
            .find(|option| option["name"] == name)
            .unwrap()
            .clone()
    };
    let tick = option("tick");
    assert_eq!(
        (&tick["type"], &tick["unit"]),
        (&"number".into(), &"seconds".into())
    );
    assert_eq!(tick["required"], false);
    assert!(
        tick["default"].is_number() && tick["minimum"].is_number(),
        "{tick}"
    );
    assert!(!tick["description"].as_str().unwrap().is_empty());

    let done = kozo(["modules", "cuckoo", "--json"]).succeeds();
    let modules: Value = serde_json::from_str(&done.stdout).unwrap();
    // As the author wrote it, with the name of the option.
    let interest = &modules[0]["interests"][0];
    assert_eq!(
        (&interest["kind"], &interest["type"][0]),
        (&"event".into(), &"tick".into())
    );
    assert_eq!(interest["role"][0], "{timer}");

    // What an option lists.
    let done = kozo(["modules", "program", "--json"]).succeeds();
    let modules: Value = serde_json::from_str(&done.stdout).unwrap();
    let listed = serde_json::json!([{"from": "interests"}]);
    assert_eq!(modules[0]["interests"], listed);
    let done = kozo(["modules", "program"]).succeeds();
    let in_words = "  whatever the option `interests` lists\n";
    assert!(done.stdout.ends_with(in_words), "{}", done.stdout);

    let done = kozo(["modules", "tcp", "--json"]).succeeds();
    let modules: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(modules[0]["interests"], Value::Null);
}

#[test]
fn modules_of_the_folders_that_a_network_file_names_are_listed() {
    let folder = Folder::new();
    let file = folder.network();
    for name in ["everywhere", "here"] {
        std::fs::create_dir(folder.path(name)).unwrap();
        folder.write(&format!("{name}/{name}.so"), "this is a text");
    }
    let over = "    overrideMainConfiguration:\n      rolePath: here\n";
    // What else is wrong with the file plays no part.
    let rest = "    colour: red\nrolePath: everywhere\n";
    let text = std::fs::read_to_string(&file).unwrap() + over + rest;
    std::fs::write(&file, text).unwrap();

    let listed = |words: &[&str]| {
        let done = kozo([&["modules"], words].concat()).succeeds();
        ["everywhere.so", "here.so"].map(|name| done.stdout.contains(&format!("/{name}")))
    };
    assert_eq!(listed(&[]), [false, false]);
    assert_eq!(listed(&["--config", &file]), [true, false]);
    assert_eq!(
        listed(&["--config", &file, "--node", "clock"]),
        [true, false]
    );
    assert_eq!(
        listed(&["--config", &file, "--node", "scribe"]),
        [false, true]
    );

    kozo(["modules", "--node", "scribe"]).fails(USAGE);
    kozo(["modules", "--config", &folder.path("gone")]).fails(UNREADABLE);
    let done = kozo(["modules", "--config", &file, "--node", "scrib"]).fails(UNKNOWN_NODE);
    assert!(done.stderr.contains("did you mean `scribe`?"), "{done:?}");
}

#[test]
fn a_folder_of_modules_that_is_not_there_is_a_warning_with_its_place() {
    let folder = Folder::new();
    let file = folder.network();
    std::fs::create_dir(folder.path("there")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let over = "    overrideMainConfiguration: {rolePath: [there, gone]}\n";
    folder.write(
        "net.yaml",
        &format!("{text}{over}transportPath: there:lost\n"),
    );

    let missing = |place: &str, option: &str, name: &str| {
        format!(
            "warning: {file}:{place}: {option}: nothing is looked for in `{}`: there is no such folder\n",
            folder.path(name)
        )
    };
    let lost = missing("9:16", "transportPath", "lost");
    let gone = missing(
        "8:51",
        "system.scribe.overrideMainConfiguration.rolePath",
        "gone",
    );
    let done = kozo(["check", &file]).succeeds();
    assert!(done.stdout.starts_with(&lost), "{done:?}");
    assert!(done.stdout.ends_with("0 errors, 1 warning\n"), "{done:?}");
    let done = kozo(["check", &file, "scribe"]).fails(INVALID);
    assert!(
        done.stdout.contains(&gone) && done.stdout.contains(&lost),
        "{done:?}"
    );
    // The key of that node is another one.
    assert!(done.stdout.ends_with("1 error, 2 warnings\n"), "{done:?}");

    // Beside other mistakes, too.
    folder.write(
        "net.yaml",
        &format!("{text}{over}transportPath: there:lost\ncolour: red\n"),
    );
    let done = kozo(["check", &file]).fails(INVALID);
    assert!(done.stdout.contains(&lost), "{done:?}");

    // The libraries of modules are looked for in folders, too.
    folder.write("net.yaml", &format!("{text}importPath: gone\n"));
    let done = kozo(["check", &file]).succeeds();
    let gone = missing("8:13", "importPath", "gone");
    assert!(done.stdout.starts_with(&gone), "{done:?}");
    assert!(done.stdout.ends_with("0 errors, 1 warning\n"), "{done:?}");
}

#[test]
fn a_file_that_is_passed_over_for_another_module_is_a_warning_of_the_check() {
    let folder = Folder::new();
    let file = folder.network();
    let plain = kozo(["check", &file]).succeeds();
    assert_eq!(plain.stdout, "0 errors, 0 warnings\n");
    std::fs::create_dir(folder.path("mine")).unwrap();
    folder.write("mine/timer.so", "this is a text");
    let expected = format!(
        "warning: {file}: the module file `{}` is not used: it is a text file, not a shared object: give the `.so` that the build makes\n0 errors, 1 warning\n",
        folder.path("mine/timer.so")
    );
    let mine = folder.path("mine");
    let done = kozo(["check", &file, "--modules", &mine]).succeeds();
    assert_eq!(done.stdout, expected);
    // So is a folder that is not there, whoever names it.
    let gone = folder.path("gone");
    let done = kozo(["check", &file, "--modules", &gone]).succeeds();
    let expected =
        format!("warning: {file}: nothing is looked for in `{gone}`: there is no such folder\n");
    assert!(done.stdout.starts_with(&expected), "{done:?}");
    assert!(done.stdout.ends_with("0 errors, 1 warning\n"), "{done:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command()
        .arg("modules")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = Done::new(child.wait_with_output().unwrap()).succeeds();
    assert_eq!(done.stderr, "");
}

//! Cargo, `kozo new`, and networks with other transports than tcp.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::process::last_lines;
use super::scene::Scene;

/// How many of the last lines of each output of a program a failure shows.
const SHOWN_LINES: usize = 6;

/// Panics with what a program said last when it failed.
#[track_caller]
pub(crate) fn check(output: Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let last = |bytes: &[u8]| {
        let text = text(bytes);
        last_lines(text.lines().filter(|line| !line.is_empty()), SHOWN_LINES)
    };
    assert!(
        output.status.success(),
        "{}, at the end of its error output:\n{}\nand of its output:\n{}",
        output.status,
        last(&output.stderr),
        last(&output.stdout)
    );
    text(&output.stdout)
}

/// A crate that `kozo new` made.
pub(crate) struct NewCrate {
    pub(crate) folder: PathBuf,
    library: String,
}

impl NewCrate {
    /// Makes one in `parent`, with the versions of dependencies that Kōzō itself is built with:
    /// those are on this machine, so nothing has to be fetched.
    pub(crate) fn new(parent: &Path, kind: &str, name: &str) -> Self {
        let folder = parent.join(name);
        let made = Command::new(env!("CARGO_BIN_EXE_kozo"))
            .args(["new", kind, name, "--path"])
            .arg(&folder)
            .output()
            .unwrap();
        assert!(check(made).contains(folder.to_str().unwrap()));
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        std::fs::copy(lock, folder.join("Cargo.lock")).unwrap();
        Self {
            folder,
            library: format!("libkozo_{kind}_{}.so", name.replace('-', "_")),
        }
    }

    /// Runs cargo in it. All such crates share one folder for what is built, beside the one that
    /// this test was built in.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> String {
        self.cargo_in(&target(), arguments, &[])
    }

    fn cargo_in(&self, target: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .arg("--offline")
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", target)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        check(output)
    }

    /// Builds it, and puts the shared object alone into `folder`.
    pub(crate) fn install(&self, folder: &Path) {
        self.install_with(folder, &target(), &[]);
    }

    /// The same with another compiler, optimised, so that not even layouts need be alike.
    pub(crate) fn install_from(&self, rustc: &str, folder: &Path) {
        let variables = [("RUSTC", rustc), ("CARGO_PROFILE_DEV_OPT_LEVEL", "3")];
        self.install_with(folder, &target().join("other-rustc"), &variables);
    }

    fn install_with(&self, folder: &Path, target: &Path, variables: &[(&str, &str)]) {
        self.cargo_in(target, &["build"], variables);
        std::fs::create_dir_all(folder).unwrap();
        let built = target.join("debug").join(&self.library);
        std::fs::copy(built, folder.join(&self.library)).unwrap();
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../sdk")
}

/// Builds a module of `fixtures/` and puts it alone into `folder`.
pub(crate) fn install_fixture(name: &str, folder: &Path) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fixtures");
    build_fixture(name, &fixtures().join("Cargo.toml"), &target, folder);
}

/// The same for one that is a workspace of its own.
pub(crate) fn install_own_workspace(name: &str, folder: &Path) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("../fixtures")
        .join(name);
    build_fixture(
        name,
        &fixtures().join(name).join("Cargo.toml"),
        &target,
        folder,
    );
}

fn build_fixture(name: &str, manifest: &Path, target: &Path, folder: &Path) {
    let (profile, profile_folder) = PROFILE;
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--profile", profile, "--package"])
        .arg(format!("fixture-{name}"))
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .output()
        .unwrap();
    check(output);
    let file = format!("libfixture_{}.so", name.replace('-', "_"));
    std::fs::create_dir_all(folder).unwrap();
    let built = target.join(profile_folder).join(&file);
    std::fs::copy(built, folder.join(&file)).unwrap();
}

/// How fixtures are built, and the folder for that: as this test was, so that what is measured with
/// them is of one kind.
const PROFILE: (&str, &str) = match cfg!(debug_assertions) {
    true => ("dev", "debug"),
    false => ("release", "release"),
};

/// The folder of the fixtures' sources.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// Writes the network with another transport in place of tcp at these nodes: one whose option
/// `address` is an address with a port. `more` gives each node's further options, in YAML's flow
/// style.
pub(crate) fn with_transport(
    scene: &Scene,
    nodes: &[&str],
    module: &str,
    more: impl Fn(&str) -> &'static str,
) -> PathBuf {
    let mut text = scene.text();
    for node in nodes {
        let port = scene.port(node);
        let tcp = format!("tcp: {{address: 127.0.0.1, bindAddress: 127.0.0.1, port: {port}}}");
        assert!(text.contains(&tcp));
        let other = format!("{module}: {{address: '127.0.0.1:{port}'{}}}", more(node));
        text = text.replace(&tcp, &other);
    }
    scene.write_as("kozo.yml", &text)
}

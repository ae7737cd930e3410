//! Libraries of modules' own.

use std::path::{Path, PathBuf};
use std::process::Command;

use kozo::modules::{Loader, TrustedWriters};

use crate::support::bench::Bench;
use crate::support::build::{c_library, fixture};
use crate::support::load;
use std::sync::Arc;

const INNER: &str = "libkozo_fixture_inner.so.1";
const OUTER: &str = "libkozo_fixture_outer.so.1";

fn inner(folder: &Path, answer: i32) {
    let code = format!("int kozo_fixture_inner(void) {{ return {answer}; }}");
    let soname = format!("-Wl,-soname,{INNER}");
    c_library(&folder.join(INNER), &code, &[&soname]);
}

fn outer(folder: &Path, soname: &str) {
    let code = "int kozo_fixture_inner(void); int kozo_fixture_outer(void) { return 2 * kozo_fixture_inner(); }";
    let soname = format!("-Wl,-soname,{soname}");
    let inner = tempfile::tempdir().unwrap();
    self::inner(inner.path(), 0);
    let library = inner.path().join(INNER);
    c_library(
        &folder.join(OUTER),
        code,
        &[&soname, library.to_str().unwrap()],
    );
}

fn role() -> Vec<u8> {
    std::fs::read(fixture("role_import")).unwrap()
}

/// A name stands for one library in the whole process, so each test has one of its own.
fn in_own_process(test: &str) -> bool {
    const MARK: &str = "KOZO_TEST_OWN_PROCESS";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stdout.contains("1 passed"), "{stdout}{stderr}");
    false
}

fn load_error(folders: Vec<PathBuf>, trust: TrustedWriters) -> String {
    load(&Loader::new(folders, trust), &role())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_library_and_what_it_needs_are_found_in_the_folders_in_order() {
    if !in_own_process("imports::a_library_and_what_it_needs_are_found_in_the_folders_in_order") {
        return;
    }
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, second, third] = folders.each_ref().map(|folder| folder.path().to_owned());
    inner(&second, 21);
    inner(&third, 1);
    outer(&third, OUTER);
    // One for another machine is passed over, as the system does.
    let mut foreign = std::fs::read(third.join(OUTER)).unwrap();
    foreign = crate::support::for_aarch64(foreign);
    std::fs::write(first.join(OUTER), foreign).unwrap();

    let module = load(
        &Loader::new(vec![first, second, third], TrustedWriters::Any),
        &role(),
    )
    .unwrap();
    let bench = Arc::new(Bench::default());
    module
        .create(bench.clone(), b"\x80")
        .unwrap()
        .run()
        .unwrap();
    assert_eq!(bench.last::<i32>(), 42);
}

#[test]
fn a_missing_library_is_named_with_where_it_was_looked_for() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().display().to_string();
    assert_eq!(
        load_error(vec![empty.path().to_owned()], TrustedWriters::Any),
        format!(
            "it needs the library `{OUTER}`, which is not there: install it, or add its folder to `importPath` \
             (looked in `{folder}`, and where the system keeps its libraries)"
        )
    );
    let text = load_error(Vec::new(), TrustedWriters::Any);
    assert!(text.contains(&format!("`{OUTER}`")), "{text}");
}

#[test]
fn a_missing_library_of_a_library_is_named() {
    let folder = tempfile::tempdir().unwrap();
    outer(folder.path(), OUTER);
    let path = folder.path().join(OUTER);
    let text = load_error(vec![folder.path().to_owned()], TrustedWriters::Any);
    let expected = format!(
        "it needs the library `{}`, which cannot be used: it needs the library `{INNER}`, which is not there",
        path.display()
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn a_library_under_another_name_is_named() {
    let folder = tempfile::tempdir().unwrap();
    outer(folder.path(), "libother.so");
    let text = load_error(vec![folder.path().to_owned()], TrustedWriters::Any);
    let expected = format!(
        "it calls itself `libother.so`, so it cannot stand for `{OUTER}`: link it with `-Wl,-soname,{OUTER}`"
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn a_library_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(OUTER), "INPUT(-lother)\n").unwrap();
    let text = load_error(vec![folder.path().to_owned()], TrustedWriters::Any);
    assert!(
        text.contains("it is a text file, not a shared object"),
        "{text}"
    );
}

#[test]
fn root_takes_no_library_that_everybody_may_write() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    outer(folder.path(), OUTER);
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    let text = load_error(vec![folder.path().to_owned()], TrustedWriters::User(0));
    let expected = format!("every user may write to `{}`", folder.path().display());
    assert!(text.contains(&expected), "{text}");
}

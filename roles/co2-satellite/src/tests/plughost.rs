//! `plughost.py` has tests of its own, in Python, which run under every Python that there is.

use super::pythons;

#[test]
fn plughost_passes_its_own_tests() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plughost/tests.py");
    for python in pythons() {
        let output = std::process::Command::new(&python)
            .args(["-B", tests])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{python}: {said}");
        println!("{python}: {said}");
    }
}

//! The package itself: its own tests, under every Python of this machine, and what it says of itself.

use std::fs;

use super::python::{folder, run, said, versions};

#[test]
fn the_package_passes_its_tests_under_every_python() {
    for python in versions() {
        let tested = said(&run(
            &python,
            &["-W", "error::ResourceWarning", "-m", "unittest"],
            &folder(),
        ));
        assert!(tested.trim_end().ends_with("OK"), "{python}: {tested}");
        assert!(!tested.contains("Ran 0 tests"), "{python}: {tested}");
    }
}

#[test]
fn the_package_has_the_version_of_the_workspace() {
    let text = fs::read_to_string(folder().join("kozo/version.py")).unwrap();
    let expected = format!("VERSION = \"{}\"\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&expected), "{text}");
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let own = fs::read(folder().join(licence)).unwrap();
        assert_eq!(own, fs::read(folder().join("..").join(licence)).unwrap());
    }
}

#[test]
fn everything_that_the_package_offers_is_there() {
    for python in versions() {
        let words = "import kozo, kozo.testing; [getattr(kozo, name) for name in kozo.__all__]";
        said(&run(&python, &["-W", "error", "-c", words], &folder()));
    }
}

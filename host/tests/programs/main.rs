//! Programs as roles: the Python package, what `kozo new` makes in other languages than Rust, and the guide for
//! programs. They need `python3`; without it they say `skipped:` and why.

#[allow(dead_code, reason = "the tests of whole networks use more of it")]
#[path = "../network/process.rs"]
mod process;
#[allow(dead_code, reason = "the tests of whole networks use more of it")]
#[path = "../network/scene.rs"]
mod scene;

mod daemon;
mod guide;
mod new;
mod package;
mod python;

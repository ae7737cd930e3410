//! Programs as roles: the Python package, what `kozo new` makes in other languages than Rust, and the guide for
//! programs. They need `python3`; without it they say `skipped:` and why.

mod package;
mod python;

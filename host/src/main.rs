//! The `kozo` program.
fn main() {}

//! The targets without libFuzzer: their corpora, and mutations that a seed decides.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{fs, io};

use fastrand::Rng;

use crate::mutation::mutated;

/// How many mutations of its corpus a target is tried with.
const RUNS: u64 = 3000;

/// The variable with the one seed to try, which a failure names.
const SEED: &str = "KOZO_SEED";

/// The longest input that is shown whole when it fails, in bytes.
const MAX_SHOWN: usize = 2048;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    body: fn(&[u8]),
    pieces: &'static [&'static str],
}

impl Target {
    pub(crate) const fn new(name: &'static str, body: fn(&[u8])) -> Self {
        Self {
            name,
            body,
            pieces: &[],
        }
    }

    /// The same with texts that mean something to the parser.
    pub(crate) const fn with_pieces(mut self, pieces: &'static [&'static str]) -> Self {
        self.pieces = pieces;
        self
    }

    /// Where the inputs are that it begins with.
    pub fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../corpus")
            .join(self.name)
    }

    /// Tries each input of the corpus and some thousand mutations, or with `KOZO_SEED=N` the one that
    /// has this number.
    ///
    /// # Panics
    /// The body does, or there is no corpus. How to try the input again is printed.
    pub fn replay(&self) {
        let inputs = self
            .inputs()
            .unwrap_or_else(|error| panic!("{}: {error}", self.corpus().display()));
        assert!(!inputs.is_empty(), "{} has no inputs", self.name);
        let contents: Vec<Vec<u8>> = inputs.iter().map(|(_, bytes)| bytes.clone()).collect();
        let seeds = match std::env::var(SEED) {
            Ok(seed) => {
                let seed = seed.parse().expect("KOZO_SEED is a number");
                seed..=seed
            }
            Err(_) => {
                for (path, bytes) in &inputs {
                    self.run(bytes, &format!("the input {}", path.display()));
                }
                0..=RUNS - 1
            }
        };
        for seed in seeds {
            let mut random = Rng::with_seed(seed);
            let bytes = mutated(&mut random, &contents, self.pieces);
            let again = format!("{SEED}={seed} cargo test -p kozo-fuzz-bodies {}", self.name);
            self.run(&bytes, &format!("a mutation; again with `{again}`"));
        }
    }

    fn run(&self, bytes: &[u8], what: &str) {
        if catch_unwind(AssertUnwindSafe(|| (self.body)(bytes))).is_err() {
            let shown = bytes[..bytes.len().min(MAX_SHOWN)].escape_ascii();
            panic!("`{}` fails with {what}:\n{shown}", self.name);
        }
    }

    /// The corpus, in the order of its names: else a seed would not mean the same everywhere.
    fn inputs(&self) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut paths = fs::read_dir(self.corpus())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        let read = |path: PathBuf| fs::read(&path).map(|bytes| (path, bytes));
        paths.into_iter().map(read).collect()
    }
}

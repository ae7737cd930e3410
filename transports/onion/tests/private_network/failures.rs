//! What failed, told at the end: of a long output, the end is what is read.

use std::cell::RefCell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// How many lines are told of all logs together.
const LOG_LINES: usize = 10;

/// How much is told of a line, in characters.
const LINE: usize = 400;

thread_local! {
    /// What the last panic of this thread said, and where.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The failures so far.
pub(crate) struct Failures {
    /// What failed, and why.
    reasons: Vec<(String, String)>,
    /// What the logs of the first one end with: the others often follow from it.
    logs: Vec<String>,
}

impl Failures {
    /// None yet. From now on, panics are kept to be told again.
    pub(crate) fn watch() -> Self {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            SAID.set(panic.to_string());
            usual(panic);
        }));
        Self {
            reasons: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// Does something; none when it panicked.
    pub(crate) fn catch<T>(&mut self, what: &str, run: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(run));
        if result.is_err() {
            let reason = SAID.take().replace('\n', " ");
            self.reasons.push((what.to_owned(), reason));
        }
        result.ok()
    }

    /// Adds how the logs in these folders end.
    pub(crate) fn explain(&mut self, folders: &[PathBuf]) {
        if !self.logs.is_empty() {
            return;
        }
        let logs: Vec<_> = folders.iter().flat_map(|folder| logs_in(folder)).collect();
        for log in &logs {
            let text = fs::read(log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            // What a node says for those who look closer is too much here.
            let lines = text.lines().filter(|line| !line.contains(" DEBUG "));
            let lines: Vec<_> = lines.collect();
            let few = lines.len().min((LOG_LINES / logs.len()).max(1));
            let name = |part: Option<&Path>| part.and_then(Path::file_name).map(ToOwned::to_owned);
            let place: PathBuf = [name(log.parent()), name(Some(log))]
                .iter()
                .flatten()
                .collect();
            for line in &lines[lines.len() - few..] {
                self.logs.push(format!("{}: {line}", place.display()));
            }
        }
        self.logs.truncate(LOG_LINES);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Says it all.
    pub(crate) fn print(&self) {
        for line in &self.logs {
            println!("{}", shortened(line));
        }
        for (what, reason) in &self.reasons {
            println!("FAILED: {what}: {}", shortened(reason));
        }
    }
}

/// The logs of nodes and of Tor in a folder, and in those in it.
fn logs_in(folder: &Path) -> Vec<PathBuf> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_log = path.file_name().is_some_and(|name| name == "log")
            || path.extension().is_some_and(|ending| ending == "log");
        if path.is_dir() {
            logs.extend(logs_in(&path));
        } else if is_log {
            logs.push(path);
        }
    }
    logs.sort();
    logs
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

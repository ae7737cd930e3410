//! Whether a process can load a module, before a role that works is given up for it.

use std::io::{BufReader, Read};
use std::time::Duration;

use super::module::IsolatedModule;
use super::process;
use super::writer::IpcWriter;
use crate::modules::CallError;
use crate::roles::error::RoleError;
use crate::roles::isolated::protocol::{self, FromRole, Start, ToRole};

/// How long it may take: a module is large at most, and the machine busy.
const LIMIT: Duration = Duration::from_secs(5);

/// How much of what such a process writes as its error output is told, in bytes.
const MAX_WORDS: u64 = 1024;

impl IsolatedModule {
    /// Loads the module in a process, and ends that.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub(in crate::roles) fn try_out(&self) -> Result<(), RoleError> {
        let label = format!("{} (trial)", self.name);
        let (mut child, stream, stderr) = process::start(&label)?;
        let unheard = RoleError::system("its process cannot be heard");
        stream.set_read_timeout(Some(LIMIT)).map_err(unheard)?;
        let unshared = RoleError::system("its socket cannot be shared");
        let mut incoming = BufReader::new(stream.try_clone().map_err(unshared)?);
        let start = ToRole::Start(Start {
            is_trial: true,
            ..self.start()
        });
        let writer = IpcWriter::new(stream);
        if writer.start(&start, &self.file.code).is_ok() {
            while let Ok(Some(said)) = protocol::read(&mut incoming) {
                if let FromRole::Done(outcome) = said {
                    outcome.map_err(CallError::Said)?;
                    return Ok(());
                }
            }
        }
        child.handle().kill();
        let how = process::end(&mut child);
        let mut words = Vec::new();
        // What cannot be read is not told.
        let _ = stderr.take(MAX_WORDS).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words);
        let text = format!(
            "the module `{}` cannot be loaded: a process that did {how} {}",
            self.file.path.display(),
            words.trim()
        );
        Err(RoleError::Ended(text))
    }
}

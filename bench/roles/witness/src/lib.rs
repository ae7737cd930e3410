//! Writes down every message as a line of JSON.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use kozo_abi::{Error, InboxLimits, Role, RoleHost, export_role};
use serde::Deserialize;

/// The inbox holds whatever a test sends: what is missing was lost on the way.
const INBOX: InboxLimits = InboxLimits {
    length: 1_000_000,
    size: 1 << 30,
};

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
struct Options {
    file: PathBuf,
}

struct Witness(File);

impl Role for Witness {
    type Options = Options;

    fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(options.file)?;
        Ok(Self(file))
    }

    fn inbox(&self, _configured: InboxLimits) -> InboxLimits {
        INBOX
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let Some(message) = host.receive() else {
            return Ok(());
        };
        let data: serde_json::Value = message.data().unwrap_or_default();
        let line = serde_json::json!([
            message.kind().to_string(),
            message.type_name(),
            message.channel(),
            format!("{}@{}", message.sender_role(), message.sender_node()),
            data,
        ]);
        // In one write: a reader sees whole lines.
        Ok(self.0.write_all(format!("{line}\n").as_bytes())?)
    }
}

export_role!(Witness);

#[cfg(test)]
mod tests {
    use kozo_abi::bench::{Incoming, RoleBench};

    use super::*;

    #[test]
    fn a_message_becomes_a_line() -> Result<(), Error> {
        let file = tempfile::NamedTempFile::new()?;
        let mut bench = RoleBench::<Witness>::new()
            .option("file", file.path())
            .start()?;
        bench.deliver(
            Incoming::event("gpio state")
                .channel("lamp")
                .from("lamp", "hall")
                .data(&true),
        );
        bench.run()?;
        bench.deliver(Incoming::log("on").from("lamp", "hall"));
        bench.run()?;
        assert_eq!(
            std::fs::read_to_string(file.path())?,
            "[\"event\",\"gpio state\",\"lamp\",\"lamp@hall\",true]\n[\"log\",\"\",null,\"lamp@hall\",\"on\"]\n"
        );
        Ok(())
    }
}

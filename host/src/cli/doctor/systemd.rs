//! What systemd says of a unit.

use super::command::{ask, properties};
use super::machine::{Machine, Person};

/// What is asked for.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainCode,\
                          ExecMainStatus,NRestarts,MainPID,User,SupplementaryGroups,RestrictAddressFamilies";

/// What systemd says of a unit.
#[derive(Debug)]
pub(super) struct Unit {
    name: String,
    said: String,
}

impl Unit {
    /// Asks for it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) fn of(machine: &Machine, name: &str) -> Result<Self, String> {
        if !machine.has("/run/systemd/system") {
            return Err("systemd does not run this machine".to_owned());
        }
        let said =
            ask("systemctl", &["show", PROPERTIES, name]).map_err(|error| error.to_string())?;
        let name = name.to_owned();
        Ok(Self { name, said })
    }

    /// One of which this is known.
    #[cfg(test)]
    pub(super) fn that_said(name: &str, said: &str) -> Self {
        let (name, said) = (name.to_owned(), said.to_owned());
        Self { name, said }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A property that has a value.
    pub(super) fn property(&self, name: &str) -> Option<String> {
        properties(&self.said)(name)
    }

    /// Whom the unit runs the daemon as.
    pub(super) fn person(&self, machine: &Machine) -> Option<Person> {
        let groups = self.property("SupplementaryGroups").unwrap_or_default();
        let groups: Vec<String> = groups.split_whitespace().map(str::to_owned).collect();
        machine.person_named(&self.property("User")?, &groups)
    }
}

//! The line that `systemctl status` shows.

use std::fmt;

use kozo_ground::text::count;

/// What the line is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::daemon) struct Counts {
    /// All roles of the node.
    pub(in crate::daemon) roles: usize,
    /// How many of them failed and wait to be made anew.
    pub(in crate::daemon) failing: usize,
    /// All other nodes of the network that it has links with.
    pub(in crate::daemon) nodes: usize,
    /// How many of them there is a link with.
    pub(in crate::daemon) linked: usize,
    /// The buses that it is on.
    pub(in crate::daemon) buses: usize,
    /// How many of them it is connected to.
    pub(in crate::daemon) connected: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            roles,
            failing,
            nodes,
            linked,
            buses,
            connected,
        } = self;
        f.write_str(&count(*roles as u64, "role"))?;
        if *failing > 0 {
            write!(f, " ({failing} failing)")?;
        }
        match (nodes, buses) {
            (0, 0) => f.write_str(", no other node in the network")?,
            (0, _) => {}
            (nodes, _) => write!(f, ", {linked} of {nodes} nodes linked")?,
        }
        match (buses, connected) {
            (0, _) => Ok(()),
            (1, 1) => f.write_str(", the bus up"),
            (1, _) => f.write_str(", the bus down"),
            (buses, connected) => write!(f, ", {connected} of {buses} buses up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_runs_and_what_is_linked() {
        let mut counts = Counts {
            roles: 3,
            failing: 0,
            nodes: 4,
            linked: 2,
            ..Counts::default()
        };
        assert_eq!(counts.to_string(), "3 roles, 2 of 4 nodes linked");
        counts.failing = 1;
        assert_eq!(
            counts.to_string(),
            "3 roles (1 failing), 2 of 4 nodes linked"
        );
        (counts.failing, counts.buses) = (0, 1);
        let line = "3 roles, 2 of 4 nodes linked, the bus down";
        assert_eq!(counts.to_string(), line);
        (counts.nodes, counts.buses, counts.connected) = (0, 3, 2);
        assert_eq!(counts.to_string(), "3 roles, 2 of 3 buses up");
        let alone = Counts {
            roles: 1,
            ..Counts::default()
        };
        assert_eq!(alone.to_string(), "1 role, no other node in the network");
    }
}

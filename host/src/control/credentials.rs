//! Who may use the control socket.
//!
//! The file's mode has decided who can connect. This is the second lock: it also holds where the
//! mode was changed, or the folder is open to all.

use tokio::net::unix::UCred;

/// Who the daemon is, as far as this matters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) user: u32,
    /// The group of the socket.
    pub(super) group: u32,
}

impl Owner {
    /// Whether a client with these credentials may ask: root, the same user, or a member of the
    /// group.
    pub(super) fn admits(&self, client: &UCred) -> bool {
        let (user, group) = (client.uid(), client.gid());
        user == 0
            || user == self.user
            || group == self.group
            || client
                .pid()
                .is_some_and(|pid| supplementary_groups(pid).contains(&self.group))
    }
}

/// The further groups of a process; none when it is gone.
fn supplementary_groups(pid: i32) -> Vec<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    groups_line(&status)
}

fn groups_line(status: &str) -> Vec<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("Groups:"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|group| group.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_groups_are_read_from_what_the_system_says_of_a_process() {
        let status = "Name:\tsh\nGid:\t5\t5\t5\t5\nGroups:\t4 27 1000 \nVmPeak:\t9 kB\n";
        assert_eq!(groups_line(status), [4, 27, 1000]);
        assert_eq!(groups_line("Groups:\t \n"), [0; 0]);
        assert_eq!(groups_line(""), [0; 0]);
    }
}

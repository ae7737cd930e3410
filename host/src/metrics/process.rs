//! The daemon's process, as the kernel counts it.

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// A unit of the kernel's sizes, in bytes.
const KIB: u64 = 1024;

/// Where the kernel lists the process's descriptors.
const DESCRIPTORS: &str = "/proc/self/fd";

/// What the kernel counts of this process; what it does not tell is left out.
#[derive(Debug, Clone, Default)]
pub(super) struct ProcessStatus {
    /// The time that processors worked for it, in seconds.
    pub(super) cpu_seconds: f64,
    /// Its memory that is there, in bytes.
    pub(super) resident_bytes: Option<u64>,
    /// The addresses that it has, in bytes.
    pub(super) virtual_bytes: Option<u64>,
    /// Its threads.
    pub(super) threads: Option<u64>,
    /// The descriptors that it has open.
    pub(super) open_fds: Option<u64>,
    /// How many it may have; none: any number.
    pub(super) max_fds: Option<u64>,
}

impl ProcessStatus {
    pub(super) fn read() -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let told = Self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a metric needs no more than it keeps"
            )]
            cpu_seconds: time.tv_sec as f64 + time.tv_nsec as f64 / 1e9,
            open_fds: open_descriptors(),
            max_fds: getrlimit(Resource::Nofile).current,
            ..Self::default()
        };
        told.with_memory(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// With what stands in the kernel's table of the process.
    fn with_memory(self, table: &str) -> Self {
        let number = |name: &str| -> Option<u64> {
            let line = table.lines().find_map(|line| line.strip_prefix(name))?;
            line.strip_prefix(':')?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        };
        Self {
            resident_bytes: number("VmRSS").map(|size| size * KIB),
            virtual_bytes: number("VmSize").map(|size| size * KIB),
            threads: number("Threads"),
            ..self
        }
    }
}

fn open_descriptors() -> Option<u64> {
    // Since Linux 6.2 the folder's size is their number. Otherwise they are counted, and the one that it takes
    // to read the folder is not one of them.
    match fs::metadata(DESCRIPTORS).ok()?.len() {
        0 => {
            let listed = fs::read_dir(DESCRIPTORS).ok()?.count();
            u64::try_from(listed)
                .ok()
                .map(|count| count.saturating_sub(1))
        }
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_all_of_this_process() {
        let before = ProcessStatus::read();
        let open: Vec<_> = (0..20)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        let after = ProcessStatus::read();
        assert!(after.cpu_seconds >= before.cpu_seconds && after.cpu_seconds > 0.0);
        assert!(
            after.resident_bytes > Some(KIB * KIB) && after.virtual_bytes > after.resident_bytes
        );
        assert!(after.threads >= Some(2), "{after:?}");
        // Other tests open and close some, too.
        assert!(
            after.open_fds >= u64::try_from(open.len()).ok(),
            "{after:?}"
        );
        assert!(after.max_fds.is_none() || after.max_fds > after.open_fds);
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_left_out() {
        let told = ProcessStatus::default().with_memory("VmRSSX:\t7 kB\nThreads:\tmany\n");
        assert_eq!((told.resident_bytes, told.threads), (None, None));
        let told = ProcessStatus::default().with_memory("VmRSS:\t   7 kB\nThreads:\t3\n");
        assert_eq!(
            (told.resident_bytes, told.threads),
            (Some(7 * KIB), Some(3))
        );
    }
}

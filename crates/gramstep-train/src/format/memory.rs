//! How much memory the process may still take: what would not fit is an error before it is begun.
//!
//! Known on Linux: what the machine has free, the limits of the control groups that the process is in, and the limit of
//! its address space (`ulimit -v`). Elsewhere nothing is refused.

use std::fs::read_to_string;
use std::path::Path;

use crate::error::{Error, Result};

/// Refuses work that needs more bytes than there are; `instead` is what would fit.
pub(crate) fn check_memory(what: &'static str, needed: usize, instead: &'static str) -> Result<()> {
    match free(Path::new("/")) {
        Some(free) if needed as u64 > free => Err(Error::Memory { what, needed: needed as u64, free, instead }),
        _ => Ok(()),
    }
}

/// How many pieces of work of `bytes` bytes each fit side by side in half of what is free.
pub(crate) fn room_for(bytes: usize) -> usize {
    let room = |free: u64| usize::try_from(free / 2 / (bytes as u64).max(1)).unwrap_or(usize::MAX);
    free(Path::new("/")).map_or(usize::MAX, room)
}

/// Bytes that the process may still take; none where nothing is known.
pub(crate) fn free_bytes() -> Option<u64> {
    free(Path::new("/"))
}

/// Bytes of the machine's memory; none where it is not known.
pub(crate) fn total() -> Option<u64> {
    Some(entry(&read_to_string("/proc/meminfo").ok()?, "MemTotal:")? << 10)
}

/// The least of what machine, groups and limits leave; none where nothing is known. `root` is where the files of the
/// system lie.
fn free(root: &Path) -> Option<u64> {
    [machine(root), groups(root), address_space(root)].into_iter().flatten().min()
}

/// The number after a word at the start of a line, in the unit of that file.
fn entry(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok())
}

fn machine(root: &Path) -> Option<u64> {
    let text = read_to_string(root.join("proc/meminfo")).ok()?;
    Some((entry(&text, "MemAvailable:")? + entry(&text, "SwapFree:").unwrap_or(0)) << 10)
}

/// The limit of address space less what is taken.
fn address_space(root: &Path) -> Option<u64> {
    let limit = entry(&read_to_string(root.join("proc/self/limits")).ok()?, "Max address space")?;
    let taken = entry(&read_to_string(root.join("proc/self/status")).ok()?, "VmSize:")? << 10;
    Some(limit.saturating_sub(taken))
}

/// The least that a control group leaves, of both versions, from that of the process up to the root.
fn groups(root: &Path) -> Option<u64> {
    let text = read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut least: Option<u64> = None;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (place, limit, usage) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max", "memory.current"),
            list if list.split(',').any(|controller| controller == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        // In a container the path may be that of the host, and the group itself lies at the root.
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let number = |name: &str| {
                let text = read_to_string(root.join(place).join(group).join(name)).ok()?;
                text.trim().parse::<u64>().ok()
            };
            if let Some(left) = number(limit).zip(number(usage)).map(|(limit, usage)| limit.saturating_sub(usage)) {
                // Files that are kept in memory give way.
                let stat = read_to_string(root.join(place).join(group).join("memory.stat")).unwrap_or_default();
                let left = left + entry(&stat, "inactive_file ").unwrap_or(0);
                least = Some(least.map_or(left, |least| least.min(left)));
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_machine_groups_and_limits_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let now = || free(root.path());
        assert_eq!(now(), None);
        write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    5000 kB\nSwapFree: 24 kB\n");
        assert_eq!(now(), Some(5024 << 10));
        write("proc/self/status", "Name:\tx\nVmSize:\t    100 kB\n");
        write("proc/self/limits", "Limit  Soft  Hard\nMax address space         unlimited   unlimited   bytes\n");
        assert_eq!(now(), Some(5024 << 10));
        write("proc/self/limits", "Max address space         4000000   unlimited   bytes\n");
        assert_eq!(now(), Some(4_000_000 - (100 << 10)));
        write("proc/self/cgroup", "0::/outer/inner\n");
        write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
        write("sys/fs/cgroup/outer/inner/memory.current", "7\n");
        assert_eq!(now(), Some(4_000_000 - (100 << 10)));
        write("sys/fs/cgroup/outer/memory.max", "3000000\n");
        write("sys/fs/cgroup/outer/memory.current", "1000000\n");
        write("sys/fs/cgroup/outer/memory.stat", "anon 1\ninactive_file 500\n");
        assert_eq!(now(), Some(2_000_500));
        write("proc/self/cgroup", "5:cpu:/\n4:memory:/gone\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1500\n");
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
        assert_eq!(now(), Some(500));
    }

    #[test]
    fn what_would_not_fit_is_refused_with_another_way() {
        check_memory("a number", 8, "nothing").unwrap();
        if cfg!(target_os = "linux") {
            let error = check_memory("everything", usize::MAX, "give less").unwrap_err();
            assert_eq!(error.hint().as_deref(), Some("give less"));
        }
    }
}

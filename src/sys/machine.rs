//! What the machine gives a data server: memory, its limit for this process, and settings of the
//! kernel that matter.
//!
//! Everything comes from files under a root, which is `/` but for tests. A figure that can't be
//! read is `None`: it is not judged. The memory of a container is limited by its control group and
//! by all groups that this one is in, so the least of these limits counts.

use std::fs;
use std::path::{Path, PathBuf};

/// The facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Physical memory in bytes.
    pub memory: Option<u64>,
    /// What the control groups allow.
    pub cgroup: Option<MemoryLimit>,
    /// `vm.overcommit_memory`: 0 by guess, 1 always, 2 never.
    pub overcommit: Option<u64>,
    /// Whether transparent huge pages are for everybody.
    pub huge_pages_always: Option<bool>,
    /// `net.core.somaxconn`: the longest queue of new connections.
    pub somaxconn: Option<u64>,
    /// How many files this process may open, after raising its limit as far as it may.
    pub open_files: Option<u64>,
}

/// The least limit of memory of the control groups around this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    /// The limit.
    pub bytes: u64,
    /// The file that says so.
    pub file: PathBuf,
}

/// What version 1 has for "no limit" is just below 2^63.
const UNLIMITED: u64 = 1 << 60;
/// The number of the capability to go above the hard limit of open files.
const CAP_SYS_RESOURCE: u32 = 24;

impl Machine {
    /// Reads the facts under `root`.
    pub(crate) fn read(root: &Path) -> Machine {
        let text = |path: &str| fs::read_to_string(root.join(path)).ok();
        let number = |path: &str| text(path)?.trim().parse::<u64>().ok();
        let huge_pages = text("sys/kernel/mm/transparent_hugepage/enabled");
        Machine {
            memory: text("proc/meminfo").and_then(|info| kilobytes(&info, "MemTotal:")),
            cgroup: memory_limit(root),
            overcommit: number("proc/sys/vm/overcommit_memory"),
            huge_pages_always: huge_pages.map(|text| text.contains("[always]")),
            somaxconn: number("proc/sys/net/core/somaxconn"),
            open_files: text("proc/self/limits").and_then(|limits| {
                let (soft, hard) = open_files(&limits)?;
                let status = text("proc/self/status").unwrap_or_default();
                let above = has_capability(&status, CAP_SYS_RESOURCE);
                let most = if above { number("proc/sys/fs/nr_open") } else { None };
                Some(most.unwrap_or(hard).max(soft))
            }),
        }
    }

    /// The memory that there is for this process.
    pub(crate) fn available(&self) -> Option<u64> {
        let limit = self.cgroup.as_ref().map(|limit| limit.bytes);
        [self.memory, limit].into_iter().flatten().min()
    }
}

/// The line `name 123 kB` in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The soft and the hard limit of `Max open files`.
fn open_files(limits: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(u64::MAX),
        _ => word.parse().ok(),
    });
    Some((words.next()??, words.next()??))
}

fn has_capability(status: &str, number: u32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok());
    bits.unwrap_or(0) >> number & 1 == 1
}

fn memory_limit(root: &Path) -> Option<MemoryLimit> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
        let (files, mount): (&[&str], _) = if controllers.is_empty() {
            // What is above `high` is slowed down without end, so it is a limit as well.
            (&["memory.max", "memory.high"], mounts.iter().find(|mount| mount.kind == "cgroup2")?)
        } else if controllers.split(',').any(|name| name == "memory") {
            let with = |mount: &&Mount| {
                mount.kind == "cgroup" && mount.options.split(',').any(|name| name == "memory")
            };
            (&["memory.limit_in_bytes"], mounts.iter().find(with)?)
        } else {
            return None;
        };
        least(root, mount, group, files)
    });
    limits.min_by_key(|limit| limit.bytes)
}

/// The least limit that `files` say in the folder of `group` and in those above it.
fn least(root: &Path, mount: &Mount, group: &str, files: &[&str]) -> Option<MemoryLimit> {
    let top = Path::new(&mount.point);
    // A container may see its own group as the root of the mount, by its name outside.
    let inside = if mount.root == "/" { Some(group) } else { group.strip_prefix(&*mount.root) };
    let inside = inside.unwrap_or("").trim_start_matches('/');
    let inside = if inside.split('/').any(|part| part == "..") { "" } else { inside };
    let folder = top.join(inside);
    let folders = folder.ancestors().take_while(|folder| folder.starts_with(top));
    let limits = folders.flat_map(|folder| files.iter().map(|file| folder.join(file)));
    let limits = limits.filter_map(|file| {
        let here = root.join(file.strip_prefix("/").unwrap_or(&file));
        let bytes = fs::read_to_string(here).ok()?.trim().parse::<u64>().ok()?;
        (bytes < UNLIMITED).then_some(MemoryLimit { bytes, file })
    });
    limits.min_by_key(|limit| limit.bytes)
}

/// A line of /proc/self/mountinfo.
struct Mount {
    root: String,
    point: String,
    kind: String,
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Mount> {
        let (before, after) = line.split_once(" - ")?;
        let before: Vec<&str> = before.split(' ').collect();
        let after: Vec<&str> = after.split(' ').collect();
        Some(Mount {
            root: unescape(before.get(3)?),
            point: unescape(before.get(4)?),
            kind: (*after.first()?).to_owned(),
            options: (*after.get(2)?).to_owned(),
        })
    }
}

/// Blanks in a path are written `\040`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with these files, which goes away at the end.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Root {
            let root =
                std::env::temp_dir().join(format!("redust-machine-{name}-{}", std::process::id()));
            for (file, text) in files {
                let path = root.join(file);
                fs::create_dir_all(path.parent().expect("a folder")).expect("created");
                fs::write(path, text).expect("written");
            }
            Root(root)
        }
        fn limit(&self) -> Option<(u64, String)> {
            let limit = Machine::read(&self.0).cgroup?;
            Some((limit.bytes, limit.file.display().to_string()))
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("removed");
        }
    }

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

    #[test]
    fn settings_of_the_kernel() {
        let root = Root::new(
            "kernel",
            &[
                ("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n"),
                ("proc/sys/vm/overcommit_memory", "2\n"),
                ("proc/sys/net/core/somaxconn", "128\n"),
                ("proc/sys/fs/nr_open", "5000\n"),
                ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
                ("proc/self/limits", "Limit  Soft Hard\nMax open files   1024    4096  files\n"),
                ("proc/self/status", "Name: x\nCapEff:\t0000000000000000\n"),
            ],
        );
        let machine = Machine::read(&root.0);
        assert_eq!(machine.memory, Some(2 << 20));
        assert_eq!((machine.overcommit, machine.somaxconn), (Some(2), Some(128)));
        assert_eq!((machine.huge_pages_always, machine.open_files), (Some(true), Some(4096)));
        fs::write(root.0.join("proc/self/status"), "CapEff:\t0000000001000000\n").expect("written");
        assert_eq!(Machine::read(&root.0).open_files, Some(5000));
        assert_eq!((machine.cgroup.clone(), machine.available()), (None, Some(2 << 20)));
        let nothing = Root::new("nothing", &[("x", "")]);
        assert_eq!(Machine::read(&nothing.0), Machine::default());
    }

    #[test]
    fn the_least_limit_of_nested_groups_counts() {
        let root = Root::new(
            "v2",
            &[
                ("proc/self/cgroup", "0::/a/b\n"),
                ("proc/self/mountinfo", V2),
                ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("sys/fs/cgroup/a/b/memory.high", "max\n"),
                ("sys/fs/cgroup/a/memory.max", "1000\n"),
            ],
        );
        assert_eq!(root.limit(), Some((1000, "/sys/fs/cgroup/a/memory.max".into())));
        fs::write(root.0.join("sys/fs/cgroup/a/b/memory.high"), "900\n").expect("written");
        assert_eq!(root.limit().expect("limited").0, 900);
    }

    #[test]
    fn version_1_and_both_together() {
        let mounts = "35 25 0:30 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                      36 25 0:31 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n";
        let root = Root::new(
            "v1",
            &[
                ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/c1\n0::/\n"),
                ("proc/self/mountinfo", mounts),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ],
        );
        assert_eq!(root.limit(), None);
        let file = root.0.join("sys/fs/cgroup/memory/memory.limit_in_bytes");
        fs::write(file, "7000\n").expect("written");
        assert_eq!(root.limit().expect("limited").0, 7000);
    }

    #[test]
    fn a_group_outside_of_the_mount_is_its_root() {
        let root = Root::new(
            "outside",
            &[
                ("proc/self/cgroup", "0::/../other\n"),
                ("proc/self/mountinfo", V2),
                ("sys/fs/cgroup/memory.max", "77\n"),
            ],
        );
        assert_eq!(root.limit().expect("limited").0, 77);
    }

    #[test]
    fn this_machine_can_be_read() {
        let machine = Machine::read(Path::new("/"));
        assert!(machine.memory.is_some_and(|bytes| bytes > 1 << 20));
        assert!(machine.open_files.is_some_and(|files| files > 0));
    }
}

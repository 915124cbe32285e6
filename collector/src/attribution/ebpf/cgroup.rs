//! The root of the cgroup2 hierarchy, which programs are attached to: they then see the sockets of all processes.
use std::fs::File;
use std::io;
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::EbpfError;

/// There on every machine; covered only in a mount namespace that nobody else sees.
const PRIVATE_MOUNT_POINT: &str = "/sys";

/// Opens the root. It is not always at /sys/fs/cgroup: hybrid hosts have it elsewhere, and inside `ip netns exec`, which
/// mounts a /sys of its own, it is nowhere.
///
/// # Errors
/// It is not mounted, and mounting it needs CAP_SYS_ADMIN.
pub(super) fn root() -> Result<File, EbpfError> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").map_err(EbpfError::Cgroup)?;
    for path in mounted(&mounts) {
        if let Ok(root) = File::open(&path) {
            return Ok(root);
        }
    }
    mounted_privately().map_err(EbpfError::Cgroup)
}

/// Mount points of whole cgroup2 hierarchies, by proc_pid_mountinfo(5).
fn mounted(mounts: &str) -> impl Iterator<Item = PathBuf> + '_ {
    mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (kind.starts_with("cgroup2 ") && root == "/").then(|| PathBuf::from(unescaped(point)))
    })
}

/// Blanks, tabs, line ends and backslashes stand as `\` and three octal digits.
fn unescaped(point: &str) -> String {
    point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// In a thread with a mount namespace of its own. The file keeps the mount alive when both are gone.
fn mounted_privately() -> io::Result<File> {
    let mount_and_open = || -> io::Result<File> {
        let nothing: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
        mount(Some("cgroup2"), PRIVATE_MOUNT_POINT, Some("cgroup2"), MsFlags::empty(), nothing)?;
        File::open(PRIVATE_MOUNT_POINT)
    };
    let thread = std::thread::Builder::new().name("cgroup".to_owned()).spawn(mount_and_open)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that mounts it panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_host_has_it_beside_the_old_hierarchies() {
        let mounts = "\
            36 25 0:31 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n\
            37 36 0:32 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw\n\
            38 36 0:33 / /sys/fs/cgroup/cpu rw shared:11 - cgroup cgroup rw,cpu\n\
            39 36 0:34 /machine /mnt/part rw - cgroup2 cgroup2 rw\n\
            40 36 0:35 / /mnt/a\\040b rw - cgroup2 cgroup2 rw\n";
        let found: Vec<_> = mounted(mounts).collect();
        assert_eq!(found, [PathBuf::from("/sys/fs/cgroup/unified"), PathBuf::from("/mnt/a b")]);
    }

    #[test]
    fn broken_lines_are_passed_over() {
        assert_eq!(mounted("\n1 2\n - cgroup2 x\na b c / - cgroup2 cgroup2 rw").count(), 0);
    }
}

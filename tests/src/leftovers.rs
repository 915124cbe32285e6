//! What a run leaves behind that was killed: namespaces, folders, and the processes in them. All of them are named after
//! the process that made them; the next run removes those whose process has gone.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::program::run;

/// How names of namespaces begin before the pid: this crate's, and those of the collector's own tests.
const NAMESPACES: [&str; 5] = ["weir-s", "weir-m", "weir-c", "weirw", "weire"];
/// What folders are for.
const FOLDERS: [&str; 3] = ["lab", "disk", "browser"];

/// A folder of this run's; `purpose` is one of `lab`, `disk` and `browser`.
pub fn folder(purpose: &str) -> TempDir {
    assert!(FOLDERS.contains(&purpose), "{purpose} would be left behind");
    let prefix = format!("weir-{purpose}-{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir().expect("a folder")
}

/// Removes what dead runs have left, once in this process.
pub fn remove() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        names("/run/netns")
            .filter(|name| is_namespace_of_the_dead(name))
            .for_each(|name| end_namespace(&name));
        let folders = std::env::temp_dir();
        let dead = names(&folders).filter(|name| is_folder_of_the_dead(name));
        dead.for_each(|name| end_folder(&folders.join(name)));
    });
}

fn names(folder: impl AsRef<Path>) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

fn is_namespace_of_the_dead(name: &str) -> bool {
    NAMESPACES.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(begins_with_a_dead_pid))
}

fn is_folder_of_the_dead(name: &str) -> bool {
    let of = |purpose: &&str| name.strip_prefix("weir-")?.strip_prefix(*purpose)?.strip_prefix('-');
    FOLDERS.iter().find_map(of).is_some_and(|rest| rest.contains('-') && begins_with_a_dead_pid(rest))
}

fn begins_with_a_dead_pid(text: &str) -> bool {
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let pid: Option<u32> = text[..digits].parse().ok();
    pid.is_some_and(|pid| pid > 1 && !Path::new(&format!("/proc/{pid}")).exists())
}

fn end_namespace(name: &str) {
    let inside = run(Command::new("ip").args(["netns", "pids", name]));
    inside.out.split_whitespace().filter_map(|pid| pid.parse().ok()).for_each(end_process);
    let deleted = run(Command::new("ip").args(["netns", "del", name]));
    if deleted.code != 0 {
        eprintln!("{name}, of a run that was killed: {}", deleted.err.trim());
    }
}

fn end_folder(path: &Path) {
    users_of(path).into_iter().for_each(end_process);
    if is_mounted(path) {
        run(Command::new("umount").arg("--lazy").arg(path));
    }
    if let Err(error) = fs::remove_dir_all(path) {
        eprintln!("{}, of a run that was killed: {error}", path.display());
    }
}

/// Processes that have the folder on their command line.
fn users_of(path: &Path) -> Vec<i32> {
    let path = path.display().to_string();
    let uses = |pid: &i32| {
        let command = fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&path)
    };
    names("/proc").filter_map(|name| name.parse().ok()).filter(uses).collect()
}

fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == path))
}

fn end_process(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).ok(); // it may just have ended
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;
    use std::time::Duration;

    use super::*;
    use crate::program::must;
    use crate::wait::until;

    /// The pid of a process that has just ended.
    fn dead() -> u32 {
        let mut child = Command::new("true").spawn().expect("true");
        child.wait().expect("its end");
        child.id()
    }

    #[test]
    fn only_what_is_named_after_a_dead_process_is_removed() {
        let (dead, alive) = (dead(), std::process::id());
        for name in [format!("weir-m{dead}x0"), format!("weirw{dead}n3a"), format!("weire{dead}inside")] {
            assert!(is_namespace_of_the_dead(&name), "{name}");
        }
        for name in
            [format!("weir-m{alive}x0"), format!("other{dead}"), "weir-m".to_owned(), "weir-mx0".to_owned()]
        {
            assert!(!is_namespace_of_the_dead(&name), "{name}");
        }
        assert!(is_folder_of_the_dead(&format!("weir-lab-{dead}-abcdef")));
        let kept =
            [format!("weir-lab-{alive}-abcdef"), format!("weir-lab-{dead}"), "weir-lab-abcdef".to_owned()];
        for name in kept {
            assert!(!is_folder_of_the_dead(&name), "{name}");
        }
    }

    #[test]
    fn a_dead_runs_namespace_folder_and_processes_go() {
        let dead = dead();
        let namespace = format!("weir-m{dead}x7");
        let folder = std::env::temp_dir().join(format!("weir-lab-{dead}-abcdef"));
        must(&format!("ip netns add {namespace}"));
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("weir.db"), "x").expect("a file");
        let sleeper = |command: &mut Command| command.stdin(Stdio::null()).spawn().expect("a process");
        let mut inside = sleeper(Command::new("ip").args(["netns", "exec", &namespace, "sleep", "60"]));
        let mut beside = sleeper(Command::new("tail").arg("-f").arg(folder.join("weir.db")));
        until("the first runs inside", Duration::from_secs(10), || {
            let said = run(Command::new("ip").args(["netns", "pids", &namespace]));
            said.out.contains(&inside.id().to_string()).then_some(())
        });
        end_namespace(&namespace);
        end_folder(&folder);
        assert!(!inside.wait().expect("its end").success() && !beside.wait().expect("its end").success());
        assert!(!folder.exists() && !Path::new("/run/netns").join(namespace).exists());
    }
}

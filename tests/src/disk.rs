//! A disk so small that a test can fill it.
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::leftovers;
use crate::program::{must, run};

/// A file system in memory, unmounted when dropped: declare it before the lab that uses it.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Needs root.
    pub fn new(mebibytes: u32) -> Self {
        let folder = leftovers::folder("disk");
        must(&format!("mount -t tmpfs -o size={mebibytes}m,mode=0755 weir-disk {}", folder.path().display()));
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Leaves not a byte.
    pub fn fill(&self) {
        let mut file = File::create(self.filler()).expect("a file");
        for size in [64 * 1024, 4096, 1] {
            loop {
                match file.write_all(&vec![0x55; size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling {}: {error}", self.path().display()),
                }
            }
        }
    }

    /// Gives back what `fill` took.
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("removing what filled the disk");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let said = run(std::process::Command::new("umount").arg(self.path()));
        if said.code != 0 {
            eprintln!("{}: {}", self.path().display(), said.err);
        }
    }
}

//! Programs that outlive who loaded them, and can be used without privileges: files of the BPF file system. Links there
//! keep the programs attached; the two maps that the reader needs belong to root and to the collector's group.
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use aya::maps::{MapData, MapError};
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::load::{self, CONTROL, EVENTS, FRAME_SENT, TRANSLATIONS};
use super::{EbpfError, Held, Source};

/// Of the layouts in `weir.bpf.c`; part of the maps' file names, so that no version reads another one's.
const VERSION: u32 = 4;
/// Where systemd mounts it, and where we do.
const USUAL_MOUNT: &str = "/sys/fs/bpf";
const DIRECTORY_MODE: u32 = 0o750;
const MAP_MODE: u32 = 0o660;

/// The file system keeps names with dots for itself.
fn map_file(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{}-{VERSION}", name.to_ascii_lowercase()))
}

fn at(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> EbpfError {
    let path = path.to_owned();
    move |source| EbpfError::Path { path, step, source }
}

/// Opens what is pinned; takes no capability from Linux 5.19 on. One reader at a time.
///
/// # Errors
/// `NotLoaded`, `OtherVersion`, `Taken`, or the step that was refused.
pub(super) fn open(directory: &Path) -> Result<Source, EbpfError> {
    let path = || directory.to_owned();
    let folder = File::open(directory).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => EbpfError::NotLoaded { path: path() },
        _ => at(directory, "open it; it is for root and the collector's group")(error),
    })?;
    if !map_file(directory, EVENTS).exists() {
        let empty = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none());
        let path = path();
        return Err(if empty { EbpfError::NotLoaded { path } } else { EbpfError::OtherVersion { path } });
    }
    let locked = Flock::lock(folder, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        nix::errno::Errno::EWOULDBLOCK => EbpfError::Taken { path: path() },
        error => at(directory, "lock it")(error.into()),
    })?;
    let (events, events_bytes) = load::opened(&pinned(directory, EVENTS)?, EVENTS)?;
    let (control, _) = load::opened(&pinned(directory, CONTROL)?, CONTROL)?;
    let is_whole = directory.join(FRAME_SENT).exists();
    let without_frames = (!is_whole).then(|| "the kernel did not take the program for them".to_owned());
    let follows = map_file(directory, TRANSLATIONS).exists();
    let without_translations = (!follows)
        .then(|| "the kernel did not track connections when `ebpf load` ran; run it again".to_owned());
    let held = Held::Pins { _locked: locked };
    Ok(Source { events, events_bytes, control, without_frames, without_translations, held })
}

fn pinned(directory: &Path, name: &'static str) -> Result<MapData, EbpfError> {
    let path = map_file(directory, name);
    MapData::from_pin(&path).map_err(|error| {
        let source = match error {
            MapError::SyscallError(error) => error.io_error,
            error => io::Error::other(error.to_string()),
        };
        EbpfError::Path { path, step: "open it; before Linux 5.19 this takes CAP_BPF", source }
    })
}

/// Loads, attaches and pins; `group` may then read. Says what was pinned.
///
/// # Errors
/// Nothing stays pinned then.
pub(super) fn load(directory: &Path, group: u32) -> Result<usize, EbpfError> {
    provide_file_system(directory)?;
    if directory.exists() && std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(EbpfError::Loaded { path: directory.to_owned() });
    }
    let source = load::load()?;
    let made = make_directory(directory, group).and_then(|()| pin(source, directory, group));
    if made.is_err() {
        // the first error says more than what cleaning up might find
        drop(unload(directory));
    }
    made
}

fn make_directory(directory: &Path, group: u32) -> Result<(), EbpfError> {
    if !directory.exists() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o711).create(directory).map_err(at(directory, "make the directory"))?;
    }
    chown(directory, None, Some(group)).map_err(at(directory, "give it to the group"))?;
    let mode = Permissions::from_mode(DIRECTORY_MODE);
    std::fs::set_permissions(directory, mode).map_err(at(directory, "set its mode"))
}

fn pin(source: Source, directory: &Path, group: u32) -> Result<usize, EbpfError> {
    let Source { events, control, held, .. } = source;
    let Held::Links { attached, translations } = held else { return Err(EbpfError::Missing("links")) };
    let maps = [(EVENTS, Some(events)), (CONTROL, Some(control)), (TRANSLATIONS, translations)];
    for (name, descriptor) in maps.into_iter().filter_map(|(name, map)| Some((name, map?))) {
        let path = map_file(directory, name);
        let map = MapData::from_fd(descriptor).map_err(|_| EbpfError::Missing(name))?;
        map.pin(&path).map_err(|error| at(&path, "pin the map")(io::Error::other(error)))?;
        if name == TRANSLATIONS {
            continue; // nobody reads it; that it is there says that translated addresses are followed
        }
        chown(&path, None, Some(group)).map_err(at(&path, "give it to the group"))?;
        std::fs::set_permissions(&path, Permissions::from_mode(MAP_MODE))
            .map_err(at(&path, "set its mode"))?;
    }
    let pinned = attached.len();
    for (name, link) in attached {
        let path = directory.join(name);
        link.pin(&path).map_err(|error| at(&path, "pin the link")(io::Error::other(error)))?;
    }
    Ok(pinned)
}

/// Detaches what `load` has pinned. A collector that is reading keeps its ring, in which nothing new comes.
///
/// # Errors
/// `NotLoaded`, or the file that could not be removed.
pub(super) fn unload(directory: &Path) -> Result<(), EbpfError> {
    if !directory.is_dir() || !is_bpf(directory) {
        return Err(EbpfError::NotLoaded { path: directory.to_owned() });
    }
    let entries = std::fs::read_dir(directory).map_err(at(directory, "read the directory"))?;
    for entry in entries {
        let path = entry.map_err(at(directory, "read the directory"))?.path();
        std::fs::remove_file(&path).map_err(at(&path, "remove it"))?;
    }
    std::fs::remove_dir(directory).map_err(at(directory, "remove the directory"))
}

fn is_bpf(path: &Path) -> bool {
    statfs(path).is_ok_and(|system| system.filesystem_type() == BPF_FS_MAGIC)
}

/// Sees to it that `directory` can be made on a BPF file system, and that a group may reach it.
fn provide_file_system(directory: &Path) -> Result<(), EbpfError> {
    let usual = Path::new(USUAL_MOUNT);
    if !is_bpf(existing(directory)) && directory.starts_with(usual) && usual.is_dir() {
        let options = Some("mode=0711");
        mount(Some("bpf"), usual, Some("bpf"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, options)
            .map_err(|error| at(usual, "mount the BPF file system")(error.into()))?;
    }
    let nearest = existing(directory);
    if !is_bpf(nearest) {
        return Err(EbpfError::NoFileSystem { path: directory.to_owned() });
    }
    // systemd mounts it for root alone; what others have pinned there keeps its own modes
    for ancestor in nearest.ancestors().take_while(|path| is_bpf(path) && *path != directory) {
        let mode = std::fs::metadata(ancestor).map_err(at(ancestor, "read its mode"))?.mode();
        if mode & 0o001 == 0 {
            std::fs::set_permissions(ancestor, Permissions::from_mode((mode & 0o7777) | 0o011))
                .map_err(at(ancestor, "let the collector's group pass"))?;
        }
    }
    Ok(())
}

fn existing(directory: &Path) -> &Path {
    directory.ancestors().find(|path| path.exists()).unwrap_or(directory)
}

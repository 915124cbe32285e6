//! The collector's Unix sockets: bound with their mode and group from the moment they can be seen.
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Gid, Group};

pub const COLLECTOR: &str = "/run/weir/collector.sock";
pub const CONTROL: &str = "/run/weir/control.sock";
pub const GROUP: &str = "weir";

/// unix(7): `sun_path` holds 108 bytes with its final zero.
const LONGEST_PATH_BYTES: usize = 107;

/// Whose group the socket gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketGroup {
    /// The default: where it does not exist, or may not be given, the runner's own, with a warning.
    IfThere(String),
    /// As configured: it must exist.
    Required(String),
    /// The runner's own.
    Own,
}

#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("socket path {} has {} bytes; at most {LONGEST_PATH_BYTES} are allowed", .0.display(), .0.as_os_str().len())]
    TooLong(PathBuf),
    #[error("the folder of socket {} does not exist; create it, or choose another path", .0.display())]
    NoFolder(PathBuf),
    #[error("another process listens on {}; stop it, or choose another path", .0.display())]
    InUse(PathBuf),
    #[error("{} exists and is no socket; it was left alone", .0.display())]
    NotASocket(PathBuf),
    #[error("group `{group}` of socket {} does not exist; create it with `groupadd --system {group}`", path.display())]
    NoGroup { path: PathBuf, group: String },
    #[error("cannot give socket {} to group `{group}`", path.display())]
    GiveGroup { path: PathBuf, group: String, source: io::Error },
    #[error("cannot {step} socket {}", path.display())]
    Bind { step: &'static str, path: PathBuf, source: io::Error },
}

/// A listening socket, and what the operator should know about it.
#[derive(Debug)]
pub struct Bound {
    pub listener: UnixListener,
    /// Whose members may connect, where the mode says so.
    pub group: u32,
    /// The default group was not to be had.
    pub warning: Option<String>,
}

/// Binds `path` with `mode` (such as 0o660). The socket is made in a private folder beside it, given its mode and group
/// there, and moved into place, so that nobody can connect before it is as asked. What a dead process left is replaced.
///
/// # Errors
/// Somebody listens on `path`, it is no socket, its folder is missing, or a required group is. Exit code 78.
pub fn bind(path: &Path, mode: u32, group: &SocketGroup) -> Result<Bound, SocketError> {
    let at = |step: &'static str| move |source| SocketError::Bind { step, path: path.to_owned(), source };
    if path.as_os_str().len() > LONGEST_PATH_BYTES {
        return Err(SocketError::TooLong(path.to_owned()));
    }
    refuse_if_taken(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(SocketError::NoFolder(path.to_owned()));
    }
    let private = PrivateFolder::create(folder).map_err(at("prepare"))?;
    let hidden = private.0.join("s");
    let listener = UnixListener::bind(&hidden).map_err(at("bind"))?;
    let warning = give_group(&hidden, path, group)?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(mode)).map_err(at("set the mode of"))?;
    listener.set_nonblocking(true).map_err(at("set up"))?;
    fs::rename(&hidden, path).map_err(at("move into place"))?;
    let group = fs::metadata(path).map_err(at("look at"))?.gid();
    Ok(Bound { listener, group, warning })
}

/// Takes the socket's name away when its listener ends. A name that is already gone is no error.
///
/// # Errors
/// The folder is not writable.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn refuse_if_taken(path: &Path) -> Result<(), SocketError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        // a full backlog is a listener too
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(source) => Err(SocketError::Bind { step: "look at", path: path.to_owned(), source }),
    }
}

fn give_group(hidden: &Path, path: &Path, group: &SocketGroup) -> Result<Option<String>, SocketError> {
    let (name, required) = match group {
        SocketGroup::Own => return Ok(None),
        SocketGroup::IfThere(name) => (name, false),
        SocketGroup::Required(name) => (name, true),
    };
    let instead = |why: &str| {
        format!("group `{name}` {why}: socket {} is open to the runner's own group instead", path.display())
    };
    let Some(gid) = group_id(name) else {
        if required {
            return Err(SocketError::NoGroup { path: path.to_owned(), group: name.clone() });
        }
        return Ok(Some(instead("does not exist")));
    };
    match nix::unistd::chown(hidden, None, Some(gid)) {
        Ok(()) => Ok(None),
        Err(Errno::EPERM) if !required => Ok(Some(instead("is not the runner's to give"))),
        Err(error) => {
            Err(SocketError::GiveGroup { path: path.to_owned(), group: name.clone(), source: error.into() })
        }
    }
}

/// By name, or by number where the name is one.
pub fn group_id(name: &str) -> Option<Gid> {
    let by_name = Group::from_name(name).ok().flatten().map(|group| group.gid);
    by_name.or_else(|| name.parse().ok().map(Gid::from_raw))
}

/// Mode 0700, removed with what is left in it.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn create(beside: &Path) -> io::Result<Self> {
        let folder = beside.join(format!(".w{}", std::process::id()));
        if let Err(error) = fs::remove_dir_all(&folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, folder = %self.0.display(), "private folder of a socket was not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_its_mode_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.sock");
        let bound = bind(&path, 0o660, &SocketGroup::Own).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o660);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        UnixStream::connect(&path).unwrap();
        drop(bound);
    }

    #[test]
    fn a_listening_collector_is_not_displaced_and_a_dead_ones_socket_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.sock");
        let first = bind(&path, 0o600, &SocketGroup::Own).unwrap();
        assert!(matches!(bind(&path, 0o600, &SocketGroup::Own), Err(SocketError::InUse(_))));
        drop(first);
        assert!(path.exists());
        let _second = bind(&path, 0o600, &SocketGroup::Own).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_of_another_kind_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.sock");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path, 0o600, &SocketGroup::Own), Err(SocketError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_missing_default_group_warns_and_a_missing_configured_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.sock");
        let name = "no-such-group-here".to_owned();
        let error = bind(&path, 0o660, &SocketGroup::Required(name.clone())).unwrap_err();
        assert!(error.to_string().contains("groupadd --system no-such-group-here"), "{error}");
        assert!(!path.exists());
        let bound = bind(&path, 0o660, &SocketGroup::IfThere(name)).unwrap();
        assert!(bound.warning.unwrap().contains("does not exist"));
    }

    #[test]
    fn a_missing_folder_and_a_long_path_are_named() {
        assert!(matches!(
            bind(Path::new("/nonexistent/w/c.sock"), 0o600, &SocketGroup::Own),
            Err(SocketError::NoFolder(_))
        ));
        let long = Path::new("/tmp").join("x".repeat(120));
        assert!(bind(&long, 0o600, &SocketGroup::Own).unwrap_err().to_string().contains("at most 107"));
    }
}

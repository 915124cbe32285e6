//! Why the collector did not answer, and what the reader can do about it.
use std::io;
use std::path::{Path, PathBuf};

use tonic::{Code, Status as Answer};

use crate::wire::WireError;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no collector answers: is weir-collector running? Looked at {} ({reason})", path.display())]
    NotRunning { path: PathBuf, reason: String },
    #[error(
        "your user may not connect to {}: it is not in group {group}; add it (`usermod -aG {group} USER`, then log in \
         anew) or run as root",
        path.display()
    )]
    NotAllowed { path: PathBuf, group: String },
    #[error("cannot connect to {}", path.display())]
    Connect { path: PathBuf, source: io::Error },
    #[error(
        "the collector at {} closed the connection: it stopped, or does not know your user ({reason})",
        path.display()
    )]
    Closed { path: PathBuf, reason: String },
    #[error("the collector does not allow this to you: {0}")]
    Denied(String),
    /// Such as a filter that does not compile.
    #[error("{0}")]
    Invalid(String),
    /// Such as a second session beside the running one.
    #[error("{0}")]
    Refused(String),
    #[error("the collector is busy or stopping: {0}")]
    Unavailable(String),
    #[error("the collector did not answer in time; it may be overloaded")]
    TooLate,
    #[error("the collector is of another version, which does not know this call; update both")]
    Unknown,
    #[error("the collector failed: {message} ({code})")]
    Failed { code: Code, message: String },
    #[error("the collector sent what cannot be understood; both should have one version")]
    Wire(#[from] WireError),
    /// Of the journal; those behind it may be understood.
    #[error("entry {sequence} of the collector's journal cannot be understood; both should have one version")]
    Entry { sequence: u64, source: WireError },
    #[error("the collector broke the protocol: {0}")]
    Protocol(&'static str),
}

impl ClientError {
    /// Wrong use, not a failure: exit code 2.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }

    pub(super) fn connecting(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                let reason = if error.kind() == io::ErrorKind::NotFound {
                    "there is no such socket"
                } else {
                    "nobody listens there"
                };
                Self::NotRunning { path, reason: reason.to_owned() }
            }
            io::ErrorKind::PermissionDenied => Self::NotAllowed { group: group_of(&path), path },
            _ => Self::Connect { path, source: error },
        }
    }

    pub(super) fn answered(path: &Path, answer: &Answer) -> Self {
        let message = answer.message().to_owned();
        match answer.code() {
            Code::PermissionDenied => Self::Denied(message),
            Code::InvalidArgument => Self::Invalid(message),
            Code::FailedPrecondition => Self::Refused(message),
            Code::DeadlineExceeded | Code::Cancelled if is_timeout(answer) => Self::TooLate,
            Code::Unimplemented => Self::Unknown,
            Code::Unavailable | Code::Unknown if is_transport(answer) => {
                Self::Closed { path: path.to_owned(), reason: message }
            }
            Code::Unavailable | Code::ResourceExhausted => Self::Unavailable(message),
            code => Self::Failed { code, message },
        }
    }
}

fn is_timeout(answer: &Answer) -> bool {
    answer.code() == Code::DeadlineExceeded || answer.message().contains("Timeout expired")
}

/// tonic makes an answer of its own when the connection breaks; only then has it a source.
fn is_transport(answer: &Answer) -> bool {
    std::error::Error::source(answer).is_some()
}

/// The group that the socket, or else its folder, belongs to.
fn group_of(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).or_else(|error| match path.parent() {
        Some(folder) => std::fs::metadata(folder),
        None => Err(error),
    });
    let gid = metadata.ok().map(|metadata| nix::unistd::Gid::from_raw(metadata.gid()));
    let group = gid.and_then(|gid| nix::unistd::Group::from_gid(gid).ok().flatten());
    group.map_or_else(|| crate::socket::GROUP.to_owned(), |group| group.name)
}

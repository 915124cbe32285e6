//! The one crate of Weir with `unsafe`: system calls that no safe crate offers. Each block says why it is sound.
pub mod ring;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

mod mounts;
mod perf;

pub use mounts::mount_for_this_thread;
pub use perf::PerfRing;

/// Linux allows a process 65,536 supplementary groups (`NGROUPS_MAX`, getgroups(2)).
const MOST_GROUPS: usize = 65_536;

/// The peer's supplementary groups as they were when it connected (`SO_PEERGROUPS`, linux/net/core/sock.c). Its primary
/// group is what `SO_PEERCRED` tells and need not be among them.
///
/// `socket` is a connected Unix stream or seqpacket socket. Fails with `ENODATA` where the peer is not known, as for a
/// socket that is not connected.
#[expect(
    unsafe_code,
    reason = "getsockopt with a buffer whose length the kernel decides; no safe crate has this option"
)]
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 32];
    loop {
        let room = groups.len().saturating_mul(size_of::<libc::gid_t>());
        let mut length = libc::socklen_t::try_from(room).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: `groups` is writable for `length` bytes and any bit pattern is a valid gid_t; the kernel writes at most
        // `length` bytes and sets `length` to what the list takes. Both pointers outlive the call.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = usize::try_from(length).unwrap_or(usize::MAX) / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() || count > MOST_GROUPS {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

/// Gives memory that was freed back to the kernel (malloc_trim(3)); after work that is done once and took much of it. Does
/// nothing where the C library is not glibc.
pub fn give_freed_memory_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "no safe crate has malloc_trim")]
    // SAFETY: it has no preconditions, is thread-safe, and touches only memory that nobody holds.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::Command;

    use super::*;

    fn own_groups() -> Vec<u32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        line.split_whitespace().map(|group| group.parse().unwrap()).collect()
    }

    #[test]
    fn the_peer_of_a_pair_has_our_own_groups() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(peer_groups(one.as_fd()).unwrap(), own_groups());
    }

    #[test]
    fn more_groups_than_the_first_guess_are_all_told() {
        let folder = std::env::temp_dir().join(format!("weir-sys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let wanted: Vec<u32> = (5_000..5_100).collect();
        let list = wanted.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        // only root may choose groups: elsewhere the peer keeps our own
        let script = format!(
            "import os,socket,sys\nif os.getuid()==0: os.setgroups([{list}])\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.recv(1)"
        );
        let mut child = Command::new("python3").arg("-c").arg(script).arg(&path).spawn().unwrap();
        let (peer, _) = listener.accept().unwrap();
        let told = peer_groups(peer.as_fd()).unwrap();
        drop(peer);
        child.wait().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let root =
            std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        assert_eq!(told, if root { wanted } else { own_groups() });
    }

    #[test]
    fn a_socket_without_a_unix_peer_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(
            peer_groups(socket.as_fd()).unwrap_err().kind(),
            io::Error::from_raw_os_error(libc::ENODATA).kind()
        );
    }
}

//! A mount that only the calling thread sees.
use std::ffi::CStr;
use std::io;

/// Gives the calling thread a mount namespace of its own and mounts a file system of the kernel's in it, such as `tracefs`.
/// It ends with the thread. Needs CAP_SYS_ADMIN. Call it in a thread made for this: it cannot go back.
#[expect(unsafe_code, reason = "unshare and mount; the workspace takes them from no safe crate")]
pub fn mount_for_this_thread(kind: &CStr, target: &CStr) -> io::Result<()> {
    let check = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: a number is all it takes; other threads keep their namespace.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: every pointer is a C string that outlives the call, or null where mount(2) allows it.
    check(unsafe {
        libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), private, std::ptr::null())
    })?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_RDONLY;
    // SAFETY: as above.
    check(unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, std::ptr::null()) })
}

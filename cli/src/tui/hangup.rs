//! The terminal may go at any time: a connection breaks, a window is closed.
use std::io;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// So long the program may take to end by itself then.
const GRACE: Duration = Duration::from_secs(1);

/// Ends the program when its terminal is gone, whatever it is at. Its loop does not always come to it: SIGHUP is for the
/// session alone whose terminal it was, and where the input has come to its end first, crossterm reads that again and again.
pub(super) fn ends_the_program() -> io::Result<()> {
    let watch = || {
        if is_gone(PollTimeout::NONE) {
            thread::sleep(GRACE);
            end();
        }
    };
    thread::Builder::new().name("hangup".to_owned()).spawn(watch).map(drop)
}

/// Ends the program without giving back what is gone: ratatui would try, and panic where it cannot say that it failed.
pub(super) fn end() -> ! {
    std::process::exit(0);
}

/// Whether the terminal is gone, or will be within a time.
pub(super) fn is_gone(within: PollTimeout) -> bool {
    let input = io::stdin();
    // a hang-up is told in any case (poll(2))
    let mut watched = [PollFd::new(input.as_fd(), PollFlags::empty())];
    loop {
        match poll(&mut watched, within) {
            Ok(changed) => return changed > 0,
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

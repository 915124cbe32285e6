//! Bytes that never pass through the program: sendfile(2) and splice(2).
use std::fs::File;
use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::sendfile::sendfile;
use nix::unistd::pipe;

use super::stream::{HEADER, connect, header};
use super::{Aim, Moved};

/// A pipe holds this much (pipe(7)).
const PIPE: usize = 65_536;

fn sent(bytes: usize) -> Moved {
    Moved { sent: (HEADER + bytes) as u64, received: 0, frames: 0 }
}

/// The file is this program's own.
pub(super) fn send_file(aim: &Aim) -> Result<Moved> {
    let file = File::open("/proc/self/exe").context("opening this program's file")?;
    let bytes = aim.bytes.min(file.metadata().context("its size")?.len() as usize);
    let mut stream = connect(aim.stream())?;
    aim.each_round(|_| {
        stream.write_all(&header(bytes, 0)).context("sending")?;
        let mut offset = 0;
        while (offset as usize) < bytes {
            let left = bytes - offset as usize;
            let now = sendfile(&stream, &file, Some(&mut offset), left).context("sendfile")?;
            ensure!(now > 0, "the file ended early");
        }
        Ok(sent(bytes))
    })
}

pub(super) fn splice_pipe(aim: &Aim) -> Result<Moved> {
    let (reading, writing) = pipe().context("a pipe")?;
    let mut writing = File::from(writing);
    let mut stream = connect(aim.stream())?;
    let bytes = vec![0x5a; aim.bytes.min(PIPE)];
    aim.each_round(|_| {
        stream.write_all(&header(bytes.len(), 0)).context("sending")?;
        writing.write_all(&bytes).context("filling the pipe")?;
        let mut left = bytes.len();
        while left > 0 {
            let moved =
                splice(&reading, None, &stream, None, left, SpliceFFlags::empty()).context("splice")?;
            ensure!(moved > 0, "the pipe ended early");
            left -= moved;
        }
        Ok(sent(bytes.len()))
    })
}

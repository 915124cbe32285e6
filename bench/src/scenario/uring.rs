//! io_uring(7): the kernel reads and writes the socket by requests in a ring, in one direction each.
use anyhow::{Context as _, Result, ensure};
use tokio_uring::net::TcpStream;

use super::stream::{HEADER, header};
use super::{Aim, Moved, needs};

pub(super) fn send(aim: &Aim) -> Result<Moved> {
    run(aim, aim.bytes, 0)
}

pub(super) fn receive(aim: &Aim) -> Result<Moved> {
    run(aim, 0, aim.bytes)
}

fn run(aim: &Aim, up: usize, down: usize) -> Result<Moved> {
    let runtime = tokio_uring::Runtime::new(&tokio_uring::builder());
    needs("io_uring", runtime)?.block_on(async {
        let stream = TcpStream::connect(aim.stream()).await.context("connecting through io_uring")?;
        let mut moved = Moved::default();
        for round in 0..aim.rounds {
            if round > 0 {
                std::thread::sleep(aim.pause);
            }
            moved += exchange(&stream, up, down).await?;
        }
        Ok(moved)
    })
}

async fn exchange(stream: &TcpStream, up: usize, down: usize) -> Result<Moved> {
    let mut bytes = header(up, down).to_vec();
    bytes.resize(HEADER + up, 0x5a);
    stream.write_all(bytes).await.0.context("sending through io_uring")?;
    let mut left = down;
    let mut buffer = vec![0; down.clamp(1, 65_536)];
    while left > 0 {
        let (read, again) = stream.read(buffer).await;
        let read = read.context("receiving through io_uring")?;
        ensure!(read > 0 && read <= left, "the far end closed with {left} bytes left");
        left -= read;
        buffer = again;
    }
    Ok(Moved { sent: (HEADER + up) as u64, received: down as u64, frames: 0 })
}

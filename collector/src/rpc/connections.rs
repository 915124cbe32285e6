//! Accepts connections: a stranger is closed at once, a member gets a seat. Seats are bounded, in all and per user, so
//! that one user cannot keep the others out.
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

const MOST_CONNECTIONS: usize = 16;
const MOST_CONNECTIONS_A_USER: usize = 8;
/// After a failed accept, such as with no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Which socket a listener is, and so whom it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// Root, the collector's own user, and members of `group` where there is one.
    Collector { group: Option<u32> },
    /// Root and the collector's own user.
    Control,
}

/// Who is at the other end, as the kernel says (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub uid: u32,
    pub socket: Socket,
}

/// Connections of all listeners, each bounded on its own. Ends when `stop` is cancelled.
pub(super) fn accept(
    listeners: Vec<(UnixListener, Socket)>,
    stop: CancellationToken,
) -> io::Result<impl Stream<Item = io::Result<Connection>>> {
    let mut streams = Vec::new();
    for (listener, socket) in listeners {
        listener.set_nonblocking(true)?;
        let door =
            Door { listener: tokio::net::UnixListener::from_std(listener)?, socket, seats: Arc::default() };
        let connections = futures_util::stream::unfold(door, |door| async move {
            let connection = door.next().await;
            Some((Ok(connection), door))
        });
        streams.push(Box::pin(connections));
    }
    let all = futures_util::stream::select_all(streams);
    Ok(futures_util::StreamExt::take_until(all, stop.cancelled_owned()))
}

struct Door {
    listener: tokio::net::UnixListener,
    socket: Socket,
    seats: Arc<Seats>,
}

impl Door {
    /// The next connection of somebody who may.
    async fn next(&self) -> Connection {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => match self.admit(stream) {
                    Ok(connection) => return connection,
                    Err(reason) => tracing::warn!(reason, "connection closed"),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: UnixStream) -> Result<Connection, String> {
        let credentials = stream.peer_cred().map_err(|error| format!("its user is not known: {error}"))?;
        let uid = credentials.uid();
        let own = uid == 0 || uid == nix::unistd::geteuid().as_raw();
        let group = match self.socket {
            Socket::Collector { group } => group,
            Socket::Control => None,
        };
        let member = |group| credentials.gid() == group || in_group(&stream, group);
        if !own && !group.is_some_and(member) {
            return Err(format!(
                "user {uid} is neither root, nor the collector's, nor in the socket's group"
            ));
        }
        let seat = Seats::take(&self.seats, uid)
            .ok_or_else(|| format!("user {uid} or all together have as many connections as are allowed"))?;
        Ok(Connection { stream, peer: Peer { uid, socket: self.socket }, _seat: seat })
    }
}

fn in_group(stream: &UnixStream, group: u32) -> bool {
    match weir_sys::peer_groups(stream.as_fd()) {
        Ok(groups) => groups.contains(&group),
        Err(error) => {
            tracing::warn!(%error, "a connection's groups cannot be read");
            false
        }
    }
}

#[derive(Debug, Default)]
struct Seats(Mutex<BTreeMap<u32, usize>>);

impl Seats {
    fn take(seats: &Arc<Self>, uid: u32) -> Option<Seat> {
        let mut taken = seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.entry(uid).or_default();
        if all >= MOST_CONNECTIONS || *own >= MOST_CONNECTIONS_A_USER {
            return None;
        }
        *own += 1;
        Some(Seat { seats: Arc::clone(seats), uid })
    }
}

/// Given back when its connection ends.
#[derive(Debug)]
struct Seat {
    seats: Arc<Seats>,
    uid: u32,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.uid) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.uid);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    peer: Peer,
    _seat: Seat,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_every_seat_and_seats_come_back() {
        let seats = Arc::new(Seats::default());
        let mut held: Vec<Seat> = (0..8).map(|_| Seats::take(&seats, 1000).unwrap()).collect();
        assert!(Seats::take(&seats, 1000).is_none());
        held.extend((0..8).map(|_| Seats::take(&seats, 1001).unwrap()));
        assert!(Seats::take(&seats, 0).is_none(), "sixteen in all");
        drop(held);
        assert!(Seats::take(&seats, 1000).is_some());
    }
}

//! What is known of a flow's end once its sockets and their holders are found: whose it is, or why it is nobody's.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use shared::process::MatchQuality;
use weir_shared as shared;

use super::super::SocketEnd;
use super::super::closings::PortHold;
use super::super::events::Party;
use super::super::holders::Held;
use super::super::locate::{Located, is_by_port};
use super::super::processes::Process;
use super::super::questions::{By, CLOSED, NO_HOLDER, NOT_READABLE, Verdict};
use super::super::sockets::{Socket, UDP};
use super::Refresher;

impl Refresher {
    /// None: not decided yet.
    pub(super) fn judge(
        &mut self,
        end: &SocketEnd,
        located: Located,
        (held, asked): (&HashMap<u64, Held>, u64),
    ) -> Option<Verdict> {
        let (sockets, quality) = match located {
            Located::Sockets(sockets) => (sockets, MatchQuality::Exact),
            Located::Listeners(sockets) => (sockets, MatchQuality::Listener),
            Located::Process(party) => return Some(self.party(&party)),
            Located::Party(process) => {
                return Some(Verdict::Held {
                    processes: vec![process],
                    quality: MatchQuality::Exact,
                    by: By::Addresses,
                });
            }
            Located::Until(at) => return Some(Verdict::Until(at)),
            Located::Later => return None,
            Located::Kernel => return Some(Verdict::Kernel),
            Located::Nowhere(reason) => return Some(Verdict::Nobody(reason)),
        };
        let mut pids: Vec<u32> = Vec::new();
        let mut unheld = Vec::new();
        for socket in &sockets {
            match held.get(&socket.inode) {
                Some(Held::By(holders)) => pids.extend(holders),
                Some(Held::ByNobody { all_readable }) => unheld.push((*socket, *all_readable)),
                Some(Held::Sought) | None => return None,
            }
        }
        // one of several that nobody is known to hold: it may be the one that was used
        if let Some((socket, all_readable)) = unheld.first() {
            let kernels = unheld.len() == sockets.len() && *all_readable;
            if kernels && self.locator.is_the_kernels(socket) {
                return Some(Verdict::Kernel);
            }
            return Some(Verdict::Nobody(if *all_readable { NO_HOLDER } else { NOT_READABLE }));
        }
        pids.sort_unstable();
        pids.dedup();
        let by = if is_by_port(&sockets, end) { By::Port(hold(&sockets, asked)) } else { By::Addresses };
        self.name(end, pids, (quality, by))
    }

    fn party(&mut self, party: &Party) -> Verdict {
        let (process, lives) = self.known.told(party);
        if !lives {
            // it is told as gone after the answer, as soon as it is looked after
            self.known.lives(&process.identity);
            self.next_census = Instant::now();
        }
        Verdict::Held { processes: vec![process], quality: MatchQuality::Exact, by: By::Addresses }
    }

    fn name(
        &mut self,
        end: &SocketEnd,
        mut pids: Vec<u32>,
        (quality, by): (MatchQuality, By),
    ) -> Option<Verdict> {
        // the service manager holds the listeners that it has passed on
        if pids.len() > 1 {
            pids.retain(|pid| *pid != 1);
        }
        let processes: Vec<Arc<Process>> = pids.iter().filter_map(|pid| self.known.describe(*pid)).collect();
        if processes.len() < pids.len() || processes.is_empty() {
            return None; // one of them went away: whoever is left is found in the next round
        }
        if let Some(began) = self.open.get(end).and_then(|open| open.began) {
            let latest = self.boot.ticks(began).saturating_add(2);
            if processes.iter().all(|process| process.identity.start > latest) {
                return Some(Verdict::Nobody(CLOSED)); // the port is somebody else's by now
            }
        }
        let quality = if processes.len() > 1 { MatchQuality::Shared } else { quality };
        Some(Verdict::Held { processes, quality, by })
    }
}

/// The socket that has a port for itself. `asked`: when the kernel was asked, nanoseconds since boot.
fn hold(sockets: &[Socket], asked: u64) -> Option<PortHold> {
    match sockets {
        [Socket { protocol: UDP, cookie, .. }] if *cookie != 0 => {
            Some(PortHold { cookie: *cookie, found: asked })
        }
        _ => None,
    }
}

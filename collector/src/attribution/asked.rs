//! What was asked of a flow's end, and which of two flows of the same addresses an answer is for.
use std::time::Instant;

use super::Lookup;
use super::questions::CLOSED;

/// Two flows of the same addresses that begin this close to each other are one, seen on two interfaces.
const SAME_FLOW: u64 = 2_000_000;

/// A flow's end that is looked up, or was lately.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) since: Instant,
    /// When the latest flow of these addresses began that was asked for, nanoseconds since boot.
    pub(super) began: Option<u64>,
    /// When the kernel was asked, and what came out.
    pub(super) answer: Option<(u64, Lookup)>,
}

/// How a flow stands to the latest one of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Earlier,
    Same,
    Later,
}

impl Asked {
    pub(super) fn order(&self, began: Option<u64>) -> Order {
        match (began, self.began) {
            (Some(this), Some(latest)) if this.saturating_add(SAME_FLOW) < latest => Order::Earlier,
            (Some(this), Some(latest)) if this > latest.saturating_add(SAME_FLOW) => Order::Later,
            _ => Order::Same,
        }
    }

    /// What is known of an earlier flow: it had the socket only if that was found before the later flow began.
    pub(super) fn earlier(&self) -> Lookup {
        match (&self.answer, self.began) {
            (Some((asked, lookup)), Some(latest)) if *asked < latest => lookup.clone(),
            _ => Lookup::Never(CLOSED),
        }
    }
}

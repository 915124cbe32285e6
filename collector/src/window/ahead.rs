//! How much live figures are ahead of what was told. Of very many flows the worker tells only some each second, and of the
//! others by owner how much growth waits: an owner's rate is true before its flows are told, and what is told later of such
//! growth is no news to it.
use hashbrown::HashMap;
use weir_shared::report::RxTx;

use super::crediting::{Owning, PASSING};
use super::interface::{Capture, Interface};
use super::owners::{Said, Share};
use super::{count, minus};
use crate::attribution::OwnerId;
use crate::flows::waiting::WaitingRecord;

#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Of what waited when a second ended, what was not told since.
    waiting: HashMap<OwnerId, RxTx>,
    /// Of who is not named nothing waited.
    is_complete: bool,
}

impl Ahead {
    /// How a share counts whose owner the worker knows, given how it would if nothing were known of what waits.
    pub(super) fn said(&mut self, owner: OwnerId, share: &Share, late: &Said) -> Said {
        let Some(waiting) = self.waiting.get_mut(&owner) else {
            return Said { seconds: if self.is_complete { 1 } else { late.seconds }, ..*late };
        };
        let news = minus(share.traffic, *waiting);
        *waiting = minus(*waiting, share.traffic);
        Said { ahead: minus(share.traffic, news), seconds: 1, ..*late }
    }

    /// All was told.
    pub(super) fn window_ended(&mut self) {
        *self = Self::default();
    }

    /// A second's sums replace those before; gives what each owner has more than these.
    fn second_ended(&mut self, waiting: HashMap<OwnerId, RxTx>, leaves_out: bool) -> Vec<(OwnerId, RxTx)> {
        let before = std::mem::replace(&mut self.waiting, waiting);
        self.is_complete = !leaves_out;
        let news = |owner, waits| minus(waits, before.get(owner).copied().unwrap_or_default());
        self.waiting.iter().map(|(owner, waits)| (*owner, news(owner, *waits))).collect()
    }
}

impl Capture {
    /// What owners' flows have grown by and none of the records before tells of.
    pub(super) fn waiting(&mut self, interface: &mut Interface, record: &WaitingRecord, owning: &Owning) {
        let time = self.time;
        let mut waiting: HashMap<OwnerId, RxTx> = HashMap::new();
        for (mark, sum) in &record.owners {
            let Some(found) = owning.of(*mark) else { continue };
            let (owner, quality) = if mark.passes { PASSING } else { found };
            interface.owners.open((owner, quality), (interface.window, time));
            *waiting.entry(owner).or_default() += RxTx { rx: count(sum.received), tx: count(sum.sent) };
        }
        for (owner, news) in self.ahead.second_ended(waiting, record.leaves_out) {
            interface.owners.moves(owner, &news, time);
        }
    }
}

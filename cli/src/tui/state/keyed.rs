//! Rows by what they are about, so that a choice and a mean follow them from update to update.
use shared::process::OwnerRow;
use shared::report::{FlowRow, HostRow, RxTx};
use weir_shared as shared;

pub(in super::super) trait Keyed {
    /// The same for the same thing in every update, different for different things of one list.
    fn key(&self) -> String;

    fn rate(&self) -> RxTx;

    fn rate_mut(&mut self) -> &mut RxTx;
}

impl Keyed for OwnerRow {
    fn key(&self) -> String {
        let started = self.owner.started.map_or(0, |started| started.as_millisecond());
        // rows without a process differ by their reason
        let owner = &self.owner;
        format!("{} {} {started} {} {}", self.interface, owner.pid.unwrap_or(0), owner.name, owner.reason)
    }

    fn rate(&self) -> RxTx {
        self.per_second
    }

    fn rate_mut(&mut self) -> &mut RxTx {
        &mut self.per_second
    }
}

impl Keyed for HostRow {
    fn key(&self) -> String {
        format!("{} {}", self.interface, self.address)
    }

    fn rate(&self) -> RxTx {
        self.per_second
    }

    fn rate_mut(&mut self) -> &mut RxTx {
        &mut self.per_second
    }
}

impl Keyed for FlowRow {
    fn key(&self) -> String {
        format!("{} {} {} {}", self.interface, self.protocol, self.initiator, self.responder)
    }

    fn rate(&self) -> RxTx {
        self.per_second
    }

    fn rate_mut(&mut self) -> &mut RxTx {
        &mut self.per_second
    }
}

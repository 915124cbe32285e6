//! Who an owner is, by its number.
use jiff::Timestamp;
use shared::process::{MatchQuality, Owner};
use weir_shared as shared;

use super::{Attribution, OwnerId};

/// Says who an owner is.
pub trait Directory {
    fn owner(&self, id: OwnerId) -> Owner;

    /// The owners that this process was, under all its names.
    fn find(&self, pid: u32, started: Timestamp) -> Vec<OwnerId>;
}

/// Owners that are no process.
pub fn without_process(id: OwnerId) -> Owner {
    let (name, quality) = match id {
        OwnerId::KERNEL => ("kernel", MatchQuality::Kernel),
        OwnerId::FORWARDED => ("forwarded", MatchQuality::Kernel),
        OwnerId::NO_FLOW => ("no_flow", MatchQuality::Kernel),
        _ => ("unknown", MatchQuality::Unknown),
    };
    Owner { name: name.to_owned(), quality, ..Owner::default() }
}

impl Directory for Attribution {
    fn owner(&self, id: OwnerId) -> Owner {
        if id >= OwnerId::FIRST_PROCESS {
            return self.process(id).unwrap_or_else(|| Owner {
                reason: "too many processes since: who it was is forgotten".to_owned(),
                ..without_process(OwnerId::UNKNOWN)
            });
        }
        Owner { reason: self.reason(id).to_owned(), ..without_process(id) }
    }

    fn find(&self, pid: u32, started: Timestamp) -> Vec<OwnerId> {
        self.numbers_of(pid, started)
    }
}

/// Knows no process at all: a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Directory for Nobody {
    fn owner(&self, id: OwnerId) -> Owner {
        without_process(id)
    }

    fn find(&self, _: u32, _: Timestamp) -> Vec<OwnerId> {
        Vec::new()
    }
}

//! How a list is looked at, and what lies over it.
use jiff::Timestamp;
use shared::process::OwnerRow;
use shared::report::{FlowRow, HostRow, Ranked};
use weir_shared as shared;

use super::Detail;

/// How one tab's list is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Look {
    /// Empty: everything. Of packets libpcap's filter language.
    pub filter: String,
    /// A column; None is the list's own order: what moves most now, what is newest.
    pub sort: Option<usize>,
    /// The row's key, so that the choice stays with it; None is the first.
    pub chosen: Option<String>,
    /// Where it was, for when it is gone.
    pub at: usize,
}

/// What lies over the list.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Popup {
    Help {
        scroll: usize,
    },
    /// Which of all, then the interfaces.
    Interfaces {
        at: usize,
    },
    /// What the filter was before, to go back to.
    Filter {
        text: String,
    },
    Detail(Box<Detail>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Notice {
    pub text: String,
    pub bad: bool,
    pub(super) until: Timestamp,
}

/// Rows that the collector found for a filter, beyond those of the live view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Found {
    Owners(Ranked<OwnerRow>),
    Hosts(Ranked<HostRow>),
    Flows(Ranked<FlowRow>),
}

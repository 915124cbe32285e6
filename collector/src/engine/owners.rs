//! Finds the owners of flows that the worker does not know, and knows who each owner is.
use super::Engine;
use crate::attribution::{Directory, Nobody};

/// Who owners are.
#[derive(Debug, Default)]
pub(super) struct Owners {
    pub(super) directory: Nobody,
}

impl Engine {
    pub(super) fn directory(&self) -> &dyn Directory {
        &self.owners.directory
    }
}

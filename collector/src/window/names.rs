//! What addresses are called, by what passed by. The latest name wins.
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::RecordError;
use crate::flows::record::LONGEST_NAME;

#[derive(Debug)]
pub(super) struct Names {
    of: HashMap<IpAddr, Arc<str>>,
    order: VecDeque<IpAddr>,
    most: usize,
}

/// A name as a worker may tell it: printable ASCII, bounded.
pub(super) fn check(name: &str) -> Result<(), RecordError> {
    let fits =
        !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(()) } else { Err(RecordError::BadName(name.len())) }
}

impl Names {
    pub(super) fn new(most: usize) -> Self {
        Self { of: HashMap::new(), order: VecDeque::new(), most: most.max(1) }
    }

    pub(super) fn learn(&mut self, address: IpAddr, name: &str) -> Result<(), RecordError> {
        check(name)?;
        if let Some(known) = self.of.get_mut(&address) {
            if **known != *name {
                *known = Arc::from(name);
            }
            return Ok(());
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
        self.of.insert(address, Arc::from(name));
        self.order.push_back(address);
        Ok(())
    }

    pub(super) fn of(&self, address: &IpAddr) -> &str {
        self.of.get(address).map_or("", |name| name)
    }
}

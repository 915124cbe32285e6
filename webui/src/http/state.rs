//! What every handler may use.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::auth::{Passwords, Throttle};
use crate::live::hub::Hub;
use crate::store::Store;
use crate::store::retention::Limits;

use super::hosts::AllowedHosts;

/// Shared by all workers; cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    pub store: Store,
    pub hub: Hub,
    pub passwords: Passwords,
    pub throttle: Arc<Throttle>,
    pub hosts: Arc<AllowedHosts>,
    pub socket: PathBuf,
    pub listen: SocketAddr,
    pub retention: watch::Receiver<Limits>,
    pub tls: bool,
    pub exposed_without_tls: bool,
    pub packet_lists: Arc<crate::live::packets::OpenLists>,
}

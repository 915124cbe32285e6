//! Which protocols something spoke, as a set.
use serde::{Deserialize, Serialize};
use weir_shared::net::Transport;

use crate::decode::application::Application;

/// Transport and application protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    /// One bit for each application, by its place in `Application::ALL`.
    applications: u64,
    /// One bit for each of `TRANSPORTS`.
    transports: u8,
}

const _: () = assert!(Application::ALL.len() <= 64);
/// Of `add`'s bits, lowest first.
const TRANSPORTS: [u8; 6] = [6, 17, 1, 58, 132, 255];

impl Protocols {
    /// `protocol` is the IANA number.
    pub fn add(&mut self, protocol: u8, application: Application) {
        if application != Application::Other {
            self.applications |= 1 << application as u8;
        }
        self.transports |= match protocol {
            6 => 1,
            17 => 1 << 1,
            1 => 1 << 2,
            58 => 1 << 3,
            132 => 1 << 4,
            _ => 1 << 5,
        };
    }

    pub fn join(&mut self, other: Self) {
        self.applications |= other.applications;
        self.transports |= other.transports;
    }

    /// Transports first.
    pub fn names(self) -> Vec<String> {
        let transports = TRANSPORTS.iter().enumerate().filter(|(place, _)| self.transports & 1 << place != 0);
        let transports = transports.map(|(_, number)| match number {
            255 => "other".to_owned(),
            number => Transport::from_number(*number).to_string(),
        });
        let applications =
            Application::ALL.iter().filter(|name| self.applications & 1 << (**name as u8) != 0);
        transports.chain(applications.map(|application| application.name().to_owned())).collect()
    }
}

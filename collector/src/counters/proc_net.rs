//! Counters from /proc/net/dev (proc_pid_net(5)), for machines where netlink is refused.
use procfs::net::DeviceStatus;
use shared::report::KernelCounters;
use weir_shared as shared;

use super::{CounterError, CounterSource, Reading};

#[derive(Debug)]
pub struct ProcSource;

impl CounterSource for ProcSource {
    fn name(&self) -> &'static str {
        "/proc/net/dev"
    }

    fn read(&mut self, readings: &mut Vec<Reading>) -> Result<(), CounterError> {
        readings.clear();
        let devices = procfs::net::dev_status().map_err(CounterError::Proc)?;
        readings.extend(devices.into_values().map(reading));
        Ok(())
    }
}

fn reading(device: DeviceStatus) -> Reading {
    Reading {
        // 0 for one that vanished meanwhile: it is judged by its name then
        index: nix::net::if_::if_nametoindex(device.name.as_str()).unwrap_or(0),
        name: device.name,
        counters: KernelCounters {
            rx_packets: device.recv_packets,
            rx_bytes: device.recv_bytes,
            tx_packets: device.sent_packets,
            tx_bytes: device.sent_bytes,
        },
    }
}

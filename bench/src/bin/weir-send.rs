//! Sends a known number of frames at a known rate from one interface, and prints what it sent as one JSON line.
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use serde_json::json;
use weir_bench::frames::{Link, Transport, frame};
use weir_bench::send::{Rate, send};

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long)]
    interface: String,
    /// The receiver's MAC address.
    #[arg(long)]
    to: String,
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Packets a second; 0 is as fast as it goes.
    #[arg(long, default_value_t = 0)]
    pps: u64,
    /// Bytes from the Ethernet header on, without the checksum that the wire adds.
    #[arg(long, default_value_t = 60)]
    size: usize,
    #[arg(long, default_value_t = 256)]
    flows: usize,
    #[arg(long, default_value = "10.88.0.1")]
    source: Ipv4Addr,
    #[arg(long, default_value = "10.88.0.2")]
    destination: Ipv4Addr,
    #[arg(long, value_enum, default_value_t = Transport::Udp)]
    transport: Transport,
    /// Sends this capture's frames instead (cut at 1,514 bytes, none under 14), addressed to the receiver.
    #[arg(long)]
    pcap: Option<PathBuf>,
    #[arg(long, default_value_t = 32)]
    batch: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let destination_mac = mac(&arguments.to)?;
    let frames = match &arguments.pcap {
        Some(path) => from_file(path, destination_mac)?,
        None => {
            let link = Link {
                source_mac: [2, 0, 0, 0, 0, 1],
                destination_mac,
                source: arguments.source,
                destination: arguments.destination,
            };
            let count = arguments.flows.max(1);
            (0..count).map(|flow| frame(&link, arguments.transport, flow, arguments.size)).collect()
        }
    };
    let rate = Rate { count: arguments.count, per_second: arguments.pps, batch: arguments.batch };
    let sent = send(&arguments.interface, &frames, rate)?;
    let line = json!({
        "sent": sent.frames, "bytes": sent.bytes, "seconds": sent.seconds,
        "pps": (sent.frames as f64 / sent.seconds).round(), "waits": sent.waits, "late_batches": sent.late_batches,
    });
    writeln!(std::io::stdout(), "{line}").context("writing the figures")
}

fn mac(text: &str) -> Result<[u8; 6]> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| anyhow!("{text} is not a MAC address"))
}

fn from_file(path: &Path, destination_mac: [u8; 6]) -> Result<Vec<Vec<u8>>> {
    let mut capture =
        pcap::Capture::from_file(path).with_context(|| format!("opening {}", path.display()))?;
    let mut frames = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(packet) if packet.data.len() >= 14 => {
                let mut frame = packet.data[..packet.data.len().min(1514)].to_vec();
                frame[..6].copy_from_slice(&destination_mac);
                frames.push(frame);
            }
            Ok(_) => {}
            Err(pcap::Error::NoMorePackets) => return Ok(frames),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }
}

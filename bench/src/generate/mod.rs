//! Writes a capture file whose every count is known. The same options give the same bytes.
mod broken;
mod emit;
pub(crate) mod frame;
mod hosts;
mod message;
mod plan;
mod random;
mod truth;

use std::io::Write;

use anyhow::{Context as _, Result};
use serde_json::Value;

use frame::Frame;
use random::Random;
use truth::Truth;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mix {
    /// Everything, with fragments, snapped and malformed packets.
    Default,
    /// The same without fragments, snapped or malformed packets.
    Clean,
    /// One 60-byte TCP SYN a flow: the flow table's worst case.
    Scan,
    /// 60-byte UDP: the packet rate's worst case.
    Small,
}

impl Mix {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Clean => "clean",
            Self::Scan => "scan",
            Self::Small => "small",
        }
    }
}

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    #[arg(long, default_value_t = 1_000_000)]
    pub packets: usize,
    /// A twentieth of the packets unless given; the mix `scan` has as many as packets.
    #[arg(long)]
    pub flows: Option<usize>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Packets a second of the file's own time.
    #[arg(long, default_value_t = 100_000.0)]
    pub pps: f64,
    /// How unequal flows are: exponent of the Zipf distribution of their lengths.
    #[arg(long, default_value_t = 1.1)]
    pub zipf: f64,
    #[arg(long, value_enum, default_value_t = Mix::Default)]
    pub mix: Mix,
    /// Time of the first packet, seconds since 1970.
    #[arg(long, default_value_t = 1_700_000_000)]
    pub start: u64,
}

impl Options {
    pub fn new(mix: Mix, packets: usize, seed: u64) -> Self {
        Self { packets, flows: None, seed, pps: 100_000.0, zipf: 1.1, mix, start: 1_700_000_000 }
    }

    fn flow_count(&self) -> usize {
        self.flows.unwrap_or((self.packets / 20).max(1))
    }
}

/// Writes the capture (pcap, microseconds, Ethernet) and returns the truth about it; docs/performance.md says what each
/// of its counts is.
pub fn generate(options: &Options, output: &mut dyn Write) -> Result<Value> {
    let mut random = Random(options.seed ^ 0x5EED);
    let span = plan::span_micros(options)?;
    let mut flows = plan::flows(options, &mut random);
    plan::lengths(options, &mut flows)?;
    let events = plan::times(options, &flows, span, &mut random);

    let noise = (0..message::NOISE_BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    let dirty = options.mix == Mix::Default;
    let frame = Frame::default();
    let mut writer =
        Writer { random, noise, frame, dirty, start: options.start, truth: Truth::new(), output };
    writer.file_header()?;
    let mut broken = 0;
    for event in events {
        let micros = event >> 32;
        match event & 0xffff_ffff {
            plan::BROKEN => {
                writer.broken(micros, broken)?;
                broken += 1;
            }
            flow => writer.emit(micros, &mut flows[flow as usize])?,
        }
    }
    Ok(writer.truth.json(options, &flows))
}

/// Everything that writing one packet after the other needs.
struct Writer<'a> {
    random: Random,
    noise: Vec<u8>,
    frame: Frame,
    /// Packets are snapped now and then.
    dirty: bool,
    start: u64,
    truth: Truth,
    output: &'a mut dyn Write,
}

impl Writer<'_> {
    fn file_header(&mut self) -> Result<()> {
        let fields = [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 1];
        let bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        self.output.write_all(&bytes).context("writing the capture")
    }

    fn record(&mut self, micros: u64, captured: usize, wire: usize) -> Result<()> {
        let second = self.start + micros / 1_000_000;
        let fields = [second as u32, (micros % 1_000_000) as u32, captured as u32, wire as u32];
        let mut header = [0u8; 16];
        for (bytes, field) in header.chunks_exact_mut(4).zip(fields) {
            bytes.copy_from_slice(&field.to_le_bytes());
        }
        self.output.write_all(&header).context("writing the capture")?;
        self.output.write_all(&self.frame.bytes[..captured]).context("writing the capture")?;
        self.truth.frame(micros, captured, wire);
        Ok(())
    }

    /// Bytes without meaning.
    fn noise(&mut self, length: usize) -> Vec<u8> {
        let at = self.random.below((self.noise.len() - length) as u64) as usize;
        self.noise[at..at + length].to_vec()
    }
}

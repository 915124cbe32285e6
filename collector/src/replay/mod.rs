//! `weir-collector replay FILE`: a capture file through the same stages as live traffic.
mod fold;
mod summary;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use shared::config::ConfigError;
use shared::error::complain;
use weir_shared as shared;

use crate::capture::file::{CaptureFile, FileError, Packet};
use crate::config::{Config, Overrides};
use crate::flows::own::OwnAddresses;
use crate::flows::record::Counters;
use crate::pipeline::batch::Decoded;
use crate::pipeline::{Mode, Pipeline, Sample, Settings, UnsupportedLink};
use crate::worker::filter::{self, FilterError, Program};
use fold::Fold;
use summary::{FlowCounts, Fragments, Mix, Processing, Summary};

/// What to read and how to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A pcap or pcapng file
    pub file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Count only what matches this filter (pcap-filter(7), numbers instead of host names); else what `filter` of
    /// `[capture]` in the file named by --config says
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Also tell every window of so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub windows: Option<u32>,
    /// Flows kept at once
    #[arg(long, value_name = "N", default_value_t = 1_048_576, value_parser = clap::value_parser!(u32).range(16..=67_108_864))]
    pub max_flows: u32,
    /// This machine's addresses, comma separated; otherwise guessed from the traffic
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub local: Vec<std::net::IpAddr>,
    /// Scores of addresses
    #[arg(long, value_name = "FILE")]
    pub reputation: Option<PathBuf>,
    /// Write alerts as JSON lines
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
}

/// Why a replay cannot begin or end.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Link(#[from] UnsupportedLink),
    #[error("--filter {expression}: {reason}")]
    Filter { expression: String, reason: String },
    #[error("configuration")]
    Config(#[from] ConfigError),
    #[error("the result cannot be written")]
    Write(#[from] std::io::Error),
}

/// Runs it; 0 done, 1 the file could not be read to its end, 2 wrong use. Of a configuration file only `[capture] filter`
/// says anything about a file.
pub fn run(options: &Options, config: Option<&Path>) -> ExitCode {
    if options.alerts.is_some() || options.reputation.is_some() {
        complain("weir-collector: --alerts and --reputation are not in this version");
        return ExitCode::from(2);
    }
    match replay(options, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("weir-collector: {error}"));
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                complain(format_args!("  because: {cause}"));
                source = cause.source();
            }
            let wrong_use = matches!(error, ReplayError::Filter { .. } | ReplayError::Config(_));
            ExitCode::from(if wrong_use { 2 } else { 1 })
        }
    }
}

fn replay(options: &Options, config: Option<&Path>) -> Result<(), ReplayError> {
    let config = config.map(|path| Config::load(Some(path), &Overrides::default())).transpose()?;
    let mut file = CaptureFile::open(&options.file)?;
    let started = Instant::now();
    let mut replay = Replay::new(options, config);
    let read = replay.read(&mut file);
    if let Err(error @ (ReplayError::Filter { .. } | ReplayError::Config(_) | ReplayError::Link(_))) = read {
        return Err(error);
    }
    let mut summary = replay.finish(file.link_type());
    let seconds = started.elapsed().as_secs_f64();
    summary.processing = Processing { seconds, packets_per_second: rate(summary.count.packets, seconds) };
    print(&summary, options.json)?;
    read
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(packets: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { packets as f64 / seconds } else { 0.0 }
}

fn print(summary: &Summary, json: bool) -> Result<(), ReplayError> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if !json {
        return Ok(write!(out, "{summary}")?);
    }
    serde_json::to_writer(&mut out, summary).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Rows outside the flow table after which they are folded.
const MANY_SPILLED: usize = 4096;
/// Windows without a packet that are listed; a file whose clock leaps further has its leap left out.
const MOST_EMPTY_WINDOWS: u64 = 100_000;

#[inline]
fn sample<'a>(packet: &Packet<'a>) -> Sample<'a> {
    Sample { time: packet.time, wire_length: packet.wire_length, data: packet.data }
}

/// A file on its way through the stages.
struct Replay<'a> {
    options: &'a Options,
    config: Option<Config>,
    pipeline: Option<(i32, Pipeline)>,
    filter: Option<Program>,
    fold: Fold,
    window: Duration,
    empty_windows: u64,
    times: Option<(u64, u64)>,
}

impl<'a> Replay<'a> {
    fn new(options: &'a Options, config: Option<Config>) -> Self {
        let window = Duration::from_secs(u64::from(options.windows.unwrap_or(10)));
        let fold = Fold::new(options.max_flows as usize, options.windows.is_some());
        Self {
            options,
            config,
            pipeline: None,
            filter: None,
            fold,
            window,
            empty_windows: MOST_EMPTY_WINDOWS,
            times: None,
        }
    }

    fn read(&mut self, file: &mut CaptureFile) -> Result<(), ReplayError> {
        loop {
            let batch = file.next_batch()?;
            let packets = batch.packets();
            if packets.is_empty() {
                return Ok(());
            }
            match (&self.filter, &self.pipeline, packets) {
                (None, Some((link_type, _)), [first, ..]) if first.link_type == *link_type => {
                    self.batch(packets);
                }
                _ => packets.iter().try_for_each(|packet| self.packet(packet))?,
            }
        }
    }

    /// Packets of the link layer that is set: a batch has one.
    #[inline]
    fn batch(&mut self, packets: &[Packet<'_>]) {
        let Some((_, pipeline)) = &mut self.pipeline else { return };
        let mut decoded: Vec<_> = packets.iter().map(|packet| pipeline.decode(sample(packet))).collect();
        pipeline.fetch(&mut decoded);
        for (packet, decoded) in packets.iter().zip(&decoded) {
            Self::count(
                pipeline,
                &mut self.fold,
                (&mut self.times, &mut self.empty_windows),
                packet,
                decoded,
            );
        }
    }

    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), ReplayError> {
        let known = self.pipeline.as_ref().map(|(link_type, _)| *link_type);
        if known != Some(packet.link_type) {
            self.link(packet.link_type)?;
        }
        if let Some(filter) = &self.filter
            && !filter.matches(packet.data, packet.wire_length)
        {
            return Ok(());
        }
        let Some((_, pipeline)) = &mut self.pipeline else { return Ok(()) };
        let decoded = pipeline.decode(sample(packet));
        Self::count(pipeline, &mut self.fold, (&mut self.times, &mut self.empty_windows), packet, &decoded);
        Ok(())
    }

    #[inline]
    fn count(
        pipeline: &mut Pipeline,
        fold: &mut Fold,
        (times, empty_windows): (&mut Option<(u64, u64)>, &mut u64),
        packet: &Packet<'_>,
        decoded: &Decoded<'_>,
    ) {
        let (first, last) = times.unwrap_or((packet.time, packet.time));
        *times = Some((first.min(packet.time), last.max(packet.time)));
        if let Some(end) = pipeline.window_end()
            && packet.time >= end
        {
            Self::pass(pipeline, fold, packet.time, empty_windows);
        }
        pipeline.count_frame(decoded);
        if pipeline.spilled() >= MANY_SPILLED {
            fold.drain(pipeline);
        }
    }

    /// Ends windows one by one, so that no more than one is untold.
    #[cold]
    fn pass(pipeline: &mut Pipeline, fold: &mut Fold, time: u64, empty_windows: &mut u64) {
        while let Some(end) = pipeline.window_end()
            && time >= end
        {
            if *empty_windows == 0 {
                pipeline.jump(time);
            } else {
                *empty_windows -= 1;
                pipeline.reached(end);
            }
            fold.drain(pipeline);
        }
    }

    /// The first frame, or one of another link layer than before: a file may mix interfaces.
    #[cold]
    fn link(&mut self, link_type: i32) -> Result<(), ReplayError> {
        self.filter = self.compile(link_type)?;
        if let Some((known, pipeline)) = &mut self.pipeline {
            pipeline.set_link(link_type)?;
            *known = link_type;
            return Ok(());
        }
        let settings = Settings {
            window: self.window,
            max_flows: self.options.max_flows as usize,
            mode: Mode::File,
            ..Settings::default()
        };
        let own = OwnAddresses::new(self.options.local.clone(), None);
        self.pipeline = Some((link_type, Pipeline::new(link_type, own, settings)?));
        Ok(())
    }

    fn compile(&self, link_type: i32) -> Result<Option<Program>, ReplayError> {
        let refused = |expression: &String, error: FilterError| ReplayError::Filter {
            expression: expression.clone(),
            reason: error.to_string(),
        };
        match (&self.options.filter, &self.config) {
            (Some(expression), _) => {
                filter::check(expression, link_type).map(Some).map_err(|error| refused(expression, error))
            }
            (None, Some(config)) => Ok(config.filter(link_type)?),
            (None, None) => Ok(None),
        }
    }

    fn finish(mut self, link_type: Option<i32>) -> Summary {
        let mut summary =
            Summary { link_type: summary::link_name(link_type.unwrap_or(-1)), ..Summary::default() };
        let Some((_, mut pipeline)) = self.pipeline.take() else {
            summary.mix = Mix::between(&Counters::default(), &Counters::default());
            summary.windows = self.fold.take_windows();
            return summary;
        };
        if let Some(end) = pipeline.window_end() {
            pipeline.reached(end);
        }
        self.fold.drain(&mut pipeline);
        let counters = pipeline.counters();
        let mut all = counters.received;
        all.add(counters.sent);
        let flows = pipeline.flow_counts();
        let (hosts, hosts_evicted) = self.fold.hosts();
        let (first, last) = self.times.unwrap_or_default();
        Summary {
            count: summary::count(all),
            captured_bytes: counters.captured_bytes,
            first_time: self.times.map(|(first, _)| fold::timestamp(first)),
            last_time: self.times.map(|(_, last)| fold::timestamp(last)),
            duration_seconds: fold::seconds(last - first),
            vlan_packets: counters.vlan_packets,
            qinq_packets: counters.qinq_packets,
            fragments: Fragments { first: counters.first_fragments, later: counters.later_fragments },
            truncated: counters.truncated,
            cut_before_network: counters.cut_before_network,
            malformed: counters.malformed,
            malformed_messages: counters.malformed_messages,
            mix: Mix::between(&Counters::default(), &counters),
            flows: FlowCounts { tcp: flows.tcp, udp: flows.udp, icmp: flows.icmp, other: flows.other },
            flows_evicted: counters.evicted_flows,
            hosts,
            hosts_evicted,
            top: self.fold.whole(&pipeline),
            names: self.fold.names(),
            windows: self.fold.take_windows(),
            ..summary
        }
    }
}

#[cfg(test)]
mod tests;

//! Packets as they pass, and at the end their exact statistics: those of the collector, which counts what matched, not
//! of the lines that were sent.
use std::io::BufWriter;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use shared::client::{Collector, Incoming, WatchRequest, Watched};
use shared::error::complain;
use shared::json::{PacketSummaryDocument, packet_summary_document};
use shared::packets::{PacketHeader, PacketSummary};
use shared::text::escape;
use shared::units::PacketCount;
use weir_shared as shared;

use super::{bytes, interrupted, packet_line, rate};
use crate::args::{self, Arguments};
use crate::output::Output;
use crate::pcap_file::PcapFile;

type File = PcapFile<BufWriter<std::fs::File>>;

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    wanted: &args::Packets,
    out: &mut Output,
) -> anyhow::Result<()> {
    let request = WatchRequest {
        filter: wanted.filter.clone(),
        interface: arguments.interface.clone().unwrap_or_default(),
        most_packets_per_second: wanted.most_per_second.unwrap_or(0),
    };
    let stop = interrupted()?;
    let packets = collector.watch_packets(&request).await?;
    let file = wanted
        .write
        .as_deref()
        .map(|path| PcapFile::create(path).with_context(|| format!("cannot write {}", path.display())));
    let mut list = PacketList {
        json: arguments.json,
        left: wanted.count,
        shown: 0,
        out,
        file: file.transpose()?,
        totals: PacketSummary::default(),
    };
    let ended = list.follow(packets, stop).await;
    list.finish(arguments)?;
    ended
}

struct PacketList<'a> {
    json: bool,
    /// Lines until it stops by itself.
    left: Option<u64>,
    /// Lines printed.
    shown: u64,
    out: &'a mut Output,
    file: Option<File>,
    totals: PacketSummary,
}

impl PacketList<'_> {
    async fn follow(
        &mut self,
        mut packets: Incoming<Watched>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        tokio::pin!(stop);
        loop {
            let message = tokio::select! {
                message = packets.next() => message,
                () = &mut stop => return Ok(()),
            };
            match message {
                Some(Ok(Watched::Batch(batch))) => {
                    self.totals = batch.totals;
                    for packet in &batch.packets {
                        if self.left == Some(0) {
                            break;
                        }
                        self.show(packet)?;
                    }
                    self.out.flush()?;
                    if self.left == Some(0) {
                        return Ok(());
                    }
                }
                Some(Ok(Watched::Summary(totals))) => self.totals = totals,
                Some(Err(error)) => return Err(error.into()),
                None => anyhow::bail!("the collector ended the list"),
            }
        }
    }

    fn show(&mut self, packet: &PacketHeader) -> anyhow::Result<()> {
        if self.json {
            self.out.json(packet)?;
        } else {
            self.out.line(&packet_line::line(packet, self.out))?;
        }
        if let Some(file) = &mut self.file {
            file.write(packet).context("cannot write the capture file")?;
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.shown = self.shown.saturating_add(1);
        Ok(())
    }

    fn finish(mut self, arguments: &Arguments) -> anyhow::Result<()> {
        if let Some(file) = self.file {
            let left_out = file.finish().context("cannot write the capture file")?;
            if left_out > 0 {
                complain(format_args!(
                    "weir: {left_out} packets of another link type are not in the file, which has one; choose with \
                     --interface"
                ));
            }
        }
        // what the collector kept back, and what was on its way when the list ended
        self.totals.not_sent = self.totals.packets.saturating_sub(self.shown);
        let document = packet_summary_document(&self.totals);
        if self.json {
            self.out.json(&document)?;
        } else {
            statistics(&document, arguments, self.out)?;
        }
        Ok(self.out.flush()?)
    }
}

fn statistics(
    document: &PacketSummaryDocument<'_>,
    arguments: &Arguments,
    out: &mut Output,
) -> std::io::Result<()> {
    let summary = &document.summary;
    out.line("")?;
    out.line(&format!(
        "{} packets, {} in {:.1} s: {}, {} packets/s",
        summary.packets,
        bytes(summary.bytes),
        summary.duration_seconds,
        rate(arguments.units, summary.bits_per_second),
        PacketCount(summary.packets_per_second),
    ))?;
    out.line(&format!("{} matched and were not shown", summary.not_sent))?;
    for (name, share) in &summary.protocols {
        out.line(&format!(
            "  {:<8}  {:>5.1} %  {} packets, {}",
            escape(name),
            share.percent_of_bytes,
            share.packets,
            bytes(share.bytes)
        ))?;
    }
    for (title, rows) in
        [("Top sources", summary.top_sources), ("Top destinations", summary.top_destinations)]
    {
        if !rows.is_empty() {
            out.line(title)?;
        }
        for row in rows {
            let text = format!("  {}  {}  {} packets", row.address, row.name, row.count.packets);
            out.line(&format!("{}, {}", escape(&text), bytes(row.count.bytes)))?;
        }
    }
    Ok(())
}

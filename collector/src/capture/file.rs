//! Reads pcap and pcapng files (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng): both byte orders, microseconds and
//! nanoseconds, in large pieces, with bounded memory whatever a record claims.
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::pcapng::Sections;

/// One packet of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packet<'a> {
    /// Nanoseconds since the Unix epoch, as stamped: may step back.
    pub time: u64,
    pub wire_length: u32,
    /// <https://www.tcpdump.org/linktypes.html>
    pub link_type: i32,
    pub data: &'a [u8],
}

/// Packets of a batch at most: enough that what they need from memory is fetched at the same time.
const BATCH: usize = 8;

/// Packets that lie together in the buffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    packets: [Packet<'a>; BATCH],
    length: usize,
}

impl<'a> Batch<'a> {
    fn of_one(packet: Option<Packet<'a>>) -> Self {
        let mut batch = Self { length: usize::from(packet.is_some()), ..Self::default() };
        if let (Some(packet), [first, ..]) = (packet, &mut batch.packets) {
            *first = packet;
        }
        batch
    }

    #[inline]
    pub fn packets(&self) -> &[Packet<'a>] {
        self.packets.get(..self.length).unwrap_or_default()
    }
}

/// Why a file gives no more packets.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: cannot be opened", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{}: reading failed at offset {offset}", path.display())]
    Read { path: PathBuf, offset: u64, source: std::io::Error },
    #[error("{}: neither a pcap nor a pcapng file (offset 0)", path.display())]
    NotACapture { path: PathBuf },
    #[error("{}: breaks off at offset {offset}, {missing} bytes are missing", path.display())]
    BreaksOff { path: PathBuf, offset: u64, missing: usize },
    #[error("{}: broken at offset {offset}: {what}", path.display())]
    Broken { path: PathBuf, offset: u64, what: String },
}

/// What is wrong with a record; `CaptureFile` adds where.
#[derive(Debug)]
pub(super) enum Fault {
    Read(std::io::Error),
    Missing(usize),
    Broken(String),
}

const PIECE: usize = 1 << 20;
/// The longest record that is read; libpcap writes packets of up to 262,144 bytes.
pub(super) const LONGEST_RECORD: usize = 512 << 10;

/// A file's bytes, a piece at a time.
pub(super) struct Bytes {
    source: Box<dyn Read>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// In the file, of `start`.
    offset: u64,
}

impl Bytes {
    /// The next `length` bytes, which stay unread; fewer at the file's end.
    #[inline]
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8], Fault> {
        if self.end - self.start < length {
            self.refill(length)?;
        }
        let end = self.end.min(self.start + length);
        Ok(self.buffer.get(self.start..end).unwrap_or_default())
    }

    #[inline]
    pub(super) fn skip(&mut self, length: usize) {
        let length = length.min(self.end - self.start);
        self.start += length;
        self.offset += length as u64;
    }

    /// Bytes that were peeked before, without a look at the file.
    #[inline]
    pub(super) fn peeked(&self, from: usize, length: usize) -> &[u8] {
        let start = self.start + from;
        self.buffer.get(start..(start + length).min(self.end)).unwrap_or_default()
    }

    #[cold]
    fn refill(&mut self, length: usize) -> Result<(), Fault> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < length.min(self.buffer.len()) {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.source.read(room) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Read(error)),
            }
        }
        Ok(())
    }
}

enum Format {
    Pcap(Pcap),
    Pcapng(Sections),
}

/// A capture file that is being read.
pub struct CaptureFile {
    path: PathBuf,
    bytes: Bytes,
    format: Format,
}

impl std::fmt::Debug for CaptureFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl CaptureFile {
    /// Opens a file, or standard input for `-`.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(path).map_err(|source| FileError::Open { path: path.into(), source })?)
        };
        let mut bytes = Bytes { source, buffer: vec![0; PIECE], start: 0, end: 0, offset: 0 };
        match recognise(&mut bytes) {
            Ok(Some(format)) => Ok(Self { path: path.into(), bytes, format }),
            Ok(None) => Err(FileError::NotACapture { path: path.into() }),
            Err(fault) => Err(locate(path, 0, fault)),
        }
    }

    /// The link type of the file, or of the first interface seen so far; None before there is one.
    pub fn link_type(&self) -> Option<i32> {
        match &self.format {
            Format::Pcap(pcap) => Some(pcap.link_type),
            Format::Pcapng(sections) => sections.link_type(),
        }
    }

    /// The next packets: at least one, none at the file's end. What is unreadable is said once what is before it is taken.
    #[inline]
    pub fn next_batch(&mut self) -> Result<Batch<'_>, FileError> {
        let offset = self.bytes.offset;
        let result = match &mut self.format {
            Format::Pcap(pcap) => pcap.batch(&mut self.bytes),
            Format::Pcapng(sections) => sections.next(&mut self.bytes).map(Batch::of_one),
        };
        result.map_err(|(at, fault)| locate(&self.path, at.unwrap_or(offset), fault))
    }
}

/// With the offset of the record where it is not the one that was asked for.
pub(super) type Located<T> = Result<T, (Option<u64>, Fault)>;

impl Bytes {
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

fn locate(path: &Path, offset: u64, fault: Fault) -> FileError {
    let path = path.into();
    match fault {
        Fault::Read(source) => FileError::Read { path, offset, source },
        Fault::Missing(missing) => FileError::BreaksOff { path, offset, missing },
        Fault::Broken(what) => FileError::Broken { path, offset, what },
    }
}

fn recognise(bytes: &mut Bytes) -> Result<Option<Format>, Fault> {
    let head = bytes.peek(24)?;
    let Some(magic) = head.first_chunk::<4>() else { return Ok(None) };
    if *magic == [0x0a, 0x0d, 0x0d, 0x0a] {
        return Ok(Some(Format::Pcapng(Sections::default())));
    }
    let (swapped, magic) = match u32::from_le_bytes(*magic) {
        magic @ (0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34) => (false, magic),
        magic => (true, magic.swap_bytes()),
    };
    if !matches!(magic, 0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34) {
        return Ok(None);
    }
    if head.len() < 24 {
        return Err(Fault::Missing(24 - head.len()));
    }
    let link_type = head.get(20..).map_or(0, |field| word(field, swapped)) & 0xffff; // above: the FCS's length
    let format = Format::Pcap(Pcap {
        swapped,
        nanoseconds: magic == 0xa1b2_3c4d,
        header: if magic == 0xa1b2_cd34 { 24 } else { 16 },
        link_type: i32::try_from(link_type).unwrap_or(-1),
    });
    bytes.skip(24);
    Ok(Some(format))
}

/// A 32-bit field; 0 where there are fewer bytes.
#[inline]
pub(super) fn word(field: &[u8], swapped: bool) -> u32 {
    let word = field.first_chunk().map_or(0, |field| u32::from_le_bytes(*field));
    if swapped { word.swap_bytes() } else { word }
}

/// What a pcap file's header says of its records.
struct Pcap {
    swapped: bool,
    nanoseconds: bool,
    /// Bytes before each packet.
    header: usize,
    link_type: i32,
}

/// Where a packet lies in the buffer.
#[derive(Clone, Copy, Default)]
struct Place {
    time: u64,
    wire_length: u32,
    start: usize,
    length: usize,
}

impl Pcap {
    /// The next packet, and those behind it that are wholly in the buffer.
    #[inline]
    fn batch<'a>(&self, bytes: &'a mut Bytes) -> Located<Batch<'a>> {
        let mut places = [Place::default(); BATCH];
        let Some(first) = self.place(bytes, true).map_err(|fault| (None, fault))? else {
            return Ok(Batch::default());
        };
        let mut length = 0;
        let mut next = Some(first);
        for place in &mut places {
            let Some(found) = next else { break };
            *place = found;
            length += 1;
            next = if length < BATCH { self.place(bytes, false).unwrap_or_default() } else { None };
        }
        let packets = places.map(|place| Packet {
            time: place.time,
            wire_length: place.wire_length.max(u32::try_from(place.length).unwrap_or(0)),
            link_type: self.link_type,
            data: bytes.buffer.get(place.start..place.start + place.length).unwrap_or_default(),
        });
        Ok(Batch { packets, length })
    }

    /// Takes a packet; None at the file's end, or if the buffer does not hold it and must stay as it is.
    #[inline]
    fn place(&self, bytes: &mut Bytes, may_refill: bool) -> Result<Option<Place>, Fault> {
        let buffered = bytes.end - bytes.start;
        if !may_refill && buffered < self.header {
            return Ok(None);
        }
        let head = bytes.peek(self.header)?;
        let [Some(seconds), Some(fraction), Some(length), Some(wire_length)] =
            [0, 4, 8, 12].map(|at| head.get(at..at + 4).map(|field| word(field, self.swapped)))
        else {
            return if head.is_empty() { Ok(None) } else { Err(Fault::Missing(self.header - head.len())) };
        };
        if head.len() < self.header {
            return Err(Fault::Missing(self.header - head.len()));
        }
        let length = length as usize;
        if length > LONGEST_RECORD {
            return Err(Fault::Broken(format!("a packet of {length} bytes")));
        }
        let whole = self.header + length;
        if !may_refill && buffered < whole {
            return Ok(None);
        }
        let there = bytes.peek(whole)?.len();
        if there < whole {
            return Err(Fault::Missing(whole - there));
        }
        bytes.skip(whole);
        let unit = if self.nanoseconds { 1 } else { 1000 };
        let time = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * unit;
        Ok(Some(Place { time, wire_length, start: bytes.start - length, length }))
    }
}

impl Bytes {
    /// The last `length` bytes that were skipped.
    #[inline]
    pub(super) fn passed(&self, length: usize) -> &[u8] {
        self.buffer.get(self.start.saturating_sub(length)..self.start).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
pub(crate) mod tests;

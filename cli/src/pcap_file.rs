//! A capture file of packet headers, in libpcap's classic format with nanoseconds
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>).
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use weir_shared::packets::PacketHeader;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const VERSION: (u16, u16) = (2, 4);
/// What tcpdump says: no record is longer.
const SNAP_LENGTH: u32 = 262_144;
const NANOS_A_SECOND: i128 = 1_000_000_000;

/// A file has one link type, the first packet's; packets of another are counted and left out.
#[derive(Debug)]
pub(crate) struct PcapFile<W: Write> {
    out: W,
    link_type: Option<u32>,
    pub left_out: u64,
}

impl PcapFile<BufWriter<File>> {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufWriter::new(File::create(path)?)))
    }
}

impl<W: Write> PcapFile<W> {
    const fn new(out: W) -> Self {
        Self { out, link_type: None, left_out: 0 }
    }

    pub(crate) fn write(&mut self, packet: &PacketHeader) -> io::Result<()> {
        match self.link_type {
            None => self.begin(packet.link_type)?,
            Some(link_type) if link_type != packet.link_type => {
                self.left_out += 1;
                return Ok(());
            }
            Some(_) => {}
        }
        let nanos = packet.time.as_nanosecond();
        let seconds = u32::try_from(nanos.div_euclid(NANOS_A_SECOND)).unwrap_or(u32::MAX);
        let rest = u32::try_from(nanos.rem_euclid(NANOS_A_SECOND)).unwrap_or(0);
        let length = u32::try_from(packet.header.len()).unwrap_or(SNAP_LENGTH);
        for field in [seconds, rest, length, packet.wire_bytes.max(length)] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(&packet.header)
    }

    /// Also makes a whole, empty file where no packet came.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        if self.link_type.is_none() {
            self.begin(1)?;
        }
        self.out.flush()?;
        Ok(self.left_out)
    }

    fn begin(&mut self, link_type: u32) -> io::Result<()> {
        self.out.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        self.out.write_all(&VERSION.0.to_le_bytes())?;
        self.out.write_all(&VERSION.1.to_le_bytes())?;
        for field in [0, 0, SNAP_LENGTH, link_type] {
            self.out.write_all(&u32::to_le_bytes(field))?;
        }
        self.link_type = Some(link_type);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use weir_shared::net::{Direction, Transport};

    use super::*;

    fn packet(link_type: u32) -> PacketHeader {
        PacketHeader {
            time: Timestamp::from_nanosecond(1_700_000_000_123_456_789).unwrap(),
            interface: "eth0".to_owned(),
            source: None,
            destination: None,
            protocol: Transport::NoFlow,
            application: String::new(),
            wire_bytes: 1500,
            captured_bytes: 128,
            direction: Direction::Ingress,
            vlan: 0,
            tcp_flags: 0,
            detail: String::new(),
            source_mac: String::new(),
            destination_mac: String::new(),
            header: vec![1, 2, 3],
            link_type,
            owner: None,
        }
    }

    #[test]
    fn a_record_has_nanoseconds_and_both_lengths() {
        let mut bytes = Vec::new();
        let mut file = PcapFile::new(&mut bytes);
        file.write(&packet(1)).unwrap();
        file.write(&packet(12)).unwrap();
        assert_eq!(file.finish().unwrap(), 1, "one of another link type");
        assert_eq!(bytes.len(), 24 + 16 + 3);
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(20)), (0xa1b2_3c4d, 1));
        assert_eq!([word(24), word(28), word(32), word(36)], [1_700_000_000, 123_456_789, 3, 1500]);
    }
}

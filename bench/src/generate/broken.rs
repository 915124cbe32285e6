//! Broken packets: counted in the totals and under their own kind, in no protocol, port, flow or top count.
use anyhow::Result;

use super::Writer;
use super::frame::Path;
use super::hosts::BROKEN;

const KINDS: usize = super::truth::BROKEN.len();

impl Writer<'_> {
    /// Writes the `number`th broken packet; the kinds take turns.
    pub(super) fn broken(&mut self, micros: u64, number: usize) -> Result<()> {
        let kind = number % KINDS;
        self.truth.broken[kind] += 1;
        let path = Path { v6: kind == 5 || kind == 6, source: BROKEN, destination: BROKEN + 1 };
        self.frame.start(path, 0);
        let at = self.frame.len();
        self.body(kind, path);
        match kind {
            1 => self.frame.bytes[at] = 0x43,
            2 => self.frame.put_u16(at + 2, 1500),
            5 => self.frame.put_u16(at + 4, 1400),
            7 => self.frame.bytes[at] = 0x75,
            _ => {}
        }
        let length = self.frame.len();
        self.record(micros, length, length)
    }

    fn body(&mut self, kind: usize, path: Path) {
        match kind {
            0 => self.frame.bytes.truncate(10),
            3 => self.tcp(path, 0x20, &[]),
            9 => self.tcp(path, 0x50, &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0xff, 0xff, 0xff, 0xff]),
            8 => {
                self.udp(path, [5353, 53], None, &[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1])
            }
            6 => {
                self.frame.ip(path, 0, 8, None);
                self.frame.push(&[6, 200, 1, 4, 0, 0, 0, 0]);
            }
            4 => self.udp(path, [7, 7], Some(3), &[0; 12]),
            _ => self.udp(path, [7, 7], None, &[0; 12]),
        }
    }

    fn tcp(&mut self, path: Path, data_offset: u8, payload: &[u8]) {
        self.frame.ip(path, 6, 20 + payload.len(), None);
        self.frame.push(&40000u16.to_be_bytes());
        self.frame.push(&443u16.to_be_bytes());
        self.frame.push(&[0, 0, 0, 1, 0, 0, 0, 1, data_offset, 24, 0, 99, 0, 0, 0, 0]);
        self.frame.push(payload);
    }

    fn udp(&mut self, path: Path, ports: [u16; 2], claimed: Option<u16>, payload: &[u8]) {
        let length = 8 + payload.len();
        self.frame.ip(path, 17, length, None);
        for field in [ports[0], ports[1], claimed.unwrap_or(length as u16), 0] {
            self.frame.push(&field.to_be_bytes());
        }
        self.frame.push(payload);
    }
}

//! How much of each packet the kernel copies: a classic BPF program that returns the length to keep, joined with the
//! user's filter. Packets that can carry a host's name are kept longer, of all others only the headers.
//!
//! Every load is guarded by the packet's length: one past the end would return 0, and the packet would be gone uncounted.
//! The kernel runs the program on frames without their outer VLAN tag, which libpcap puts back.
use serde::{Deserialize, Serialize};

use crate::worker::filter::{Instruction, Program, ProgramError};

/// Kept of a packet whose payload says nothing.
pub const SHORT: u32 = 128;
/// Kept of a packet that can carry a name.
pub const LONG: u32 = 2_048;

/// How much of each packet is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapLength {
    /// `SHORT`, and `LONG` of DNS, TLS hellos, QUIC long headers and HTTP heads.
    Auto,
    /// So many bytes of each.
    Fixed(u32),
}

impl SnapLength {
    pub const fn longest(self) -> u32 {
        match self {
            Self::Auto => LONG,
            Self::Fixed(length) => length,
        }
    }
}

/// What comes first in a frame of the link types that the program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    /// An IP header: tun, WireGuard.
    Ip,
}

/// The program for one interface: the user's filter, if any, then the length.
pub fn program(link: Link, snap: SnapLength, filter: Option<&Program>) -> Result<Program, ProgramError> {
    let lengths = match snap {
        SnapLength::Auto => assemble(&auto(link))?,
        SnapLength::Fixed(length) => keep(length),
    };
    match filter {
        None => Program::new(lengths),
        Some(filter) => join(filter, &lengths),
    }
}

/// Takes nothing in any more.
pub fn nothing() -> Result<Program, ProgramError> {
    Program::new(keep(0))
}

fn keep(length: u32) -> Vec<Instruction> {
    vec![Instruction { code: RETURN, jump_true: 0, jump_false: 0, k: length }]
}

/// The filter's accepting returns become jumps, 32 bits wide unlike a conditional's 8, to the lengths that follow it.
fn join(filter: &Program, lengths: &[Instruction]) -> Result<Program, ProgramError> {
    let mut joined = filter.instructions().to_vec();
    let end = joined.len();
    for (at, instruction) in joined.iter_mut().enumerate() {
        if instruction.code == RETURN && instruction.k != 0 {
            let offset = u32::try_from(end - at - 1).map_err(|_| ProgramError::Length(end))?;
            *instruction = Instruction { code: JUMP_ALWAYS, jump_true: 0, jump_false: 0, k: offset };
        } else if instruction.code == RETURN_ACCUMULATOR {
            return Err(ProgramError::Instruction(at)); // libpcap writes none
        }
    }
    joined.extend_from_slice(lengths);
    Program::new(joined)
}

// classes and modes, linux/bpf_common.h
const LOAD_LENGTH: u16 = 0x80;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
/// The `_AT` loads add the index register to their offset.
const LOAD_WORD_AT: u16 = 0x40;
const LOAD_HALF_AT: u16 = 0x48;
const LOAD_BYTE_AT: u16 = 0x50;
const LOAD_SCRATCH: u16 = 0x60;
const INDEX: u16 = 0x01;
const STORE: u16 = 0x02;
const ADD: u16 = 0x04;
const ADD_INDEX: u16 = 0x0c;
const SUBTRACT: u16 = 0x14;
const SUBTRACT_INDEX: u16 = 0x1c;
const AND: u16 = 0x54;
const SHIFT_LEFT: u16 = 0x64;
const SHIFT_RIGHT: u16 = 0x74;
const JUMP_ALWAYS: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_AT_LEAST_INDEX: u16 = 0x3d;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const RETURN_ACCUMULATOR: u16 = 0x16;
const TO_INDEX: u16 = 0x07;
const FROM_INDEX: u16 = 0x87;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Label {
    /// The line below.
    Next,
    OneTag,
    TwoTags,
    Network,
    Ipv4,
    Ipv6,
    Udp,
    Quic,
    Tcp,
    ToHttps,
    Payload,
    Short,
    Long,
}

enum Line {
    Do(u16, u32),
    If(u16, u32, Label, Label),
    At(Label),
}

use Label::{Ipv4, Ipv6, Long, Network, Next, OneTag, Payload, Quic, Short, Tcp, ToHttps, TwoTags, Udp};
use Line::{At, Do, If};

fn auto(link: Link) -> Vec<Line> {
    let mut lines = match link {
        Link::Ethernet => ethernet(),
        Link::Ip => vec![
            Do(LOAD_LENGTH, 0),
            If(IF_AT_LEAST, 20, Next, Short),
            Do(INDEX, 0),
            Do(LOAD_BYTE, 0),
            Do(AND, 0xf0),
            If(IF_EQUAL, 0x40, Ipv4, Next),
            If(IF_EQUAL, 0x60, Ipv6, Short),
        ],
    };
    lines.extend(ip());
    lines.extend(udp());
    lines.extend(tcp());
    lines.extend([At(Short), Do(RETURN, SHORT), At(Long), Do(RETURN, LONG)]);
    lines
}

/// Leaves the network header's offset in the index register. A tag still in the frame is QinQ's inner one, or the
/// frame is on its way out.
fn ethernet() -> Vec<Line> {
    vec![
        Do(LOAD_LENGTH, 0),
        If(IF_AT_LEAST, 18, Next, Short),
        Do(INDEX, 14),
        Do(LOAD_HALF, 12),
        If(IF_EQUAL, 0x8100, OneTag, Next),
        If(IF_EQUAL, 0x88a8, OneTag, Network),
        At(OneTag),
        Do(INDEX, 18),
        Do(LOAD_HALF, 16),
        If(IF_EQUAL, 0x8100, TwoTags, Next),
        If(IF_EQUAL, 0x88a8, TwoTags, Network),
        At(TwoTags),
        Do(LOAD_LENGTH, 0),
        If(IF_AT_LEAST, 22, Next, Short),
        Do(INDEX, 22),
        Do(LOAD_HALF, 20),
        At(Network),
        If(IF_EQUAL, 0x0800, Ipv4, Next),
        If(IF_EQUAL, 0x86dd, Ipv6, Short),
    ]
}

/// Moves the index register to the transport header.
fn ip() -> Vec<Line> {
    vec![
        At(Ipv4),
        Do(LOAD_LENGTH, 0),
        Do(SUBTRACT_INDEX, 0),
        If(IF_AT_LEAST, 20, Next, Short),
        Do(LOAD_HALF_AT, 6),
        If(IF_ANY_BIT, 0x1fff, Short, Next), // a later fragment
        Do(LOAD_BYTE_AT, 9),
        Do(STORE, 0),
        Do(LOAD_BYTE_AT, 0),
        Do(AND, 0x0f),
        Do(SHIFT_LEFT, 2),
        Do(ADD_INDEX, 0),
        Do(TO_INDEX, 0),
        Do(LOAD_SCRATCH, 0),
        If(IF_EQUAL, 6, Tcp, Next),
        If(IF_EQUAL, 17, Udp, Short),
        At(Ipv6),
        Do(LOAD_LENGTH, 0),
        Do(SUBTRACT_INDEX, 0),
        If(IF_AT_LEAST, 40, Next, Short),
        Do(LOAD_BYTE_AT, 6),
        Do(STORE, 0),
        Do(FROM_INDEX, 0),
        Do(ADD, 40),
        Do(TO_INDEX, 0),
        Do(LOAD_SCRATCH, 0),
        If(IF_EQUAL, 6, Tcp, Next),
        If(IF_EQUAL, 17, Udp, Short),
    ]
}

fn udp() -> Vec<Line> {
    let mut lines = vec![At(Udp), Do(LOAD_LENGTH, 0), Do(SUBTRACT, 9), If(IF_AT_LEAST_INDEX, 0, Next, Short)];
    for port in [0, 2] {
        lines.push(Do(LOAD_HALF_AT, port));
        lines.extend(name_ports());
        lines.push(If(IF_EQUAL, 443, Quic, if port == 0 { Next } else { Short }));
    }
    // a long header has both top bits set (RFC 9000 section 17.2)
    lines.extend([At(Quic), Do(LOAD_BYTE_AT, 8), Do(AND, 0xc0), If(IF_EQUAL, 0xc0, Long, Short)]);
    lines
}

fn tcp() -> Vec<Line> {
    let mut lines = vec![
        At(Tcp),
        Do(LOAD_LENGTH, 0),
        Do(SUBTRACT, 20),
        If(IF_AT_LEAST_INDEX, 0, Next, Short),
        Do(LOAD_HALF_AT, 0),
    ];
    lines.extend(name_ports());
    lines.push(Do(LOAD_HALF_AT, 2));
    lines.extend(name_ports());
    lines.push(If(IF_EQUAL, 443, ToHttps, Payload));
    // the last segment of a hello that takes more than one: nothing but its PSH tells it
    lines.extend([At(ToHttps), Do(LOAD_BYTE_AT, 13), If(IF_ANY_BIT, 0x08, Long, Next)]);
    lines.extend([
        At(Payload),
        Do(LOAD_BYTE_AT, 12),
        Do(AND, 0xf0),
        Do(SHIFT_RIGHT, 2),
        Do(ADD_INDEX, 0),
        Do(TO_INDEX, 0),
        Do(LOAD_LENGTH, 0),
        Do(SUBTRACT, 4),
        If(IF_AT_LEAST_INDEX, 0, Next, Short),
        Do(LOAD_HALF_AT, 0),
        If(IF_EQUAL, 0x1603, Long, Next), // TLS handshake record, version 3.x
        Do(LOAD_WORD_AT, 0),
    ]);
    let heads = [b"GET ", b"POST", b"HEAD", b"PUT ", b"HTTP"];
    lines.extend(heads.map(|head| If(IF_EQUAL, u32::from_be_bytes(*head), Long, Next)));
    lines
}

/// DNS and mDNS.
fn name_ports() -> [Line; 2] {
    [If(IF_EQUAL, 53, Long, Next), If(IF_EQUAL, 5353, Long, Next)]
}

fn assemble(lines: &[Line]) -> Result<Vec<Instruction>, ProgramError> {
    let position = |label: Label| {
        let before = lines.iter().take_while(|line| !matches!(line, At(at) if *at == label));
        before.filter(|line| !matches!(line, At(_))).count()
    };
    let mut assembled: Vec<Instruction> = Vec::with_capacity(lines.len());
    for line in lines {
        let here = assembled.len();
        let offset = |label: Label| match label {
            Next => Ok(0),
            _ => position(label)
                .checked_sub(here + 1)
                .and_then(|offset| u8::try_from(offset).ok())
                .ok_or(ProgramError::Jump(here)),
        };
        match line {
            At(_) => {}
            Do(code, k) => assembled.push(Instruction { code: *code, jump_true: 0, jump_false: 0, k: *k }),
            If(code, k, yes, no) => {
                assembled.push(Instruction {
                    code: *code,
                    jump_true: offset(*yes)?,
                    jump_false: offset(*no)?,
                    k: *k,
                });
            }
        }
    }
    Ok(assembled)
}

#[cfg(test)]
mod tests;

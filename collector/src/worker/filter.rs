//! Classic BPF filters: what a person's expression becomes, how it is compiled away from the capture loop (`compile`)
//! and how a program is run over a packet without trusting either (`interpret`).
mod compile;
mod interpret;
mod names;

use serde::{Deserialize, Serialize};

pub use compile::{FilterError, MOST_EXPRESSION_BYTES, check, compile, compiler_main};
pub use names::numbered;

/// The data link type that programs are compiled for (<https://www.tcpdump.org/linktypes.html>); the worker gives packets of
/// other links an Ethernet header before it runs one.
pub const ETHERNET: i32 = 1;
/// The kernel takes no longer program (`BPF_MAXINSNS`, linux/bpf_common.h).
pub const MOST_INSTRUCTIONS: usize = 4_096;

/// One instruction of classic BPF (`struct sock_filter`, linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    pub code: u16,
    pub jump_true: u8,
    pub jump_false: u8,
    pub k: u32,
}

/// A classic BPF program that is known to end: every jump goes forward and lands inside, the last instruction returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Instruction>", into = "Vec<Instruction>")]
pub struct Program {
    instructions: Vec<Instruction>,
}

/// Why a list of instructions is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    #[error("a filter of {0} instructions; 1 to {MOST_INSTRUCTIONS} are possible, so make it shorter")]
    Length(usize),
    #[error("instruction {0} of the filter is not one of classic BPF")]
    Instruction(usize),
    #[error(
        "the filter loops or jumps past its end at instruction {0} (protochain does so, and the kernel refuses it too)"
    )]
    Jump(usize),
    #[error("the filter ends without a return")]
    NoReturn,
    #[error("instruction {0} as libpcap shows it cannot be read")]
    Unreadable(usize),
}

impl Program {
    pub fn new(instructions: Vec<Instruction>) -> Result<Self, ProgramError> {
        interpret::check(&instructions)?;
        Ok(Self { instructions })
    }

    /// The same instructions as libpcap's, which shows each as "code jt jf k".
    pub fn from_pcap(program: &pcap::BpfProgram) -> Result<Self, ProgramError> {
        let instructions = program.get_instructions().iter().enumerate();
        let read = instructions
            .map(|(at, shown)| read_instruction(&shown.to_string()).ok_or(ProgramError::Unreadable(at)));
        Self::new(read.collect::<Result<_, _>>()?)
    }

    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Whether the packet is one that the filter wants. `wire_length` is its length on the wire, which `len`, `greater`
    /// and `less` compare with, however little of it is in `data`.
    pub fn matches(&self, data: &[u8], wire_length: u32) -> bool {
        self.run(data, wire_length) > 0
    }

    /// What the program returns for a packet: the number of bytes to keep, 0 to leave it out.
    pub fn run(&self, data: &[u8], wire_length: u32) -> u32 {
        interpret::run(&self.instructions, data, wire_length)
    }
}

impl TryFrom<Vec<Instruction>> for Program {
    type Error = ProgramError;

    fn try_from(instructions: Vec<Instruction>) -> Result<Self, ProgramError> {
        Self::new(instructions)
    }
}

impl From<Program> for Vec<Instruction> {
    fn from(program: Program) -> Self {
        program.instructions
    }
}

fn read_instruction(shown: &str) -> Option<Instruction> {
    let mut numbers = shown.split(' ').map(|word| word.parse::<u32>().ok());
    let mut next = || numbers.next().flatten();
    let (code, jump_true, jump_false, k) = (next()?, next()?, next()?, next()?);
    Some(Instruction {
        code: code.try_into().ok()?,
        jump_true: jump_true.try_into().ok()?,
        jump_false: jump_false.try_into().ok()?,
        k,
    })
}

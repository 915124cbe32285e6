//! The machine that runs classic BPF: an accumulator, an index register and sixteen words of scratch
//! (McCanne and Jacobson, "The BSD Packet Filter", 1993; net/core/filter.c). A load past the captured bytes ends the
//! program with 0, as in the kernel and in libpcap.
use super::{Instruction, MOST_INSTRUCTIONS, ProgramError};

const SCRATCH_WORDS: usize = 16;

// instruction classes, `code & 7`
const LOAD: u16 = 0;
const LOAD_INDEX: u16 = 1;
const STORE: u16 = 2;
const STORE_INDEX: u16 = 3;
const ARITHMETIC: u16 = 4;
const JUMP: u16 = 5;
const RETURN: u16 = 6;

/// Refuses what could run on, read outside scratch or divide by a constant zero.
pub(super) fn check(instructions: &[Instruction]) -> Result<(), ProgramError> {
    if instructions.is_empty() || instructions.len() > MOST_INSTRUCTIONS {
        return Err(ProgramError::Length(instructions.len()));
    }
    for (at, instruction) in instructions.iter().enumerate() {
        if !is_known(instruction) {
            return Err(ProgramError::Instruction(at));
        }
        if instruction.code & 7 == JUMP {
            let after = instructions.len() - at - 1;
            let inside = |offset: u32| usize::try_from(offset).is_ok_and(|offset| offset < after);
            let lands = match instruction.code {
                0x05 => inside(instruction.k),
                _ => inside(instruction.jump_true.into()) && inside(instruction.jump_false.into()),
            };
            if !lands {
                return Err(ProgramError::Jump(at));
            }
        }
    }
    match instructions.last() {
        Some(last) if last.code & 7 == RETURN => Ok(()),
        _ => Err(ProgramError::NoReturn),
    }
}

fn is_known(instruction: &Instruction) -> bool {
    match instruction.code {
        // ld #k, [k], [x+k], len; ldh and ldb [k], [x+k]; ldx #k, len, 4*([k]&0xf)
        0x00 | 0x20 | 0x40 | 0x80 | 0x28 | 0x48 | 0x30 | 0x50 | 0x01 | 0x81 | 0xb1 => true,
        // ld and ldx M[k], st, stx
        0x60 | 0x61 | 0x02 | 0x03 => usize::try_from(instruction.k).is_ok_and(|word| word < SCRATCH_WORDS),
        // div and mod by a constant
        0x34 | 0x94 => instruction.k != 0,
        // add, sub, mul, or, and, lsh, rsh, xor by constant, all of them by the index register, neg
        0x04 | 0x14 | 0x24 | 0x44 | 0x54 | 0x64 | 0x74 | 0xa4 => true,
        0x0c | 0x1c | 0x2c | 0x3c | 0x4c | 0x5c | 0x6c | 0x7c | 0x9c | 0xac | 0x84 => true,
        // ja, jeq, jgt, jge, jset
        0x05 | 0x15 | 0x25 | 0x35 | 0x45 | 0x1d | 0x2d | 0x3d | 0x4d => true,
        // ret #k, ret a, tax, txa
        0x06 | 0x16 | 0x07 | 0x87 => true,
        _ => false,
    }
}

struct Machine<'a> {
    accumulator: u32,
    index: u32,
    scratch: [u32; SCRATCH_WORDS],
    data: &'a [u8],
    wire_length: u32,
}

pub(super) fn run(instructions: &[Instruction], data: &[u8], wire_length: u32) -> u32 {
    let mut machine = Machine { accumulator: 0, index: 0, scratch: [0; SCRATCH_WORDS], data, wire_length };
    let mut at = 0usize;
    // jumps go forward only, so this ends after at most as many steps as there are instructions
    while let Some(instruction) = instructions.get(at) {
        at = at.saturating_add(1);
        match instruction.code & 7 {
            RETURN => return if instruction.code == 0x16 { machine.accumulator } else { instruction.k },
            JUMP => at = at.saturating_add(machine.jump(instruction)),
            _ => match machine.step(instruction) {
                Some(()) => {}
                None => return 0,
            },
        }
    }
    0
}

impl Machine<'_> {
    /// None where the packet has no such byte or a divisor is zero: the program ends with 0.
    fn step(&mut self, instruction: &Instruction) -> Option<()> {
        match instruction.code & 7 {
            LOAD => self.accumulator = self.load(instruction)?,
            LOAD_INDEX => self.index = self.load_index(instruction)?,
            STORE => *self.scratch.get_mut(usize::try_from(instruction.k).ok()?)? = self.accumulator,
            STORE_INDEX => *self.scratch.get_mut(usize::try_from(instruction.k).ok()?)? = self.index,
            ARITHMETIC => self.accumulator = self.arithmetic(instruction)?,
            _ if instruction.code == 0x07 => self.index = self.accumulator,
            _ => self.accumulator = self.index,
        }
        Some(())
    }

    fn load(&self, instruction: &Instruction) -> Option<u32> {
        let offset = match instruction.code & 0xe0 {
            0x00 => return Some(instruction.k),
            0x60 => return self.scratch.get(usize::try_from(instruction.k).ok()?).copied(),
            0x80 => return Some(self.wire_length),
            0x40 => self.index.checked_add(instruction.k)?,
            _ => instruction.k,
        };
        match instruction.code & 0x18 {
            0x00 => self.bytes(offset).map(u32::from_be_bytes),
            0x08 => self.bytes(offset).map(|half| u16::from_be_bytes(half).into()),
            _ => self.bytes(offset).map(|[byte]| byte.into()),
        }
    }

    fn load_index(&self, instruction: &Instruction) -> Option<u32> {
        match instruction.code {
            0x01 => Some(instruction.k),
            0x61 => self.scratch.get(usize::try_from(instruction.k).ok()?).copied(),
            0x81 => Some(self.wire_length),
            // the IPv4 header's length
            _ => self.bytes(instruction.k).map(|[byte]| u32::from(byte & 0x0f) * 4),
        }
    }

    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        self.data.get(usize::try_from(offset).ok()?..)?.first_chunk().copied()
    }

    fn operand(&self, instruction: &Instruction) -> u32 {
        if instruction.code & 0x08 == 0 { instruction.k } else { self.index }
    }

    fn arithmetic(&self, instruction: &Instruction) -> Option<u32> {
        let (left, right) = (self.accumulator, self.operand(instruction));
        Some(match instruction.code & 0xf0 {
            0x00 => left.wrapping_add(right),
            0x10 => left.wrapping_sub(right),
            0x20 => left.wrapping_mul(right),
            0x30 => left.checked_div(right)?,
            0x40 => left | right,
            0x50 => left & right,
            0x60 => left.checked_shl(right).unwrap_or(0),
            0x70 => left.checked_shr(right).unwrap_or(0),
            0x80 => left.wrapping_neg(),
            0x90 => left.checked_rem(right)?,
            _ => left ^ right,
        })
    }

    fn jump(&self, instruction: &Instruction) -> usize {
        let (left, right) = (self.accumulator, self.operand(instruction));
        let taken = match instruction.code & 0xf0 {
            0x00 => return usize::try_from(instruction.k).unwrap_or(usize::MAX),
            0x10 => left == right,
            0x20 => left > right,
            0x30 => left >= right,
            _ => left & right != 0,
        };
        usize::from(if taken { instruction.jump_true } else { instruction.jump_false })
    }
}

#[cfg(test)]
mod tests {
    use pcap::{Capture, Linktype};
    use proptest::prelude::*;

    use super::super::Program;
    use super::*;

    const FILTERS: &[&str] = &[
        "",
        "tcp",
        "udp port 53",
        "ip6",
        "arp",
        "host 10.0.0.1",
        "net 10.0.0.0/8 and not port 22",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "greater 100",
        "less 60",
        "vlan 7 and udp",
        "vlan and vlan",
        "portrange 1-1024",
        "ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) > 0",
        "ether host 02:00:00:00:00:01",
        "icmp or icmp6",
        "len * 3 / 2 % 7 == 1",
        "ip[8] ^ ip[9] > 10 and (ether[0] & 1 = 0)",
    ];

    fn program(expression: &str) -> (pcap::BpfProgram, Program) {
        let compiled = Capture::dead(Linktype::ETHERNET).unwrap().compile(expression, true).unwrap();
        let ours = Program::from_pcap(&compiled).unwrap();
        (compiled, ours)
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let kind = prop_oneof![
            Just(vec![0x08, 0x00, 0x45]),
            Just(vec![0x08, 0x00, 0x46]),
            Just(vec![0x86, 0xdd, 0x60]),
            Just(vec![0x08, 0x06]),
            Just(vec![0x81, 0x00, 0x00, 0x07, 0x08, 0x00, 0x45]),
            Just(vec![0x88, 0xa8, 0x00, 0x01, 0x81, 0x00, 0x00, 0x07, 0x86, 0xdd, 0x60]),
            proptest::collection::vec(any::<u8>(), 0..4),
        ];
        let addresses = proptest::collection::vec(prop_oneof![Just(0u8), Just(2), Just(1)], 12);
        let small = prop_oneof![Just(0u8), Just(1), Just(6), Just(10), Just(17), Just(53), any::<u8>()];
        (addresses, kind, proptest::collection::vec(small, 0..120))
            .prop_map(|(addresses, kind, rest)| [addresses, kind, rest].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() })]

        #[test]
        fn it_agrees_with_libpcap(frames in proptest::collection::vec(frame(), 40)) {
            for expression in FILTERS {
                let (theirs, ours) = program(expression);
                for frame in &frames {
                    let length = u32::try_from(frame.len()).unwrap();
                    prop_assert_eq!(ours.matches(frame, length), theirs.filter(frame), "{} on {:02x?}", expression, frame);
                }
            }
        }

        #[test]
        fn any_list_of_instructions_is_refused_or_ends(raw in proptest::collection::vec((any::<u8>(), 0u8..6, 0u8..6, 0u32..80), 1..40), data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut instructions: Vec<Instruction> = raw
                .into_iter()
                .map(|(code, jump_true, jump_false, k)| Instruction { code: code.into(), jump_true, jump_false, k })
                .collect();
            instructions.push(Instruction { code: 0x06, jump_true: 0, jump_false: 0, k: 1 });
            if let Ok(program) = Program::new(instructions) {
                program.run(&data, 1_500);
            }
        }
    }

    #[test]
    fn a_filter_that_loops_is_refused() {
        let looping = Capture::dead(Linktype::ETHERNET).unwrap().compile("ip6 protochain 6", true).unwrap();
        assert!(matches!(Program::from_pcap(&looping), Err(ProgramError::Jump(_))));
    }

    #[test]
    fn length_is_the_wire_s_and_not_the_captured_one() {
        let (_, greater) = program("greater 1000");
        assert!(greater.matches(&[0; 60], 1_400));
        assert!(!greater.matches(&[0; 60], 999));
    }

    #[test]
    fn what_may_run_on_is_refused() {
        let one = |code, jump_true, k| Instruction { code, jump_true, jump_false: 0, k };
        let end = one(0x06, 0, 0);
        assert_eq!(Program::new(vec![]).unwrap_err(), ProgramError::Length(0));
        assert_eq!(
            Program::new(vec![end; MOST_INSTRUCTIONS + 1]).unwrap_err(),
            ProgramError::Length(MOST_INSTRUCTIONS + 1)
        );
        assert_eq!(Program::new(vec![one(0x05, 0, u32::MAX), end]).unwrap_err(), ProgramError::Jump(0));
        assert_eq!(Program::new(vec![one(0x15, 1, 0), end]).unwrap_err(), ProgramError::Jump(0));
        assert_eq!(Program::new(vec![one(0x60, 0, 16), end]).unwrap_err(), ProgramError::Instruction(0));
        assert_eq!(Program::new(vec![one(0x34, 0, 0), end]).unwrap_err(), ProgramError::Instruction(0));
        assert_eq!(Program::new(vec![one(0x00, 0, 0)]).unwrap_err(), ProgramError::NoReturn);
    }
}

//! DNS messages (RFC 1035, 6762): questions, and answers that name addresses.
use std::net::IpAddr;

use super::names;
use crate::flows::record::LONGEST_NAME;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The first question's name, or an answer's where there is no question; escaped.
    pub name: Option<String>,
    pub response: bool,
    /// Addresses that the answers give, with their owner's name where no question names them.
    pub addresses: Vec<(IpAddr, String)>,
}

/// The message contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Of a message's head (RFC 1035 section 4.1.1).
pub const HEAD_BYTES: usize = 12;
const MOST_ADDRESSES: usize = 64;
const INTERNET: u16 = 1;

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Broken> {
        let taken = self.message.get(self.at..).and_then(<[u8]>::first_chunk).ok_or(Broken)?;
        self.at += N;
        Ok(taken)
    }

    fn word(&mut self) -> Result<u16, Broken> {
        self.take().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// Steps over a name, and checks that its pointers lead backwards to a name.
    fn skip_name(&mut self) -> Result<(), Broken> {
        let start = self.at;
        self.at = labels(self.message, start, |_| ())?;
        Ok(())
    }
}

/// Calls `label` for each label of the name at `at`; where the name ends. A pointer must lead to before its own name.
fn labels(message: &[u8], mut at: usize, mut label: impl FnMut(&[u8])) -> Result<usize, Broken> {
    let (mut end, mut limit, mut length) = (None, at, 0);
    loop {
        let first = usize::from(*message.get(at).ok_or(Broken)?);
        match first >> 6 {
            0 if first == 0 => return Ok(end.unwrap_or(at + 1)),
            0 => {
                length += first + 1;
                if length > 255 {
                    return Err(Broken);
                }
                label(message.get(at + 1..at + 1 + first).ok_or(Broken)?);
                at += 1 + first;
            }
            3 => {
                let low = usize::from(*message.get(at + 1).ok_or(Broken)?);
                end = end.or(Some(at + 2));
                at = (first & 0x3f) << 8 | low;
                if at >= limit {
                    return Err(Broken);
                }
                limit = at;
            }
            _ => return Err(Broken),
        }
    }
}

fn name(message: &[u8], at: usize) -> Option<String> {
    let mut name = String::new();
    labels(message, at, |label| names::join(&mut name, label)).ok()?;
    (1..=LONGEST_NAME).contains(&name.len()).then_some(name)
}

/// Reads a whole message.
pub fn message(bytes: &[u8]) -> Result<Message, Broken> {
    let mut reader = Reader { message: bytes, at: 0 };
    let head: &[u8; 12] = reader.take()?;
    let [_, _, flags, code, q0, q1, a0, a1, n0, n1, r0, r1] = *head;
    let [questions, answers, authorities, additional] =
        [[q0, q1], [a0, a1], [n0, n1], [r0, r1]].map(u16::from_be_bytes);
    let mut message = Message { response: flags & 0x80 != 0, ..Message::default() };
    for number in 0..questions {
        if number == 0 {
            message.name = name(bytes, reader.at);
        }
        reader.skip_name()?;
        reader.take::<4>()?;
    }
    let positive = message.response && code & 0x0f == 0;
    for number in 0..u32::from(answers) + u32::from(authorities) + u32::from(additional) {
        let in_answer = number < u32::from(answers) || questions == 0;
        record(&mut reader, positive && in_answer, &mut message)?;
    }
    Ok(message)
}

fn record(reader: &mut Reader<'_>, wanted: bool, message: &mut Message) -> Result<(), Broken> {
    let owner = reader.at;
    reader.skip_name()?;
    let (kind, class) = (reader.word()?, reader.word()? & 0x7fff); // mDNS's cache-flush bit is the class's highest
    reader.take::<4>()?;
    let length = usize::from(reader.word()?);
    let content = reader.message.get(reader.at..reader.at + length).ok_or(Broken)?;
    reader.at += length;
    if !wanted || class != INTERNET || message.addresses.len() >= MOST_ADDRESSES {
        return Ok(());
    }
    let address = match (kind, length) {
        (1, 4) => content.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes)),
        (28, 16) => content.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes)),
        (1 | 28, _) => return Err(Broken),
        _ => None,
    };
    if let Some(address) = address
        && let Some(name) = message.name.clone().or_else(|| name(reader.message, owner))
    {
        message.addresses.push((address, name));
    }
    Ok(())
}

/// Whether what is there of a head may be one's: a known kind of message, at most one question, and a query without answers.
/// True where too little is there to say.
pub fn may_begin(bytes: &[u8]) -> bool {
    let [_, _, flags, code, q0, q1, a0, a1, ..] = bytes else { return true };
    let known = matches!(flags >> 3 & 0x0f, 0 | 4 | 5) && code & 0x40 == 0;
    let is_response = flags & 0x80 != 0;
    // an update (RFC 2136) lists what must hold where others have answers
    let fits = is_response || code & 0x0f == 0 && (flags & 0x78 != 0 || (*a0, *a1) == (0, 0));
    known && fits && u16::from_be_bytes([*q0, *q1]) <= 1
}

/// Whether bytes on no known port can only be a DNS message: one question, nothing odd, and nothing left over.
pub fn is_query(bytes: &[u8]) -> bool {
    let [_, _, flags, code, 0, 1, a0, a1, 0, 0, 0, 0 | 1, ..] = bytes else { return false };
    let plain = flags & 0x78 == 0 && code & 0x70 == 0;
    let answers_fit = flags & 0x80 != 0 || (*a0, *a1) == (0, 0);
    plain && answers_fit && bytes.len() >= 17 && message(bytes).is_ok_and(|message| message.name.is_some())
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;

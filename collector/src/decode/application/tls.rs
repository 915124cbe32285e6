//! TLS: the ClientHello's server name (RFC 8446 section 4.1.2, RFC 6066 section 3).
use super::names;

/// What the first bytes of a stream say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// Not TLS.
    Not,
    /// The beginning of a ClientHello.
    More,
    /// A ClientHello whose lengths contradict each other.
    Bad,
    /// A ClientHello, with its server name if it has one; or a server's hello.
    Whole(Option<String>),
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Version, random and the session id's length: no hello is shorter.
pub const FIXED_PART: usize = 5 + 4 + 2 + 32 + 1;
/// A record carries at most 2^14 bytes (section 5.1).
const LONGEST_RECORD: usize = 1 << 14;

/// Reads records from a stream's beginning.
pub fn stream(bytes: &[u8]) -> Hello {
    let [HANDSHAKE, 3, 0..=4, rest @ ..] = bytes else { return Hello::Not };
    match rest {
        [_, _, SERVER_HELLO, ..] => return Hello::Whole(None),
        [_, _, CLIENT_HELLO, ..] | [] | [_] | [_, _] => {}
        _ => return Hello::Not,
    }
    let Some((record, next)) = record(bytes) else { return Hello::More };
    let length =
        usize::from(u16::from_be_bytes([bytes.get(3), bytes.get(4)].map(|b| b.copied().unwrap_or(0))));
    if !(4..=LONGEST_RECORD).contains(&length) {
        return Hello::Bad;
    }
    match handshake(record) {
        // the hello goes on in the next records
        Hello::More if record.len() == length => match records(record, next) {
            Some(message) => handshake(&message),
            None => Hello::More,
        },
        other => other,
    }
}

/// The first record's content, as far as it is there, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, _, _, high, low, content @ ..] = bytes else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    Some(content.split_at_checked(length).unwrap_or((content, &[])))
}

/// The content of all handshake records joined, None where one is not whole.
fn records(first: &[u8], mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut message = first.to_vec();
    while let [HANDSHAKE, 3, ..] = rest {
        let (content, next) = record(rest)?;
        message.extend_from_slice(content);
        rest = next;
    }
    (message.len() > first.len()).then_some(message)
}

/// Reads a handshake message: QUIC carries it without records.
pub fn handshake(message: &[u8]) -> Hello {
    let [kind, l0, l1, l2, body @ ..] = message else { return Hello::More };
    if *kind != CLIENT_HELLO {
        return Hello::Not;
    }
    let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
    if !(38..=4 * LONGEST_RECORD).contains(&length) {
        return Hello::Bad;
    }
    match body.get(..length) {
        Some(body) => client_hello(body).map_or(Hello::Bad, Hello::Whole),
        None => Hello::More,
    }
}

/// Steps over a field with a length before it: the field and what follows.
fn field(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(width)?;
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

#[expect(clippy::option_option, reason = "broken, without a name, and named are three findings")]
fn client_hello(body: &[u8]) -> Option<Option<String>> {
    let (_session, rest) = field(body.get(34..)?, 1)?;
    let (_ciphers, rest) = field(rest, 2)?;
    let (_compression, rest) = field(rest, 1)?;
    if rest.is_empty() {
        return Some(None);
    }
    let (mut extensions, _) = field(rest, 2)?;
    while !extensions.is_empty() {
        let (kind, rest) = extensions.split_at_checked(2)?;
        let (content, rest) = field(rest, 2)?;
        if kind == [0, 0] {
            let (list, _) = field(content, 2)?;
            let [0, name @ ..] = list else { return Some(None) };
            let (name, _) = field(name, 2)?;
            return Some(names::host(name));
        }
        extensions = rest;
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello for `name`, in records of at most `piece` bytes.
    pub(crate) fn hello(name: &str, piece: usize) -> Vec<u8> {
        let length = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend(length(name.len() + 9));
        body.extend([0, 0]);
        body.extend(length(name.len() + 5));
        body.extend(length(name.len() + 3));
        body.push(0);
        body.extend(length(name.len()));
        body.extend(name.bytes());
        let mut message = vec![1, 0];
        message.extend(length(body.len()));
        message.extend(body);
        let records = message.chunks(piece).flat_map(|chunk| {
            let mut record = vec![22, 3, 1];
            record.extend(length(chunk.len()));
            record.extend(chunk);
            record
        });
        records.collect()
    }

    #[test]
    fn a_name_is_found_in_one_record_and_in_many() {
        for piece in [10_000, 50, 20] {
            assert_eq!(stream(&hello("Example.NET", piece)), Hello::Whole(Some("example.net".into())));
        }
    }

    #[test]
    fn every_beginning_of_a_hello_asks_for_more() {
        let hello = hello("example.net", 10_000);
        for end in 3..hello.len() {
            assert_eq!(stream(&hello[..end]), Hello::More, "{end}");
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_are_bad() {
        let mut hello = hello("example.net", 10_000);
        hello[9 + 34] = 200;
        assert_eq!(stream(&hello), Hello::Bad);
    }

    #[test]
    fn bytes_that_do_not_print_are_escaped() {
        assert_eq!(stream(&hello("a\n<b", 10_000)), Hello::Whole(Some("a\\x0a<b".into())));
    }
}

//! QUIC versions 1 and 2 (RFC 9000, 9001, 9369): the client's first packets can be opened by anyone, and carry a TLS hello.
use ring::{aead, hkdf};

/// A client's Initial: keys follow from the first destination connection id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Offset and bytes of each CRYPTO frame.
    pub crypto: Vec<(usize, Vec<u8>)>,
}

const VERSION_1: u32 = 1;
const VERSION_2: u32 = 0x6b33_43cf;
const SALT_1: [u8; 20] = *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
const SALT_2: [u8; 20] = *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
const MOST_FRAMES: usize = 64;

/// A long header whose fields fit.
#[derive(Clone, Copy, Debug)]
pub struct Long<'a> {
    version: u32,
    first: u8,
    pub destination: &'a [u8],
    rest: &'a [u8],
}

/// Reads a long header (RFC 9000 section 17.2); None if it is none.
pub fn long(datagram: &[u8]) -> Option<Long<'_>> {
    let [first, v0, v1, v2, v3, rest @ ..] = datagram else { return None };
    let version = u32::from_be_bytes([*v0, *v1, *v2, *v3]);
    let known = matches!(version, VERSION_1 | VERSION_2) || version >> 8 == 0x00ff_0000;
    if first & 0xc0 != 0xc0 || !known {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (destination, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *length <= 20)?;
    let (length, rest) = rest.split_first()?;
    let (_, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *length <= 20)?;
    Some(Long { version, first: *first, destination, rest })
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, _) = bytes.split_first()?;
    let (number, rest) = bytes.split_at_checked(1 << (first >> 6))?;
    let value = number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((value & (u64::MAX >> (66 - 8 * u32::try_from(number.len()).unwrap_or(0)).min(63)), rest))
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label of RFC 8446 section 7.1 with an empty context.
fn expand<const N: usize>(secret: &hkdf::Prk, label: &str) -> Option<[u8; N]> {
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let label_length = [u8::try_from(label.len() + 6).ok()?];
    let info = [&length[..], &label_length, b"tls13 ", label.as_bytes(), &[0]];
    let mut key = [0; N];
    secret.expand(&info, Length(N)).ok()?.fill(&mut key).ok()?;
    Some(key)
}

impl Long<'_> {
    fn is_initial(&self) -> bool {
        let kind = self.first >> 4 & 3;
        matches!((self.version, kind), (VERSION_1, 0) | (VERSION_2, 1))
    }

    /// Opens a client's Initial with the keys of `destination`, the first one the client chose.
    pub fn open(&self, datagram: &[u8], destination: &[u8]) -> Option<Opened> {
        if !self.is_initial() {
            return None;
        }
        let (token, rest) = varint(self.rest)?;
        let rest = rest.get(usize::try_from(token).ok()?..)?;
        let (length, rest) = varint(rest)?;
        let protected = rest.get(..usize::try_from(length).ok()?)?;
        let number_at = datagram.len() - rest.len();
        let sample = protected.get(4..20)?;
        let (salt, prefix) = if self.version == VERSION_1 { (SALT_1, "quic") } else { (SALT_2, "quicv2") };
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(destination);
        let secret: [u8; 32] = expand(&initial, "client in")?;
        let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
        let mask_key: [u8; 16] = expand(&secret, &format!("{prefix} hp"))?;
        let mask = aead::quic::HeaderProtectionKey::new(&aead::quic::AES_128, &mask_key)
            .ok()?
            .new_mask(sample)
            .ok()?;
        let mut header = datagram.get(..number_at)?.to_vec();
        let first = self.first ^ (mask[0] & 0x0f);
        *header.first_mut()? = first;
        let number_length = usize::from(first & 3) + 1;
        let mut number = [0; 8];
        for (place, (byte, mask)) in protected.iter().zip(&mask[1..]).take(number_length).enumerate() {
            header.push(byte ^ mask);
            *number.get_mut(8 - number_length + place)? = byte ^ mask;
        }
        let mut nonce: [u8; 12] = expand(&secret, &format!("{prefix} iv"))?;
        nonce.iter_mut().skip(4).zip(number).for_each(|(nonce, number)| *nonce ^= number);
        let key: [u8; 16] = expand(&secret, &format!("{prefix} key"))?;
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).ok()?);
        let mut sealed = protected.get(number_length..)?.to_vec();
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let opened = key.open_in_place(nonce, aead::Aad::from(header), &mut sealed).ok()?;
        Some(Opened { crypto: crypto(opened) })
    }
}

/// CRYPTO frames, up to the first frame that is none of those an Initial may carry (RFC 9000 section 17.2.2).
fn crypto(mut frames: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut found = Vec::new();
    while found.len() < MOST_FRAMES
        && let Some((kind, rest)) = frames.split_first()
    {
        let next = match kind {
            0 | 1 => Some(rest),
            2 | 3 => acknowledgement(rest, *kind == 3),
            6 => crypto_frame(rest, &mut found),
            _ => None,
        };
        let Some(next) = next else { break };
        frames = next;
    }
    found
}

fn crypto_frame<'a>(frame: &'a [u8], found: &mut Vec<(usize, Vec<u8>)>) -> Option<&'a [u8]> {
    let (offset, rest) = varint(frame)?;
    let (length, rest) = varint(rest)?;
    let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    found.push((usize::try_from(offset).ok()?, data.to_vec()));
    Some(rest)
}

fn acknowledgement(frame: &[u8], with_counts: bool) -> Option<&[u8]> {
    let (_largest, rest) = varint(frame)?;
    let (_delay, rest) = varint(rest)?;
    let (ranges, rest) = varint(rest)?;
    let numbers = ranges.checked_mul(2)?.checked_add(1 + if with_counts { 3 } else { 0 })?;
    let mut rest = rest;
    for _ in 0..numbers {
        (_, rest) = varint(rest)?;
    }
    Some(rest)
}

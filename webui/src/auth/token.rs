//! Random tokens. What is stored is their SHA-256: they are random enough that a slow hash would add nothing.
use sha2::{Digest as _, Sha256};

use crate::store::accounts::TokenHash;

const BYTES: usize = 32;
/// RFC 4648 section 6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 256 random bits as base32 text. Not printed by Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

impl Token {
    pub fn random() -> Result<Self, NoRandomness> {
        Ok(Self(random_text::<BYTES>()?))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> TokenHash {
        hash(&self.0)
    }
}

/// SHA-256 of a token's text.
pub fn hash(text: &str) -> TokenHash {
    Sha256::digest(text.as_bytes()).into()
}

/// Random bytes as base32 text, five bits a character.
pub(super) fn random_text<const LENGTH: usize>() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; LENGTH];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(base32(&bytes))
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(&mut text, held >> bits);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        push(&mut text, held << (5 - bits));
    }
    text
}

fn push(text: &mut String, value: u32) {
    let index = usize::try_from(value & 31).unwrap_or(0);
    text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'a')));
}

/// Equality in a time that does not tell how much of it matched.
pub fn same(a: &str, b: &str) -> bool {
    hash(a) == hash(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_rfc_4648_without_padding() {
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
        assert_eq!(base32(b"f"), "my");
        assert_eq!(base32(b""), "");
    }

    #[test]
    fn tokens_have_256_bits_and_do_not_show_in_debug() {
        let (a, b) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.text().len(), 52);
        assert_eq!(format!("{a:?}"), "Token(…)");
    }
}

//! Where the kernel keeps the addresses of a connection that it tracks: `struct nf_conn` may be a module's, whose types
//! the relocation of the programs does not see. So they are found here, by the format of
//! <https://docs.kernel.org/bpf/btf.html>, and handed to the programs as numbers.
use std::io;
use std::path::Path;

const VMLINUX: &str = "vmlinux";
const MODULE: &str = "nf_conntrack";
const TUPLE_BYTES: u32 = 40;

const MAGIC: u16 = 0xeb9f;
const HEADER_BYTES: usize = 24;
const TYPE_BYTES: usize = 12;
const MEMBER_BYTES: usize = 12;
const STRUCT: u32 = 4;
/// Of a type's `info`: the members of a structure have a bit field's size in the upper byte of their offset.
const KIND_FLAG: u32 = 1 << 31;

/// Why translated addresses are not followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(
        "the kernel does not track connections yet (module nf_conntrack); load the programs again once it does"
    )]
    NotTracked,
    #[error("the types in {file} could not be read")]
    Read { file: String, source: io::Error },
    #[error("the types in {file} are not in a format that is known")]
    Format { file: String },
    #[error("this kernel's {0} is not what is expected")]
    Layout(&'static str),
}

/// In bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Of the tuple of the direction in which the connection began.
    pub(super) tuples: u32,
    /// How much further the other direction's is.
    pub(super) reply: u32,
    pub(super) status: u32,
}

/// Reads the types below `directory` (/sys/kernel/btf).
///
/// # Errors
/// The kernel has no such structure now, or does not describe it.
pub(super) fn places(directory: &Path) -> Result<Places, ConnectionError> {
    let kernel = Types::read(&directory.join(VMLINUX), None)?;
    match Places::of(&[&kernel]) {
        Ok(places) => return Ok(places),
        Err(ConnectionError::NotTracked) => {}
        Err(error) => return Err(error),
    }
    let module = directory.join(MODULE);
    if !module.exists() {
        return Err(ConnectionError::NotTracked);
    }
    Places::of(&[&Types::read(&module, Some(&kernel))?, &kernel])
}

impl Places {
    /// From the first of several sets of types that has each of them.
    fn of(types: &[&Types<'_>]) -> Result<Self, ConnectionError> {
        let find = |name| types.iter().find_map(|types| types.structure(name));
        let connection = find("nf_conn").ok_or(ConnectionError::NotTracked)?;
        let hash =
            find("nf_conntrack_tuple_hash").ok_or(ConnectionError::Layout("nf_conntrack_tuple_hash"))?;
        let tuple = find("nf_conntrack_tuple").filter(|tuple| tuple.bytes == TUPLE_BYTES);
        tuple.ok_or(ConnectionError::Layout("nf_conntrack_tuple"))?;
        let member = |of: &Structure, name| of.offset(name).ok_or(ConnectionError::Layout(name));
        Ok(Self {
            tuples: member(&connection, "tuplehash")?.saturating_add(member(&hash, "tuple")?),
            reply: hash.bytes,
            status: member(&connection, "status")?,
        })
    }
}

/// The types of the kernel, or of a module, whose names may stand with the kernel's.
#[derive(Debug)]
struct Types<'a> {
    base: Option<&'a Types<'a>>,
    types: Vec<u8>,
    names: Vec<u8>,
}

#[derive(Debug)]
struct Structure {
    bytes: u32,
    /// Name, and offset in bytes.
    members: Vec<(String, u32)>,
}

impl Structure {
    fn offset(&self, member: &str) -> Option<u32> {
        self.members.iter().find(|(name, _)| name == member).map(|(_, offset)| *offset)
    }
}

impl<'a> Types<'a> {
    fn read(path: &Path, base: Option<&'a Types<'a>>) -> Result<Self, ConnectionError> {
        let file = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|source| ConnectionError::Read { file: file.clone(), source })?;
        Self::parse(&bytes, base).ok_or(ConnectionError::Format { file })
    }

    fn parse(bytes: &[u8], base: Option<&'a Types<'a>>) -> Option<Self> {
        let magic = bytes.first_chunk().map(|magic| u16::from_ne_bytes(*magic))?;
        let header = usize::try_from(word(bytes, 4)?).ok()?;
        if magic != MAGIC || header < HEADER_BYTES {
            return None;
        }
        let part = |at: usize| {
            let start = usize::try_from(word(bytes, at)?).ok()?.checked_add(header)?;
            let length = usize::try_from(word(bytes, at + 4)?).ok()?;
            Some(bytes.get(start..start.checked_add(length)?)?.to_vec())
        };
        Some(Self { base, types: part(8)?, names: part(16)? })
    }

    fn structure(&self, name: &str) -> Option<Structure> {
        let mut at = 0;
        while let Some(info) = word(&self.types, at + 4) {
            let (kind, count) = (info >> 24 & 0x1f, usize::try_from(info & 0xffff).ok()?);
            if kind == STRUCT && self.is_named(at, name) {
                let offset_bits = if info & KIND_FLAG == 0 { u32::MAX } else { 0x00ff_ffff };
                return Some(Structure {
                    bytes: word(&self.types, at + 8)?,
                    members: self.members(at + TYPE_BYTES, count, offset_bits),
                });
            }
            at += TYPE_BYTES + following_bytes(kind, count)?;
        }
        None
    }

    fn members(&self, first: usize, count: usize, offset_bits: u32) -> Vec<(String, u32)> {
        let member = |number: usize| {
            let at = first + number * MEMBER_BYTES;
            let bits = word(&self.types, at + 8)? & offset_bits;
            Some((String::from_utf8_lossy(self.name(word(&self.types, at)?)?).into_owned(), bits / 8))
        };
        (0..count).filter_map(member).collect()
    }

    fn is_named(&self, at: usize, name: &str) -> bool {
        word(&self.types, at).and_then(|place| self.name(place)) == Some(name.as_bytes())
    }

    /// The names of a module's types come after the kernel's.
    fn name(&self, place: u32) -> Option<&[u8]> {
        let place = usize::try_from(place).ok()?;
        let before = self.base.map_or(0, |base| base.names.len());
        let names = match place.checked_sub(before) {
            Some(own) => self.names.get(own..)?,
            None => self.base?.names.get(place..)?,
        };
        names.split(|byte| *byte == 0).next()
    }
}

/// Of a type of this kind, after the twelve bytes that all have.
fn following_bytes(kind: u32, count: usize) -> Option<usize> {
    match kind {
        1 | 14 | 17 => Some(4),              // integer, variable, tag of a declaration
        3 => Some(12),                       // array
        4 | 5 | 15 | 19 => Some(12 * count), // structure, union, section, enumeration of 64 bits
        6 | 13 => Some(8 * count),           // enumeration, function's prototype
        2 | 7..=12 | 16 | 18 => Some(0),
        _ => None,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types as a compiler writes them: structures of named members at bit offsets.
    #[derive(Default)]
    struct Written {
        types: Vec<u8>,
        names: Vec<u8>,
        names_before: usize,
    }

    impl Written {
        fn name(&mut self, name: &str) -> u32 {
            let place = self.names_before + self.names.len();
            self.names.extend(name.bytes().chain([0]));
            u32::try_from(place).unwrap()
        }

        fn put(&mut self, words: &[u32]) {
            self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        }

        fn structure(&mut self, name: &str, bytes: u32, members: &[(&str, u32)]) {
            let name = self.name(name);
            self.put(&[name, STRUCT << 24 | u32::try_from(members.len()).unwrap(), bytes]);
            for (member, bits) in members {
                let member = self.name(member);
                self.put(&[member, 1, *bits]);
            }
        }

        fn file(&self) -> Vec<u8> {
            let [types, names] = [&self.types, &self.names].map(|part| u32::try_from(part.len()).unwrap());
            let mut file = MAGIC.to_ne_bytes().to_vec();
            file.extend([1, 0]);
            file.extend([24, 0, types, types, names].iter().flat_map(|word: &u32| word.to_ne_bytes()));
            file.extend(self.types.iter().chain(&self.names));
            file
        }
    }

    fn kernel() -> Written {
        let mut kernel = Written::default();
        kernel.name("");
        kernel.put(&[0, 1 << 24, 4, 32]); // an integer
        kernel.put(&[0, 6 << 24 | 2, 4, 0, 0, 0, 1]); // an enumeration of two values
        kernel.structure("nf_conntrack_tuple", 40, &[("src", 0), ("dst", 160)]);
        kernel
    }

    fn tracking(types: &mut Written) {
        types.structure("nf_conntrack_tuple_hash", 56, &[("hnnode", 0), ("tuple", 128)]);
        types.structure("nf_conn", 248, &[("timeout", 64), ("tuplehash", 128), ("status", 1024)]);
    }

    const RIGHT: Places = Places { tuples: 32, reply: 56, status: 128 };

    #[test]
    fn a_modules_types_are_found_beside_the_kernels() {
        let kernel = kernel();
        let mut module = Written { names_before: kernel.names.len(), ..Written::default() };
        tracking(&mut module);
        let base = Types::parse(&kernel.file(), None).unwrap();
        assert!(matches!(Places::of(&[&base]), Err(ConnectionError::NotTracked)));
        let module = Types::parse(&module.file(), Some(&base)).unwrap();
        assert_eq!(Places::of(&[&module, &base]).unwrap(), RIGHT);
        let mut built_in = self::kernel();
        tracking(&mut built_in);
        assert_eq!(Places::of(&[&Types::parse(&built_in.file(), None).unwrap()]).unwrap(), RIGHT);
    }

    #[test]
    fn a_tuple_of_another_size_is_refused() {
        let mut types = Written::default();
        types.name("");
        types.structure("nf_conntrack_tuple", 48, &[]);
        tracking(&mut types);
        let types = Types::parse(&types.file(), None).unwrap();
        assert!(matches!(Places::of(&[&types]), Err(ConnectionError::Layout("nf_conntrack_tuple"))));
    }

    #[test]
    fn broken_types_are_refused_wherever_they_break_off() {
        let mut types = kernel();
        tracking(&mut types);
        let file = types.file();
        for length in 0..file.len() {
            assert!(Types::parse(&file[..length], None).is_none(), "{length}");
        }
        let mut cut = types;
        cut.types.truncate(cut.types.len() - 5);
        let cut = Types::parse(&cut.file(), None).unwrap();
        assert!(matches!(Places::of(&[&cut]), Err(ConnectionError::Layout("status"))));
    }

    #[test]
    fn this_kernels_own_types_are_read() {
        let directory = Path::new("/sys/kernel/btf");
        match places(directory) {
            Ok(places) => assert!(places.reply >= TUPLE_BYTES && places.tuples > 0, "{places:?}"),
            Err(error @ (ConnectionError::NotTracked | ConnectionError::Read { .. })) => {
                eprintln!("skipped: this_kernels_own_types_are_read: {error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

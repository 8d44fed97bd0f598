//! CAR version 1: blocks one after the other, each behind its length and its CID.
//!
//! ```text
//! header    | varint length | dag-cbor {"roots": [CID, ...], "version": 1} |
//! each      | varint length | CID, 36 bytes | block                        |   length counts CID and block
//!
//! dag-cbor  A2  65 "roots"  80+n  n x (D8 2A  58 25  00 CID)  67 "version"  01
//! ```
//! The reader takes CIDs of this library only (CIDv1, raw or dag-pb, SHA2-256), blocks of up to 2 MiB, and hands out no block
//! that does not hash to its CID.

use std::io::{self, Read, Write};

use stoa_types::Sha256;

use crate::cid::{Cid, InvalidCid};

/// No IPFS implementation makes larger ones.
const BLOCK_BYTES_MAX: u64 = 2 << 20;
/// A header with `ROOTS_MAX` roots is smaller.
const HEADER_BYTES_MAX: u64 = 1024;
const ROOTS_MAX: usize = 16;
const CID_TAG: [u8; 5] = [0xD8, 0x2A, 0x58, 0x25, 0x00];

#[derive(Debug, thiserror::Error)]
pub enum CarError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not the header of a CAR file of version 1")]
    Header,
    #[error("the file ends within a block")]
    CutOff,
    #[error("a length of more than 63 bits, or not in its shortest form")]
    Varint,
    #[error("a block of {given} bytes, the most is {max}")]
    BlockTooLarge { given: u64, max: u64 },
    #[error("a block under a CID that is not supported: {0}")]
    Cid(InvalidCid),
    #[error("the block under {cid} hashes to {computed}")]
    Mismatch { cid: Cid, computed: Sha256 },
}

/// Bytes of a CAR file with one root and blocks of these sizes.
pub fn car_size_bytes(block_sizes_bytes: impl Iterator<Item = u64>) -> u64 {
    let framed = |size_bytes: u64| {
        let length = size_bytes + Cid::LENGTH_BYTES as u64;
        varint(length).len() as u64 + length
    };
    let header = header(&[Cid::raw(Sha256::default())]);
    header.len() as u64 + block_sizes_bytes.map(framed).sum::<u64>()
}

/// What stands before the first block of a CAR file with this root.
pub fn car_header(root: &Cid) -> Vec<u8> {
    header(std::slice::from_ref(root))
}

/// What stands before the bytes of a block.
pub fn car_frame(cid: &Cid, size_bytes: u64) -> Vec<u8> {
    let mut bytes = varint(Cid::LENGTH_BYTES as u64 + size_bytes);
    bytes.extend(cid.to_bytes());
    bytes
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// With its length in front.
fn header(roots: &[Cid]) -> Vec<u8> {
    let mut body = vec![0xA2, 0x65];
    body.extend(b"roots");
    body.push(0x80 | roots.len() as u8);
    for root in roots {
        body.extend(CID_TAG);
        body.extend(root.to_bytes());
    }
    body.push(0x67);
    body.extend(b"version");
    body.push(0x01);
    let mut bytes = varint(body.len() as u64);
    bytes.extend(body);
    bytes
}

/// Writes blocks in the order in which they are given; what they are is the caller's business.
pub struct CarWriter<W> {
    out: W,
}

impl<W: Write> CarWriter<W> {
    pub fn new(mut out: W, root: Cid) -> io::Result<Self> {
        out.write_all(&car_header(&root))?;
        Ok(Self { out })
    }

    /// Refuses bytes that are not the block of this CID.
    pub fn write(&mut self, cid: Cid, bytes: &[u8]) -> Result<(), CarError> {
        let computed = Sha256::of(bytes);
        if computed != cid.digest {
            return Err(CarError::Mismatch { cid, computed });
        }
        self.out.write_all(&car_frame(&cid, bytes.len() as u64))?;
        self.out.write_all(bytes)?;
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads blocks one by one and checks each against its CID.
#[derive(Debug)]
pub struct CarReader<R> {
    input: R,
    roots: Vec<Cid>,
}

impl<R: Read> CarReader<R> {
    pub fn new(mut input: R) -> Result<Self, CarError> {
        let length = read_varint(&mut input)?.ok_or(CarError::Header)?;
        if length > HEADER_BYTES_MAX {
            return Err(CarError::Header);
        }
        let mut bytes = vec![0; length as usize];
        read_exact(&mut input, &mut bytes)?;
        let roots = parse_header(&bytes).ok_or(CarError::Header)?;
        Ok(Self { input, roots })
    }

    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// The next block; `None` at the end of the file.
    pub fn next_block(&mut self) -> Result<Option<(Cid, Vec<u8>)>, CarError> {
        let Some(length) = read_varint(&mut self.input)? else {
            return Ok(None);
        };
        let given = length.saturating_sub(Cid::LENGTH_BYTES as u64);
        if given > BLOCK_BYTES_MAX {
            let max = BLOCK_BYTES_MAX;
            return Err(CarError::BlockTooLarge { given, max });
        }
        if length < Cid::LENGTH_BYTES as u64 {
            let expected = Cid::LENGTH_BYTES as u64;
            return Err(CarError::Cid(InvalidCid::Length {
                given: length,
                expected,
            }));
        }
        let mut cid = [0; Cid::LENGTH_BYTES];
        read_exact(&mut self.input, &mut cid)?;
        let cid = Cid::from_bytes(&cid).map_err(CarError::Cid)?;
        let mut bytes = vec![0; given as usize];
        read_exact(&mut self.input, &mut bytes)?;
        let computed = Sha256::of(&bytes);
        if computed != cid.digest {
            return Err(CarError::Mismatch { cid, computed });
        }
        Ok(Some((cid, bytes)))
    }
}

fn read_exact(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), CarError> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => CarError::CutOff,
        _ => CarError::Io(error),
    })
}

/// `None` where the input ends before the first byte.
fn read_varint(input: &mut impl Read) -> Result<Option<u64>, CarError> {
    let mut number = 0;
    for index in 0..9 {
        let mut byte = [0];
        match read_exact(input, &mut byte) {
            Err(CarError::CutOff) if index == 0 => return Ok(None),
            other => other?,
        }
        number |= u64::from(byte[0] & 0x7f) << (7 * index);
        if byte[0] & 0x80 == 0 {
            // A zero behind others says nothing.
            return if byte[0] == 0 && index > 0 {
                Err(CarError::Varint)
            } else {
                Ok(Some(number))
            };
        }
    }
    Err(CarError::Varint)
}

fn parse_header(bytes: &[u8]) -> Option<Vec<Cid>> {
    let rest = bytes.strip_prefix(b"\xA2\x65roots")?;
    let (count, mut rest) = rest.split_first()?;
    let count = usize::from(count.checked_sub(0x80)?);
    if count == 0 || count > ROOTS_MAX {
        return None;
    }
    let mut roots = Vec::new();
    for _ in 0..count {
        let (cid, behind) = rest
            .strip_prefix(&CID_TAG)?
            .split_at_checked(Cid::LENGTH_BYTES)?;
        roots.push(Cid::from_bytes(cid).ok()?);
        rest = behind;
    }
    (rest == b"\x67version\x01").then_some(roots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn car(blocks: &[&[u8]]) -> Vec<u8> {
        let root = Cid::raw(Sha256::of(blocks[0]));
        let mut writer = CarWriter::new(Vec::new(), root).unwrap();
        for block in blocks {
            writer.write(Cid::raw(Sha256::of(block)), block).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CarError> {
        let mut reader = CarReader::new(bytes)?;
        let mut blocks = Vec::new();
        while let Some((_, block)) = reader.next_block()? {
            blocks.push(block);
        }
        Ok(blocks)
    }

    #[test]
    fn should_read_back_what_it_writes_and_know_its_size_before() {
        let large = vec![7; 1 << 20];
        let blocks: [&[u8]; 4] = [b"", b"a", &[1; 200], &large];
        let bytes = car(&blocks);
        let sizes = blocks.iter().map(|block| block.len() as u64);
        assert_eq!(bytes.len() as u64, car_size_bytes(sizes));
        assert_eq!(read(&bytes).unwrap(), blocks);
    }

    #[test]
    fn should_refuse_a_file_that_is_cut_off_anywhere_but_between_blocks() {
        let bytes = car(&[b"first", b"second"]);
        let between = [bytes.len() - 43, bytes.len() - 43 - 42];
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]).is_ok(), between.contains(&end), "{end}");
        }
    }

    #[test]
    fn should_hand_out_no_block_that_does_not_hash_to_its_cid() {
        let mut bytes = car(&[b"first"]);
        *bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(read(&bytes), Err(CarError::Mismatch { .. })));
        let mut writer = CarWriter::new(Vec::new(), Cid::raw(Sha256::of(b"x"))).unwrap();
        assert!(matches!(
            writer.write(Cid::raw(Sha256::of(b"x")), b"y"),
            Err(CarError::Mismatch { .. })
        ));
    }

    #[test]
    fn should_refuse_blocks_and_headers_beyond_their_limits() {
        let start = CarWriter::new(Vec::new(), Cid::raw(Sha256::of(b"x")));
        let mut bytes = start.unwrap().finish().unwrap();
        bytes.extend(varint((2 << 20) + 37));
        assert!(matches!(
            read(&bytes),
            Err(CarError::BlockTooLarge { given, .. }) if given == (2 << 20) + 1
        ));
        assert!(matches!(read(&varint(1 << 40)), Err(CarError::Header)));
        assert!(matches!(read(&[0xff; 12]), Err(CarError::Varint)));
    }

    proptest! {
        #[test]
        fn should_never_panic_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).is_err() || bytes.len() > 50);
        }
    }
}

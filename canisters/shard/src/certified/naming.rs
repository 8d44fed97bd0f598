//! How a hash is written in a path, and in which order such names stand. A hash tree is sorted by label, and base32 does not
//! sort as the bytes behind it do ('2' stands for 26 and sorts before 'a'). So an entry is kept under its place: 32 bytes
//! whose order is that of the names. Both ways are bijections.

use stoa_content::Cid;
use stoa_types::Sha256;

/// 32 bytes that sort as names do.
pub type NamePlace = [u8; 32];

#[derive(Clone, Copy)]
pub struct Naming {
    pub place: fn(&Sha256) -> NamePlace,
    pub hash: fn(&NamePlace) -> Sha256,
    pub name: fn(&Sha256) -> String,
}

/// 64 hexadecimal digits, which sort as the bytes do.
pub const HEX: Naming = Naming {
    place: |hash| hash.0,
    hash: |place| Sha256(*place),
    name: |hash| hash.to_string(),
};

pub const RAW_CID: Naming = Naming {
    place: base32_place,
    hash: base32_hash,
    name: |hash| Cid::raw(*hash).to_string(),
};

pub const NODE_CID: Naming = Naming {
    place: base32_place,
    hash: base32_hash,
    name: |hash| Cid::dag_pb(*hash).to_string(),
};

/// In a CID of 36 bytes, 4 of them fixed, the hash's bits fall on the digits thus:
///
/// ```text
/// 3 bits | 50 times 5 bits | 3 bits (behind them two that are 0)
/// ```
/// The first digit is a letter for each of its 8 values; the last takes every fourth value of 32, of which 28 is the digit '4'.
const DIGITS: usize = 52;

fn digit_bits(digit: usize) -> usize {
    if digit == 0 || digit == DIGITS - 1 {
        3
    } else {
        5
    }
}

/// The place of a digit's value among the values that it can take, in the order of ASCII.
fn rank(digit: usize, value: u8) -> u8 {
    match digit {
        0 => value,
        51 => (value + 1) % 8,
        // 26 to 31 are written '2' to '7', before the letters.
        _ => (value + 6) % 32,
    }
}

fn value(digit: usize, rank: u8) -> u8 {
    match digit {
        0 => rank,
        51 => (rank + 7) % 8,
        _ => (rank + 26) % 32,
    }
}

fn base32_place(hash: &Sha256) -> NamePlace {
    map_digits(&hash.0, rank)
}

fn base32_hash(place: &NamePlace) -> Sha256 {
    Sha256(map_digits(place, value))
}

fn map_digits(from: &[u8; 32], map: fn(usize, u8) -> u8) -> [u8; 32] {
    let mut to = [0; 32];
    let mut position = 0;
    for digit in 0..DIGITS {
        let bits = digit_bits(digit);
        let mapped = map(digit, read_bits(from, position, bits));
        write_bits(&mut to, position, bits, mapped);
        position += bits;
    }
    to
}

fn read_bits(bytes: &[u8; 32], position: usize, count: usize) -> u8 {
    let pair = u16::from(bytes[position / 8]) << 8
        | u16::from(bytes.get(position / 8 + 1).copied().unwrap_or(0));
    (pair >> (16 - position % 8 - count)) as u8 & ((1 << count) - 1)
}

fn write_bits(bytes: &mut [u8; 32], position: usize, count: usize, bits: u8) {
    let pair = u16::from(bits) << (16 - position % 8 - count);
    bytes[position / 8] |= (pair >> 8) as u8;
    if let Some(next) = bytes.get_mut(position / 8 + 1) {
        *next |= pair as u8;
    }
}

impl Naming {
    /// The last place whose name comes before `name`; `None` where none does. By bisection over all bits of a place, so that any
    /// text has its neighbours, name or not.
    pub fn last_before(&self, name: &str) -> Option<NamePlace> {
        let comes_before = |place: &NamePlace| (self.name)(&(self.hash)(place)).as_str() < name;
        let mut place = [0; 32];
        if !comes_before(&place) {
            return None;
        }
        for bit in 0..256 {
            let mask = 0x80 >> (bit % 8);
            place[bit / 8] |= mask;
            if !comes_before(&place) {
                place[bit / 8] &= !mask;
            }
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Naming; 3] = [HEX, RAW_CID, NODE_CID];

    proptest! {
        #[test]
        fn should_sort_places_as_names(one in any::<[u8; 32]>(), other in any::<[u8; 32]>(), shared in 0_usize..32) {
            let mut other = other;
            other[..shared].copy_from_slice(&one[..shared]);
            let (one, other) = (Sha256(one), Sha256(other));
            for naming in ALL {
                prop_assert_eq!((naming.hash)(&(naming.place)(&one)), one);
                let by_place = (naming.place)(&one).cmp(&(naming.place)(&other));
                prop_assert_eq!(by_place, (naming.name)(&one).cmp(&(naming.name)(&other)));
            }
        }

        #[test]
        fn should_find_the_last_place_before_any_text(hash in any::<[u8; 32]>(), text in "[a-z2-9<]{0,70}") {
            for naming in ALL {
                let name = (naming.name)(&Sha256(hash));
                for text in [&name, &text, &format!("{name}x"), &name[..9].to_owned()] {
                    let name_at = |place: &NamePlace| (naming.name)(&(naming.hash)(place));
                    match naming.last_before(text) {
                        None => prop_assert!(name_at(&[0; 32]) >= *text),
                        Some(place) => {
                            prop_assert!(name_at(&place) < *text);
                            prop_assert!(successor(&place).is_none_or(|next| name_at(&next) >= *text));
                        }
                    }
                }
            }
        }
    }

    fn successor(place: &NamePlace) -> Option<NamePlace> {
        let mut next = *place;
        for byte in next.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return Some(next);
            }
        }
        None
    }
}

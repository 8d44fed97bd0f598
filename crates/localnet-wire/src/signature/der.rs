//! The little DER that public keys need.
//!
//! ```text
//! SEQUENCE {
//!   SEQUENCE { OBJECT IDENTIFIER algorithm, OBJECT IDENTIFIER parameters OPTIONAL }
//!   BIT STRING { 0 unused bits, key }
//! }
//! ```

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// A SubjectPublicKeyInfo taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PublicKey<'a> {
    pub(super) algorithm: &'a [u8],
    pub(super) parameters: Option<&'a [u8]>,
    pub(super) bytes: &'a [u8],
}

pub(super) fn public_key(der: &[u8]) -> Option<PublicKey<'_>> {
    let (outer, rest) = element(SEQUENCE, der)?;
    if !rest.is_empty() {
        return None;
    }
    let (identifier, rest) = element(SEQUENCE, outer)?;
    let (bit_string, rest) = element(BIT_STRING, rest)?;
    if !rest.is_empty() {
        return None;
    }
    let (algorithm, rest) = element(OBJECT_IDENTIFIER, identifier)?;
    let parameters = if rest.is_empty() {
        None
    } else {
        let (parameters, rest) = element(OBJECT_IDENTIFIER, rest)?;
        if !rest.is_empty() {
            return None;
        }
        Some(parameters)
    };
    let (&unused_bits, bytes) = bit_string.split_first()?;
    (unused_bits == 0).then_some(PublicKey {
        algorithm,
        parameters,
        bytes,
    })
}

/// The contents of the element at the front, and what follows it. Lengths of up
/// to two bytes are enough for any key.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&given, rest) = der.split_first()?;
    if given != tag {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (length >= 0x80).then_some((usize::from(length), rest))?
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            (length >= 0x100).then_some((length, rest))?
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_take_an_ed25519_key_apart() {
        let mut der = vec![
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        der.extend([7; 32]);
        let key = public_key(&der).expect("a key");
        assert_eq!(key.algorithm, [0x2b, 0x65, 0x70]);
        assert_eq!(key.parameters, None);
        assert_eq!(key.bytes, [7; 32]);
    }

    #[test]
    fn should_refuse_every_truncation_and_any_addition() {
        let mut der = vec![
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        der.extend([7; 32]);
        for length in 0..der.len() {
            assert_eq!(public_key(&der[..length]), None, "cut to {length} bytes");
        }
        der.push(0);
        assert_eq!(public_key(&der), None);
    }
}

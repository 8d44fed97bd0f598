//! How values are stored: CBOR with numbered fields, so that a later version may
//! add fields and read what an earlier one wrote.

use std::borrow::Cow;

use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use minicbor::{Decode, Encode};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cbor<T>(pub T);

impl<T: Encode<()> + for<'b> Decode<'b, ()>> Storable for Cbor<T> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(minicbor::to_vec(&self.0).expect("BUG: encoding to memory cannot fail"))
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        Self(minicbor::decode(&bytes).expect("BUG: a stored value does not decode"))
    }

    const BOUND: Bound = Bound::Unbounded;
}

/// A principal as its bytes: `#[cbor(with = "crate::cbor::principal")]`.
pub mod principal {
    use candid::Principal;
    use minicbor::decode::Error;
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};

    pub fn encode<C, W: Write>(
        principal: &Principal,
        encoder: &mut Encoder<W>,
        _context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(principal.as_slice())?;
        Ok(())
    }

    pub fn decode<C>(decoder: &mut Decoder<'_>, _context: &mut C) -> Result<Principal, Error> {
        Principal::try_from_slice(decoder.bytes()?).map_err(|_| Error::message("not a principal"))
    }
}

/// A 128-bit number, which CBOR integers do not hold, as 16 bytes big-endian.
pub mod wide {
    use minicbor::decode::Error;
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};

    pub fn encode<C, W: Write>(
        number: &u128,
        encoder: &mut Encoder<W>,
        _context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(&number.to_be_bytes())?;
        Ok(())
    }

    pub fn decode<C>(decoder: &mut Decoder<'_>, _context: &mut C) -> Result<u128, Error> {
        <[u8; 16]>::try_from(decoder.bytes()?)
            .map(u128::from_be_bytes)
            .map_err(|_| Error::message("not a 128-bit number"))
    }
}

/// A field that earlier versions of the layout did not write: it decodes to its default
/// where it is absent, and is always written, so that a later field has its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Added<T>(pub T);

impl<T> std::ops::Deref for Added<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Added<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<C, T: Encode<C>> Encode<C> for Added<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(encoder, context)
    }
}

impl<'b, C, T: Decode<'b, C> + Default> Decode<'b, C> for Added<T> {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        context: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        T::decode(decoder, context).map(Self)
    }

    fn nil() -> Option<Self> {
        Some(Self::default())
    }
}

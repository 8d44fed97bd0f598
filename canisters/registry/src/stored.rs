//! How a record stands in stable memory: wrapped in an enum of its versions and written as CBOR with field names, so that a
//! later reader knows what it has before it.

/// Writes `$record` as `V1` of `$envelope`. A `V2` gets its own record type, a variant, and an arm that converts.
macro_rules! stored_as {
    ($record:ty, $envelope:ident) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        enum $envelope<'a> {
            V1(std::borrow::Cow<'a, $record>),
        }

        impl ic_stable_structures::Storable for $record {
            fn to_bytes(&self) -> std::borrow::Cow<'_, [u8]> {
                let mut bytes = Vec::new();
                ciborium::into_writer(&$envelope::V1(std::borrow::Cow::Borrowed(self)), &mut bytes)
                    .expect("BUG: a record does not encode");
                std::borrow::Cow::Owned(bytes)
            }

            fn into_bytes(self) -> Vec<u8> {
                self.to_bytes().into_owned()
            }

            fn from_bytes(bytes: std::borrow::Cow<[u8]>) -> Self {
                let $envelope::V1(record) = ciborium::from_reader(&bytes[..])
                    .expect("BUG: a stored record does not decode");
                record.into_owned()
            }

            const BOUND: ic_stable_structures::storable::Bound =
                ic_stable_structures::storable::Bound::Unbounded;
        }
    };
}

pub(crate) use stored_as;

//! Unpacking a module as it was sent: plain or gzipped.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;

use super::ModuleError;
use crate::limits::MODULE_BYTES_MAX;

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// The plain module. A bomb is refused as soon as it passes the limit.
pub fn decode(sent: &[u8]) -> Result<Cow<'_, [u8]>, ModuleError> {
    if !sent.starts_with(&GZIP_MAGIC) {
        return match sent.len() {
            given if given > MODULE_BYTES_MAX => Err(ModuleError::TooLarge {
                given,
                max: MODULE_BYTES_MAX,
            }),
            _ => Ok(Cow::Borrowed(sent)),
        };
    }
    let mut plain = Vec::new();
    GzDecoder::new(sent)
        .take(MODULE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|error| ModuleError::Gzip(error.to_string()))?;
    if plain.len() > MODULE_BYTES_MAX {
        return Err(ModuleError::TooLarge {
            given: plain.len(),
            max: MODULE_BYTES_MAX,
        });
    }
    Ok(Cow::Owned(plain))
}

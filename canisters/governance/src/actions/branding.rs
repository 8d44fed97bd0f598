//! Limits on what the DAO and its token are called and look like; the SNS's but for logos.

use std::ops::RangeInclusive;

use super::invalid;
use crate::refusal::Refusal;

/// As its data URL. The SNS allows 341,334; a logo is kept with the proposal.
const LOGO_LENGTH_BYTES_MAX: usize = 64 * 1024;
const LOGO_PREFIX: &str = "data:image/png;base64,";

pub fn check_text(
    field: &str,
    text: &str,
    length_bytes: RangeInclusive<usize>,
) -> Result<(), Refusal> {
    if !length_bytes.contains(&text.len()) {
        return invalid(format!(
            "`{field}` has {} bytes, it must have from {} to {}",
            text.len(),
            length_bytes.start(),
            length_bytes.end()
        ));
    }
    if text.trim() != text {
        return invalid(format!("`{field}` begins or ends with a space"));
    }
    Ok(())
}

pub fn check_logo(field: &str, logo: &str) -> Result<(), Refusal> {
    let length = logo.len();
    if length > LOGO_LENGTH_BYTES_MAX || !logo.starts_with(LOGO_PREFIX) {
        return invalid(format!(
            "`{field}` ({length} bytes) must be a PNG as `{LOGO_PREFIX}...`, of at most \
             {LOGO_LENGTH_BYTES_MAX} bytes"
        ));
    }
    Ok(())
}

/// What voters see of a logo, which is too long to show.
pub fn describe_logo(logo: &str) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(logo.as_bytes());
    format!("{} bytes, SHA-256 {}", logo.len(), hex::encode(hash))
}

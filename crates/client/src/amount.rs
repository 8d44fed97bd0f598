//! Amounts as people write them: integers inside, a decimal point only on the screen. No floats.

use candid::Nat;

use crate::error::{ClientError, Result};

/// Decimals of ICP and of the governance token: 1 token is 100,000,000 e8s.
pub const DECIMALS: u32 = 8;
pub const E8S_PER_TOKEN: u64 = 10_u64.pow(DECIMALS);

/// Reads `12`, `0.5` or `1_000.25` tokens.
pub fn parse_tokens(text: &str) -> Result<u64> {
    let invalid = |reason: &str| {
        ClientError::InvalidArgument(format!(
            "\"{text}\" is no amount of tokens: {reason}; write 12 or 0.5"
        ))
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !digits(whole) || !digits(fraction) {
        return Err(invalid("only digits and one point"));
    }
    let whole = whole.replace('_', "");
    let fraction = fraction.replace('_', "");
    if whole.is_empty() {
        return Err(invalid("nothing before the point"));
    }
    if text.contains('.') && fraction.is_empty() {
        return Err(invalid("nothing behind the point"));
    }
    if fraction.len() > DECIMALS as usize {
        return Err(invalid("more than 8 digits behind the point"));
    }
    let too_large = || invalid("it is too large");
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let fraction: u64 = format!("{fraction:0<8}").parse().map_err(|_| too_large())?;
    whole
        .checked_mul(E8S_PER_TOKEN)
        .and_then(|e8s| e8s.checked_add(fraction))
        .ok_or_else(too_large)
}

/// Writes e8s as tokens, without zeros that say nothing.
pub fn format_tokens(e8s: u64) -> String {
    let whole = e8s / E8S_PER_TOKEN;
    let fraction = format!("{:08}", e8s % E8S_PER_TOKEN);
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        digits => format!("{whole}.{digits}"),
    }
}

/// The same for an amount of any size, as ledgers give it.
pub fn format_token_amount(e8s: &Nat) -> String {
    match u64::try_from(e8s.0.clone()) {
        Ok(e8s) => format_tokens(e8s),
        Err(_) => format!("{e8s} e8s"),
    }
}

/// Cycles with their unit: `3.2 T`, cut, not rounded, so that it never says more than there is.
pub fn format_cycles(cycles: &Nat) -> String {
    for (unit, digits) in [("T", 12), ("B", 9), ("M", 6)] {
        let tenths = cycles.0.clone() / 10_u64.pow(digits - 1);
        if tenths >= 10_u32.into() {
            return format!("{}.{} {unit}", &tenths / 10_u32, &tenths % 10_u32);
        }
    }
    cycles.0.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_back_the_amounts_that_it_writes() {
        for e8s in [0, 1, 10, 99_999_999, 100_000_000, 150_000_000, u64::MAX] {
            assert_eq!(parse_tokens(&format_tokens(e8s)).unwrap(), e8s);
        }
        assert_eq!(parse_tokens("1_000.25").unwrap(), 100_025_000_000);
    }

    #[test]
    fn should_refuse_what_is_no_amount() {
        for text in [
            "",
            ".",
            ".5",
            "1.",
            "1.123456789",
            "-1",
            "1e3",
            "1,5",
            "184467440737.1",
        ] {
            assert!(parse_tokens(text).is_err(), "{text}");
        }
    }

    #[test]
    fn should_write_cycles_with_their_unit() {
        assert_eq!(format_cycles(&Nat::from(3_290_000_000_000_u64)), "3.2 T");
        assert_eq!(format_cycles(&Nat::from(999_999_999_999_u64)), "999.9 B");
        assert_eq!(format_cycles(&Nat::from(12_u64)), "12");
    }
}

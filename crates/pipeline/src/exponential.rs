//! The exponential function of scores, and of the engine's softmax: the same bits everywhere.

/// `e^x` for `x <= 0`, within 2 units in the last place, by multiplications and additions only (no fused
/// ones, which Wasm has to emulate).
///
/// `x = k ln 2 + r` with `|r| <= ln 2 / 2` (W. J. Cody and W. Waite, Software Manual for the Elementary
/// Functions, 1980: `ln 2` in two parts, so that `k` times the first is exact), and `e^r` by its Taylor
/// polynomial of degree 7, whose next term is below `(ln 2 / 2)^8 / 8! = 5.2e-9`, an eleventh of half a
/// unit in the last place of 1.
pub fn exponential(x: f32) -> f32 {
    // Below -87.33 the result is not a normal number any more; it counts as zero. NaN stays NaN.
    const LOWEST: f32 = -87.33;
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // 0x3f317200: 9 significant bits fewer than a float holds, so k * LN2_HIGH is exact for |k| < 512.
    const LN2_HIGH: f32 = 0.693_145_75;
    const LN2_LOW: f32 = 1.428_606_8e-6;
    // 1.5 * 2^23: adding and subtracting it rounds to the nearest integer.
    const ROUNDER: f32 = 12_582_912.0;
    const BIAS: i32 = 127;
    const MANTISSA_BITS: u32 = 23;

    let clamped = if x < LOWEST { LOWEST } else { x };
    let whole = (clamped * LOG2_E + ROUNDER) - ROUNDER;
    let rest = (clamped - whole * LN2_HIGH) - whole * LN2_LOW;
    let mut power = 1.0 / 5_040.0;
    power = power * rest + 1.0 / 720.0;
    power = power * rest + 1.0 / 120.0;
    power = power * rest + 1.0 / 24.0;
    power = power * rest + 1.0 / 6.0;
    power = power * rest + 0.5;
    power = power * rest + 1.0;
    power = power * rest + 1.0;
    let scale = f32::from_bits(((whole as i32 + BIAS) as u32) << MANTISSA_BITS);
    if x < LOWEST { 0.0 } else { power * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_give_the_exponential_within_two_units_in_the_last_place() {
        let mut worst = 0;
        for step in 0..=8_733_000 {
            let x = -(step as f32) / 100_000.0;
            let exact = f64::from(x).exp() as f32;
            worst = worst.max(exponential(x).to_bits().abs_diff(exact.to_bits()));
        }
        assert!(worst <= 2, "{worst} units in the last place");
    }

    #[test]
    fn should_give_zero_far_below_and_keep_nan() {
        assert_eq!(exponential(-88.0), 0.0);
        assert_eq!(exponential(f32::NEG_INFINITY), 0.0);
        assert_eq!(exponential(0.0), 1.0);
        assert!(exponential(f32::NAN).is_nan());
    }
}

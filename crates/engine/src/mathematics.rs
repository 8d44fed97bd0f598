//! The mathematical functions of C, as Rust's own library computes them.
//!
//! `f32::sin` and its like are calls of the C symbol `sinf`. In a Wasm canister that symbol is the pure Rust
//! `libm` in the compiler's runtime; natively it would be the platform's, which may differ in the last bit.
//! These definitions take its place in every program that links this crate, so that both compute alike.
//!
//! `sqrt`, `floor`, `ceil`, `trunc`, `rint` and `fma` are not here: IEEE 754 fixes their results.
//!
//! This does not reach a shared library that is loaded into a program with its own `libm`: there the
//! dynamic linker may bind these names to the program's. Such a binding must be linked with `-Bsymbolic`.

macro_rules! unary {
    ($($name:ident: $float:ty),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(x: $float) -> $float {
            libm::$name(x)
        }
    )*};
}

macro_rules! binary {
    ($($name:ident: $float:ty),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(x: $float, y: $float) -> $float {
            libm::$name(x, y)
        }
    )*};
}

unary! {
    acos: f64, acosf: f32, acosh: f64, acoshf: f32, asin: f64, asinf: f32, asinh: f64, asinhf: f32,
    atan: f64, atanf: f32, atanh: f64, atanhf: f32, cbrt: f64, cbrtf: f32, cos: f64, cosf: f32,
    cosh: f64, coshf: f32, erf: f64, erff: f32, exp: f64, expf: f32, exp2: f64, exp2f: f32,
    expm1: f64, expm1f: f32, log: f64, logf: f32, log10: f64, log10f: f32, log1p: f64, log1pf: f32,
    log2: f64, log2f: f32, sin: f64, sinf: f32, sinh: f64, sinhf: f32, tan: f64, tanf: f32,
    tanh: f64, tanhf: f32,
}

binary! {
    atan2: f64, atan2f: f32, fmod: f64, fmodf: f32, hypot: f64, hypotf: f32, pow: f64, powf: f32,
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    /// A value at which glibc's correctly rounded-ish results and Rust's differ would be ideal, but depends on
    /// the platform; what can be shown everywhere is that the method and the library agree bit for bit.
    #[test]
    fn should_compute_methods_with_the_library() {
        let mut differences = 0;
        for step in 1..200_000 {
            let x = black_box(step as f32 * 0.000_37);
            for (method, library) in [
                (x.sin(), libm::sinf(x)),
                (x.exp(), libm::expf(x)),
                (x.tanh(), libm::tanhf(x)),
                (x.ln(), libm::logf(x)),
                (x.powf(1.7), libm::powf(x, 1.7)),
            ] {
                differences += usize::from(method.to_bits() != library.to_bits());
            }
        }
        assert_eq!(differences, 0);
    }
}

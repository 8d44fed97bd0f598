//! Why a result has the same bits on every node and on the publisher's own machine.
//!
//! `tract` picks its kernels by the processor it finds. A fused multiply-add rounds once where a
//! multiplication and an addition round twice, and a sum over eight lanes adds in another order than
//! one over four, so two machines would disagree in the last bits. So:
//!
//! 1. **One set of kernels.** The knob `TRACT_CPU_ISA` takes the architecture itself out of the set of
//!    features, natively and in Wasm. What is left in `tract`'s pool are its portable Rust kernels:
//!    a product is a multiplication, then an addition, in the order of `k`. Rust never fuses or
//!    reorders floating-point operations.
//! 2. **Kernels of our own** ([`crate::kernels`]) where the portable one still differs by target
//!    (softmax), depends on where an allocation happens to lie (sums split at an aligned address), or costs too much
//!    (products of matrices: the same operations in the same order, in larger tiles).
//! 3. **One mathematical library.** `sin`, `exp`, `powf` and so on come from the platform's libm natively
//!    and from Rust's own in Wasm; `mathematics` puts the latter under the native names too. (Wasm has the copy that
//!    its compiler brings along; `tests/operators.rs` fails if one that differs comes along.)
//! 4. **The same lowering.** Knobs whose default depends on the target are pinned.
//! 5. **Refusal** ([`not_reproducible`]) of the operators that bring their own machine-dependent code, or chance.
//! 6. **One NaN.** Processors differ in the sign and payload of the NaN that an operation makes;
//!    outputs carry the canonical one (see [`crate::tensors`]).

use std::sync::OnceLock;

use tract_onnx::prelude::DatumType;
use tract_onnx::prelude::tract_data::knobs;
use tract_onnx::prelude::tract_linalg::isa;
use tract_onnx::prelude::tract_linalg::routines::{Func, best_for};
use tract_onnx::prelude::tract_linalg::{BinOp, MmmDispatch};

use crate::error::LoadError;
use crate::kernels;

/// Settings that `tract` would otherwise choose by target or read from the environment.
const PINNED: [(&str, &str); 8] = [
    // On in Wasm, off elsewhere; its inner order differs from a matrix product's.
    ("TRACT_DISABLE_BLOCKED_CONV", "true"),
    ("TRACT_ENABLE_BLOCKED_CONV", "false"),
    ("TRACT_DISABLE_DIRECT_SPATIAL", "true"),
    // 1 MiB in Wasm, 4 MiB elsewhere.
    ("TRACT_LAZY_IM2COL_MAX_EAGER_BYTES", "1048576"),
    ("TRACT_LAZY_IM2COL_MIN_KERNEL", "6"),
    ("TRACT_AVGPOOL_SEPARABLE", "false"),
    ("TRACT_DISABLE_DEPTHWISE_DECONV", "false"),
    ("TRACT_AMX_BF16", "false"),
];

/// The name under which a build's architecture is taken out of the feature set.
const WITHOUT_ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "-x86_64"
} else if cfg!(target_arch = "aarch64") {
    "-aarch64"
} else if cfg!(target_arch = "arm") {
    "-arm"
} else if cfg!(target_arch = "riscv64") {
    "-riscv64"
} else {
    "-wasm32"
};

/// Puts the portable kernels in force, once a process, and checks that they are. `tract` looks at its knobs
/// when it first picks a kernel, so this comes before anything else of it.
pub(crate) fn establish() -> Result<(), LoadError> {
    static ESTABLISHED: OnceLock<Result<(), LoadError>> = OnceLock::new();
    ESTABLISHED
        .get_or_init(|| {
            // An override outranks the environment, so nobody's shell changes a result.
            let mut settings = PINNED.to_vec();
            settings.push(("TRACT_CPU_ISA", WITHOUT_ARCHITECTURE));
            for (name, value) in settings {
                if !knobs::set_str(name, value) {
                    return Err(broken(format!("tract has no setting {name}")));
                }
            }
            let machine = isa::native();
            if let Some(architecture) = machine.arch() {
                return Err(broken(format!(
                    "kernels of {architecture} were chosen before the engine was asked"
                )));
            }
            for (function, datatype, ours) in [
                (Func::Softmax2, DatumType::F32, kernels::SOFTMAX_F32),
                (Func::ReduceSum, DatumType::F32, kernels::SUM_F32),
                (Func::ReduceSum, DatumType::F16, kernels::SUM_F16),
                (Func::DepthwiseW, DatumType::F32, kernels::DEPTHWISE_F32),
                (
                    Func::DepthwiseC,
                    DatumType::F32,
                    kernels::DEPTHWISE_CHANNELS_F32,
                ),
                (
                    Func::BinByScalar(BinOp::Min),
                    DatumType::F32,
                    kernels::AT_MOST_F32,
                ),
                (
                    Func::BinByScalar(BinOp::Max),
                    DatumType::F32,
                    kernels::AT_LEAST_F32,
                ),
                (Func::ReduceMax, DatumType::F32, kernels::MAX_F32),
                (Func::ReduceMin, DatumType::F32, kernels::MIN_F32),
            ] {
                let found = best_for(function, datatype, &machine).map(|routine| routine.name());
                if found != Some(ours) {
                    return Err(broken(format!(
                        "kernel {ours} is not in force, but {found:?}"
                    )));
                }
            }
            for ours in [kernels::MATRIX_F32, kernels::VECTOR_F32] {
                let pool = MmmDispatch::native().runnable();
                if !pool.iter().any(|kernel| kernel.name() == ours) {
                    return Err(broken(format!("kernel {ours} is not in force")));
                }
            }
            Ok(())
        })
        .clone()
}

fn broken(reason: String) -> LoadError {
    LoadError::BrokenBuild { reason }
}

/// Why an operator (by its name in ONNX or in `tract`) cannot be run with the same bits everywhere, if so.
pub fn not_reproducible(operator: &str) -> Option<&'static str> {
    match operator {
        "RandomNormal" | "RandomNormalLike" | "RandomUniform" | "RandomUniformLike" | "Random"
        | "Bernoulli" | "Multinomial" => Some("it draws random numbers"),
        // Not calls of a mathematical library, but formulas of Rust's own, which 1.96 changed.
        "Acosh" | "Asinh" | "Atanh" => Some("its formula depends on the compiler's version"),
        // rustfft picks its code by the processor's features.
        "DFT" | "STFT" | "Fft" => Some("its Fourier transform depends on the processor"),
        // These multiply matrices through ndarray, whose kernels fuse where the processor can.
        "GRU" | "GruSeq" | "PrefixMatMul" => Some("its matrix product depends on the processor"),
        _ => None,
    }
}

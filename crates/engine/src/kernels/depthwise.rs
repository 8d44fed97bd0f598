//! A run of output points of a depthwise convolution: each is the bias plus its taps in order, as `tract`'s portable walk
//! sums them, eight points at a time where they lie side by side.

use tract_onnx::prelude::tract_linalg::isa::IsaReq;
use tract_onnx::prelude::tract_linalg::routines::{Func, Routine, RoutineFactory};

use super::lanes::Lanes;

pub(crate) const DEPTHWISE: &str = "stoa_depthwise_w_f32";

inventory::submit! {
    Routine {
        func: Func::DepthwiseW,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::DepthwiseWF32 {
            name: DEPTHWISE,
            run: depthwise,
        },
    }
}

/// # Safety
/// As `DepthwiseWF32` says: `input + offsets[t] + i * stride` is readable for every tap and every `i` below `length`, and
/// `length` points are writable from `output`.
unsafe fn depthwise(
    input: *const f32,
    output: *mut f32,
    taps: &[f32],
    offsets: &[isize],
    bias: f32,
    length: usize,
    stride: isize,
) {
    let mut at = 0;
    unsafe {
        if stride == 1 {
            while at + 8 <= length {
                let from = input.add(at);
                let (mut left, mut right) = (Lanes::splat(bias), Lanes::splat(bias));
                for (tap, offset) in taps.iter().zip(offsets) {
                    let tap = Lanes::splat(*tap);
                    let from = from.offset(*offset);
                    left = left.plus_product(Lanes::load(from), tap);
                    right = right.plus_product(Lanes::load(from.add(4)), tap);
                }
                left.store(output.add(at));
                right.store(output.add(at + 4));
                at += 8;
            }
        }
        while at < length {
            let from = input.offset(at as isize * stride);
            let sum = taps.iter().zip(offsets).fold(bias, |sum, (tap, offset)| {
                sum + *from.offset(*offset) * *tap
            });
            output.add(at).write(sum);
            at += 1;
        }
    }
}

//! A run of output points of a depthwise convolution: each is the bias plus its taps in order, as `tract`'s portable walk
//! sums them. Several at a time: points where these lie side by side, or channels, where those do. That there is a kernel for channels has
//! `tract` lay out chains of convolutions so.

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

pub(crate) const DEPTHWISE_CHANNELS: &str = "stoa_depthwise_c_f32";

inventory::submit! {
    Routine {
        func: Func::DepthwiseC,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::DepthwiseCF32 {
            name: DEPTHWISE_CHANNELS,
            run: depthwise_channels,
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

/// # Safety
/// As `DepthwiseCF32` says: every tap of every point and channel is readable, and so is a bias for each channel; the channels of each
/// point are writable.
#[allow(clippy::too_many_arguments)] // The type is `tract`'s.
unsafe fn depthwise_channels(
    input: *const f32,
    output: *mut f32,
    kernel: *const f32,
    tap_indices: &[usize],
    offsets: &[isize],
    bias: *const f32,
    channels: usize,
    kernel_stride: usize,
    length: usize,
    input_stride: isize,
    output_stride: isize,
) {
    let taps = || tap_indices.iter().zip(offsets);
    for point in 0..length as isize {
        unsafe {
            let from = input.offset(point * input_stride);
            let to = output.offset(point * output_stride);
            let mut at = 0;
            while at + 16 <= channels {
                let mut sums = [0, 4, 8, 12].map(|lane| Lanes::load(bias.add(at + lane)));
                for (tap, offset) in taps() {
                    let tap = kernel.add(tap * kernel_stride + at);
                    let from = from.offset(*offset).add(at);
                    sums[0] = sums[0].plus_product(Lanes::load(from), Lanes::load(tap));
                    sums[1] =
                        sums[1].plus_product(Lanes::load(from.add(4)), Lanes::load(tap.add(4)));
                    sums[2] =
                        sums[2].plus_product(Lanes::load(from.add(8)), Lanes::load(tap.add(8)));
                    sums[3] =
                        sums[3].plus_product(Lanes::load(from.add(12)), Lanes::load(tap.add(12)));
                }
                for (lane, sum) in sums.into_iter().enumerate() {
                    sum.store(to.add(at + 4 * lane));
                }
                at += 16;
            }
            while at + 4 <= channels {
                let mut sum = Lanes::load(bias.add(at));
                for (tap, offset) in taps() {
                    let tap = Lanes::load(kernel.add(tap * kernel_stride + at));
                    sum = sum.plus_product(Lanes::load(from.offset(*offset).add(at)), tap);
                }
                sum.store(to.add(at));
                at += 4;
            }
            while at < channels {
                let sum = taps().fold(*bias.add(at), |sum, (tap, offset)| {
                    sum + *from.offset(*offset).add(at) * *kernel.add(tap * kernel_stride + at)
                });
                to.add(at).write(sum);
                at += 1;
            }
        }
    }
}
